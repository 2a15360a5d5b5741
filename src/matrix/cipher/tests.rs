//! The machines against a homeserver that answers what the test says.

mod stores;

use std::sync::atomic::{AtomicUsize, Ordering};

use assert_matches::assert_matches;
use axum::response::Response;
use ruma::{room_id, user_id};
use serde_json::json;

use self::stores::MemoryStores;
use super::*;
use crate::{
    domain::ids::GhostKey,
    matrix::fake_homeserver::{Asked, FakeHomeserver, ok, refuse},
    port::Retry,
};

const KEYS_UPLOAD: &str = "/_matrix/client/v3/keys/upload";
const KEYS_QUERY: &str = "/_matrix/client/v3/keys/query";
const SYNC: &str = "/_matrix/client/v3/sync";

fn ghost() -> ActAs {
    ActAs::Ghost(GhostKey("abc".to_owned()))
}

/// The answers of a homeserver on which nobody but our users has keys.
fn empty(asked: &Asked) -> Response {
    match asked.path.as_str() {
        KEYS_UPLOAD => ok(&json!({ "one_time_key_counts": { "signed_curve25519": 50 } })),
        KEYS_QUERY => {
            let mut devices = asked.body["device_keys"].clone();
            devices.as_object_mut().unwrap().values_mut().for_each(|user| *user = json!({}));
            ok(&json!({ "device_keys": devices }))
        }
        SYNC => ok(&json!({ "next_batch": "s1" })),
        "/_matrix/client/v3/register" => ok(&json!({ "user_id": "@whatsapp_abc:example.org" })),
        _ => ok(&json!({})),
    }
}

struct Stage {
    server: FakeHomeserver,
    stores: Arc<MemoryStores>,
    cipher: MatrixCipher,
}

impl Stage {
    async fn build(script: impl FnMut(&Asked) -> Response + Send + 'static) -> Self {
        let server = FakeHomeserver::start(script).await;
        let stores = Arc::new(MemoryStores::default());
        let cipher = cipher(&server, &stores);
        Self { server, stores, cipher }
    }

    fn restart(&mut self) {
        self.cipher = cipher(&self.server, &self.stores);
    }

    /// The bodies of all calls of an endpoint.
    fn bodies(&self, path: &str) -> Vec<Value> {
        let asked = self.server.asked();
        asked.into_iter().filter(|asked| asked.path == path).map(|asked| asked.body).collect()
    }

    async fn encrypt(&self, readers: &[OwnedUserId]) -> Result<Value, Failure> {
        let content = json!({ "msgtype": "m.text", "body": "hello" });
        let plain = Plain { event_type: "m.room.message", content: &content };
        self.cipher.encrypt(&ghost(), room_id!("!r:example.org"), readers, plain).await
    }
}

fn cipher(server: &FakeHomeserver, stores: &Arc<MemoryStores>) -> MatrixCipher {
    let homeserver = Arc::new(server.client());
    MatrixCipher::new(homeserver, stores.clone(), CipherOptions::default())
}

fn counts(count: &Value) -> KeyChanges {
    KeyChanges {
        one_time_key_counts: json!({
            "@whatsapp_abc:example.org": { "CAUSEWAY": count, "masterkeyasdevice": {} },
            "@whatsapp_unknown:example.org": { "CAUSEWAY": {} },
            "@somebody:example.org": { "CAUSEWAY": {} },
        }),
        ..KeyChanges::default()
    }
}

