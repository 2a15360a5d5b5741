//! The main job, told as a person would tell it: somebody connects to WhatsApp, writes to a contact,
//! and both read what the other wrote, encrypted on both legs and without a warning.

use std::time::Duration;

use anyhow::{Result, ensure};
use matrix_sdk::ruma::events::room::{member::MembershipState, message::RoomMessageEventContent};
use tokio::time::Instant;

use crate::support::{
    baileys::BaileysPerson,
    bridge::Plan,
    emulator::Contact,
    matrix_client::{Person, must_be_clean},
    nio::NioPerson,
    postgres,
    wait::{PATIENCE, until},
    world::{PHONE, World, bot, is_ghost, logs_in, starts_chat},
};

/// A conversation is no conversation if an answer takes longer, even on a loaded machine. (On a quiet one
/// it takes some tenths of a second.)
const PROMPT: Duration = Duration::from_secs(30);

/// Three turns of talk, with what texts may hold: emoji, right-to-left, lines, links.
async fn talk(alice: &Person, room: &matrix_sdk::Room, bruno: &Contact) -> Result<()> {
    let turns = [
        ("Salut Bruno \u{1f44b}\u{1f3fd}", "Salut Alice !"),
        ("שלום, two\nlines", "مرحبا \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}"),
        ("see https://example.org/a_b_c?d=*e*", "ok, https://example.org/~f~"),
    ];
    for (question, answer) in turns {
        alice.says(room, question).await?;
        let read = bruno.reads(question).await?;
        let name = read.display_name.unwrap_or_default();
        ensure!(name == alice.id().as_str(), "the contact saw it from {name:?}");
        let sent = Instant::now();
        let id = bruno.says(alice.id(), answer).await?;
        let read = alice.reads(room.room_id(), answer).await?;
        must_be_clean(&read)?;
        ensure!(read.seen - sent < PROMPT, "an answer took {:?}", read.seen - sent);
        bruno.learns_of(&id, "delivered").await?;
    }
    let got = bruno.got().await?;
    ensure!(got.len() == turns.len(), "the contact got {got:?}");
    ensure!(got.is_sorted_by_key(|received| received.at_ms));
    Ok(())
}

