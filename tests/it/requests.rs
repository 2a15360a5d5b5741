//! Somebody new writes, and the person decides: accepts, declines, blocks. Until then the sender learns nothing.

use anyhow::{Result, ensure};
use matrix_sdk::Room;

use crate::support::{
    baileys::BaileysPerson,
    bridge::Plan,
    matrix_client::{Person, must_be_clean},
    wait::{PATIENCE, until},
    world::{PHONE, World, is_ghost, logs_in, starts_chat},
};

impl Person {
    /// Waits for a ghost's invitation, and leaves it unanswered.
    async fn is_invited(&self) -> Result<Room> {
        until("an invitation", PATIENCE, || async {
            for room in self.client().invited_rooms() {
                // An invitation whose state is still being stored has no details yet.
                let Ok(invite) = room.invite_details().await else { continue };
                if invite.inviter.is_some_and(|inviter| is_ghost(inviter.user_id())) {
                    return Ok(Some(room));
                }
            }
            Ok(None)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_accepted_and_only_then_heard_of() -> Result<()> {
    let mut world = World::start("request-accepted", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, PHONE).await?;
        let management = logs_in(&alice).await?;
        let id = bailey.sends(alice.id(), "hello").await?;
        let room = alice.is_invited().await?;
        let asked = || async {
            let answer = alice.asks(&management, "contacts", &[]).await?;
            Ok(answer.body.contains("asked to write to you").then_some(()))
        };
        until("a request", PATIENCE, asked).await?;
        // Whatever could have been told of the message is told by now: this is a whole round trip.
        bailey.says(alice.id(), "are you there?").await?;
        alice.asks(&management, "status", &["connected"]).await?;
        ensure!(!bailey.knows_of(&id, "delivered"), "told before the person agreed");
        room.join().await?;
        let hello = alice.reads(room.room_id(), "hello").await?;
        must_be_clean(&hello)?;
        alice.reads(room.room_id(), "are you there?").await?;
        bailey.learns_of(&id, "delivered").await?;
        let room = alice.client().get_room(room.room_id()).unwrap_or(room);
        alice.says(&room, "here I am").await?;
        bailey.reads("here I am").await?;
        alice.asks(&management, "consent", &["asked to write to you", "you approved"]).await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_declined_and_that_is_remembered() -> Result<()> {
    let mut world = World::start("request-declined", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let first = bruno.says(alice.id(), "hello").await?;
        alice.is_invited().await?.leave().await?;
        let declined = || async {
            let answer = alice.asks(&management, "contacts", &[]).await?;
            Ok(answer.body.contains("declined").then_some(()))
        };
        until("the refusal to be known", PATIENCE, declined).await?;
        // A restart forgets nothing of it.
        world.bridge.stop().await?;
        world.bridge.start().await?;
        let second = bruno.says(alice.id(), "please").await?;
        alice.asks(&management, "status", &["connected"]).await?;
        alice.asks(&management, "contacts", &["declined"]).await?;
        for id in [first, second] {
            ensure!(bruno.receipts(&id).await?.is_empty(), "the sender was told something");
        }
        // The person may change their mind; what they declined stays unread.
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        bruno.says(alice.id(), "thank you").await?;
        alice.reads(room.room_id(), "thank you").await?;
        let saw = alice.saw(room.room_id());
        ensure!(!saw.iter().any(|message| message.body == "hello"), "{saw:?}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_contact_is_not_heard_until_unblocked() -> Result<()> {
    let mut world = World::start("blocked", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        bruno.says(alice.id(), "one").await?;
        alice.reads(room.room_id(), "one").await?;
        alice.asks(&management, "block Bruno", &["Bruno: blocked"]).await?;
        let two = bruno.says(alice.id(), "two").await;
        alice.says(&room, "not sent").await?;
        alice.reads_words(room.room_id(), &["you have blocked this contact"]).await?;
        if let Ok(two) = two {
            ensure!(bruno.receipts(&two).await?.is_empty(), "a blocked contact was told");
        }
        ensure!(bruno.got().await?.is_empty(), "a blocked contact got something");
        alice.asks(&management, "unblock Bruno", &["may ask"]).await?;
        // She is in the room all along, so an invitation would not be seen.
        bruno.says(alice.id(), "three").await?;
        alice.reads_words(room.room_id(), &["writes to you again", "start"]).await?;
        alice.asks(&management, "contacts", &["asked to write to you"]).await?;
        alice.asks(&management, &format!("start {PHONE}"), &["chat is ready"]).await?;
        alice.reads(room.room_id(), "three").await?;
        let saw = alice.saw(room.room_id());
        ensure!(!saw.iter().any(|message| message.body == "two"), "{saw:?}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