#[tokio::test]
async fn a_device_is_made_and_published_once() {
    let mut stage = Stage::build(empty).await;
    stage.cipher.prepare(&ghost()).await.unwrap();
    let expected = [
        "POST /_matrix/client/v3/register",
        "PUT /_matrix/client/v3/devices/CAUSEWAY",
        "POST /_matrix/client/v3/keys/upload",
        "POST /_matrix/client/v3/keys/device_signing/upload",
        "POST /_matrix/client/v3/keys/signatures/upload",
        "POST /_matrix/client/v3/keys/query",
    ];
    assert_eq!(stage.server.lines(), expected);
    let upload = &stage.bodies(KEYS_UPLOAD)[0];
    assert_eq!(upload["device_keys"]["device_id"], "CAUSEWAY");
    assert_eq!(upload["one_time_keys"].as_object().unwrap().len(), 50);
    assert_eq!(upload["fallback_keys"].as_object().unwrap().len(), 1);
    for asked in &stage.server.asked()[2..] {
        assert_eq!(asked.parameter("user_id"), Some("@whatsapp_abc:example.org"));
        assert_eq!(asked.parameter("device_id"), Some("CAUSEWAY"));
    }

    stage.cipher.prepare(&ghost()).await.unwrap();
    stage.restart();
    stage.cipher.prepare(&ghost()).await.unwrap();
    assert_eq!(stage.server.lines(), expected, "nothing is repeated");
}

#[tokio::test]
async fn keys_that_are_forgotten_are_loaded_by_nobody_until_they_may_be() {
    let stage = Stage::build(empty).await;
    stage.encrypt(&[]).await.unwrap();
    let reader = user_id!("@alice:example.org").to_owned();
    stage.encrypt(std::slice::from_ref(&reader)).await.unwrap();
    // Each of them twice is each of them once.
    let users = [ghost(), ActAs::Bot, ghost()];
    let unloaded = stage.cipher.forget(&users).await;
    let encrypting = stage.encrypt(&[]);
    tokio::pin!(encrypting);
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut encrypting).await;
    assert!(early.is_err(), "loaded while it must not be");
    let before = stage.bodies(KEYS_QUERY).len();
    drop(unloaded);
    encrypting.await.unwrap();
    // It is another machine: it asks again for what the one of before knew.
    assert!(stage.bodies(KEYS_QUERY).len() > before);
}

#[tokio::test]
async fn preparing_finishes_after_a_crash_at_any_step_with_the_same_keys() {
    for broken in 0..6 {
        let calls = AtomicUsize::new(0);
        let mut stage = Stage::build(move |asked| {
            let is_broken = calls.fetch_add(1, Ordering::SeqCst) == broken;
            if is_broken { refuse(502, "M_UNKNOWN") } else { empty(asked) }
        })
        .await;
        let failure = stage.cipher.prepare(&ghost()).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Later, "{broken}");
        stage.restart();
        stage.cipher.prepare(&ghost()).await.unwrap();

        let identities = stage.bodies("/_matrix/client/v3/keys/device_signing/upload");
        assert!(identities.windows(2).all(|two| two[0] == two[1]), "{broken}");
        let uploads = stage.bodies(KEYS_UPLOAD);
        assert!(uploads.windows(2).all(|two| two[0] == two[1]), "{broken}");
        assert!(!stage.server.lines().iter().any(|line| line.starts_with("DELETE")));
    }
}

#[tokio::test]
async fn a_device_that_the_homeserver_knows_with_other_keys_is_replaced() {
    let mut is_first = true;
    let stage = Stage::build(move |asked| match asked.path.as_str() {
        KEYS_UPLOAD if std::mem::take(&mut is_first) => refuse(400, "M_UNKNOWN"),
        _ => empty(asked),
    })
    .await;
    stage.cipher.prepare(&ghost()).await.unwrap();
    let deletion = "DELETE /_matrix/client/v3/devices/CAUSEWAY".to_owned();
    assert_eq!(stage.server.lines().iter().filter(|line| **line == deletion).count(), 1);

    // Once, and not for what another device cannot mend.
    for (broken, deletions) in
        [(KEYS_UPLOAD, 1), ("/_matrix/client/v3/keys/device_signing/upload", 0)]
    {
        let stage = Stage::build(move |asked| {
            if asked.path == broken { refuse(400, "M_UNKNOWN") } else { empty(asked) }
        })
        .await;
        let failure = stage.cipher.prepare(&ghost()).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Never);
        let deleted = stage.server.lines().iter().filter(|line| **line == deletion).count();
        assert_eq!(deleted, deletions, "{broken}");
    }
}

