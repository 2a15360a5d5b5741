//! The Matrix adapter against a real homeserver and a person in the strictest client: our user's own
//! cross-signed device, both directions, repetitions, restarts and lost to-device messages.

mod appservice;

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use causeway::{
    domain::{
        bridged::ActAs,
        capability,
        ids::GhostKey,
        item::{OutboundEvent, RawEvent},
    },
    matrix::{CipherOptions, KeySharing, MatrixCipher, MatrixHomeserver, MatrixOptions},
    port::{
        Failure, Homeserver, RoomCipher,
        homeserver::{DirectRoom, Signs},
        room_cipher::{DecryptFailure, Decrypted, Plain},
    },
    storage::SqlStorage,
};
use matrix_sdk::Room;
use ruma::{OwnedEventId, OwnedRoomId, RoomId, events::room::message::RoomMessageEventContent};
use serde_json::json;

use self::appservice::{Appservice, RealEntropy, WallClock};
use crate::support::{
    matrix_client::{Person, Shield, must_be_clean},
    place::{RunFolder, free_url},
    synapse::{SERVER_NAME, Synapse},
    wait::{PATIENCE, until},
};

/// The adapter on a homeserver of its own, with what it is told by the homeserver.
struct Stage {
    synapse: Synapse,
    appservice: Appservice,
    homeserver: Arc<MatrixHomeserver>,
    database: String,
    storage: Arc<SqlStorage>,
    cipher: MatrixCipher,
}

impl Stage {
    async fn build(run: &RunFolder, options: CipherOptions) -> Result<Self> {
        let url = free_url()?;
        let registration = run.path().join("registration.yaml");
        let appservice = Appservice::start(&url, &registration).await?;
        let synapse = Synapse::start(run, Some(&registration)).await?;
        let homeserver = Arc::new(MatrixHomeserver::new(
            MatrixOptions {
                url: synapse.url().clone(),
                server_name: SERVER_NAME.try_into()?,
                as_token: appservice::AS_TOKEN.to_owned(),
                appservice_id: appservice::ID.to_owned(),
                bot_localpart: "whatsappbot".to_owned(),
                ghost_prefix: "whatsapp_".to_owned(),
            },
            Arc::new(WallClock),
        )?);
        let database = format!("sqlite:{}", run.path().join("bridge.db").display());
        let storage = open(&database).await?;
        let cipher = MatrixCipher::new(homeserver.clone(), storage.clone(), options);
        Ok(Self { synapse, appservice, homeserver, database, storage, cipher })
    }

    /// Forgets everything but the database, as a crash does.
    async fn restart(&mut self) -> Result<()> {
        self.storage = open(&self.database).await?;
        let options = CipherOptions::default();
        self.cipher = MatrixCipher::new(self.homeserver.clone(), self.storage.clone(), options);
        Ok(())
    }

    /// A ghost with a name and keys.
    async fn ghost(&self, key: &str) -> Result<ActAs> {
        let who = ActAs::Ghost(GhostKey(key.to_owned()));
        self.homeserver.ensure_user(&who, Some("Ana")).await?;
        self.cipher.prepare(&who).await?;
        Ok(who)
    }

    /// A direct chat that the person has joined.
    async fn chat(&self, ghost: &ActAs, person: &Person) -> Result<Room> {
        let request = DirectRoom {
            creator: ghost.clone(),
            person: person.id().to_owned(),
            alias_localpart: "chat".to_owned(),
            topic: "who can read this".to_owned(),
            signs: Signs {
                localpart: "chat".to_owned(),
                bridge_info: json!({ "bridgebot": "@whatsappbot:localhost" }),
                features: capability::room_features(1, capability::Capabilities::default()),
                legs: json!({ "end_to_end": false }),
            },
        };
        let made = self.homeserver.direct_room(&request).await?;
        let ghost_id = self.homeserver.user_id(ghost);
        let (room, _) = person.accepts_invitation(|inviter| inviter == ghost_id).await?;
        ensure!(made == room.room_id());
        let again = self.homeserver.direct_room(&request).await?;
        ensure!(made == again, "a repeated creation made another room");
        Ok(room)
    }

