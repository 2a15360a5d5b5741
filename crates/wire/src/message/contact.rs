//! Contact cards. Only received: partners have none (network facts 2.5). What a card holds is for
//! its reader to make out.

use std::fmt;

use waproto::tags::message as tags;

use super::{Described, MessageContent, MessageError, Quote, fields::Fields, quote};

/// People whom somebody recommends. `Debug` shows none.
#[derive(Clone, PartialEq, Eq)]
pub struct Contacts {
    /// Not empty; at most [`super::MAX_LISTED`].
    pub cards: Vec<ContactCard>,
    /// How many more there were.
    pub more: usize,
    /// The message that this answers.
    pub quote: Option<Quote>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactCard {
    /// The name that the sender knows.
    pub name: Option<String>,
    /// A vCard, as it came.
    pub vcard: Option<String>,
}

pub(super) fn read(bytes: &[u8]) -> Result<MessageContent, MessageError> {
    let fields = Fields::read(bytes)?;
    let cards = card(bytes).into_iter().collect();
    Ok(content(cards, 0, fields.bytes(tags::contact_message::CONTEXT_INFO)))
}

pub(super) fn read_several(bytes: &[u8]) -> Result<MessageContent, MessageError> {
    let fields = Fields::read(bytes)?;
    let (cards, more) = fields.list(tags::contacts_array_message::CONTACTS, card);
    Ok(content(cards, more, fields.bytes(tags::contacts_array_message::CONTEXT_INFO)))
}

fn content(cards: Vec<ContactCard>, more: usize, context: &[u8]) -> MessageContent {
    if cards.is_empty() {
        return Described::content("contact", Vec::new());
    }
    MessageContent::Contacts(Contacts { cards, more, quote: quote::read(context) })
}

fn card(bytes: &[u8]) -> Option<ContactCard> {
    let fields = Fields::read(bytes).ok()?;
    let name = fields.text(tags::contact_message::DISPLAY_NAME);
    let vcard = fields.text(tags::contact_message::VCARD);
    (name.is_some() || vcard.is_some()).then_some(ContactCard { name, vcard })
}

impl fmt::Debug for Contacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contacts")
            .field("cards", &self.cards.len())
            .field("more", &self.more)
            .field("quote", &self.quote)
            .finish()
    }
}

impl fmt::Debug for ContactCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContactCard(…)")
    }
}
