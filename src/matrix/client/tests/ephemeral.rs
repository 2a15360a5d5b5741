//! Receipts, typing, profiles, and what stands before an event.

use ruma::user_id;

use super::*;

#[tokio::test]
async fn a_ghost_reads_and_types_as_itself() {
    let server = FakeHomeserver::start(|_| ok(&json!({}))).await;
    let (client, room) = (server.client(), room_id!("!r:example.org"));
    client.read(&ghost(), room, event_id!("$e")).await.unwrap();
    client.typing(&ghost(), room, Some(Duration::from_secs(25))).await.unwrap();
    client.typing(&ghost(), room, None).await.unwrap();
    let typing = "PUT /_matrix/client/v3/rooms/!r:example.org/typing/@whatsapp_abc:example.org";
    assert_eq!(
        server.lines(),
        ["POST /_matrix/client/v3/rooms/!r:example.org/receipt/m.read/$e", typing, typing]
    );
    let asked = server.asked();
    assert!(asked.iter().all(is_masqueraded));
    assert_eq!(asked[1].body, json!({ "typing": true, "timeout": 25_000 }));
    assert_eq!(asked[2].body, json!({ "typing": false }));
}

#[tokio::test]
async fn what_stands_before_an_event_is_the_ghosts_own_and_newest_first() {
    let server = FakeHomeserver::start(|asked| {
        if asked.path.ends_with("$gone") {
            return refuse(404, "M_NOT_FOUND");
        }
        let event = |id: &str| json!({ "event_id": id, "type": "m.room.encrypted" });
        ok(&json!({ "events_before": [event("$3"), event("$2"), event("$1")] }))
    })
    .await;
    let (client, room) = (server.client(), room_id!("!r:example.org"));
    let before = client.messages_before(&ghost(), room, event_id!("$e"), 2).await.unwrap();
    assert_eq!(before, ["$3", "$2"]);
    let [asked] = &server.asked()[..] else { panic!("one call") };
    assert_eq!(asked.line(), "GET /_matrix/client/v3/rooms/!r:example.org/context/$e");
    assert!(is_masqueraded(asked));
    assert_eq!(asked.parameter("limit"), Some("4"));
    let filter: Value = serde_json::from_str(asked.parameter("filter").unwrap()).unwrap();
    assert_eq!(filter["senders"], json!(["@whatsapp_abc:example.org"]));
    assert_eq!(filter["types"], json!(["m.room.encrypted"]));
    let gone = client.messages_before(&ghost(), room, event_id!("$gone"), 2).await.unwrap();
    assert!(gone.is_empty());
}

#[tokio::test]
async fn a_profile_may_be_without_a_name() {
    let server = FakeHomeserver::start(|asked| match asked.path.as_str() {
        "/_matrix/client/v3/profile/@ana:example.org/displayname" => {
            ok(&json!({ "displayname": "Ana" }))
        }
        "/_matrix/client/v3/profile/@bo:example.org/displayname" => ok(&json!({})),
        "/_matrix/client/v3/profile/@shy:example.org/displayname" => refuse(403, "M_FORBIDDEN"),
        _ => refuse(404, "M_NOT_FOUND"),
    })
    .await;
    let client = server.client();
    let ana = client.display_name(user_id!("@ana:example.org")).await.unwrap();
    assert_eq!(ana.as_deref(), Some("Ana"));
    for nameless in ["@bo:example.org", "@shy:example.org", "@nobody:example.org"] {
        let nameless = UserId::parse(nameless).unwrap();
        assert_eq!(client.display_name(&nameless).await.unwrap(), None, "{nameless}");
    }
}
