//! From the consent text to leaving, over HTTP.

use std::{sync::atomic::Ordering, time::Duration};

use causeway::domain::{allowance::Limits, limits, permission::Permission};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    super::{
        cut::Cut,
        homeserver::PERSON,
        stage::{Stage, permissions},
    },
    Api, BOB, SECRET,
};

impl Api {
    /// Begins a login and returns the path of the step that wants the answer.
    pub(super) async fn begin(&self) -> String {
        let started = self.post("/v3/login/start/consent", None).await;
        assert_eq!(started.status, 200, "{}", started.body);
        let (id, step) = (&started.body["login_id"], &started.body["step_id"]);
        let (id, step) = (id.as_str().unwrap(), step.as_str().unwrap());
        format!("/v3/login/step/{id}/{step}/user_input")
    }

    pub(super) async fn logins(&self) -> usize {
        self.get("/v3/logins").await.body["login_ids"].as_array().unwrap().len()
    }

    pub(super) async fn log_in(&self) {
        let path = self.begin().await;
        let done = self.post(&path, Some(json!({"agree": "agree"}))).await;
        assert_eq!(done.body["type"], "complete", "{}", done.body);
        self.stage.until("the keys are uploaded", || self.stage.network.has_keys()).await;
    }

    async fn contact(&self) -> Value {
        let contacts = self.get("/v3/contacts").await.body["contacts"].clone();
        assert_eq!(contacts.as_array().unwrap().len(), 1, "{contacts}");
        contacts[0].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_connected_without_having_agreed() {
    let api = Api::new().await;
    let flows = api.get("/v3/login/flows").await;
    assert_eq!(flows.body["flows"][0]["id"], "consent");
    assert_eq!(api.post("/v3/login/start/qr", None).await.summary(), (404, "M_NOT_FOUND", ""));
    let started = api.post("/v3/login/start/consent", None).await;
    assert_eq!(started.body["type"], "user_input");
    let text = started.body["instructions"].as_str().unwrap();
    assert!(text.contains("European Economic Area") && text.contains(PERSON), "{text}");
    let field = &started.body["user_input"]["fields"][0];
    assert_eq!(field["id"], "agree");
    assert_ne!(field["options"][0], "agree", "a careless click must not agree");
    let path = api.begin().await;
    for (body, expected) in [
        (json!({}), (400, "M_MISSING_PARAM", "agree")),
        (json!({"agree": "do not agree"}), (400, "M_INVALID_PARAM", "agree")),
        (json!({"agree": "AGREE"}), (400, "M_INVALID_PARAM", "agree")),
        (json!({"agree": true}), (400, "M_INVALID_PARAM", "agree")),
        (json!([]), (400, "M_NOT_JSON", "")),
    ] {
        assert_eq!(api.post(&path, Some(body.clone())).await.summary(), expected, "{body}");
    }
    let other_step = path.replace("eu.causeway.consent", "eu.causeway.connection");
    let agree = json!({"agree": "agree"});
    let strange = api.post(&other_step, Some(agree.clone())).await;
    assert_eq!(strange.summary(), (409, "M_BAD_STATE", ""));
    let id = path.split('/').nth(4).unwrap();
    // What one person began is nobody else's.
    let bobs = api.request(Method::POST, &path, Some(SECRET), Some(BOB)).json(&agree);
    let bobs = api.send(bobs).await;
    assert_eq!(bobs.summary(), (404, "M_NOT_FOUND", ""));
    assert_eq!(api.post(&format!("/v3/login/cancel/{id}"), None).await.status, 200);
    assert_eq!(api.post(&path, Some(agree.clone())).await.summary(), (404, "M_NOT_FOUND", ""));
    let late = api.begin().await;
    api.stage.clock.advance(limits::LOGIN_PROCESS_LASTS);
    assert_eq!(api.post(&late, Some(agree)).await.summary(), (404, "M_NOT_FOUND", ""));
    assert_eq!(api.logins().await, 0);
    assert_eq!(api.get("/v3/consent").await.body["entries"], json!([]));
    assert_eq!(api.stage.network.enlistments.load(Ordering::SeqCst), 0);
    for path in ["/v3/contacts", "/v3/resolve_identifier/+33612345678"] {
        assert_eq!(api.get(path).await.summary(), (400, "FI.MAU.NOT_LOGGED_IN", ""), "{path}");
    }
    assert_eq!(api.post("/v3/logout/unknown", None).await.summary(), (404, "M_NOT_FOUND", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_named() {
    let api = Api::new().await;
    for (method, path, field) in [
        (Method::POST, "/v3/logout/%FF", "loginID"),
        (Method::POST, "/v3/login/start/%FF", "flowID"),
        (Method::POST, "/v3/login/step/%FF/x/user_input", "loginProcessID"),
        (Method::POST, "/v3/login/step/x/%FF/user_input", "stepID"),
        (Method::POST, "/v3/consent/%FF", "contact"),
        (Method::GET, "/v3/resolve_identifier/%FF", "identifier"),
        (Method::GET, "/v3/contacts?login_id=1&login_id=2", "login_id"),
        (Method::GET, "/v3/contacts?user_id=@bob:example.org", "user_id"),
    ] {
        let answer = api.send(api.request(method, path, Some(SECRET), Some(PERSON))).await;
        assert_eq!(answer.summary(), (400, "M_INVALID_PARAM", field), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_comes_starts_a_chat_and_leaves() {
    let api = Api::new().await;
    api.log_in().await;
    let whoami = api.get("/v3/whoami").await.body;
    assert_eq!(whoami["logins"][0]["state"]["state_event"], "CONNECTED", "{whoami}");
    assert_eq!(whoami["logins"][0]["profile"]["username"], PERSON);
    let again = api.post("/v3/login/start/consent", None).await;
    assert_eq!(again.summary(), (409, "M_BAD_STATE", ""));

    for (number, expected) in [
        ("061234", (400, "M_INVALID_PARAM", "identifier")),
        ("+33600000000", (404, "M_NOT_FOUND", "")),
        ("+33699999999", (404, "M_NOT_FOUND", "")),
    ] {
        let found = api.get(&format!("/v3/resolve_identifier/{number}")).await;
        assert_eq!(found.summary(), expected, "{number}");
        let opened = api.post(&format!("/v3/create_dm/{number}"), None).await;
        assert_eq!(opened.summary(), expected, "{number}");
    }
    let found = api.get("/v3/resolve_identifier/+33612345678").await.body;
    assert_eq!(found["identifiers"], json!(["tel:+33612345678"]));
    assert_eq!((&found["dm_room_mxid"], &found["consent"]), (&Value::Null, &json!("unknown")));
    let opened = api.post("/v3/create_dm/+33612345678", None).await;
    assert_eq!(opened.status, 201);
    assert_eq!(opened.body["id"], found["id"]);
    let room = &opened.body["dm_room_mxid"];
    assert!(room.as_str().is_some_and(|room| room.starts_with('!')), "{room}");
    let repeated = api.post("/v3/create_dm/+33612345678", None).await;
    assert_eq!((repeated.status.as_u16(), &repeated.body["dm_room_mxid"]), (200, room));
    let contact = api.contact().await;
    assert_eq!((&contact["id"], &contact["dm_room_mxid"]), (&found["id"], room));
    assert!(!contact.to_string().contains("336"), "a list of contacts tells no numbers");

    let login = whoami["logins"][0]["id"].as_str().unwrap();
    let through = api.get(&format!("/v3/contacts?login_id={login}")).await;
    assert_eq!(through.status, 200);
    let strange = api.get("/v3/contacts?login_id=other").await;
    assert_eq!(strange.summary(), (404, "M_NOT_FOUND", ""));
    assert_eq!(api.post(&format!("/v3/logout/{login}"), None).await.status, 200);
    assert_eq!(api.logins().await, 0);
    assert_eq!(api.stage.network.unenlisted.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_paused_and_blocked_and_the_ledger_remembers() {
    let api = Api::new().await;
    api.log_in().await;
    api.post("/v3/create_dm/+33612345678", None).await;
    let id = api.contact().await["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/consent/{id}");
    for (action, state) in [
        ("pause", "paused"),
        ("resume", "approved"),
        ("block", "blocked"),
        ("unblock", "revoked"),
        ("approve", "approved"),
    ] {
        let moved = api.post(&path, Some(json!({"action": action}))).await;
        assert_eq!(moved.body["consent"], state, "{action}: {}", moved.body);
    }
    api.post(&path, Some(json!({"action": "block"}))).await;
    let refused = api.post(&path, Some(json!({"action": "approve"}))).await;
    assert_eq!(refused.summary(), (409, "M_BAD_STATE", ""));
    let refused = api.post("/v3/create_dm/+33612345678", None).await;
    assert_eq!(refused.summary(), (409, "M_BAD_STATE", ""));
    for (body, expected) in [
        (Some(json!({"action": "forget"})), (400, "M_INVALID_PARAM", "action")),
        (Some(json!({"action": 5})), (400, "M_INVALID_PARAM", "action")),
        (Some(json!({})), (400, "M_MISSING_PARAM", "action")),
        (None, (400, "M_MISSING_PARAM", "action")),
    ] {
        assert_eq!(api.post(&path, body.clone()).await.summary(), expected, "{body:?}");
    }
    let nobody = api.post("/v3/consent/nobody", Some(json!({"action": "pause"}))).await;
    assert_eq!(nobody.summary(), (404, "M_NOT_FOUND", ""));
    let ledger = api.get("/v3/consent").await.body["entries"].clone();
    let acts: Vec<&str> =
        ledger.as_array().unwrap().iter().map(|line| line["act"].as_str().unwrap()).collect();
    let expected = [
        "opted-in",
        "approved",
        "paused",
        "resumed",
        "blocked",
        "unblocked",
        "approved",
        "blocked",
    ];
    assert_eq!(acts, expected);
    assert_eq!(ledger[0]["text_version"], 2);
    assert_eq!(ledger[1]["contact"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_contacts_of_a_day_at_the_limit_and_one_past_it() {
    let mut stage = Stage::new().await;
    let limits = Limits { contacts_a_day: 1, ..Limits::default() };
    stage.permissions = permissions(Permission::User.into(), limits);
    stage.begin(Cut::Never).await;
    let api = Api::of(stage, Some(SECRET)).await;
    api.log_in().await;
    assert_eq!(api.post("/v3/create_dm/+33612345678", None).await.status, 201);
    let over = api.post("/v3/create_dm/+33611111111", None).await;
    assert_eq!(over.summary(), (429, "M_LIMIT_EXCEEDED", ""));
    assert!(over.body["error"].as_str().unwrap().contains("1 new contacts"), "{}", over.body);
    let wait = Duration::from_millis(over.body["retry_after_ms"].as_u64().unwrap());
    assert_eq!(api.post("/v3/create_dm/+33612345678", None).await.status, 200);
    api.stage.clock.advance(wait);
    api.stage.until("the connection", || api.stage.network.is_connected()).await;
    assert_eq!(api.post("/v3/create_dm/+33611111111", None).await.status, 201);
}

/// Of two answers at once, one enlists and the other is told.
#[tokio::test(flavor = "multi_thread")]
async fn two_answers_at_once_enlist_once() {
    let api = Api::new().await;
    let path = api.begin().await;
    let agree = || api.post(&path, Some(json!({"agree": "agree"})));
    let (one, other) = tokio::join!(agree(), agree());
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    // The second comes while the first waits, or after it is done.
    assert!(statuses[0] == 200 && [404, 409].contains(&statuses[1]), "{statuses:?}");
    assert_eq!(api.stage.network.enlistments.load(Ordering::SeqCst), 1);
    assert_eq!(api.logins().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_takes_its_time_is_waited_for_in_a_step_of_its_own() {
    let api = Api::new().await;
    api.stage.network.connecting.close();
    let path = api.begin().await;
    let agreeing = api.post(&path, Some(json!({"agree": "agree"})));
    tokio::pin!(agreeing);
    let waiting = loop {
        tokio::select! {
            answer = &mut agreeing => break answer,
            () = api.stage.pass(limits::CONNECT_WAIT) => {}
        }
    };
    assert_eq!(waiting.body["type"], "display_and_wait", "{}", waiting.body);
    assert_eq!(waiting.body["display_and_wait"]["type"], "nothing");
    assert_eq!(api.get("/v3/whoami").await.body["logins"][0]["state"]["state_event"], "CONNECTING");
    api.stage.network.connecting.open();
    let id = path.split('/').nth(4).unwrap();
    let next = format!("/v3/login/step/{id}/eu.causeway.connection/display_and_wait");
    let done = api.post(&next, None).await;
    assert_eq!(done.body["type"], "complete", "{}", done.body);
    assert_eq!(api.post(&next, None).await.summary(), (404, "M_NOT_FOUND", ""));
}
