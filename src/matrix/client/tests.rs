//! The client against a homeserver that answers what the test says.

mod ephemeral;
mod media;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, http::HeaderValue, response::Response};
use ruma::{event_id, room_id, user_id};
use serde_json::json;
use url::Url;

use super::{
    call::{RATE_LIMIT_WAIT_MAX, RESPONSE_BYTES_MAX},
    *,
};
use crate::{
    domain::ids::GhostKey,
    matrix::fake_homeserver::{Asked, FakeHomeserver, Impatient, client_of, ok, refuse},
    port::{Retry, homeserver::REDACTION},
};

fn ghost() -> ActAs {
    ActAs::Ghost(GhostKey("abc".to_owned()))
}

fn direct_room() -> DirectRoom {
    DirectRoom {
        creator: ghost(),
        person: user_id!("@person:example.org").to_owned(),
        alias_localpart: "xyz".to_owned(),
        topic: "who can read this".to_owned(),
        signs: Signs {
            localpart: "xyz".to_owned(),
            bridge_info: json!({ "protocol": { "id": "whatsapp" } }),
            features: json!({ "reply": 2 }),
            legs: json!({ "legs": [] }),
        },
    }
}

fn is_masqueraded(asked: &Asked) -> bool {
    asked.authorization == "Bearer TOKEN"
        && asked.parameter("user_id") == Some("@whatsapp_abc:example.org")
        && asked.parameter("device_id") == Some("CAUSEWAY")
}

#[tokio::test]
async fn a_user_is_registered_with_its_device_and_name() {
    let server = FakeHomeserver::start(|asked| match asked.path.as_str() {
        "/_matrix/client/v3/register" => refuse(400, "M_USER_IN_USE"),
        _ => ok(&json!({})),
    })
    .await;
    server.client().ensure_user(&ghost(), Some("Ana")).await.unwrap();

    let asked = server.asked();
    assert_eq!(
        server.lines(),
        [
            "POST /_matrix/client/v3/register",
            "PUT /_matrix/client/v3/devices/CAUSEWAY",
            "PUT /_matrix/client/v3/profile/@whatsapp_abc:example.org/displayname",
        ]
    );
    assert_eq!(
        asked[0].body,
        json!({
            "type": "m.login.application_service",
            "username": "whatsapp_abc",
            "inhibit_login": true,
        })
    );
    // The device cannot make itself.
    assert_eq!(asked[1].parameter("user_id"), Some("@whatsapp_abc:example.org"));
    assert_eq!(asked[1].parameter("device_id"), None);
    assert!(is_masqueraded(&asked[2]));
    assert_eq!(asked[2].body, json!({ "displayname": "Ana" }));
}

#[tokio::test]
async fn a_room_is_encrypted_from_its_first_event_and_the_persons_own() {
    let server = FakeHomeserver::start(|_| ok(&json!({ "room_id": "!r:example.org" }))).await;
    let room = server.client().direct_room(&direct_room()).await.unwrap();
    assert_eq!(room, "!r:example.org");

    let [asked] = &server.asked()[..] else { panic!("one call") };
    assert!(is_masqueraded(asked));
    assert_eq!(
        asked.body,
        json!({
            "preset": "trusted_private_chat",
            "is_direct": true,
            "invite": ["@person:example.org"],
            "room_alias_name": "whatsapp_xyz",
            "topic": "who can read this",
            "initial_state": [
                { "type": "m.room.encryption", "state_key": "",
                  "content": { "algorithm": "m.megolm.v1.aes-sha2" } },
                { "type": "m.room.history_visibility", "state_key": "",
                  "content": { "history_visibility": "invited" } },
                { "type": "m.bridge", "state_key": "causeway://whatsapp_xyz",
                  "content": { "protocol": { "id": "whatsapp" } } },
                { "type": "uk.half-shot.bridge", "state_key": "causeway://whatsapp_xyz",
                  "content": { "protocol": { "id": "whatsapp" } } },
                { "type": "com.beeper.room_features", "state_key": "",
                  "content": { "reply": 2 } },
                { "type": "eu.causeway.encryption_legs", "state_key": "",
                  "content": { "legs": [] } },
            ],
        })
    );
}

