//! What somebody says in their first session with the bot, and `docs/first-session.md`, in which the answers stand.
//! Whoever tells the session compares the answers that they get: with fakes (`runtime/session.rs`, which also writes
//! the document) and with real parts (`first_session.rs`).

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Result, ensure};

/// One thing that the person does, after what they think.
pub(crate) enum Step {
    /// They write this to the bot, and it answers.
    Asks(&'static str),
    /// They accept the invite and write to the contact, who is called Anna and answers.
    Talks,
}

pub(crate) const PHONE: &str = "+33612345678";
pub(crate) const NAME: &str = "Anna";
/// A device of the person that they have not verified.
pub(crate) const DEVICE: &str = "TABLET";

pub(crate) const SESSION: &[(&str, Step)] = &[
    ("Somebody said that this bot answers `help`.", Step::Asks("help")),
    ("The list begins with `login`.", Step::Asks("login")),
    ("A typing mistake.", Step::Asks("agre")),
    ("Now as it says.", Step::Asks("agree")),
    ("Is that all?", Step::Asks("status")),
    ("The list has `start`. A number as people write it at home.", Step::Asks("start 0612345678")),
    ("The same person, with the country.", Step::Asks("start +33 6 12 34 56 78")),
    ("Who may write to me now?", Step::Asks("contacts")),
    ("I accept the invite and write there. The answer comes, and with it the name.", Step::Talks),
    ("And now?", Step::Asks("contacts")),
    ("They are too many words for today.", Step::Asks("pause Anna")),
    ("Better again.", Step::Asks("resume anna")),
    ("I do not want them to see when I read.", Step::Asks("read-receipts off")),
    ("Is it really them?", Step::Asks("verify Anna")),
    (
        "She has a bridge like this one, I ask her on the phone, and it is the same.",
        Step::Asks("verify Anna yes"),
    ),
    ("A word that there is not.", Step::Asks("unpair")),
    ("Somebody who is no contact.", Step::Asks("pause Bruno")),
    ("Enough of this contact.", Step::Asks("block Anna")),
    ("What did I decide?", Step::Asks("consent")),
    ("What does erasing mean?", Step::Asks("erase")),
    ("No, leaving is enough.", Step::Asks("logout")),
    ("Is it so?", Step::Asks("status")),
];

/// The session as it goes.
pub(crate) struct Transcript(String);

impl Transcript {
    pub(crate) fn new() -> Self {
        Self(
            "# A first session with the bot\n\nSomebody who knows nothing but `help`, and what the bot answers. Two tests \
             keep it true: `tests/it/first_session.rs` has the session with a real homeserver and an encrypted client, \
             `tests/it/runtime/session.rs` with fakes. Left out is what is another one each time: ids, times, the \
             safety number.\n"
                .to_owned(),
        )
    }

    /// What the person thinks and writes, and what they are answered. `server` is the name of the homeserver.
    pub(crate) fn asked(&mut self, thought: &str, typed: &str, answer: &str, server: &str) {
        let answer = anonymous(answer, server).replace('\n', "\n> ").replace("> \n", ">\n");
        let _infallible = write!(self.0, "\n*{thought}*\n\n**{typed}**\n\n> {answer}\n");
    }

    /// The person does something else.
    pub(crate) fn did(&mut self, thought: &str) {
        let _infallible = write!(self.0, "\n*{thought}*\n");
    }

    /// Makes it the document.
    pub(crate) fn write(&self) -> Result<()> {
        Ok(fs::write(path(), &self.0)?)
    }

    /// Compares it with the document.
    pub(crate) fn check(&self) -> Result<()> {
        let committed = fs::read_to_string(path()).unwrap_or_default();
        let mut lines = committed.lines().zip(self.0.lines());
        let differs = lines.find(|(committed, told)| committed != told);
        ensure!(
            committed == self.0,
            "docs/first-session.md is out of date: run `runtime::session` with CAUSEWAY_BLESS=1. It \
             begins with (document, session): {differs:?}"
        );
        Ok(())
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/first-session.md")
}

/// Without what is another one each time.
fn anonymous(answer: &str, server: &str) -> String {
    let answer =
        answer.replace(&format!(":{server}"), ":example.org").replace("@wa_", "@whatsapp_");
    let answer = without(&answer, "@whatsapp_", |c| c != ':');
    let answer = without(&answer, "https://matrix.to/#/!", |c| !c.is_whitespace());
    let line = |line: &str| line.split(' ').map(hidden).collect::<Vec<_>>().join(" ");
    answer.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// With dots in place of what follows `start` and is part of the same id.
fn without(text: &str, start: &str, is_part: impl Fn(char) -> bool + Copy) -> String {
    let mut pieces = text.split(start);
    let mut hidden = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        hidden.extend([start, "…", piece.trim_start_matches(is_part)]);
    }
    hidden
}

fn hidden(word: &str) -> &str {
    let bare = word.trim_start_matches('`');
    let is_number = bare.len() >= 5 && bare.chars().take(5).all(|c| c.is_ascii_digit());
    let is_time = word.len() >= 5
        && word.contains(['-', ':'])
        && word.starts_with(|c: char| c.is_ascii_digit());
    if is_number || is_time { "…" } else { word }
}
