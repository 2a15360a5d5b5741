//! A person takes a copy of what is kept of them, and has it deleted.

use causeway::domain::limits;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::{
        erasing::{check_nothing_is_left, lived, until_fulfilled},
        exporting::opened,
        homeserver::PERSON,
    },
    Api, BOB, SECRET,
};

const ERASED_SOON: (u16, &str, &str) = (409, "EU.CAUSEWAY.BEING_ERASED", "");

impl Api {
    /// With a person who is connected, has a chat and a file that waits to be fetched.
    async fn lived() -> (Self, ruma::OwnedRoomId) {
        let (stage, room) = lived().await;
        (Self::of(stage, Some(SECRET)).await, room)
    }

    async fn erase(&self) {
        let begun = self.post("/v3/erase", Some(json!({"confirm": "everything"}))).await;
        assert_eq!((begun.status.as_u16(), &begun.body), (202, &json!({})));
    }
}

/// Without the time at which it was made.
fn timeless(mut document: Value) -> Value {
    document["made_at"].take();
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_the_file_of_the_bot() {
    let (api, _) = Api::lived().await;
    let shown = api.stage.homeserver.shown().len();
    api.stage.ask("export").await;
    api.stage.until("the file", || api.stage.homeserver.shown().len() > shown).await;
    let file = opened(&api.stage);
    let copy = api.get("/v3/export").await;
    assert_eq!(copy.status, StatusCode::OK);
    assert_eq!(copy.body["login"]["state"], "active");
    assert_eq!(timeless(copy.body.clone()), timeless(file));

    let description = api.send(api.request(Method::GET, "/v3/openapi.json", None, None)).await.body;
    let described = &description["components"]["schemas"]["Export"];
    let names = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&described["properties"]), names(&copy.body));
    assert_eq!(described["required"].as_array().unwrap().len(), names(&copy.body).len());

    let bobs = api.send(api.request(Method::GET, "/v3/export", Some(SECRET), Some(BOB))).await;
    assert_eq!((&bobs.body["person"], &bobs.body["login"]), (&json!(BOB), &Value::Null));
    assert!(!bobs.body.to_string().contains(PERSON), "{}", bobs.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_at_the_limit_and_one_past_it() {
    let api = Api::new().await;
    for _ in 0..limits::PROVISIONING_EXPORT_RATE.burst {
        assert_eq!(api.get("/v3/export").await.status, StatusCode::OK);
    }
    let over = api.get("/v3/export").await;
    assert_eq!(over.summary(), (429, "M_LIMIT_EXCEEDED", ""));
    assert_eq!(over.retry_after.as_deref(), Some("60"));
    assert_eq!(api.get("/v3/logins").await.status, StatusCode::OK, "other requests go on");
    let bobs = api.send(api.request(Method::GET, "/v3/export", Some(SECRET), Some(BOB))).await;
    assert_eq!(bobs.status, StatusCode::OK, "others are not held up");
    api.stage.clock.advance(limits::PROVISIONING_EXPORT_RATE.pause);
    assert_eq!(api.get("/v3/export").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_without_the_word_for_it() {
    let (api, _) = Api::lived().await;
    for (body, expected) in [
        (None, (400, "M_MISSING_PARAM", "confirm")),
        (Some(json!({})), (400, "M_MISSING_PARAM", "confirm")),
        (Some(json!({"confirm": null})), (400, "M_MISSING_PARAM", "confirm")),
        (Some(json!({"confirm": true})), (400, "M_INVALID_PARAM", "confirm")),
        (Some(json!({"confirm": "yes"})), (400, "M_INVALID_PARAM", "confirm")),
        (Some(json!(["everything"])), (400, "M_NOT_JSON", "")),
    ] {
        let refused = api.post("/v3/erase", body.clone()).await;
        assert_eq!(refused.summary(), expected, "{body:?}");
    }
    let bobs = api.request(Method::POST, "/v3/erase", Some(SECRET), Some(BOB));
    assert_eq!(api.send(bobs.json(&json!({"confirm": "everything"}))).await.status, 202);
    api.stage.pass(limits::ERASURE_SETTLES * 3).await;
    assert_eq!(api.get("/v3/logins").await.body["login_ids"].as_array().unwrap().len(), 1);
    assert_eq!(api.get("/v3/contacts").await.body["contacts"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_nothing_kept_is_forgotten_and_nothing_else_goes_before_it_is_done() {
    let (api, room) = Api::lived().await;
    api.stage.network.connecting.close();
    api.stage.network.hang_up();
    api.erase().await;
    for (method, path) in api.operations().await {
        let ask = |bearer| api.send(api.request(method.clone(), &path, bearer, Some(PERSON)));
        assert_eq!(ask(Some(SECRET)).await.summary(), ERASED_SOON, "{method} {path}");
        let stranger = ask(Some("openid:forged")).await;
        assert_eq!(stranger.summary(), (401, "M_UNKNOWN_TOKEN", ""), "it is told to nobody else");
    }
    let repeated = api.post("/v3/erase", Some(json!({"confirm": "everything"}))).await;
    assert_eq!(repeated.summary(), ERASED_SOON);
    assert!(api.stage.ask("status").await.contains("deleting everything"));
    assert_eq!(api.whoami(SECRET, BOB).await.status, StatusCode::OK);

    api.stage.network.connecting.open();
    until_fulfilled(&api.stage).await;
    check_nothing_is_left(&api.stage, &room).await;
    assert_eq!(api.get("/v3/logins").await.body["login_ids"], json!([]));
    assert_eq!(api.get("/v3/consent").await.body["entries"], json!([]));
    let copy = api.get("/v3/export").await.body;
    for part in ["contacts", "decisions", "messages", "hosted_files", "rooms"] {
        assert_eq!(copy[part], json!([]), "{part}");
    }
}

/// What was begun before is over: whoever comes back reads first what they agree to.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_begun_is_forgotten_as_well() {
    let api = Api::new().await;
    let path = api.begin().await;
    api.erase().await;
    until_fulfilled(&api.stage).await;
    let late = api.post(&path, Some(json!({"agree": "agree"}))).await;
    assert_eq!(late.summary(), (404, "M_NOT_FOUND", ""));
    api.log_in().await;
}