/// A homeserver on which the alias is taken, with the state that an earlier try left.
async fn half_made_room(encrypted: bool, person_is: &'static str) -> FakeHomeserver {
    FakeHomeserver::start(move |asked| match asked.path.rsplit('/').next().unwrap() {
        "createRoom" => refuse(400, "M_ROOM_IN_USE"),
        "#whatsapp_xyz:example.org" => {
            ok(&json!({ "room_id": "!r:example.org", "servers": ["example.org"] }))
        }
        "join" => ok(&json!({ "room_id": "!r:example.org" })),
        "members" => ok(&json!({ "chunk": [
            { "type": "m.room.member", "state_key": "@whatsapp_abc:example.org",
              "content": { "membership": "join" } },
            { "type": "m.room.member", "state_key": "@person:example.org",
              "content": { "membership": person_is } },
        ]})),
        _ if asked.method == "PUT" => ok(&json!({ "event_id": "$e" })),
        _ if asked.path.contains("/state/m.room.encryption") && encrypted => {
            ok(&json!({ "algorithm": "m.megolm.v1.aes-sha2" }))
        }
        _ if asked.path.contains("/state/") => refuse(404, "M_NOT_FOUND"),
        _ => ok(&json!({})),
    })
    .await
}

#[tokio::test]
async fn a_room_that_its_creator_was_thrown_out_of_gives_its_alias_to_another() {
    let taken = AtomicBool::new(true);
    let server = FakeHomeserver::start(move |asked| match asked.path.rsplit('/').next().unwrap() {
        "createRoom" if taken.load(Ordering::SeqCst) => refuse(400, "M_ROOM_IN_USE"),
        "createRoom" => ok(&json!({ "room_id": "!new:example.org" })),
        "#whatsapp_xyz:example.org" if asked.method == "DELETE" => {
            taken.store(false, Ordering::SeqCst);
            ok(&json!({}))
        }
        "#whatsapp_xyz:example.org" => {
            ok(&json!({ "room_id": "!old:example.org", "servers": ["example.org"] }))
        }
        "join" => refuse(403, "M_FORBIDDEN"),
        _ => ok(&json!({})),
    })
    .await;
    let room = server.client().direct_room(&direct_room()).await.unwrap();
    assert_eq!(room, "!new:example.org");
    // Whose alias it is may be asked by anybody.
    let mut asked = server.asked().into_iter().filter(|asked| asked.method != "GET");
    assert!(asked.all(|asked| is_masqueraded(&asked)));
}

#[tokio::test]
async fn an_alias_is_freed_and_one_that_is_free_already_is_fine() {
    let server = FakeHomeserver::start(|_| ok(&json!({}))).await;
    server.client().free_alias(&ghost(), "xyz").await.unwrap();
    let [asked] = &server.asked()[..] else { panic!("one call") };
    assert_eq!(asked.method, "DELETE");
    assert!(asked.path.ends_with("/directory/room/#whatsapp_xyz:example.org"), "{}", asked.path);
    assert!(is_masqueraded(asked));
    let free = FakeHomeserver::start(|_| refuse(404, "M_NOT_FOUND")).await;
    free.client().free_alias(&ghost(), "xyz").await.unwrap();
    let away = FakeHomeserver::start(|_| refuse(502, "")).await;
    let failure = away.client().free_alias(&ghost(), "xyz").await.unwrap_err();
    assert_eq!(failure.retry, Retry::Later);
}

#[tokio::test]
async fn signs_are_put_into_a_room_one_by_one() {
    let server = FakeHomeserver::start(|_| ok(&json!({ "event_id": "$e" }))).await;
    let signs = direct_room().signs;
    server.client().put_signs(&ghost(), room_id!("!r:example.org"), &signs).await.unwrap();
    let asked = server.asked();
    let paths: Vec<&str> =
        asked.iter().map(|asked| asked.path.split("/state/").nth(1).unwrap()).collect();
    assert_eq!(
        paths,
        [
            "m.bridge/causeway://whatsapp_xyz",
            "uk.half-shot.bridge/causeway://whatsapp_xyz",
            "com.beeper.room_features/",
            "eu.causeway.encryption_legs/",
        ]
    );
    assert_eq!(asked[3].body, json!({ "legs": [] }));
}

