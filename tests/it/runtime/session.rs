//! A first session with the bot, as somebody would have it who knows nothing but `help`. What was said stands in
//! `docs/first-session.md`; this says it again and compares.

use std::{fmt::Write as _, path::Path};

use super::stage::Stage;

/// What the person types, and what they think before they type it.
const SESSION: &[(&str, &str)] = &[
    ("Somebody said that this bot answers `help`.", "help"),
    ("The list begins with `login`.", "login"),
    ("A typing mistake.", "agre"),
    ("Now as it says.", "agree"),
    ("Is that all?", "status"),
    ("The list has `start`. A number as people write it at home.", "start 0612345678"),
    ("The same person, with the country.", "start +33 6 12 34 56 78"),
    ("Who may write to me now?", "contacts"),
    ("They are too many words for today.", "pause +33 6 12 34 56 78"),
    ("Better again.", "resume +33 6 12 34 56 78"),
    ("I do not want them to see when I read.", "read-receipts off"),
    ("Is it really them?", "verify +33 6 12 34 56 78"),
    ("A word that there is not.", "unpair"),
    ("Enough of this contact.", "block +33 6 12 34 56 78"),
    ("What did I decide?", "consent"),
    ("What does erasing mean?", "erase"),
    ("No, leaving is enough.", "logout"),
    ("Is it so?", "status"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_hold_a_first_session_with_the_bot() {
    let stage = Stage::new().await;
    let mut told = String::from(
        "# A first session with the bot\n\nSomebody who knows nothing but `help`, and what the bot answers. Made and kept \
         true by `tests/it/runtime/session.rs`, in which the network is a fake; times and the safety number are left out.\n",
    );
    for (thought, typed) in SESSION {
        let answer = anonymous(&stage.ask(typed).await);
        let quoted = answer.replace('\n', "\n> ");
        writeln!(told, "\n*{thought}*\n\n**{typed}**\n\n> {}", quoted.replace("> \n", ">\n"))
            .unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-session.md");
    if std::env::var_os("CAUSEWAY_BLESS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, told, "out of date: run with CAUSEWAY_BLESS=1");
}

/// Without what is another one each time.
fn anonymous(answer: &str) -> String {
    let is_number = |word: &str| word.len() == 5 && word.chars().all(|c| c.is_ascii_digit());
    let is_time = |word: &str| {
        word.len() >= 5
            && word.contains(['-', ':'])
            && word.starts_with(|c: char| c.is_ascii_digit())
    };
    let hidden = |word: &str| match word {
        word if is_number(word) => "…".to_owned(),
        word if is_time(word) => "…".to_owned(),
        word => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(hidden).collect::<Vec<_>>().join(" ");
    answer.lines().map(line).collect::<Vec<_>>().join("\n")
}
