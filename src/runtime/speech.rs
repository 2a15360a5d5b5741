//! What our own users say: notices in portals, answers in management rooms.
//!
//! In an encrypted room they speak encrypted; in another one openly, since they must be able to
//! say that it is not encrypted.

mod fate;

use ruma::{EventId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::ports::Ports;
use crate::{
    domain::{
        bridged::{ActAs, Portal},
        ids::{Lane, PortalKey},
        item::{OutboundEvent, OutboxItem},
        markup,
        notice::Notice,
    },
    port::{Failure, Retry, room_cipher::Plain, storage::Change},
};

/// How a sentence stands to another event.
#[derive(Clone, Copy)]
enum Framing<'a> {
    Plain,
    Answers(&'a EventId),
    Replaces(&'a EventId),
}

/// Those of whom `is_linked` is true are links.
fn content(text: &str, framing: Framing<'_>, is_linked: &dyn Fn(&UserId) -> bool) -> Value {
    let mut content = json!({"msgtype": "m.notice", "body": text});
    if let Some(html) = markup::to_matrix_linked(text, is_linked).formatted_body {
        content["format"] = json!("org.matrix.custom.html");
        content["formatted_body"] = json!(html);
    }
    match framing {
        Framing::Plain => {}
        Framing::Answers(event) => {
            content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
        }
        Framing::Replaces(event) => {
            content["m.new_content"] = content.clone();
            content["body"] = json!(format!("* {text}"));
            content["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": event});
        }
    }
    content
}

/// Makes outbox events of sentences. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Speech {
    ports: Ports,
}

impl Speech {
    pub(crate) fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// A notice of the ghost in its portal; `None` if there is no room to say it in. `about` makes
    /// the same notice about the same thing one event.
    pub(crate) async fn to_portal(
        &self,
        key: &PortalKey,
        notice: &Notice,
        about: &str,
    ) -> Result<Option<Change>, Failure> {
        self.framed(key, notice, about, Framing::Plain).await
    }

    async fn framed(
        &self,
        key: &PortalKey,
        notice: &Notice,
        about: &str,
        framing: Framing<'_>,
    ) -> Result<Option<Change>, Failure> {
        let Some(Portal { room: Some(room), .. }) = self.ports.storage.portal(key).await? else {
            return Ok(None);
        };
        let Some(login) = self.ports.storage.login(&key.login).await? else { return Ok(None) };
        let who = ActAs::Ghost(key.ghost.clone());
        let lane = Lane::Portal(key.clone());
        let content = self.content(&notice.text(), framing);
        self.say_content(lane, who, &room, login.person, &content, about).await.map(Some)
    }

    /// A sentence of the bot in the person's management room; `None` if they have none. `about` makes
    /// the same sentence about the same thing one event.
    pub(crate) async fn to_person(
        &self,
        person: &UserId,
        text: &str,
        about: &str,
    ) -> Result<Option<Change>, Failure> {
        let Some(room) = self.ports.storage.management_room(person).await? else {
            return Ok(None);
        };
        let lane = Lane::Room(room.clone());
        self.say(lane, ActAs::Bot, &room, person.to_owned(), text, about).await.map(Some)
    }

    /// The same where nothing hangs on it: nothing is said if the bot is no longer in the room.
    pub(crate) async fn to_person_if_there(
        &self,
        person: &UserId,
        text: &str,
        about: &str,
    ) -> Result<Option<Change>, Failure> {
        match self.to_person(person, text, about).await {
            Err(failure) if failure.retry == Retry::Never => {
                tracing::warn!(%failure, "nobody hears the bot");
                Ok(None)
            }
            said => said,
        }
    }

    /// A sentence of one of our users to one person.
    pub(crate) async fn say(
        &self,
        lane: Lane,
        who: ActAs,
        room: &RoomId,
        person: OwnedUserId,
        text: &str,
        about: &str,
    ) -> Result<Change, Failure> {
        let content = self.content(text, Framing::Plain);
        self.say_content(lane, who, room, person, &content, about).await
    }

    /// Contacts who gave no name are named by their ghosts' ids, which are links, as the bot's is.
    fn content(&self, text: &str, framing: Framing<'_>) -> Value {
        content(text, framing, &|user| self.ports.homeserver.our_user(user).is_some())
    }

    async fn say_content(
        &self,
        lane: Lane,
        who: ActAs,
        room: &RoomId,
        person: OwnedUserId,
        plain: &Value,
        about: &str,
    ) -> Result<Change, Failure> {
        let encrypted = self.ports.homeserver.room_state(&who, room).await?.encrypted;
        let (event_type, content) = if encrypted {
            let plain = Plain { event_type: "m.room.message", content: plain };
            let content = self.ports.cipher.encrypt(&who, room, &[person], plain).await?;
            ("m.room.encrypted", content)
        } else {
            ("m.room.message", plain.clone())
        };
        let event = OutboundEvent {
            transaction_id: self.ports.namer.transaction_id(&["notice", room.as_str(), about]),
            sender: who,
            room: room.to_owned(),
            event_type: event_type.to_owned(),
            content,
            shows: None,
        };
        Ok(Change::OutboxAdded { lane, item: OutboxItem::Event(event) })
    }
}