#[tokio::test]
async fn one_time_keys_are_topped_up() {
    for (count, uploaded) in [
        (json!({ "signed_curve25519": 50 }), 0),
        (json!({ "signed_curve25519": 49 }), 1),
        (json!({ "signed_curve25519": 0 }), 50),
        // Synapse's way of saying "none".
        (json!({}), 50),
    ] {
        let stage = Stage::build(empty).await;
        stage.cipher.prepare(&ghost()).await.unwrap();
        stage.cipher.receive(&counts(&count)).await.unwrap();
        let uploads = stage.bodies(KEYS_UPLOAD);
        let new =
            uploads[1..].first().map_or(0, |body| body["one_time_keys"].as_object().unwrap().len());
        assert_eq!(new, uploaded, "{count}");
    }
}

#[tokio::test]
async fn a_used_fallback_key_is_replaced_in_time_only() {
    let stage = Stage::build(empty).await;
    stage.cipher.prepare(&ghost()).await.unwrap();
    let changes = KeyChanges {
        unused_fallback_key_types: json!({ "@whatsapp_abc:example.org": { "CAUSEWAY": [] } }),
        ..KeyChanges::default()
    };
    stage.cipher.receive(&changes).await.unwrap();
    // The machine keeps a fallback key for a week, used or not.
    assert_eq!(stage.bodies(KEYS_UPLOAD).len(), 1);
}

