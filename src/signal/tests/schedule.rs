//! Two parties over a bad network: messages are lost, repeated and come late, and sessions are reset.

use proptest::{collection::vec, prelude::*};

use super::party::Party;
use crate::signal::{Ciphertext, DecryptError};

/// How far a message may fall behind later ones of its sender.
///
/// The library keeps five receiving chains a session, so up to here none is forgotten and every
/// first delivery must be read.
const WINDOW: usize = 4;

#[derive(Debug, Clone, Copy)]
enum Event {
    Send {
        from: usize,
    },
    /// The `pick`th oldest message of those under way to `to`.
    Deliver {
        to: usize,
        pick: usize,
    },
    Lose {
        to: usize,
        pick: usize,
    },
    /// A message that was read before.
    Repeat {
        to: usize,
        pick: usize,
    },
    Reset {
        from: usize,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let (side, pick) = (0_usize..2, 0_usize..WINDOW);
    prop_oneof![
        6 => side.clone().prop_map(|from| Event::Send { from }),
        6 => (side.clone(), pick.clone()).prop_map(|(to, pick)| Event::Deliver { to, pick }),
        1 => (side.clone(), pick).prop_map(|(to, pick)| Event::Lose { to, pick }),
        2 => (side.clone(), 0_usize..64).prop_map(|(to, pick)| Event::Repeat { to, pick }),
        1 => side.prop_map(|from| Event::Reset { from }),
    ]
}

struct Network {
    parties: [Party; 2],
    /// Messages to each side with their text, oldest first.
    under_way: [Vec<(Ciphertext, Vec<u8>)>; 2],
    read: [Vec<Ciphertext>; 2],
    sent: u32,
}

impl Network {
    fn new() -> Self {
        let (anna, ben) = Party::pair();
        Self {
            parties: [anna, ben],
            under_way: [Vec::new(), Vec::new()],
            read: [Vec::new(), Vec::new()],
            sent: 0,
        }
    }

    fn reset(&mut self, from: usize) {
        let bundle = self.parties[1 - from].bundle(!self.sent.is_multiple_of(3));
        self.parties[from].establish(&bundle);
    }

    fn send(&mut self, from: usize) {
        // Nothing falls further behind than the window: the oldest arrives first.
        if self.under_way[1 - from].len() == WINDOW {
            self.deliver(1 - from, 0);
        }
        if self.parties[from].record.is_none() {
            self.reset(from);
        }
        self.sent += 1;
        let text = format!("message {} of {from}", self.sent).into_bytes();
        let sent = self.parties[from].send(&text);
        self.under_way[1 - from].push((sent, text));
    }

    fn take(&mut self, to: usize, pick: usize) -> Option<(Ciphertext, Vec<u8>)> {
        let queue = &mut self.under_way[to];
        (pick < queue.len()).then(|| queue.remove(pick))
    }

    fn deliver(&mut self, to: usize, pick: usize) {
        let Some((sent, text)) = self.take(to, pick) else { return };
        assert_eq!(self.parties[to].receive(&sent), Ok(text));
        assert_eq!(self.parties[to].receive(&sent), Err(DecryptError::Duplicate));
        self.read[to].push(sent);
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Send { from } => self.send(from),
            Event::Deliver { to, pick } => self.deliver(to, pick),
            Event::Lose { to, pick } => drop(self.take(to, pick)),
            Event::Repeat { to, pick } => {
                let read = &self.read[to];
                if let Some(sent) = pick.checked_rem(read.len()).map(|index| read[index].clone()) {
                    let repeated = self.parties[to].receive(&sent);
                    assert!(repeated.is_err(), "a message was read twice");
                }
            }
            Event::Reset { from } => self.reset(from),
        }
    }

    /// Whatever happened, both sides can talk again once messages arrive.
    fn settle(&mut self) {
        for side in [0, 1, 0, 1] {
            self.send(side);
            while !self.under_way[1 - side].is_empty() {
                self.deliver(1 - side, 0);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_read_once_whatever_the_network_does(events in vec(event(), 1..120)) {
        let mut network = Network::new();
        for event in events {
            network.apply(event);
        }
        network.settle();
    }
}
