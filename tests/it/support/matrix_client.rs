//! A person in a stock Matrix client: matrix-sdk in its strictest setting. It decrypts only what a
//! cross-signed device sent, and shares room keys only with cross-signed devices, as clients that follow
//! MSC4153 do. What it saw is kept with the shield that such a client would paint beside it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use matrix_sdk::{
    Client, Room, RoomMemberships, RoomState,
    config::SyncSettings,
    deserialized_responses::{ShieldState, TimelineEvent, TimelineEventKind},
    ruma::{
        EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId,
        api::client::{
            filter::{FilterDefinition, RoomEventFilter, RoomFilter},
            relations::get_relating_events_with_rel_type::v1::Request as Relations,
            room::create_room::v3::{Request as CreateRoom, RoomPreset},
            sync::sync_events::v3::Filter,
        },
        events::{
            AnySyncTimelineEvent,
            reaction::ReactionEventContent,
            relation::{Annotation, RelationType},
            room::encrypted::OriginalSyncRoomEncryptedEvent,
            room::message::RoomMessageEventContent,
        },
        serde::Raw,
        uint,
    },
};
use matrix_sdk_crypto::{CollectStrategy, DecryptionSettings, TrustRequirement};
use serde::Deserialize;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    synapse::{SERVER_NAME, Synapse},
    wait::{PATIENCE, until},
};

/// What every account of a test is locked with.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// What a client paints beside a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shield {
    /// Nothing: all is well.
    None,
    /// The message came in the clear.
    Unencrypted,
    /// A grey or red warning, with the reason in the client's words.
    Grey(String),
    Red(String),
}

impl From<ShieldState> for Shield {
    fn from(state: ShieldState) -> Self {
        match state {
            ShieldState::None => Self::None,
            ShieldState::Grey { message, .. } => Self::Grey(message.to_owned()),
            ShieldState::Red { message, .. } => Self::Red(message.to_owned()),
        }
    }
}

/// One message as the person sees it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) room: OwnedRoomId,
    pub(crate) event: OwnedEventId,
    pub(crate) sender: OwnedUserId,
    /// `m.text`, `m.notice` …; empty for a message that could not be decrypted.
    pub(crate) kind: String,
    pub(crate) body: String,
    /// The HTML, if there is any.
    pub(crate) html: Option<String>,
    /// All of what it says.
    pub(crate) content: serde_json::Value,
    /// The message that it answers.
    pub(crate) answers: Option<OwnedEventId>,
    /// The message that it corrects, and what that says now.
    pub(crate) replaces: Option<(OwnedEventId, String)>,
    /// The shield of a client in its ordinary setting.
    pub(crate) shield: Shield,
    /// Why it could not be decrypted; such a message may still become readable.
    pub(crate) unreadable: Option<String>,
    /// When this client got to see it.
    pub(crate) seen: Instant,
}

/// A logged-in person, whose client syncs until it is dropped.
#[derive(Debug)]
pub(crate) struct Person {
    client: Client,
    id: OwnedUserId,
    timeline: Arc<Mutex<Vec<Message>>>,
    sync: JoinHandle<()>,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.sync.abort();
    }
}

/// The id of an account of the tests' homeserver.
pub(crate) fn user(localpart: &str) -> Result<OwnedUserId> {
    Ok(UserId::parse(format!("@{localpart}:{SERVER_NAME}"))?)
}

impl Person {
    /// Makes an account, logs in, makes a cross-signing identity and starts to sync.
    pub(crate) async fn join(synapse: &Synapse, name: &str) -> Result<Self> {
        let strict = (CollectStrategy::IdentityBasedStrategy, TrustRequirement::CrossSigned);
        Self::join_with(synapse, name, strict).await
    }