#[tokio::test]
async fn a_repeated_creation_finds_the_room_as_it_is() {
    for person_is in ["join", "invite"] {
        let server = half_made_room(true, person_is).await;
        let room = server.client().direct_room(&direct_room()).await.unwrap();
        assert_eq!(room, "!r:example.org");
        let changes = ["/invite", "/state/m.room.encryption"];
        let is_change = |asked: &&Asked| {
            asked.method != "GET" && changes.iter().any(|change| asked.path.contains(change))
        };
        assert_eq!(server.asked().iter().filter(is_change).count(), 0);
        assert!(server.lines().iter().any(|line| line.ends_with("/join")));
    }
}

#[tokio::test]
async fn a_repeated_creation_completes_what_was_cut_off() {
    let server = half_made_room(false, "leave").await;
    server.client().direct_room(&direct_room()).await.unwrap();
    let asked = server.asked();
    let encryption = asked
        .iter()
        .find(|asked| asked.method == "PUT" && asked.path.contains("/state/m.room.encryption"))
        .unwrap();
    assert_eq!(encryption.body, json!({ "algorithm": "m.megolm.v1.aes-sha2" }));
    let invite = asked.iter().find(|asked| asked.path.ends_with("/invite")).unwrap();
    assert_eq!(invite.body, json!({ "user_id": "@person:example.org" }));
    assert!(is_masqueraded(invite));
}

#[tokio::test]
async fn inviting_somebody_who_is_in_is_no_failure() {
    for (membership, expected) in [("join", true), ("invite", true), ("ban", false)] {
        let server = FakeHomeserver::start(move |asked| match asked.method.as_str() {
            "POST" => refuse(403, "M_FORBIDDEN"),
            _ => ok(&json!({ "membership": membership })),
        })
        .await;
        let person = user_id!("@person:example.org");
        let outcome = server.client().invite(&ghost(), room_id!("!r:example.org"), person).await;
        assert_eq!(outcome.is_ok(), expected, "{membership}");
    }
}

#[tokio::test]
async fn a_room_is_joined_by_its_alias_and_its_state_read() {
    let policy = json!({"type": "m.policy.rule.user", "state_key": "a", "content": {}});
    let state = json!([policy.clone(), {"type": "m.room.create", "state_key": ""}]);
    let server = FakeHomeserver::start(move |asked| match asked.method.as_str() {
        "POST" => ok(&json!({"room_id": "!list:example.org"})),
        _ => ok(&state),
    })
    .await;
    let alias = <&RoomOrAliasId>::try_from("#list:example.org").unwrap();
    let room = server.client().join_named(&ghost(), alias).await.unwrap();
    assert_eq!(room, "!list:example.org");
    let state = server.client().all_state(&ghost(), &room).await.unwrap();
    assert_eq!(state.len(), 2);
    assert_eq!(state[0].0, policy);
    assert_eq!(
        server.lines(),
        [
            "POST /_matrix/client/v3/join/#list:example.org",
            "GET /_matrix/client/v3/rooms/!list:example.org/state",
        ]
    );
    assert!(server.asked().iter().all(is_masqueraded));
}

#[tokio::test]
async fn leaving_twice_is_leaving() {
    let server = FakeHomeserver::start(|_| refuse(403, "M_FORBIDDEN")).await;
    server.client().leave(&ghost(), room_id!("!r:example.org")).await.unwrap();
    let server = FakeHomeserver::start(|_| refuse(401, "M_UNKNOWN_TOKEN")).await;
    server.client().leave(&ghost(), room_id!("!r:example.org")).await.unwrap_err();
}

