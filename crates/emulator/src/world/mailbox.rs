//! What waits for one device: a first-in-first-out list from which only an acknowledgement removes. It must not know
//! about connections, nor how an item looks on the wire.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::{AccountId, Bundle, DeviceKey};
use crate::limits::MAILBOX_MAX;

/// Which acknowledgement removes an item (`<ack class=…>`, network facts 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Message,
    Receipt,
    Notification,
}

/// One Signal envelope for one device.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// `pkmsg` or `msg`.
    pub(crate) kind: String,
    pub(crate) body: Bytes,
    /// How often it was sent again before.
    pub(crate) count: Option<u32>,
    pub(crate) media_type: Option<String>,
    pub(crate) decrypt_fail: Option<String>,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope({}, {} bytes)", self.kind, self.body.len())
    }
}

/// A message for one device.
#[derive(Debug, Clone)]
pub(crate) struct MessageItem {
    pub(crate) id: String,
    pub(crate) from: DeviceKey,
    /// `text`, `media`, `reaction` …
    pub(crate) kind: String,
    /// Seconds since the epoch.
    pub(crate) sent_at_s: u64,
    pub(crate) edit: Option<String>,
    pub(crate) category: Option<String>,
    /// With whom the chat is, when this is a copy for another device of the sender.
    pub(crate) recipient: Option<AccountId>,
    pub(crate) envelope: Envelope,
    pub(crate) device_identity: Option<Bytes>,
}

/// What a retry receipt asks for.
#[derive(Debug, Clone)]
pub(crate) struct RetryRequest {
    pub(crate) count: u32,
    pub(crate) message_id: String,
    /// When the message was sent, in seconds since the epoch.
    pub(crate) message_t: Option<u64>,
    pub(crate) registration_id: u32,
    /// A bundle for a fresh session, when the asker sent one.
    pub(crate) keys: Option<(Bundle, Option<Bytes>)>,
}

/// A receipt for one device.
#[derive(Debug, Clone)]
pub(crate) struct ReceiptItem {
    pub(crate) id: String,
    pub(crate) from: DeviceKey,
    /// Absent: delivered.
    pub(crate) kind: Option<String>,
    pub(crate) sent_at_s: u64,
    /// Further message ids.
    pub(crate) more_ids: Vec<String>,
    pub(crate) retry: Option<RetryRequest>,
}

/// A notice from the network itself.
#[derive(Debug, Clone)]
pub(crate) enum Notice {
    PrekeysLow { left: usize },
    IdentityChanged { of: AccountId },
}

/// A notice with its id.
#[derive(Debug, Clone)]
pub(crate) struct NoticeItem {
    pub(crate) id: String,
    pub(crate) sent_at_s: u64,
    pub(crate) notice: Notice,
}

/// Anything that a mailbox can hold.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Message(Arc<MessageItem>),
    Receipt(Arc<ReceiptItem>),
    Notice(Arc<NoticeItem>),
}

impl Item {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Message(_) => Class::Message,
            Self::Receipt(_) => Class::Receipt,
            Self::Notice(_) => Class::Notification,
        }
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Message(item) => &item.id,
            Self::Receipt(item) => &item.id,
            Self::Notice(item) => &item.id,
        }
    }
}

/// An item with its place in the order of this mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) item: Item,
}

/// The mailbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    entries: VecDeque<Entry>,
    next_sequence: u64,
}

impl Mailbox {
    /// Appends an item.
    pub(crate) fn append(&mut self, item: Item) -> Result<(), Full> {
        if self.entries.len() >= MAILBOX_MAX {
            return Err(Full);
        }
        self.entries.push_back(Entry { sequence: self.next_sequence, item });
        self.next_sequence += 1;
        Ok(())
    }

    /// The oldest `count` entries whose sequence is at least `from`.
    pub(crate) fn read(&self, from: u64, count: usize) -> Vec<Entry> {
        let start = self.entries.partition_point(|entry| entry.sequence < from);
        self.entries.iter().skip(start).take(count).cloned().collect()
    }

    /// Removes the oldest item of this class with this id. Says whether there was one.
    pub(crate) fn acknowledge(&mut self, class: Class, id: &str) -> bool {
        let place = self
            .entries
            .iter()
            .position(|entry| entry.item.class() == class && entry.item.id() == id);
        place.is_some_and(|index| self.entries.remove(index).is_some())
    }

    /// Removes one entry by its place. Says whether it was still there.
    pub(crate) fn remove(&mut self, sequence: u64) -> bool {
        let place = self.entries.binary_search_by_key(&sequence, |entry| entry.sequence);
        place.is_ok_and(|index| self.entries.remove(index).is_some())
    }

    /// Items that wait.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many items of each class wait: messages, receipts, notices.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        self.entries.iter().fold((0, 0, 0), |(m, r, n), entry| match entry.item.class() {
            Class::Message => (m + 1, r, n),
            Class::Receipt => (m, r + 1, n),
            Class::Notification => (m, r, n + 1),
        })
    }

    /// The sequence that the next item will get: everything below it was there before.
    pub(crate) fn end(&self) -> u64 {
        self.next_sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(id: u64) -> Item {
        Item::Notice(Arc::new(NoticeItem {
            id: id.to_string(),
            sent_at_s: 0,
            notice: Notice::PrekeysLow { left: 0 },
        }))
    }

    fn ids(mailbox: &Mailbox, from: u64) -> Vec<String> {
        mailbox.read(from, 100).iter().map(|entry| entry.item.id().to_owned()).collect()
    }

    #[test]
    fn it_keeps_the_order_and_gives_nothing_up_without_an_acknowledgement() {
        let mut mailbox = Mailbox::default();
        for id in 0..4 {
            mailbox.append(notice(id)).unwrap();
        }
        assert_eq!(ids(&mailbox, 0), ["0", "1", "2", "3"]);
        assert!(mailbox.acknowledge(Class::Notification, "1"));
        assert!(!mailbox.acknowledge(Class::Notification, "1"), "only once");
        assert!(!mailbox.acknowledge(Class::Message, "2"), "the class must fit");
        assert_eq!(
            ids(&mailbox, 0),
            ["0", "2", "3"],
            "reading again gives what was not acknowledged"
        );
        assert_eq!(ids(&mailbox, 3), ["3"]);
        assert_eq!(mailbox.counts(), (0, 0, 3));
    }

    #[test]
    fn it_holds_as_much_as_the_limit_and_not_one_more() {
        let mut mailbox = Mailbox::default();
        for id in 0..MAILBOX_MAX as u64 {
            mailbox.append(notice(id)).unwrap();
        }
        assert_eq!(mailbox.append(notice(0)), Err(Full));
        assert!(mailbox.remove(5));
        assert!(mailbox.append(notice(0)).is_ok());
    }
}
