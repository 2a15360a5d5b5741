//! Management rooms: a person's words to the bot, and its answers.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::Value;

use super::{outcome::Outcome, ports::Ports, speech::Speech};
use crate::{
    domain::{
        bridged::ActAs, event::Event, ids::Lane, item::RawEvent, limits, markup, notice::Refusal,
    },
    port::{Failure, room_cipher::DecryptFailure, storage::InboxRow},
};

/// One line of a person to the bot.
#[derive(Clone)]
pub struct Asked {
    pub person: OwnedUserId,
    pub room: OwnedRoomId,
    /// The event in which they said it.
    pub event: OwnedEventId,
    pub text: String,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may hold a phone number.
        let Self { person, room, event, text: _ } = self;
        let mut shown = f.debug_struct("Asked");
        shown.field("person", person).field("room", room).field("event", event);
        shown.finish_non_exhaustive()
    }
}

/// Who answers. Answering twice must be harmless.
#[async_trait]
pub trait Commands: Send + Sync {
    /// The bot's answer.
    async fn answer(&self, asked: &Asked) -> Result<String, Failure>;
}

pub(crate) struct Management {
    ports: Ports,
    commands: Arc<dyn Commands>,
    speech: Speech,
}

const UNREADABLE: &str = "I could not decrypt that message. Please send it again; if it goes on, log in again in your \
     Matrix client.";
const TOO_LONG: &str = "That is too long for a command. Send `help` for the commands.";

impl Management {
    pub(crate) fn new(ports: Ports, commands: Arc<dyn Commands>, speech: Speech) -> Self {
        Self { ports, commands, speech }
    }

    /// An event of a room that is no portal.
    pub(crate) async fn event(
        &self,
        row: &InboxRow,
        event: &Event,
        raw: &RawEvent,
    ) -> Result<Outcome, Failure> {
        let person = self.ports.storage.management_person(&event.room).await?;
        if person.is_none_or(|person| person != event.sender) {
            return Ok(Outcome::nothing());
        }
        if let Err(refusal) = self.ports.rules.permission(&event.sender) {
            // Whoever is logged in is a guest who may leave: that is for the commands to answer.
            if self.ports.storage.login_of(&event.sender).await?.is_none() {
                return self.refuse(event, &refusal).await;
            }
        }
        let content = match event.event_type.as_str() {
            "m.room.message" => event.content.clone(),
            "m.room.encrypted" => match self.decrypt(event, raw).await {
                Ok(content) => content,
                Err(DecryptFailure::Outside(failure)) => return Err(failure),
                Err(DecryptFailure::MissingKey) => return self.await_key(row, event).await,
                Err(DecryptFailure::Undecryptable(_)) => {
                    return self.reply(event, UNREADABLE).await;
                }
            },
            _ => return Ok(Outcome::nothing()),
        };
        self.asked(event, &content).await
    }

    async fn decrypt(&self, event: &Event, raw: &RawEvent) -> Result<Value, DecryptFailure> {
        let cipher = &self.ports.cipher;
        let decrypted = match cipher.decrypt(&ActAs::Bot, &event.room, raw).await {
            Err(DecryptFailure::MissingKey) => {
                cipher.fetch_missed(&ActAs::Bot).await.map_err(DecryptFailure::Outside)?;
                cipher.decrypt(&ActAs::Bot, &event.room, raw).await?
            }
            ended => ended?,
        };
        let genuine = decrypted.sender == event.sender && decrypted.event_type == "m.room.message";
        Ok(if genuine { decrypted.content } else { Value::Null })
    }

    async fn await_key(&self, row: &InboxRow, event: &Event) -> Result<Outcome, Failure> {
        let now = self.ports.clock.now();
        if row.waiting().is_over(limits::COMMAND_KEY_WAIT, now) {
            return self.reply(event, UNREADABLE).await;
        }
        Ok(Outcome::wait(now + limits::millis(limits::ROOM_KEY_RETRY)))
    }

    async fn asked(&self, event: &Event, content: &Value) -> Result<Outcome, Failure> {
        let Some(body) = content["body"].as_str().filter(|_| content["msgtype"] == "m.text") else {
            return Ok(Outcome::nothing());
        };
        let html = content["formatted_body"].as_str();
        let text =
            markup::typed(body, html.filter(|_| content["format"] == "org.matrix.custom.html"));
        if text.chars().count() > limits::COMMAND_CHARS_MAX {
            return self.reply(event, TOO_LONG).await;
        }
        let asked = Asked {
            person: event.sender.clone(),
            room: event.room.clone(),
            event: event.id.clone(),
            text,
        };
        let answer = self.commands.answer(&asked).await?;
        self.reply(event, &answer).await
    }

    /// Once, without reading what they said; then silence.
    async fn refuse(&self, event: &Event, refusal: &Refusal) -> Result<Outcome, Failure> {
        let is_message = matches!(event.event_type.as_str(), "m.room.message" | "m.room.encrypted");
        if !is_message || !self.ports.rules.answers_refused(&event.sender, &event.id) {
            return Ok(Outcome::nothing());
        }
        self.reply(event, &refusal.text()).await
    }

    async fn reply(&self, event: &Event, text: &str) -> Result<Outcome, Failure> {
        let lane = Lane::Room(event.room.clone());
        let (room, person) = (&event.room, event.sender.clone());
        let about = event.id.as_str();
        let said = self.speech.say(lane, ActAs::Bot, room, person, text, about).await?;
        Ok(Outcome::Done(vec![said]))
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Management(…)")
    }
}
