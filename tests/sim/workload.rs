//! What is put on the agenda of a world: who writes when, and what goes wrong by the clock.

use super::{
    agenda::{Happening, Millis},
    dice::Dice,
    faults::{Faults, JUMP_AHEAD_MAX, JUMP_BACK_MAX},
    world::State,
};

/// How long everything may go wrong.
pub(crate) const TROUBLE_LASTS: Millis = 45_000;

impl State {
    /// Everything happens between now and the peace.
    pub(crate) fn plan(&mut self, seed: u64) {
        let dice = &mut Dice::new(seed, "workload");
        let faults = Faults::new(seed);
        for chat in 0..self.people.chats.len() {
            self.conversation(dice, chat);
        }
        let logins: Vec<_> = self.network.lines.keys().cloned().collect();
        for _ in 0..faults.sessions_lost {
            let contact = dice.between(0..self.people.contacts.len() as u64);
            let contact = usize::try_from(contact).unwrap();
            self.some_time(dice, Happening::SessionLost { contact });
        }
        for login in logins {
            for _ in 0..faults.prekeys_taken {
                self.some_time(dice, Happening::PreKeysTaken { login: login.clone() });
            }
        }
        for _ in 0..faults.jumps {
            let to = dice.between(0..JUMP_BACK_MAX);
            let (ahead, back) = (to % JUMP_AHEAD_MAX, to);
            let by = if dice.chance(0.5) { ahead.cast_signed() } else { -back.cast_signed() };
            self.some_time(dice, Happening::WallClockJumps { by });
        }
        for _ in 0..faults.kills {
            self.some_time(dice, Happening::ProcessDies);
        }
        for _ in 0..faults.stops {
            self.some_time(dice, Happening::ProcessIsStopped);
        }
        self.agenda.after(TROUBLE_LASTS, Happening::Peace);
        self.faults = faults;
    }

    /// Both sides write, now and then several texts at once.
    fn conversation(&mut self, dice: &mut Dice, chat: usize) {
        for _ in 0..dice.between(3..8) {
            self.some_time(dice, Happening::PersonWrites { chat });
        }
        for _ in 0..dice.between(3..8) {
            self.some_time(dice, Happening::ContactWrites { chat });
        }
        let at = self.agenda.now() + dice.between(0..TROUBLE_LASTS);
        for _ in 0..dice.between(0..4) {
            self.agenda.at(at, Happening::PersonWrites { chat });
            self.agenda.at(at + 1, Happening::ContactWrites { chat });
        }
    }

    fn some_time(&mut self, dice: &mut Dice, what: Happening) {
        let later = dice.between(0..TROUBLE_LASTS);
        self.agenda.after(later, what);
    }
}

impl State {
    /// What the process has no part in.
    pub(crate) fn perform(&mut self, happening: Happening) {
        match happening {
            Happening::Wake(sleeper) => sleeper.wake(),
            Happening::PersonWrites { chat } => self.person_writes(chat),
            Happening::ContactWrites { chat } => self.contact_writes(chat),
            Happening::PersonJoins { chat } => self.person_joins(chat),
            Happening::RoomKeyComes { key } => self.room_key_comes(key),
            Happening::Push => self.push(),
            Happening::PushEnds { number, is_taken } => self.push_ends(number, is_taken),
            Happening::Deliver { login, connection, stanza } => {
                self.deliver(&login, connection, stanza);
            }
            Happening::Post { login, mail } => self.post(&login, mail),
            Happening::FallsSilent { login, connection } => self.falls_silent(&login, connection),
            Happening::Breaks { login, connection } => self.breaks(&login, connection),
            Happening::SessionLost { contact } => {
                self.note(&format!("contact {contact} loses its sessions"));
                self.network.contacts[contact].lose_sessions();
            }
            Happening::PreKeysTaken { login } => self.prekeys_taken(&login),
            Happening::WallClockJumps { by } => {
                self.note(&format!("the wall clock jumps by {by} ms"));
                self.agenda.jump(by);
            }
            Happening::PushArrives { .. }
            | Happening::ProcessDies
            | Happening::ProcessIsStopped
            | Happening::StopIsEnforced { .. }
            | Happening::ProcessBegins
            | Happening::Peace => unreachable!("these are the play's"),
        }
    }
}
