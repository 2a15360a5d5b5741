//! `make demo`: a person in an encrypted Matrix client and a person on (emulated) WhatsApp talk through
//! the bridge, and what each of them saw is printed. Everything is started here, on loopback, in
//! `.local/demo`; everything is gone at the end, unless `--keep` leaves it running to try.

// matrix-sdk's futures nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

// The support code of the end-to-end tests, of which a demo needs a part.
#[path = "../tests/it"]
mod it {
    #[expect(dead_code, reason = "the tests use more of it than the demo")]
    pub(crate) mod support;
}

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use matrix_sdk::Room;
use ruma::MilliSecondsSinceUnixEpoch;
use tokio::time::Instant;

use it::support::{
    bridge::Plan,
    emulator::Contact,
    matrix_client::{PASSWORD, Person, Shield},
    place::{RunFolder, checkout},
    world::{PHONE, World, bot, logs_in, starts_chat},
};

/// Who says what: the Matrix person begins, then they take turns.
const TALK: [(&str, &str); 6] = [
    ("Salut Bruno! It's Alice, from Matrix.", "Alice?! But this is WhatsApp \u{1f914}"),
    ("Third-party chats. You switched them on, remember?", "Oh right. And who can read this?"),
    ("You and me. And whoever runs this bridge.", "Who runs it?"),
    ("I do \u{1f60c}", "Then I'm *all* in"),
    (
        "مرحبا، שלום, 你好: does that work?",
        "مرحبا! \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} it does",
    ),
    ("Dinner tonight?\nhttps://example.org/menu?day=1", "Yes! 20:00 \u{1f35d}"),
];

#[tokio::main]
async fn main() -> Result<()> {
    let keep = std::env::args().any(|argument| argument == "--keep");
    let folder = RunFolder::emptied(checkout().join(".local/demo"))?;
    say("Starting a homeserver, an emulated WhatsApp network and the bridge …")?;
    let mut world = World::in_folder(folder, Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let (room, consent) = open(&alice).await?;
        say(&format!("\nBefore anything is sent to Meta, the bot says to Alice:\n\n{consent}\n"))?;
        say(
            "Alice answers “agree”, then “start” and Bruno's number, and accepts the invitation.\n",
        )?;
        let tally = talk(&alice, &room, &bruno).await?;
        say(&tally.summary())?;
        if keep {
            invite_to_try(&world).await?;
            tokio::signal::ctrl_c().await?;
            say("\nEnding everything …")?;
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)?;
    say("Logs and databases of this run are in .local/demo until the next one.")
}

/// Connects Alice and opens the chat. Returns its room and the text that she agreed to.
async fn open(alice: &Person) -> Result<(Room, String)> {
    let management = logs_in(alice).await?;
    let is_consent = |body: &str| body.contains("European Economic Area");
    let saw = alice.saw(management.room_id());
    let consent = saw.into_iter().find(|message| is_consent(&message.body));
    let consent = consent.context("the bot did not say what connecting means")?.body;
    let (room, _) = starts_chat(alice, &management, PHONE).await?;
    let indented: Vec<String> = consent.lines().map(|line| format!("    {line}")).collect();
    Ok((room, indented.join("\n")))
}

/// What the talk was like.
#[derive(Default)]
struct Tally {
    to_whatsapp: Vec<Duration>,
    to_matrix: Vec<Duration>,
    warnings: usize,
}

impl Tally {
    fn summary(&self) -> String {
        let median = |times: &[Duration]| {
            let mut times = times.to_vec();
            times.sort();
            times.get(times.len() / 2).map_or(0, Duration::as_millis)
        };
        format!(
            "{} messages to WhatsApp (median {} ms), {} to Matrix (median {} ms), {} warning shields.",
            self.to_whatsapp.len(),
            median(&self.to_whatsapp),
            self.to_matrix.len(),
            median(&self.to_matrix),
            self.warnings,
        )
    }
}

async fn talk(alice: &Person, room: &Room, bruno: &Contact) -> Result<Tally> {
    let mut tally = Tally::default();
    for (question, answer) in TALK {
        let sent_ms = u64::from(MilliSecondsSinceUnixEpoch::now().get());
        alice.says(room, question).await?;
        let read = bruno.reads(question).await?;
        let took = Duration::from_millis(read.at_ms.saturating_sub(sent_ms));
        tally.to_whatsapp.push(took);
        say(&format!("Alice   {}", quoted(question)))?;
        let from = read.display_name.unwrap_or_default();
        say(&seen("Bruno", &from, &read.text, "on WhatsApp", took))?;

        let sent = Instant::now();
        bruno.says(alice.id(), answer).await?;
        // Markup makes the text that Alice's client shows differ from what Bruno typed.
        let plain = answer.replace('*', "");
        let message = alice
            .sees(room.room_id(), &format!("the answer {plain:?}"), |message| {
                message.body.replace('*', "") == plain
            })
            .await?;
        let took = message.seen.saturating_duration_since(sent);
        tally.to_matrix.push(took);
        let shield = match &message.shield {
            Shield::None => "shield: none".to_owned(),
            warning => {
                tally.warnings += 1;
                format!("shield: {warning:?}")
            }
        };
        say(&format!("Bruno   {}", quoted(answer)))?;
        say(&seen("Alice", message.sender.as_str(), &message.body, &shield, took))?;
    }
    ensure!(tally.warnings == 0, "{} messages came with a warning shield", tally.warnings);
    Ok(tally)
}

fn seen(who: &str, from: &str, text: &str, how: &str, took: Duration) -> String {
    format!("        {who} saw {} from {from} ({how}, {} ms)\n", quoted(text), took.as_millis())
}

fn quoted(text: &str) -> String {
    format!("“{}”", text.replace('\n', " ⏎ "))
}

/// Makes an account for whoever runs the demo, and says how to use it.
async fn invite_to_try(world: &World) -> Result<()> {
    let (name, bot) = ("you", bot()?);
    world.synapse.register(name, PASSWORD).await?;
    let (homeserver, control) = (world.synapse.url(), &world.network().url);
    let digits = PHONE.trim_start_matches('+');
    say(&format!(
        "
It is all still running. To try it yourself, log in with any Matrix client:

    homeserver  {homeserver}
    user        {name}
    password    {PASSWORD}

Write to {bot}: `login`, `agree`, `start {PHONE}`.
What Bruno got, and how to answer as Bruno:

    curl {control}people/{digits}/received
    curl {control}people/{digits}/send -H 'content-type: application/json' \\
        -d '{{\"to\": \"@{name}:localhost\", \"text\": \"hello from WhatsApp\"}}'

Ctrl-C ends it."
    ))
}

fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