#[tokio::test]
async fn a_failed_flush_is_made_up_for() {
    let uploads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&uploads);
    let stage = Stage::build(move |asked| match asked.path.as_str() {
        KEYS_UPLOAD if counted.fetch_add(1, Ordering::SeqCst) == 1 => refuse(502, "M_UNKNOWN"),
        _ => empty(asked),
    })
    .await;
    stage.cipher.prepare(&ghost()).await.unwrap();
    stage.cipher.receive(&counts(&json!({}))).await.unwrap();
    assert_eq!(uploads.load(Ordering::SeqCst), 3, "the same call ends with what was left over");
    let bodies = stage.bodies(KEYS_UPLOAD);
    assert_eq!(bodies[1], bodies[2]);
    stage.cipher.receive(&KeyChanges::default()).await.unwrap();
    assert_eq!(uploads.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_is_not_ours_makes_no_machine() {
    let stage = Stage::build(empty).await;
    stage.cipher.prepare(&ghost()).await.unwrap();
    let to = |user: &str, device: &str| {
        json!({ "type": "m.room_key_request", "sender": "@p:example.org", "content": {},
                "to_user_id": user, "to_device_id": device })
    };
    let changes = KeyChanges {
        to_device: vec![
            json!("no object"),
            json!({ "type": "m.room.encrypted" }),
            json!({ "to_user_id": "not a user", "to_device_id": "CAUSEWAY", "sender": "@p:x",
                    "type": "x" }),
            to("@somebody:example.org", "CAUSEWAY"),
            to("@whatsapp_abc:example.org", "OTHER"),
            to("@whatsapp_unknown:example.org", "CAUSEWAY"),
            to("@whatsapp_abc:example.org", "CAUSEWAY"),
        ],
        device_lists_changed: vec![user_id!("@stranger:example.org").to_owned()],
        one_time_key_counts: json!({
            "@whatsapp_unknown:example.org": { "CAUSEWAY": { "signed_curve25519": 0 } },
        }),
        unused_fallback_key_types: json!("nonsense"),
        ..KeyChanges::default()
    };
    let before = stage.server.lines().len();
    stage.cipher.receive(&changes).await.unwrap();
    assert_eq!(stage.server.lines().len(), before, "nothing to tell the homeserver");
    let unknown = user_id!("@whatsapp_unknown:example.org");
    let store = stage.stores.crypto_store(unknown, "CAUSEWAY".into());
    assert!(store.load_account().await.unwrap().is_none());
}

#[tokio::test]
async fn an_event_is_encrypted_even_if_nobody_can_read_it() {
    let stage = Stage::build(empty).await;
    let person = user_id!("@person:example.org").to_owned();
    let ours = user_id!("@whatsapp_other:example.org").to_owned();
    let content = stage.encrypt(&[person.clone(), ours]).await.unwrap();
    assert_eq!(content["algorithm"], "m.megolm.v1.aes-sha2");
    assert_eq!(content["device_id"], "CAUSEWAY");
    assert!(content["ciphertext"].is_string());
    assert!(!content.to_string().contains("hello"));

    let asked: Vec<String> = stage
        .bodies(KEYS_QUERY)
        .iter()
        .flat_map(|body| body["device_keys"].as_object().unwrap().keys().cloned())
        .collect();
    assert_eq!(asked, ["@whatsapp_abc:example.org", "@person:example.org"]);

    // A second event asks nothing again and advances the same session.
    let calls = stage.server.lines().len();
    let next = stage.encrypt(&[person]).await.unwrap();
    assert_eq!(stage.server.lines().len(), calls);
    assert_eq!(next["session_id"], content["session_id"]);
    assert_ne!(next["ciphertext"], content["ciphertext"]);
}

#[tokio::test]
async fn a_reader_whose_server_is_away_keeps_nobody_waiting() {
    let stage = Stage::build(|asked| match asked.path.as_str() {
        KEYS_QUERY if asked.body["device_keys"].get("@person:elsewhere.org").is_some() => {
            ok(&json!({ "failures": { "elsewhere.org": {} } }))
        }
        _ => empty(asked),
    })
    .await;
    let person = user_id!("@person:elsewhere.org").to_owned();
    stage.encrypt(std::slice::from_ref(&person)).await.unwrap();
    stage.encrypt(&[person]).await.unwrap();
    // One for our own devices, one for the person's; the second event does not ask again.
    assert_eq!(stage.bodies(KEYS_QUERY).len(), 2);
}

#[tokio::test]
async fn a_user_whom_the_homeserver_leaves_out_is_asked_for_once_a_flush() {
    let stage = Stage::build(|asked| match asked.path.as_str() {
        KEYS_QUERY => ok(&json!({})),
        _ => empty(asked),
    })
    .await;
    stage.cipher.prepare(&ghost()).await.unwrap();
    assert_eq!(stage.bodies(KEYS_QUERY).len(), 1);
    stage.encrypt(&[]).await.unwrap();
    assert_eq!(stage.bodies(KEYS_QUERY).len(), 2);
}

#[tokio::test]
async fn a_changed_device_list_is_asked_for_before_the_next_event() {
    let stage = Stage::build(empty).await;
    let person = user_id!("@person:example.org").to_owned();
    stage.encrypt(std::slice::from_ref(&person)).await.unwrap();
    let changes =
        KeyChanges { device_lists_changed: vec![person.clone()], ..KeyChanges::default() };
    stage.cipher.receive(&changes).await.unwrap();
    let before = stage.bodies(KEYS_QUERY).len();
    stage.encrypt(&[person]).await.unwrap();
    assert_eq!(stage.bodies(KEYS_QUERY).len(), before + 1);
}

#[tokio::test]
async fn device_lists_are_asked_for_after_a_restart() {
    let mut stage = Stage::build(empty).await;
    let person = user_id!("@person:example.org").to_owned();
    stage.encrypt(std::slice::from_ref(&person)).await.unwrap();
    stage.restart();
    let before = stage.bodies(KEYS_QUERY).len();
    stage.encrypt(&[person]).await.unwrap();
    let queries = stage.bodies(KEYS_QUERY);
    assert_eq!(queries.len(), before + 1);
    assert!(queries[before]["device_keys"].get("@person:example.org").is_some());
}

#[tokio::test]
async fn an_event_without_its_key_and_an_event_that_is_none_differ() {
    let stage = Stage::build(empty).await;
    stage.cipher.prepare(&ghost()).await.unwrap();
    let room = room_id!("!r:example.org");
    let mut event = json!({
        "type": "m.room.encrypted",
        "event_id": "$e",
        "sender": "@person:example.org",
        "origin_server_ts": 1,
        "room_id": "!r:example.org",
        "content": stage.encrypt(&[]).await.unwrap(),
    });
    let decrypt =
        async |event: &Value| stage.cipher.decrypt(&ghost(), room, &RawEvent(event.clone())).await;
    // The key is there, but it is the ghost's and not the sender's.
    assert_matches!(decrypt(&event).await, Err(DecryptFailure::Undecryptable(_)));
    event["sender"] = json!("@whatsapp_abc:example.org");
    let own = decrypt(&event).await.unwrap();
    assert_eq!(own.content["body"], "hello");
    assert_eq!(own.event_type, "m.room.message");
    assert!(!format!("{own:?}").contains("hello"));

    event["content"]["session_id"] = json!("another session");
    assert_matches!(decrypt(&event).await, Err(DecryptFailure::MissingKey));
    stage.cipher.request_key(&ghost(), room, &RawEvent(event.clone())).await.unwrap();
    let requests = stage.server.lines();
    assert!(requests.iter().any(|line| line.contains("/sendToDevice/m.room_key_request/")));

    event["content"]["algorithm"] = json!("m.unheard.of");
    assert_matches!(decrypt(&event).await, Err(DecryptFailure::Undecryptable(_)));
    event["content"] = json!({ "body": "hello" });
    assert_matches!(decrypt(&event).await, Err(DecryptFailure::Undecryptable(_)));
    assert_matches!(decrypt(&json!({})).await, Err(DecryptFailure::Undecryptable(_)));
}

#[tokio::test]
async fn missed_messages_are_fetched_and_confirmed() {
    let stage = Stage::build(|asked| match (asked.path.as_str(), asked.parameter("since")) {
        (SYNC, None) => ok(&json!({
            "next_batch": "s1",
            "to_device": { "events": [
                { "type": "m.dummy", "sender": "@person:example.org", "content": {} },
            ]},
            "device_one_time_keys_count": { "signed_curve25519": 49 },
        })),
        (SYNC, Some("s1")) => ok(&json!({ "next_batch": "s2" })),
        (SYNC, Some("s2")) => ok(&json!({ "next_batch": "s3" })),
        (SYNC, _) => refuse(400, "M_UNKNOWN"),
        _ => empty(asked),
    })
    .await;
    stage.cipher.fetch_missed(&ghost()).await.unwrap();
    stage.cipher.fetch_missed(&ghost()).await.unwrap();

    let asked = stage.server.asked();
    let syncs: Vec<_> = asked.iter().filter(|asked| asked.path == SYNC).collect();
    let since: Vec<_> = syncs.iter().map(|sync| sync.parameter("since")).collect();
    assert_eq!(since, [None, Some("s1"), Some("s2")]);
    for sync in syncs {
        assert_eq!(sync.parameter("user_id"), Some("@whatsapp_abc:example.org"));
        assert_eq!(sync.parameter("device_id"), Some("CAUSEWAY"));
        assert_eq!(sync.parameter("timeout"), Some("0"));
        let filter: Value = serde_json::from_str(sync.parameter("filter").unwrap()).unwrap();
        assert_eq!(
            filter,
            json!({
                "room": { "rooms": [] },
                "presence": { "types": [] },
                "account_data": { "types": [] },
            })
        );
    }
    let uploads = stage.bodies(KEYS_UPLOAD);
    assert_eq!(uploads[1]["one_time_keys"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn fetching_ends_even_if_the_homeserver_never_does() {
    let stage = Stage::build(|asked| match asked.path.as_str() {
        SYNC => ok(&json!({
            "next_batch": "again",
            "to_device": { "events": [
                { "type": "m.dummy", "sender": "@person:example.org", "content": {} },
            ]},
        })),
        _ => empty(asked),
    })
    .await;
    stage.cipher.fetch_missed(&ghost()).await.unwrap();
    let syncs = stage.server.lines().iter().filter(|line| line.ends_with("/sync")).count();
    assert_eq!(syncs, missed::SYNCS_MAX);
}