#[tokio::test]
async fn room_state_counts_joined_and_invited_only() {
    let server = half_made_room(true, "ban").await;
    let room = room_id!("!r:example.org");
    let state = server.client().room_state(&ghost(), room).await.unwrap();
    assert!(state.encrypted);
    assert_eq!(state.members, ["@whatsapp_abc:example.org"]);
    let server = half_made_room(false, "invite").await;
    let state = server.client().room_state(&ghost(), room).await.unwrap();
    assert!(!state.encrypted);
    assert_eq!(state.members.len(), 2);
}

#[tokio::test]
async fn an_event_is_sent_under_its_own_transaction_id() {
    let server = FakeHomeserver::start(|_| ok(&json!({ "event_id": "$sent" }))).await;
    let event = OutboundEvent {
        sender: ghost(),
        room: room_id!("!r:example.org").to_owned(),
        transaction_id: "t1".to_owned(),
        event_type: "m.room.encrypted".to_owned(),
        content: json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" }),
        shows: None,
    };
    let client = server.client();
    assert_eq!(client.send(&event).await.unwrap(), "$sent");
    assert_eq!(client.send(&event).await.unwrap(), "$sent");
    let asked = server.asked();
    let path = "/_matrix/client/v3/rooms/!r:example.org/send/m.room.encrypted/t1";
    for asked in &asked {
        assert_eq!(asked.line(), format!("PUT {path}"));
        assert_eq!(asked.body, event.content);
        assert!(is_masqueraded(asked));
    }
    assert_eq!(asked.len(), 2);
}

