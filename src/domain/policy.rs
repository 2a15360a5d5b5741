//! Deny lists: what policy rooms say of people and servers (Matrix specification, "Moderation policy
//! lists"), and whom that means.
//!
//! Each rule is a state event; the latest one of its type and state key counts, and one that is empty,
//! redacted or no ban takes back what stood there.

use std::collections::BTreeMap;

use ruma::{OwnedEventId, OwnedRoomId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use super::{event::Event, limits};

/// What a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum About {
    User,
    Server,
}

impl About {
    /// By the type of its event: the stable name, that of before (MSC2313), and that of the first
    /// moderation bots.
    fn of(event_type: &str) -> Option<Self> {
        match event_type {
            "m.policy.rule.user" | "m.room.rule.user" | "org.matrix.mjolnir.rule.user" => {
                Some(Self::User)
            }
            "m.policy.rule.server" | "m.room.rule.server" | "org.matrix.mjolnir.rule.server" => {
                Some(Self::Server)
            }
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Policy {
    event: OwnedEventId,
    about: About,
    /// A glob.
    entity: String,
    reason: Option<String>,
}

/// By type and state key.
type Policies = BTreeMap<String, Policy>;

/// What all policy rooms say together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenyList {
    rooms: BTreeMap<OwnedRoomId, Policies>,
}

/// That somebody is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What the list says why, shortened.
    pub reason: Option<String>,
}

impl DenyList {
    /// Whether it follows this room.
    pub fn follows(&self, room: &RoomId) -> bool {
        self.rooms.contains_key(room)
    }

    /// Forgets the rooms that are not among these; whether there were any.
    pub fn keep(&mut self, rooms: &[OwnedRoomId]) -> bool {
        let before = self.rooms.len();
        self.rooms.retain(|room, _| rooms.contains(room));
        self.rooms.len() != before
    }

    /// Takes over the state of a room, in place of what was known of it; whether that is something
    /// else.
    pub fn read(&mut self, room: &RoomId, state: &[Event]) -> bool {
        let before = self.rooms.insert(room.to_owned(), Policies::new());
        for event in state {
            self.learn(event);
        }
        self.rooms.get(room) != before.as_ref()
    }

    /// Takes in an event of a room that is followed; whether it changed anything.
    pub fn learn(&mut self, event: &Event) -> bool {
        let is_full = self.rooms.values().map(Policies::len).sum::<usize>();
        let is_full = is_full >= limits::POLICY_RULES_MAX;
        let Some(policies) = self.rooms.get_mut(&event.room) else { return false };
        if let Some(redacted) = &event.redacts {
            let before = policies.len();
            policies.retain(|_, policy| policy.event != *redacted);
            return policies.len() != before;
        }
        let (Some(about), Some(state_key)) = (About::of(&event.event_type), &event.state_key)
        else {
            return false;
        };
        let key = format!("{}/{state_key}", event.event_type);
        match policy(about, event) {
            Some(_) if is_full && !policies.contains_key(&key) => false,
            Some(policy) => policies.insert(key, policy.clone()) != Some(policy),
            None => policies.remove(&key).is_some(),
        }
    }

    /// Whether a person is denied, by name or by their server.
    pub fn denial(&self, person: &UserId) -> Option<Denial> {
        let server = person.server_name();
        let policies = self.rooms.values().flat_map(Policies::values);
        let mut matching = policies.filter(|policy| match policy.about {
            About::User => matches(&policy.entity, person.as_str()),
            // The specification leaves open whether a port belongs to it.
            About::Server => {
                matches(&policy.entity, server.as_str()) || matches(&policy.entity, server.host())
            }
        });
        matching.next().map(|policy| Denial { reason: policy.reason.clone() })
    }
}

fn policy(about: About, event: &Event) -> Option<Policy> {
    let content = &event.content;
    let recommendation = content["recommendation"].as_str()?;
    if !matches!(recommendation, "m.ban" | "org.matrix.mjolnir.ban") {
        return None;
    }
    let entity = content["entity"].as_str()?;
    if entity.is_empty() || entity.chars().count() > limits::POLICY_ENTITY_CHARS_MAX {
        return None;
    }
    let reason = content["reason"].as_str().map(|reason| {
        let visible = reason.chars().filter(|c| !c.is_control());
        visible.take(limits::POLICY_REASON_CHARS_MAX).collect::<String>().trim().to_owned()
    });
    Some(Policy {
        event: event.id.clone(),
        about,
        entity: entity.to_owned(),
        reason: reason.filter(|reason| !reason.is_empty()),
    })
}

/// Whether a glob fits a whole text: `*` is any number of characters, `?` is one. Takes time in the
/// product of both lengths at most, whoever wrote the glob.
fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut at, mut read) = (0, 0);
    // Behind the last star, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match glob.get(at) {
            Some('*') => {
                at += 1;
                star = Some((at, read));
            }
            Some(&wanted) if wanted == '?' || wanted == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                // The last star takes one character more; those before it took the least they could.
                let Some((behind, taken)) = star else { return false };
                star = Some((behind, taken + 1));
                (at, read) = (behind, taken + 1);
            }
        }
    }
    glob[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests;