    /// The same in a client that shows what it does not trust, under a shield, and shares its keys with
    /// every device.
    pub(crate) async fn join_with_ordinary_client(synapse: &Synapse, name: &str) -> Result<Self> {
        let ordinary = (CollectStrategy::AllDevices, TrustRequirement::Untrusted);
        Self::join_with(synapse, name, ordinary).await
    }

    async fn join_with(
        synapse: &Synapse,
        name: &str,
        (sharing, sender_device_trust_requirement): (CollectStrategy, TrustRequirement),
    ) -> Result<Self> {
        synapse.register(name, PASSWORD).await?;
        let client = Client::builder()
            .homeserver_url(synapse.url())
            .with_room_key_recipient_strategy(sharing)
            .with_decryption_settings(DecryptionSettings { sender_device_trust_requirement })
            .build()
            .await?;
        client.matrix_auth().login_username(name, PASSWORD).send().await?;
        // The first upload needs no password (MSC3967).
        client.encryption().bootstrap_cross_signing(None).await?;
        client.sync_once(sync_settings()).await?;
        let timeline = Arc::new(Mutex::new(Vec::new()));
        let sync = tokio::spawn(sync_forever(client.clone(), timeline.clone()));
        Ok(Self { client, id: synapse.user(name)?, timeline, sync })
    }

    pub(crate) fn id(&self) -> &UserId {
        &self.id
    }

    /// The client itself, for what has no word here.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Creates an encrypted direct chat and invites somebody.
    pub(crate) async fn create_chat_with(&self, other: &UserId) -> Result<Room> {
        Ok(self.client.create_dm(other).await?)
    }

    /// The same, and waits until they are in it.
    pub(crate) async fn open_chat_with(&self, other: &UserId) -> Result<Room> {
        let room = self.create_chat_with(other).await?;
        self.sees_member(&room, other).await?;
        self.knows_devices(other).await?;
        Ok(room)
    }

    /// Waits until this client knows that every device of `other` is signed by its owner. From another
    /// homeserver devices and signatures come one after the other, and a strict client that writes in
    /// between withholds its room key.
    async fn knows_devices(&self, other: &UserId) -> Result<()> {
        let encryption = self.client.encryption();
        until(&format!("{other}'s devices to be known as signed"), PATIENCE, || async {
            encryption.request_user_identity(other).await?;
            let devices = encryption.get_user_devices(other).await?;
            let (mut known, mut signed) = (0, 0);
            for device in devices.devices() {
                known += 1;
                signed += usize::from(device.is_cross_signed_by_owner());
            }
            Ok((known > 0 && known == signed).then_some(()))
        })
        .await
    }

    /// The one room that this person is in.
    pub(crate) fn only_room(&self) -> Result<OwnedRoomId> {
        match self.client.joined_rooms().as_slice() {
            [room] => Ok(room.room_id().to_owned()),
            rooms => bail!("{} is in {} rooms", self.id, rooms.len()),
        }
    }

    /// Opens a direct chat without encryption, as old clients do, and waits until they are in it.
    pub(crate) async fn open_unencrypted_chat_with(&self, other: &UserId) -> Result<Room> {
        let mut request = CreateRoom::new();
        request.invite = vec![other.to_owned()];
        request.is_direct = true;
        request.preset = Some(RoomPreset::TrustedPrivateChat);
        let room = self.client.create_room(request).await?;
        self.sees_member(&room, other).await?;
        Ok(room)
    }

    /// Waits until `other` has joined `room`.
    pub(crate) async fn sees_member(&self, room: &Room, other: &UserId) -> Result<()> {
        until(&format!("{other} to join the room"), PATIENCE, || async {
            // Asked anew each time: an answer of the homeserver that was under way when the sync brought
            // the join overwrites it in the client's store, and no later sync repeats it.
            room.mark_members_missing();
            let members = room.members(RoomMemberships::JOIN).await?;
            Ok(members.iter().any(|member| member.user_id() == other).then_some(()))
        })
        .await
    }

