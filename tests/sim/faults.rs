//! What can go wrong, and how likely it is in a world. Each world is bad at other things.

use super::{agenda::Millis, dice::Dice};

/// How long a call takes at most each way: the adapters have deadlines.
const SLOW_MAX: Millis = 4_000;

/// What becomes of a call to the outside.
pub(crate) enum Fate {
    Well,
    /// It had no effect, and fails.
    Before,
    /// It had its effect, and the answer is lost.
    After,
}

/// How a call to one of the two sides fares.
#[derive(Clone, Copy, Default)]
pub(crate) struct Road {
    /// The mean time that a call takes.
    pub(crate) takes: Millis,
    /// How likely it is to take a hundred times as long.
    pub(crate) slow: f64,
    /// 5xx, 429, a connection refused.
    pub(crate) fails_before: f64,
    /// A time-out, a connection that breaks.
    pub(crate) fails_after: f64,
}

impl Road {
    fn new(dice: &mut Dice) -> Self {
        Self {
            takes: dice.between(1..40),
            slow: dice.likelihood(0.03),
            fails_before: dice.likelihood(0.2),
            fails_after: dice.likelihood(0.2),
        }
    }

    fn quiet() -> Self {
        Self { takes: 5, ..Self::default() }
    }

    pub(crate) fn fate(&self, dice: &mut Dice) -> (Millis, Fate) {
        let takes = dice.around(self.takes) + 1;
        let takes = if dice.chance(self.slow) { (takes * 100).min(SLOW_MAX) } else { takes };
        let fate = if dice.chance(self.fails_before) {
            Fate::Before
        } else if dice.chance(self.fails_after) {
            Fate::After
        } else {
            Fate::Well
        };
        (takes, fate)
    }
}

/// All are likelihoods unless they say otherwise.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    pub(crate) to_homeserver: Road,
    pub(crate) to_network: Road,
    // A transaction.
    pub(crate) push_lost: f64,
    pub(crate) push_answer_lost: f64,
    pub(crate) push_doubled: f64,
    /// Written down by the homeserver and not sent until it notices (`domain::sequence`).
    pub(crate) push_kept: f64,
    /// The homeserver restarts and counts its transactions from 1 again.
    pub(crate) counts_anew: f64,
    // A room key.
    pub(crate) key_changes: f64,
    pub(crate) key_late: f64,
    /// Never pushed: only a fetch brings it.
    pub(crate) key_not_pushed: f64,
    pub(crate) key_never: f64,
    /// The keys that came cannot be taken in.
    pub(crate) keys_refused: f64,
    // The connection.
    pub(crate) connecting_fails: f64,
    /// The mean life of a connection; 0 for ever.
    pub(crate) connection_lasts: Millis,
    /// Of a connection that ends: that it is half-open before.
    pub(crate) half_open: f64,
    pub(crate) nack: f64,
    pub(crate) acknowledgement_lost: f64,
    pub(crate) stanza_doubled: f64,
    // A message of the contact.
    pub(crate) damaged: f64,
    /// Of a bundle of the contact's: that it has no one-time key left.
    pub(crate) unstocked: f64,
    // How often.
    pub(crate) sessions_lost: u64,
    pub(crate) prekeys_taken: u64,
    pub(crate) jumps: u64,
    pub(crate) stops: u64,
    pub(crate) kills: u64,
    /// The mean number of writes between two deaths of the process; 0 for no death at a write.
    pub(crate) writes_between_deaths: u64,
}

/// Lives of the process that end before their time, at most: each costs the host some time.
pub(crate) const DEATHS_MAX: u32 = 6;
/// How far the wall clock jumps back, at most.
pub(crate) const JUMP_BACK_MAX: u64 = 90_000;
/// How far it jumps ahead, at most: all jumps together are shorter than a room key is waited for.
pub(crate) const JUMP_AHEAD_MAX: u64 = 4_000;

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, "faults");
        let several =
            |dice: &mut Dice, most: u64| dice.between(0..most + 1).min(dice.between(0..most + 1));
        Self {
            to_homeserver: Road::new(dice),
            to_network: Road::new(dice),
            push_lost: dice.likelihood(0.2),
            push_answer_lost: dice.likelihood(0.2),
            push_doubled: dice.likelihood(0.2),
            push_kept: dice.likelihood(0.8),
            counts_anew: dice.likelihood(0.05),
            key_changes: dice.likelihood(0.7),
            key_late: dice.likelihood(0.3),
            key_not_pushed: dice.likelihood(0.5),
            key_never: dice.likelihood(0.1),
            keys_refused: dice.likelihood(0.3),
            connecting_fails: dice.likelihood(0.5),
            connection_lasts: if dice.chance(0.3) { 0 } else { dice.between(2_000..40_000) },
            half_open: dice.likelihood(0.6),
            nack: dice.likelihood(0.1),
            acknowledgement_lost: dice.likelihood(0.3),
            stanza_doubled: dice.likelihood(0.3),
            damaged: dice.likelihood(0.15),
            unstocked: dice.likelihood(1.0),
            sessions_lost: several(dice, 3),
            prekeys_taken: several(dice, 3),
            jumps: several(dice, 3),
            stops: several(dice, 2),
            kills: several(dice, 3),
            writes_between_deaths: if dice.chance(0.3) { 0 } else { dice.between(10..150) },
        }
    }

    /// A world in which nothing goes wrong.
    pub(crate) fn none() -> Self {
        let (to_homeserver, to_network) = (Road::quiet(), Road::quiet());
        Self { to_homeserver, to_network, ..Self::default() }
    }
}
