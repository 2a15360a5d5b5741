//! Answers and reactions of simulated people.

use anyhow::Result;
use causeway_wire::message::{self, Quote, Reaction, Target};
use reqwest::Method;
use ruma::UserId;

use super::{
    super::wait::{PATIENCE, until},
    Contact,
};

impl Contact {
    /// Answers a message of a Matrix person.
    pub(crate) async fn answers(&self, to: &UserId, id: &str, text: &str) -> Result<String> {
        let quote = Quote { id: id.to_owned(), sender: None, text: None };
        self.sends_raw(to.as_str(), "text", &hex(&message::encode_reply(text, &quote)?)).await
    }

    /// Reacts to a message of a Matrix person; no emoji takes it back.
    pub(crate) async fn reacts(&self, to: &UserId, id: &str, emoji: Option<&str>) -> Result<()> {
        let target = Target { chat: None, from_me: false, id: id.to_owned() };
        let reaction = Reaction { target, emoji: emoji.map(str::to_owned) };
        let encoded = hex(&message::encode_reaction(&reaction, 1)?);
        self.sends_raw(to.as_str(), "reaction", &encoded).await.map(drop)
    }

    /// Waits until others reacted to a message in exactly this way, from the first reaction on.
    pub(crate) async fn sees_reactions(&self, id: &str, expected: &[Option<&str>]) -> Result<()> {
        let path = self.path(&format!("reactions/{id}"));
        until(&format!("the contact to see the reactions {expected:?}"), PATIENCE, || async {
            let seen = self.control.call(Method::GET, &path, None).await?;
            let seen: Vec<Option<String>> = serde_json::from_value(seen)?;
            Ok(seen.iter().map(Option::as_deref).eq(expected.iter().copied()).then_some(()))
        })
        .await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(nibble: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(nibble)])
}