    async fn encrypt(&self, who: &ActAs, room: &RoomId, text: &str) -> Result<serde_json::Value> {
        let state = self.homeserver.room_state(who, room).await?;
        ensure!(state.encrypted, "the room is not encrypted");
        let content = json!({ "msgtype": "m.text", "body": text });
        let plain = Plain { event_type: "m.room.message", content: &content };
        Ok(self.cipher.encrypt(who, room, &state.members, plain).await?)
    }

    async fn send(
        &self,
        who: &ActAs,
        room: &RoomId,
        text: &str,
        content: serde_json::Value,
    ) -> Result<OwnedEventId> {
        let event = OutboundEvent {
            sender: who.clone(),
            room: room.to_owned(),
            transaction_id: text.replace(' ', "-"),
            event_type: "m.room.encrypted".to_owned(),
            content,
            shows: None,
        };
        let sent = self.homeserver.send(&event).await?;
        let again = self.homeserver.send(&event).await?;
        ensure!(sent == again, "a repeated send made another event");
        Ok(sent)
    }

    /// The ghost writes; the person must read it without any warning.
    async fn ghost_says(
        &self,
        who: &ActAs,
        person: &Person,
        room: &RoomId,
        text: &str,
    ) -> Result<()> {
        let content = self.encrypt(who, room, text).await?;
        self.send(who, room, text, content).await?;
        let read = person.reads(room, text).await?;
        ensure!(read.sender == self.homeserver.user_id(who));
        must_be_clean(&read)
    }

    /// The person writes; the event as the homeserver pushed it, with all keys that came before it
    /// handed to the machines.
    async fn person_says(&self, room: &Room, text: &str) -> Result<RawEvent> {
        self.arrives(sends(room, text).await?).await
    }

    async fn arrives(&self, event: OwnedEventId) -> Result<RawEvent> {
        let (event, keys) = self.appservice.takes(&event).await?;
        for changes in keys {
            self.cipher.receive(&changes).await?;
        }
        Ok(event)
    }

    async fn ghost_reads(
        &self,
        who: &ActAs,
        room: &RoomId,
        event: &RawEvent,
        text: &str,
    ) -> Result<()> {
        let Decrypted { event_type, content, sender_verified, .. } =
            self.cipher.decrypt(who, room, event).await.map_err(because)?;
        ensure!(event_type == "m.room.message" && content["body"] == text, "read {content}");
        ensure!(sender_verified, "the person's device does not count as theirs");
        Ok(())
    }
}

async fn open(database: &str) -> Result<Arc<SqlStorage>> {
    Ok(Arc::new(SqlStorage::open(database, [7; 32], Arc::new(RealEntropy)).await?))
}

/// A person's client sends a text.
async fn sends(room: &Room, text: &str) -> Result<OwnedEventId> {
    Ok(room.send(RoomMessageEventContent::text_plain(text)).await?.response.event_id)
}

fn because(failure: DecryptFailure) -> anyhow::Error {
    match failure {
        DecryptFailure::MissingKey => anyhow!("the room key is missing"),
        DecryptFailure::Undecryptable(failure) | DecryptFailure::Outside(failure) => {
            Failure::into(failure)
        }
    }
}