    /// Waits for an invitation by somebody whom `wanted` accepts, and accepts it. Returns the room and
    /// who invited.
    pub(crate) async fn accepts_invitation(
        &self,
        wanted: impl Fn(&UserId) -> bool + Send + Sync,
    ) -> Result<(Room, OwnedUserId)> {
        let (room, inviter) = until("an invitation", PATIENCE, || async {
            for room in self.client.invited_rooms() {
                // An invitation whose state is still being stored has no details yet.
                let Ok(invite) = room.invite_details().await else { continue };
                if let Some(inviter) = invite.inviter.filter(|member| wanted(member.user_id())) {
                    return Ok(Some((room, inviter.user_id().to_owned())));
                }
            }
            Ok(None)
        })
        .await?;
        room.join().await?;
        until("the joined room to sync", PATIENCE, || async {
            Ok((room.state() == RoomState::Joined).then_some(()))
        })
        .await?;
        room.sync_members().await?;
        room.request_encryption_state().await?;
        Ok((room, inviter))
    }

    /// Sends a text, encrypted if the room is.
    pub(crate) async fn says(&self, room: &Room, text: &str) -> Result<OwnedEventId> {
        self.sends(room, RoomMessageEventContent::text_plain(text)).await
    }

    /// Sends any message content.
    pub(crate) async fn sends(
        &self,
        room: &Room,
        content: RoomMessageEventContent,
    ) -> Result<OwnedEventId> {
        Ok(room.send(content).await?.response.event_id)
    }

    /// Sends a message with this content, word for word.
    pub(crate) async fn sends_content(
        &self,
        room: &Room,
        content: serde_json::Value,
    ) -> Result<OwnedEventId> {
        Ok(room.send_raw("m.room.message", content).await?.response.event_id)
    }

    /// Reacts to an event.
    pub(crate) async fn reacts(
        &self,
        room: &Room,
        event: &EventId,
        emoji: &str,
    ) -> Result<OwnedEventId> {
        let annotation = Annotation::new(event.to_owned(), emoji.to_owned());
        Ok(room.send(ReactionEventContent::new(annotation)).await?.response.event_id)
    }

    /// Waits until the homeserver counts exactly these reactions of others to an event.
    pub(crate) async fn sees_reactions(
        &self,
        room: &RoomId,
        event: &EventId,
        by: &UserId,
        emoji: &[&str],
    ) -> Result<()> {
        until(&format!("the reactions {emoji:?}"), PATIENCE, || async {
            let request =
                Relations::new(room.to_owned(), event.to_owned(), RelationType::Annotation);
            let related = self.client.send(request).await?.chunk;
            let keys = related.iter().filter_map(|raw| {
                let event: serde_json::Value = serde_json::from_str(raw.json().get()).ok()?;
                let key = event["content"]["m.relates_to"]["key"].as_str()?;
                (event["sender"] == by.as_str()).then(|| key.to_owned())
            });
            Ok((keys.collect::<Vec<_>>() == emoji).then_some(()))
        })
        .await
    }

    /// Waits until the homeserver has an event redacted.
    pub(crate) async fn sees_deleted(&self, room: &Room, event: &EventId) -> Result<()> {
        until("a redaction", PATIENCE, || async {
            let raw = room.event(event, None).await?.into_raw();
            Ok(raw.json().get().contains("redacted_because").then_some(()))
        })
        .await
    }

    /// Everything seen in a room so far, oldest first.
    pub(crate) fn saw(&self, room: &RoomId) -> Vec<Message> {
        self.timeline().iter().filter(|message| message.room == room).cloned().collect()
    }

    /// Waits for a readable message of somebody else in `room` that `wanted` accepts. The failure
    /// shows what was seen instead.
    pub(crate) async fn sees(
        &self,
        room: &RoomId,
        what: &str,
        wanted: impl Fn(&Message) -> bool + Send + Sync,
    ) -> Result<Message> {
        self.sees_within(PATIENCE, room, what, wanted).await
    }

