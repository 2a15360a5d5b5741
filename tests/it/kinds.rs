//! What people do with messages besides writing them: they answer, react, change their mind, correct
//! themselves and delete. With Baileys on the other side, which knows all of it from WhatsApp.

use anyhow::{Result, ensure};
use matrix_sdk::ruma::events::room::message::{
    AddMentions, ForwardThread, ReplacementMetadata, ReplyMetadata, RoomMessageEventContent,
};

use crate::support::{
    baileys::BaileysPerson,
    bridge::Plan,
    matrix_client::must_be_clean,
    world::{PHONE, World, logs_in, starts_chat},
};

const THUMB: &str = "\u{1f44d}\u{1f3fd}";
const HEART: &str = "\u{2764}\u{fe0f}";

#[tokio::test(flavor = "multi_thread")]
async fn reactions_are_given_changed_and_taken_back_both_ways() -> Result<()> {
    let mut world = World::start("reactions", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        let question = alice.says(&room, "shall we?").await?;
        let remote = bailey.reads("shall we?").await?;
        let remote = remote["id"].as_str().unwrap_or_default();
        for emoji in [THUMB, HEART, "", THUMB, ""] {
            bailey.reacts(alice.id(), remote, emoji).await?;
            let expected: Vec<&str> = [emoji].into_iter().filter(|e| !e.is_empty()).collect();
            alice.sees_reactions(room.room_id(), &question, &ghost, &expected).await?;
        }

        let answer = bailey.sends(alice.id(), "yes").await?;
        let seen = alice.reads(room.room_id(), "yes").await?;
        alice.reacts(&room, &seen.event, THUMB).await?;
        bailey.sees_reaction(&answer, THUMB).await?;
        let changed = alice.reacts(&room, &seen.event, HEART).await?;
        bailey.sees_reaction(&answer, HEART).await?;
        // The network has one reaction a person, so the room shows one.
        alice.sees_reactions(room.room_id(), &seen.event, alice.id(), &[HEART]).await?;
        room.redact(&changed, None, None).await?;
        bailey.sees_reaction(&answer, "").await?;
        // To her own message, and to one that the network does not know.
        alice.reacts(&room, &question, THUMB).await?;
        bailey.sees_reaction(remote, THUMB).await?;
        alice.reacts(&room, &seen.event, ":custom:").await?;
        alice.reads_words(room.room_id(), &["only emoji"]).await?;
        ensure!(bailey.unreadable() == 0, "Baileys could not read everything");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_corrections_and_deletions() -> Result<()> {
    let mut world = World::start("replies", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        let question = alice.says(&room, "tea or coffee?").await?;
        let remote = bailey.reads("tea or coffee?").await?;
        let remote = remote["id"].as_str().unwrap_or_default();
        bailey.replies(alice.id(), remote, "coffee").await?;
        let coffee = alice.reads(room.room_id(), "coffee").await?;
        must_be_clean(&coffee)?;
        ensure!(coffee.answers.as_ref() == Some(&question), "it answers {:?}", coffee.answers);

        let more = bailey.sends(alice.id(), "with *milk*").await?;
        let seen = alice.reads(room.room_id(), "with *milk*").await?;
        for (event, sender, quotes, quoted, text) in [
            (&seen.event, ghost.as_ref(), more.as_str(), "with *milk*", "of course"),
            (&question, alice.id(), remote, "tea or coffee?", "I ask again"),
        ] {
            let answered = ReplyMetadata::new(event, sender, None);
            let content = RoomMessageEventContent::text_plain(text);
            let answer = content.make_reply_to(answered, ForwardThread::No, AddMentions::No);
            alice.sends(&room, answer).await?;
            let read = bailey.reads(text).await?;
            ensure!(read["quotes"] == quotes && read["quoted_text"] == quoted, "{read}");
        }

        let content = RoomMessageEventContent::text_plain("tea, coffee or cocoa?");
        let replaced = ReplacementMetadata::new(question.clone(), None);
        alice.sends(&room, content.make_replacement(replaced)).await?;
        let read = bailey.reads("\u{270f}\u{fe0f} tea, coffee or cocoa?").await?;
        ensure!(read["quotes"] == remote, "{read}");
        alice.reads_words(room.room_id(), &["no edits", "quotes the old one"]).await?;
        room.redact(&question, None, None).await?;
        alice.reads_words(room.room_id(), &["contact keeps a copy"]).await?;

        bailey.edits(alice.id(), &more, "with *oat* milk").await?;
        let edit = alice.reads(room.room_id(), "* with *oat* milk").await?;
        must_be_clean(&edit)?;
        let expected = Some((seen.event.clone(), "with *oat* milk".to_owned()));
        ensure!(edit.replaces == expected, "it replaces {:?}", edit.replaces);
        bailey.deletes(alice.id(), &more).await?;
        alice.sees_deleted(&room, &seen.event).await?;
        ensure!(bailey.unreadable() == 0, "Baileys could not read everything");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// Where the profile says that the network passes them on, the contact's app changes its own copy.
#[tokio::test(flavor = "multi_thread")]
async fn edits_and_deletions_by_the_profile() -> Result<()> {
    let plan = Plan { profile: "edits = true\ndeletes = true", ..Plan::default() };
    let mut world = World::start("by-profile", plan).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let question = alice.says(&room, "tea or coffe?").await?;
        let remote = bailey.reads("tea or coffe?").await?;
        let remote = remote["id"].as_str().unwrap_or_default();
        let content = RoomMessageEventContent::text_plain("tea or coffee?");
        let replaced = ReplacementMetadata::new(question.clone(), None);
        alice.sends(&room, content.make_replacement(replaced)).await?;
        bailey.sees_edited(remote, "tea or coffee?").await?;
        room.redact(&question, None, None).await?;
        bailey.sees_deleted(remote).await?;
        ensure!(bailey.unreadable() == 0, "Baileys could not read everything");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// The same with a simulated person, whose app understands what the framework names and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_person_answers_and_reacts() -> Result<()> {
    let mut world = World::start("kinds", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bob = world.contact(PHONE, "Bob").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        let question = alice.says(&room, "tea?").await?;
        let remote = bob.reads("tea?").await?.id;
        let answer = bob.answers(alice.id(), &remote, "yes").await?;
        let seen = alice.reads(room.room_id(), "yes").await?;
        ensure!(seen.answers.as_ref() == Some(&question), "it answers {:?}", seen.answers);
        for (emoji, expected) in [(Some(THUMB), &[THUMB][..]), (Some(HEART), &[HEART]), (None, &[])]
        {
            bob.reacts(alice.id(), &remote, emoji).await?;
            alice.sees_reactions(room.room_id(), &question, &ghost, expected).await?;
        }

        let answered = ReplyMetadata::new(&seen.event, &ghost, None);
        let content = RoomMessageEventContent::text_plain("with milk?");
        let again = content.make_reply_to(answered, ForwardThread::No, AddMentions::No);
        alice.sends(&room, again).await?;
        let read = bob.reads("with milk?").await?;
        ensure!(read.quotes.as_ref() == Some(&answer), "it quotes {:?}", read.quotes);
        alice.reacts(&room, &seen.event, THUMB).await?;
        let last = alice.reacts(&room, &seen.event, HEART).await?;
        room.redact(&last, None, None).await?;
        bob.sees_reactions(&answer, &[Some(THUMB), Some(HEART), None]).await
    };
    let told = told.await;
    world.report(told)
}