/// Redactions have a call of their own: only there every room version finds what is redacted.
#[tokio::test]
async fn a_redaction_names_its_event_in_the_path() {
    let server = FakeHomeserver::start(|_| ok(&json!({ "event_id": "$redaction" }))).await;
    let mut event = OutboundEvent {
        sender: ghost(),
        room: room_id!("!r:example.org").to_owned(),
        transaction_id: "t1".to_owned(),
        event_type: REDACTION.to_owned(),
        content: json!({ "redacts": "$mistake" }),
        shows: None,
    };
    let client = server.client();
    assert_eq!(client.send(&event).await.unwrap(), "$redaction");
    let [asked] = &server.asked()[..] else { panic!("one call") };
    assert_eq!(asked.line(), "PUT /_matrix/client/v3/rooms/!r:example.org/redact/$mistake/t1");
    assert!(is_masqueraded(asked));
    event.content = json!({});
    assert_eq!(client.send(&event).await.unwrap_err().retry, Retry::Never);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_absent_event_is_none() {
    let server = FakeHomeserver::start(|asked| {
        if asked.path.ends_with("$known") {
            ok(&json!({ "type": "m.room.encrypted", "content": {} }))
        } else {
            refuse(404, "M_NOT_FOUND")
        }
    })
    .await;
    let (client, room) = (server.client(), room_id!("!r:example.org"));
    let known = client.event(&ghost(), room, event_id!("$known")).await.unwrap().unwrap();
    assert_eq!(known.0["type"], "m.room.encrypted");
    assert!(client.event(&ghost(), room, event_id!("$other")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_ping_names_the_appservice_and_no_user() {
    let server = FakeHomeserver::start(|_| ok(&json!({ "duration_ms": 3 }))).await;
    server.client().ping().await.unwrap();
    let [asked] = &server.asked()[..] else { panic!("one call") };
    assert_eq!(asked.line(), "POST /_matrix/client/v1/appservice/causeway/ping");
    assert_eq!(asked.query, []);
}

fn too_fast(retry_after_ms: u64) -> Response {
    let body = json!({ "errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": retry_after_ms });
    crate::matrix::fake_homeserver::reply(429, &body)
}

#[tokio::test]
async fn too_fast_is_waited_for_once() {
    let mut answers =
        vec![ok(&json!({ "duration_ms": 3 })), too_fast(700), too_fast(700), too_fast(700)];
    let server = FakeHomeserver::start(move |_| answers.pop().unwrap()).await;
    let clock = Arc::new(Impatient::default());
    let client = server.client_with_clock(clock.clone());

    let failure = client.ping().await.unwrap_err();
    assert_eq!(failure.retry, Retry::Later);
    assert_eq!(server.asked().len(), 2);
    client.ping().await.unwrap();
    assert_eq!(*clock.slept.lock().unwrap(), [Duration::from_millis(700); 2]);
}

#[tokio::test]
async fn a_wait_is_bounded() {
    let limit = u64::try_from(RATE_LIMIT_WAIT_MAX.as_millis()).unwrap();
    for (wait, calls) in [(limit, 2), (limit + 1, 1)] {
        let server = FakeHomeserver::start(move |_| too_fast(wait)).await;
        server.client().ping().await.unwrap_err();
        assert_eq!(server.asked().len(), calls, "{wait}");
    }
    let server = FakeHomeserver::start(move |_| {
        let mut response = too_fast(1);
        response.headers_mut().insert("retry-after", HeaderValue::from_static("3600"));
        response
    })
    .await;
    server.client().ping().await.unwrap_err();
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn failures_say_whether_to_try_again_and_quote_nothing() {
    for (status, code, retry) in [
        (403, "M_FORBIDDEN", Retry::Never),
        (401, "M_UNKNOWN_TOKEN", Retry::Later),
        (502, "M_BAD_STATUS", Retry::Later),
    ] {
        let server = FakeHomeserver::start(move |_| refuse(status, code)).await;
        let failure = server.client().ping().await.unwrap_err();
        assert_eq!(failure.retry, retry);
        assert_eq!(
            failure.to_string(),
            format!("asking for a ping: the homeserver answered {status} {code}")
        );
    }
}

#[tokio::test]
async fn a_homeserver_that_is_away_is_tried_later() {
    let nobody = Url::parse("http://127.0.0.1:1/").unwrap();
    let client = client_of(nobody, Arc::new(Impatient::default()));
    let failure = client.ping().await.unwrap_err();
    assert_eq!(failure.retry, Retry::Later);
    let source = std::error::Error::source(&failure).unwrap();
    assert!(!format!("{source} {source:?}").contains("appservice"), "the URL stays out");
}

#[tokio::test]
async fn an_unreadable_answer_is_a_proxys_and_tried_later() {
    let server = FakeHomeserver::start(|_| Response::new(Body::from("<html>SECRET</html>"))).await;
    let failure = server.client().ping().await.unwrap_err();
    assert_eq!(failure.retry, Retry::Later);
    assert!(!format!("{failure} {failure:?}").contains("SECRET"));
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit() {
    let padded = |bytes: usize| {
        let json = r#"{"duration_ms":3}"#;
        format!("{json}{}", " ".repeat(bytes - json.len()))
    };
    for (bytes, fits) in [(RESPONSE_BYTES_MAX, true), (RESPONSE_BYTES_MAX + 1, false)] {
        let body = padded(bytes);
        let server = FakeHomeserver::start(move |_| Response::new(Body::from(body.clone()))).await;
        assert_eq!(server.client().ping().await.is_ok(), fits, "{bytes}");
    }
}

#[tokio::test]
async fn a_redirect_does_not_carry_the_token_away() {
    let server = FakeHomeserver::start(|_| {
        let mut response = refuse(307, "M_UNKNOWN");
        response.headers_mut().insert("location", HeaderValue::from_static("/elsewhere"));
        response
    })
    .await;
    server.client().ping().await.unwrap_err();
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn options_hide_the_token() {
    let client =
        client_of(Url::parse("http://127.0.0.1:1/").unwrap(), Arc::new(Impatient::default()));
    assert!(!format!("{client:?}").contains("TOKEN"));
    let options = MatrixOptions {
        url: Url::parse("http://127.0.0.1:1/").unwrap(),
        server_name: ruma::server_name!("example.org").to_owned(),
        as_token: "TOKEN".to_owned(),
        appservice_id: "causeway".to_owned(),
        bot_localpart: "bot".to_owned(),
        ghost_prefix: "g_".to_owned(),
    };
    assert!(!format!("{options:?}").contains("TOKEN"));
}