    /// The same, with another patience.
    pub(crate) async fn sees_within(
        &self,
        limit: Duration,
        room: &RoomId,
        what: &str,
        wanted: impl Fn(&Message) -> bool + Send + Sync,
    ) -> Result<Message> {
        let found = until(what, limit, || async {
            let timeline = self.timeline();
            Ok(timeline
                .iter()
                .find(|message| {
                    message.room == room
                        && message.sender != self.id
                        && message.unreadable.is_none()
                        && wanted(message)
                })
                .cloned())
        })
        .await;
        found.with_context(|| format!("{} saw in this room:\n{}", self.id, self.account_of(room)))
    }

    /// Waits for the next readable message of somebody else after the first `before` messages of a room,
    /// whatever it is.
    pub(crate) async fn sees_after(
        &self,
        room: &RoomId,
        before: usize,
        what: &str,
        limit: Duration,
    ) -> Result<Message> {
        let known: Vec<OwnedEventId> =
            self.saw(room).into_iter().take(before).map(|message| message.event).collect();
        self.sees_within(limit, room, what, |message| !known.contains(&message.event)).await
    }

    /// Waits for this very text from somebody else.
    pub(crate) async fn reads(&self, room: &RoomId, text: &str) -> Result<Message> {
        self.sees(room, &format!("the text {text:?}"), |message| message.body == text).await
    }

    /// Waits for a text from somebody else that holds all of these words, whatever their case.
    pub(crate) async fn reads_words(&self, room: &RoomId, words: &[&str]) -> Result<Message> {
        self.sees(room, &format!("a text with the words {words:?}"), |message| {
            let body = message.body.to_lowercase();
            words.iter().all(|word| body.contains(&word.to_lowercase()))
        })
        .await
    }

    /// Sends a text and waits for an answer after it that holds all of these words.
    pub(crate) async fn asks(&self, room: &Room, text: &str, words: &[&str]) -> Result<Message> {
        let before: Vec<OwnedEventId> =
            self.saw(room.room_id()).into_iter().map(|message| message.event).collect();
        self.says(room, text).await?;
        let what = format!("an answer to {text:?} with the words {words:?}");
        self.sees(room.room_id(), &what, |message| {
            let body = message.body.to_lowercase();
            !before.contains(&message.event)
                && words.iter().all(|word| body.contains(&word.to_lowercase()))
        })
        .await
    }

    /// A room's messages, one a line, for the text of a failure.
    fn account_of(&self, room: &RoomId) -> String {
        let lines: Vec<String> = self
            .saw(room)
            .iter()
            .map(|message| match &message.unreadable {
                None => format!("  {} {:?}: {:?}", message.sender, message.shield, message.body),
                Some(reason) => format!("  {} unreadable: {reason}", message.sender),
            })
            .collect();
        if lines.is_empty() { "  nothing".to_owned() } else { lines.join("\n") }
    }

