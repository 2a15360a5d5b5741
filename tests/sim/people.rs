//! Who talks to whom, and what they have written.

use causeway::domain::{ids::RemoteUser, phone::Phone};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};

use super::dice::Dice;

/// What a person has written in a chat.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) event: OwnedEventId,
    pub(crate) text: String,
    /// The text that it answers.
    pub(crate) answers: Option<String>,
    /// The room key never comes.
    pub(crate) is_unreadable: bool,
}

/// One person and one contact of theirs.
pub(crate) struct Chat {
    pub(crate) person: usize,
    pub(crate) contact: usize,
    /// Begun by the contact: the person joins when the ghost invites.
    pub(crate) is_request: bool,
    pub(crate) room: Option<OwnedRoomId>,
    pub(crate) is_joined: bool,
    pub(crate) from_person: Vec<Written>,
    pub(crate) from_contact: Vec<String>,
    /// The room key of the person's client, and how many it had.
    pub(crate) key: Option<String>,
    pub(crate) keys: u32,
}

pub(crate) struct People {
    pub(crate) persons: Vec<OwnedUserId>,
    pub(crate) contacts: Vec<RemoteUser>,
    pub(crate) chats: Vec<Chat>,
}

impl People {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let count = |dice: &mut Dice, range| usize::try_from(dice.between(range)).unwrap();
        let (persons, contacts) = (count(dice, 1..3), count(dice, 2..4));
        let mut chats = Vec::new();
        for person in 0..persons {
            for contact in 0..contacts {
                let is_request = contact > 0 && dice.chance(0.4);
                chats.push(Chat::new(person, contact, is_request));
            }
        }
        Self {
            persons: (0..persons)
                .map(|it| format!("@person{it}:example.org").try_into().unwrap())
                .collect(),
            contacts: (0..contacts)
                .map(|it| RemoteUser(format!("{}@s.whatsapp.net", number(it))))
                .collect(),
            chats,
        }
    }

    pub(crate) fn chat_of(&self, person: usize, contact: &RemoteUser) -> usize {
        let contact = self.contacts.iter().position(|it| it == contact).unwrap();
        let is_it = |chat: &Chat| chat.person == person && chat.contact == contact;
        self.chats.iter().position(is_it).unwrap()
    }

    pub(crate) fn chat_in(&self, room: &ruma::RoomId) -> Option<usize> {
        self.chats.iter().position(|chat| chat.room.as_deref() == Some(room))
    }

    pub(crate) fn management_room(person: usize) -> OwnedRoomId {
        format!("!management{person}:example.org").try_into().unwrap()
    }
}

impl Chat {
    fn new(person: usize, contact: usize, is_request: bool) -> Self {
        Self {
            person,
            contact,
            is_request,
            room: None,
            is_joined: false,
            from_person: Vec::new(),
            from_contact: Vec::new(),
            key: None,
            keys: 0,
        }
    }
}

/// The phone number of a contact, in digits.
pub(crate) fn number(contact: usize) -> String {
    format!("3361234567{contact}")
}

/// The contact whose number it is.
pub(crate) fn user_of(phone: &Phone) -> RemoteUser {
    RemoteUser(format!("{}@s.whatsapp.net", phone.digits()))
}
