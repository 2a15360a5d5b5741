//! What people learn of each other besides words: that a message arrived, that it was read, that somebody
//! is typing. And what nobody learns.

use anyhow::{Context, Result, ensure};
use matrix_sdk::{
    Room,
    ruma::{EventId, UserId},
};
use serde_json::{Value, json};

use crate::support::{
    baileys::BaileysPerson,
    bridge::Plan,
    matrix_client::must_be_clean,
    signs::{Signs, reads_aloud, reads_privately},
    wait::{PATIENCE, until},
    world::{PHONE, World, logs_in, starts_chat},
};

#[tokio::test(flavor = "multi_thread")]
async fn reading_and_typing_are_seen_both_ways_with_baileys() -> Result<()> {
    let mut world = World::start("receipts", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let signs = Signs::of(&alice);
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;

        alice.says(&room, "one").await?;
        let two = alice.says(&room, "two").await?;
        let mut ids = Vec::new();
        for text in ["one", "two"] {
            let got = bailey.reads(text).await?;
            ids.push(got["id"].as_str().context("no id")?.to_owned());
        }
        ensure!(
            signs.all(&room, "m.receipt").iter().all(|receipt| {
                receipt["content"][two.as_str()]["m.read"][ghost.as_str()].is_null()
            }),
            "read before it was"
        );
        bailey.says_read(alice.id(), &ids).await?;
        signs.sees_read(&room, &ghost, &two).await?;

        let id = bailey.sends(alice.id(), "three").await?;
        let three = alice.reads(room.room_id(), "three").await?;
        bailey.learns_of(&id, "delivered").await?;
        ensure!(!bailey.knows_of(&id, "read"), "read before it was");
        reads_aloud(&room, &three.event).await?;
        bailey.learns_of(&id, "read").await?;

        room.typing_notice(true).await?;
        bailey.sees_typing("composing").await?;
        room.typing_notice(false).await?;
        bailey.sees_typing("available").await?;
        bailey.types(alice.id(), "composing").await?;
        signs.sees_typing(&room, &ghost, true).await?;
        bailey.types(alice.id(), "paused").await?;
        signs.sees_typing(&room, &ghost, false).await?;
        bailey.types(alice.id(), "recording").await?;
        signs.sees_typing(&room, &ghost, true).await?;
        bailey.says(alice.id(), "four").await?;
        alice.reads(room.room_id(), "four").await?;
        signs.sees_typing(&room, &ghost, false).await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_are_read_at_once_and_privately_by_nobody() -> Result<()> {
    let mut world = World::start("read-at-once", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let signs = Signs::of(&alice);
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;

        let mut theirs = Vec::new();
        for text in ["a", "b", "c", "d"] {
            theirs.push(bruno.says(alice.id(), text).await?);
        }
        let b = alice.reads(room.room_id(), "b").await?;
        let d = alice.reads(room.room_id(), "d").await?;
        reads_privately(&room, &d.event).await?;
        reads_aloud(&room, &b.event).await?;
        for id in &theirs[..2] {
            bruno.learns_of(id, "read").await?;
        }
        // What is written now comes behind everything that the private receipt could have caused.
        let mut ours = Vec::new();
        for text in ["x", "y", "z"] {
            let event = alice.says(&room, text).await?;
            ours.push((bruno.reads(text).await?, event));
        }
        for id in &theirs[2..] {
            ensure!(bruno.receipts(id).await? == ["delivered"], "a private receipt was told");
        }
        for id in &theirs[..2] {
            ensure!(bruno.receipts(id).await? == ["delivered", "read"], "told more than once");
        }
        // She reads her own last message: that includes what stands before it.
        reads_aloud(&room, &ours[2].1).await?;
        for id in &theirs[2..] {
            bruno.learns_of(id, "read").await?;
        }

        let ids: Vec<String> = ours.iter().map(|(received, _)| received.id.clone()).collect();
        bruno.says_read(alice.id(), &ids[..2], "read").await?;
        signs.sees_read(&room, &ghost, &ours[1].1).await?;
        bruno.says_read(alice.id(), &ids[2..], "played").await?;
        signs.sees_read(&room, &ghost, &ours[2].1).await?;

        bruno.types(alice.id(), "recording").await?;
        signs.sees_typing(&room, &ghost, true).await?;
        bruno.types(alice.id(), "paused").await?;
        signs.sees_typing(&room, &ghost, false).await?;
        room.typing_notice(true).await?;
        until("the contact to see typing", PATIENCE, || async {
            Ok((bruno.saw_typing().await? == ["composing"]).then_some(()))
        })
        .await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_switches_receipts_off_is_believed() -> Result<()> {
    let mut world = World::start("silence", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let signs = Signs::of(&alice);
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        let login = world.network().login(alice.id()).await?.context("not enlisted")?;
        ensure!(login["read_receipts"] == true && login["push_name"] == "alice", "{login}");
        alice.asks(&management, "read-receipts off", &["do not see either"]).await?;
        alice.asks(&management, "typing off", &["do not see when you are typing"]).await?;
        alice.asks(&management, "status", &["receipts are off, typing is off"]).await?;

        let silent = bruno.says(alice.id(), "read me").await?;
        reads_aloud(&room, &alice.reads(room.room_id(), "read me").await?.event).await?;
        room.typing_notice(true).await?;
        let question = alice.says(&room, "did you?").await?;
        let id = bruno.reads("did you?").await?.id;
        bruno.says_read(alice.id(), &[id], "read").await?;

        alice.asks(&management, "read-receipts on", &["you see when they have read"]).await?;
        let spoken = bruno.says(alice.id(), "and me").await?;
        reads_aloud(&room, &alice.reads(room.room_id(), "and me").await?.event).await?;
        bruno.learns_of(&spoken, "read").await?;
        ensure!(
            bruno.receipts(&silent).await? == ["delivered"],
            "told of what was read in silence"
        );
        ensure!(bruno.saw_typing().await?.is_empty(), "told of typing");
        let read = |receipt: &Value| {
            receipt["content"][question.as_str()]["m.read"][ghost.as_str()].is_object()
        };
        ensure!(!signs.all(&room, "m.receipt").iter().any(read), "who does not tell was told");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// What clients are told of a message, oldest first: the state, and to how many it was delivered.
fn fates(signs: &Signs, room: &Room, event: &EventId) -> Vec<(String, usize)> {
    let statuses = signs.all(room, "com.beeper.message_send_status");
    let of_it =
        statuses.iter().filter(|it| it["content"]["m.relates_to"]["event_id"] == event.as_str());
    let fate = |it: &Value| {
        let to = it["content"]["delivered_to_users"].as_array().map_or(0, Vec::len);
        (it["content"]["status"].as_str().unwrap_or_default().to_owned(), to)
    };
    of_it.map(fate).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fate_of_each_message_is_told() -> Result<()> {
    let mut world = World::start("fate", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let signs = Signs::of(&alice);
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        let hello = alice.says(&room, "hello").await?;
        bruno.reads("hello").await?;
        let success = |to| ("SUCCESS".to_owned(), to);
        until("the message to be told delivered", PATIENCE, || async {
            Ok((fates(&signs, &room, &hello) == [success(0), success(1)]).then_some(()))
        })
        .await?;

        let fault = json!({"target": alice.id(), "nack": {"code": 403, "count": 1}});
        world.network().fault(&fault).await?;
        let refused = alice.says(&room, "a secret word").await?;
        let notice = alice.reads_words(room.room_id(), &["does not allow writing"]).await?;
        must_be_clean(&notice)?;
        until("the failure to be told", PATIENCE, || async {
            let expected = ("FAIL_PERMANENT".to_owned(), 0);
            Ok((fates(&signs, &room, &refused) == [expected]).then_some(()))
        })
        .await?;
        let notices = signs.all(&room, "m.room.message");
        let notice = notices.iter().find(|it| it["event_id"] == notice.event.as_str());
        let answers = notice.map(|it| it["content"]["m.relates_to"]["m.in_reply_to"].clone());
        ensure!(answers == Some(json!({"event_id": refused})), "the notice answers {answers:?}");
        for status in signs.all(&room, "com.beeper.message_send_status") {
            ensure!(status["sender"] == ghost.as_str(), "{status}");
            ensure!(!status.to_string().contains("secret"), "{status}");
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// What a person's client calls somebody in a room.
async fn name_of(room: &Room, user: &UserId) -> Result<Option<String>> {
    let member = room.get_member_no_sync(user).await?;
    Ok(member.and_then(|member| member.display_name().map(str::to_owned)))
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_called_what_they_call_themselves_and_people_too() -> Result<()> {
    let mut world = World::start("names", Plan::default()).await?;
    let told = async {
        let (alice, amin) = (world.person("alice").await?, world.person("amin").await?);
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        let mut rooms = Vec::new();
        for person in [&alice, &amin] {
            let management = logs_in(person).await?;
            rooms.push(starts_chat(person, &management, PHONE).await?);
        }
        let [(hers, ghost), (his, same)] = &rooms[..] else { anyhow::bail!("two rooms") };
        ensure!(ghost == same, "one contact, two ghosts");
        // What she calls the contact is hers.
        hers.set_name("my landlord".to_owned()).await?;
        bailey.says(alice.id(), "hi").await?;
        for room in [hers, his] {
            until("both to see the contact's own name", PATIENCE, || async {
                Ok(name_of(room, ghost).await?.filter(|name| name == "Bailey"))
            })
            .await?;
        }
        ensure!(his.name().as_deref() != Some("my landlord"), "he sees what she calls them");
        alice.says(hers, "hello").await?;
        let read = bailey.reads("hello").await?;
        ensure!(read["name"] == "alice", "the contact sees {read}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