    fn timeline(&self) -> std::sync::MutexGuard<'_, Vec<Message>> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that asks for everything: a conversation of hundreds of messages has no gaps then.
fn sync_settings() -> SyncSettings {
    let mut timeline = RoomEventFilter::default();
    timeline.limit = Some(uint!(1000));
    let mut room = RoomFilter::default();
    room.timeline = timeline;
    let mut filter = FilterDefinition::default();
    filter.room = room;
    SyncSettings::new().timeout(Duration::from_secs(5)).filter(Filter::FilterDefinition(filter))
}

async fn sync_forever(client: Client, timeline: Arc<Mutex<Vec<Message>>>) {
    loop {
        match client.sync_once(sync_settings()).await {
            Ok(response) => {
                for (room, update) in response.rooms.joined {
                    let mut new: Vec<Message> = Vec::new();
                    for event in &update.timeline.events {
                        new.extend(as_message(&room, event));
                    }
                    add(&timeline, new);
                }
            }
            // The homeserver may be down on purpose; the person's client simply tries again.
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
        reread(&client, &timeline).await;
    }
}

fn add(timeline: &Mutex<Vec<Message>>, new: Vec<Message>) {
    let mut timeline = timeline.lock().unwrap_or_else(PoisonError::into_inner);
    for message in new {
        if !timeline.iter().any(|known| known.event == message.event) {
            timeline.push(message);
        }
    }
}

/// Tries the unreadable messages again: a room key may have come after them.
async fn reread(client: &Client, timeline: &Mutex<Vec<Message>>) {
    let unreadable: Vec<Message> = {
        let timeline = timeline.lock().unwrap_or_else(PoisonError::into_inner);
        timeline.iter().filter(|message| message.unreadable.is_some()).cloned().collect()
    };
    for message in unreadable {
        let Ok(again) = decrypt_again(client, &message).await else { continue };
        if again.unreadable.is_some() {
            continue;
        }
        let mut timeline = timeline.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = timeline.iter_mut().find(|known| known.event == again.event) {
            *place = again;
        }
    }
}

async fn decrypt_again(client: &Client, message: &Message) -> Result<Message> {
    let room = client.get_room(&message.room).context("the room is gone")?;
    // The body of an unreadable message is the event as it came.
    let raw: Raw<OriginalSyncRoomEncryptedEvent> = serde_json::from_str(&message.body)?;
    let event = room.decrypt_event(&raw, None).await?;
    as_message(&message.room, &event).ok_or_else(|| anyhow!("no message"))
}

/// The parts of an event that a person would see.
#[derive(Deserialize)]
struct Visible {
    #[serde(rename = "type")]
    kind: String,
    event_id: OwnedEventId,
    sender: OwnedUserId,
    #[serde(default)]
    content: serde_json::Value,
}

fn as_message(room: &RoomId, event: &TimelineEvent) -> Option<Message> {
    let raw: &Raw<AnySyncTimelineEvent> = event.raw();
    let visible: Visible = raw.deserialize_as_unchecked().ok()?;
    let (shield, unreadable) = match &event.kind {
        TimelineEventKind::Decrypted(decrypted) => {
            let state = &decrypted.encryption_info.verification_state;
            (state.to_shield_state_lax().into(), None)
        }
        TimelineEventKind::UnableToDecrypt { utd_info, .. } => {
            (Shield::Red("unreadable".to_owned()), Some(format!("{:?}", utd_info.reason)))
        }
        TimelineEventKind::PlainText { .. } => (Shield::Unencrypted, None),
    };
    let content = visible.content;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let body = if unreadable.is_some() {
        raw.json().get().to_owned()
    } else if ["m.room.message", "m.sticker"].contains(&visible.kind.as_str()) {
        text(&content["body"]).unwrap_or_default()
    } else {
        return None;
    };
    let (relation, new_content) = (&content["m.relates_to"], &content["m.new_content"]);
    let event_id = |value: &serde_json::Value| value["event_id"].as_str()?.try_into().ok();
    let replaces = (relation["rel_type"] == "m.replace").then(|| event_id(relation)).flatten();
    let new_body = || text(&new_content["body"]).unwrap_or_default();
    Some(Message {
        room: room.to_owned(),
        event: visible.event_id,
        sender: visible.sender,
        kind: text(&content["msgtype"]).unwrap_or(visible.kind),
        body,
        html: text(&content["formatted_body"]),
        answers: event_id(&relation["m.in_reply_to"]),
        replaces: replaces.map(|event| (event, new_body())),
        content,
        shield,
        unreadable,
        seen: Instant::now(),
    })
}

/// Fails unless the message is one that a stock client shows without any warning.
pub(crate) fn must_be_clean(message: &Message) -> Result<()> {
    match &message.shield {
        Shield::None => Ok(()),
        other => bail!("{:?} by {} shows {other:?}", message.body, message.sender),
    }
}