async fn told(
    name: &str,
    options: CipherOptions,
    story: impl AsyncFnOnce(Stage) -> Result<()>,
) -> Result<()> {
    let mut run = RunFolder::new(name)?;
    let told = async { story(Stage::build(&run, options).await?).await };
    told.await.inspect_err(|_| run.keep()).with_context(|| run.log_tails(30))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_and_a_strict_client_write_to_each_other_across_restarts() -> Result<()> {
    let options = CipherOptions { key_sharing: KeySharing::CrossSignedDevices };
    told("matrix-both-ways", options, async |mut stage: Stage| {
        let ghost = stage.ghost("ana").await?;
        let person = Person::join(&stage.synapse, "person").await?;
        let room = stage.chat(&ghost, &person).await?;
        let id = room.room_id();
        for turn in 0..3 {
            stage.ghost_says(&ghost, &person, id, &format!("from the ghost {turn}")).await?;
            let text = format!("from the person {turn}");
            let event = stage.person_says(&room, &text).await?;
            stage.ghost_reads(&ghost, id, &event, &text).await?;
            // What was decrypted once is decrypted again after a crash.
            stage.restart().await?;
            stage.ghost_reads(&ghost, id, &event, &text).await?;
            stage.cipher.prepare(&ghost).await?;
        }
        let event = sends(&room, "to be fetched again").await?;
        stage.arrives(event.clone()).await?;
        let fetched = stage.homeserver.event(&ghost, id, &event).await?;
        let fetched = fetched.context("the event is there")?;
        stage.ghost_reads(&ghost, id, &fetched, "to be fetched again").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_key_that_was_lost_while_we_were_down_is_fetched() -> Result<()> {
    told("matrix-lost-key", CipherOptions::default(), async |mut stage: Stage| {
        let ghost = stage.ghost("ana").await?;
        let person = Person::join(&stage.synapse, "person").await?;
        let room = stage.chat(&ghost, &person).await?;
        let id = room.room_id().to_owned();

        stage.appservice.go_down();
        let sent = sends(&room, "while you were away").await?;
        stage.appservice.refused_a_to_device_message().await?;
        stage.restart().await?;
        stage.appservice.come_up();
        stage.homeserver.ping().await?;
        let event = stage.arrives(sent).await?;
        let missing = stage.cipher.decrypt(&ghost, &id, &event).await;
        ensure!(matches!(missing, Err(DecryptFailure::MissingKey)), "{missing:?}");
        // Nobody answers, since the key's only holder is the person; it must not fail either.
        stage.cipher.request_key(&ghost, &id, &event).await?;

        stage.cipher.fetch_missed(&ghost).await?;
        stage.ghost_reads(&ghost, &id, &event, "while you were away").await?;
        // Fetching again, and being pushed what was fetched, changes nothing.
        stage.cipher.fetch_missed(&ghost).await?;
        let event = stage.person_says(&room, "and now").await?;
        stage.ghost_reads(&ghost, &id, &event, "and now").await?;
        stage.cipher.fetch_missed(&ghost).await?;
        stage.ghost_says(&ghost, &person, &id, "welcome back").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ghosts_device_shows_a_shield() -> Result<()> {
    told("matrix-wrong-device", CipherOptions::default(), async |stage: Stage| {
        let (ghost, other) = (stage.ghost("ana").await?, stage.ghost("bea").await?);
        let person = Person::join(&stage.synapse, "person").await?;
        let room = stage.chat(&ghost, &person).await?;
        let id: OwnedRoomId = room.room_id().to_owned();
        let other_id = stage.homeserver.user_id(&other);
        stage.homeserver.invite(&ghost, &id, &other_id).await?;
        stage.homeserver.invite(&ghost, &id, &other_id).await?;
        stage.homeserver.join(&other, &id).await?;
        stage.homeserver.join(&other, &id).await?;

        let content = stage.encrypt(&other, &id, "forged").await?;
        let sent = stage.send(&ghost, &id, "forged", content).await?;
        let seen = until("the forged message", PATIENCE, || async {
            Ok(person.saw(&id).into_iter().find(|message| message.event == sent))
        })
        .await?;
        ensure!(matches!(seen.shield, Shield::Red(_)), "the person saw {seen:?}");

        // The same from the other side: nor do we take it.
        let event = stage.arrives(sent).await?;
        let refused = stage.cipher.decrypt(&other, &id, &event).await;
        ensure!(matches!(refused, Err(DecryptFailure::Undecryptable(_))), "{refused:?}");

        stage.homeserver.leave(&other, &id).await?;
        stage.homeserver.leave(&other, &id).await?;
        let members = stage.homeserver.room_state(&ghost, &id).await?.members;
        ensure!(members.len() == 2 && !members.contains(&other_id), "{members:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_an_earlier_installation_is_replaced() -> Result<()> {
    told("matrix-earlier-device", CipherOptions::default(), async |mut stage: Stage| {
        let ghost = stage.ghost("ana").await?;
        stage.database.push_str(".new");
        stage.restart().await?;
        stage.cipher.prepare(&ghost).await?;
        let person = Person::join(&stage.synapse, "person").await?;
        let room = stage.chat(&ghost, &person).await?;
        stage.ghost_says(&ghost, &person, room.room_id(), "with new keys").await?;
        let event = stage.person_says(&room, "to the new device").await?;
        stage.ghost_reads(&ghost, room.room_id(), &event, "to the new device").await
    })
    .await
}