async fn a_person_and_a_contact_talk(plan: Plan) -> Result<()> {
    let mut world = World::start("conversation", plan).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        talk(&alice, &room, &bruno).await?;

        let digits = PHONE.trim_start_matches('+');
        ensure!(!ghost.as_str().contains(digits), "the ghost's id holds the phone number");
        for message in alice.saw(management.room_id()) {
            if message.sender != alice.id() {
                must_be_clean(&message)?;
                ensure!(message.kind == "m.notice", "the bot said {message:?}");
            }
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_and_a_contact_talk_without_a_shield() -> Result<()> {
    a_person_and_a_contact_talk(Plan::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_postgresql() -> Result<()> {
    let database = Some(postgres::new_database().await?);
    a_person_and_a_contact_talk(Plan { database, ..Plan::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_may_write_first() -> Result<()> {
    let mut world = World::start("first-contact", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        logs_in(&alice).await?;
        bruno.says(alice.id(), "is this your new app?").await?;
        bruno.says(alice.id(), "hello?").await?;
        let (room, _) = alice.accepts_invitation(is_ghost).await?;
        for text in ["is this your new app?", "hello?"] {
            must_be_clean(&alice.reads(room.room_id(), text).await?)?;
        }
        alice.says(&room, "it is").await?;
        bruno.reads("it is").await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn formatting_and_long_texts_survive_both_ways() -> Result<()> {
    let mut world = World::start("formatting", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;

        let bold = RoomMessageEventContent::text_html("so bold", "so <strong>bold</strong>");
        alice.sends(&room, bold).await?;
        bruno.reads("so *bold*").await?;
        bruno.says(alice.id(), "and _slanted_").await?;
        let what = "the slanted text as HTML";
        alice
            .sees(room.room_id(), what, |message| {
                message.html.as_deref().is_some_and(|html| html.contains("<em>slanted</em>"))
            })
            .await?;

        // Far above what other networks take, and below what a Matrix event can hold encrypted.
        let long = "word ".repeat(4_000).trim_end().to_owned();
        alice.says(&room, &long).await?;
        bruno.reads(&long).await?;
        bruno.says(alice.id(), &format!("{long} back")).await?;
        must_be_clean(&alice.reads(room.room_id(), &format!("{long} back")).await?)?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_and_two_contacts_do_not_get_mixed_up() -> Result<()> {
    let mut world = World::start("four", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let amin = world.person("amin").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let bella = world.contact("+393331234567", "Bella").await?;
        for person in [&alice, &amin] {
            let management = logs_in(person).await?;
            for contact in [&bruno, &bella] {
                let (room, ghost) = starts_chat(person, &management, contact.phone()).await?;
                let question = format!("{} to {}", person.id(), contact.phone());
                person.says(&room, &question).await?;
                contact.reads(&question).await?;
                let answer = format!("{} to {}", contact.phone(), person.id());
                contact.says(person.id(), &answer).await?;
                let read = person.reads(room.room_id(), &answer).await?;
                ensure!(read.sender == ghost, "{} answered for {ghost}", read.sender);
                must_be_clean(&read)?;
            }
        }
        for contact in [&bruno, &bella] {
            ensure!(contact.got().await?.len() == 2, "a contact got {:?}", contact.got().await?);
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_cross_signing_is_served_as_well() -> Result<()> {
    let mut world = World::start("nio", Plan::default()).await?;
    let told = async {
        let mut nina = NioPerson::join(&world.synapse, &world.run, "nina").await?;
        let nina_id = ruma::UserId::parse(nina.id())?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = nina.open_chat_with(bot()?.as_str()).await?;
        nina.says(&management, "login").await?;
        let consent = nina.reads_words(&management, &["European Economic Area"]).await?;
        ensure!(consent["decrypted"] == true, "the bot answered in the clear: {consent}");
        nina.says(&management, "agree").await?;
        nina.reads_words(&management, &["you are connected"]).await?;
        nina.says(&management, &format!("start {PHONE}")).await?;
        let room = nina
            .accepts_invitation(|by| ruma::UserId::parse(by).is_ok_and(|by| is_ghost(&by)))
            .await?;
        nina.says(&room, "from nio").await?;
        bruno.reads("from nio").await?;
        bruno.says(&nina_id, "to nio").await?;
        let read = nina.reads_words(&room, &["to nio"]).await?;
        ensure!(read["decrypted"] == true, "the ghost wrote in the clear: {read}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn baileys_is_written_to_first() -> Result<()> {
    let mut world = World::start("baileys", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&room, "first contact").await?;
        bailey.reads("first contact").await?;
        for turn in 0..3 {
            let (answer, question) = (format!("answer {turn}"), format!("question {turn}"));
            bailey.says(alice.id(), &answer).await?;
            must_be_clean(&alice.reads(room.room_id(), &answer).await?)?;
            alice.says(&room, &question).await?;
            bailey.reads(&question).await?;
        }
        let got = bailey.got();
        ensure!(got == ["first contact", "question 0", "question 1", "question 2"], "{got:?}");
        ensure!(bailey.unreadable() == 0, "Baileys could not read everything");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn baileys_writes_first() -> Result<()> {
    let mut world = World::start("baileys-first", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        logs_in(&alice).await?;
        bailey.says(alice.id(), "guess who").await?;
        let (room, _) = alice.accepts_invitation(is_ghost).await?;
        must_be_clean(&alice.reads(room.room_id(), "guess who").await?)?;
        alice.says(&room, "Bailey!").await?;
        bailey.reads("Bailey!").await?;
        bailey.says(alice.id(), "right").await?;
        must_be_clean(&alice.reads(room.room_id(), "right").await?)?;
        ensure!(bailey.unreadable() == 0, "Baileys could not read everything");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_forgotten_by_the_network_and_may_come_back() -> Result<()> {
    let mut world = World::start("logout", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        ensure!(world.network().login(alice.id()).await?.is_some(), "the login is not enlisted");

        alice.asks(&management, "logout", &["your keys are deleted"]).await?;
        ensure!(world.network().login(alice.id()).await?.is_none(), "the network still knows her");
        alice.asks(&management, "status", &["not connected"]).await?;
        until("the ghost to leave", PATIENCE, || async {
            let member = room.get_member_no_sync(&ghost).await?;
            let left = member.is_none_or(|member| *member.membership() == MembershipState::Leave);
            Ok(left.then_some(()))
        })
        .await?;
        alice.says(&room, "anybody there?").await?;
        ensure!(bruno.got().await?.is_empty(), "the contact got {:?}", bruno.got().await?);

        alice.asks(&management, "login", &["agree"]).await?;
        alice.asks(&management, "agree", &["you are connected"]).await?;
        bruno.says(alice.id(), "welcome back").await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
