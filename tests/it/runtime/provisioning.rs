//! The provisioning API over HTTP: who is let in, how often, and a person's way from the consent text to leaving.

mod fuzz;
mod story;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use causeway::{
    domain::{
        allowance::Limits,
        limits,
        permission::{Permission, Permissions, Scope},
    },
    http::{ProvisioningFace, ProvisioningRules},
    port::{Failure, OpenId},
    runtime::{Ports, Rules},
};
use reqwest::{Client, Method, StatusCode};
use ruma::{OwnedUserId, ServerName, server_name};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::{
    homeserver::{BOT, PERSON},
    stage::Stage,
    surroundings::Trouble,
};

const SECRET: &str = "the shared secret";
/// Of another homeserver, whose people may come in as well.
const STRANGER: &str = "@eve:elsewhere.org";
const BOB: &str = "@bob:example.org";
/// The operator lets nobody of it in.
const REFUSED: &str = "@mallory:refused.org";

/// Homeservers that know tokens, and what they were asked.
#[derive(Default)]
struct FakeOpenId {
    tokens: Mutex<BTreeMap<String, String>>,
    asked: Mutex<Vec<String>>,
    trouble: Mutex<Option<Trouble>>,
}

#[async_trait]
impl OpenId for FakeOpenId {
    async fn userinfo(
        &self,
        server: &ServerName,
        token: &str,
    ) -> Result<Option<OwnedUserId>, Failure> {
        self.asked.lock().unwrap().push(server.to_string());
        Trouble::befall(*self.trouble.lock().unwrap(), ())?;
        let owner = self.tokens.lock().unwrap().get(token).cloned();
        let owner = owner.map(|owner| OwnedUserId::try_from(owner).unwrap());
        Ok(owner.filter(|owner| owner.server_name() == server))
    }
}

impl FakeOpenId {
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

struct Api {
    stage: Stage,
    openid: Arc<FakeOpenId>,
    url: String,
    client: Client,
}

struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    body: Value,
}

impl Answer {
    /// Status, error code and the field that it is about.
    fn summary(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (self.status.as_u16(), text("errcode"), text("field"))
    }
}

impl Api {
    async fn new() -> Self {
        Self::of(Stage::new().await, Some(SECRET)).await
    }

    async fn of(stage: Stage, secret: Option<&str>) -> Self {
        let openid = Arc::<FakeOpenId>::default();
        let rules = ProvisioningRules {
            server_name: server_name!("example.org").to_owned(),
            shared_secret: secret.map(Into::into),
        };
        let of =
            |server: &str| (Scope::Server(server.try_into().unwrap()), Permission::User.into());
        let permissions = Permissions {
            rules: [of("example.org"), of("elsewhere.org")].into(),
            logins: 10,
            limits: Limits::default(),
        };
        let ports = Ports { rules: Rules::new(permissions), ..stage.ports() };
        let face = ProvisioningFace::new(&ports, &stage.logins(), openid.clone(), rules);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/_matrix/provision", listener.local_addr().unwrap());
        let service = face.router().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let client = Client::builder().no_proxy().build().unwrap();
        Self { stage, openid, url, client }
    }

    fn knows(&self, token: &str, owner: &str) {
        self.openid.tokens.lock().unwrap().insert(token.to_owned(), owner.to_owned());
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let header = response.headers().get("retry-after");
        let retry_after = header.map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        let bytes = response.bytes().await.unwrap();
        Answer { status, retry_after, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// A request for a person, if there is one in it.
    fn request(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        user_id: Option<&str>,
    ) -> reqwest::RequestBuilder {
        let mut url = Url::parse(&format!("{}{path}", self.url)).unwrap();
        if let Some(user_id) = user_id {
            url.query_pairs_mut().append_pair("user_id", user_id);
        }
        let request = self.client.request(method, url);
        match bearer {
            Some(bearer) => request.bearer_auth(bearer),
            None => request,
        }
    }

    async fn whoami(&self, bearer: &str, user_id: &str) -> Answer {
        self.send(self.request(Method::GET, "/v3/whoami", Some(bearer), Some(user_id))).await
    }

    /// As a manager for the person.
    async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, Some(SECRET), Some(PERSON))).await
    }

    async fn post(&self, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(Method::POST, path, Some(SECRET), Some(PERSON));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.send(request).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_is_open() {
    let api = Api::new().await;
    let description = api.send(api.request(Method::GET, "/v3/openapi.json", None, None)).await;
    let paths = description.body["paths"].as_object().unwrap().clone();
    assert!(paths.len() >= 14, "{}", paths.len());
    for (path, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let ask = |bearer| api.send(api.request(method.clone(), &path, bearer, Some(PERSON)));
            let none = ask(None).await;
            assert_eq!(none.summary(), (401, "M_MISSING_TOKEN", ""), "{method} {path}");
            for wrong in
                ["wrong", "the shared secre", "the shared secret!", "openid:", "openid:forged"]
            {
                let answer = ask(Some(wrong)).await;
                assert_eq!(
                    answer.summary(),
                    (401, "M_UNKNOWN_TOKEN", ""),
                    "{method} {path} {wrong}"
                );
            }
            // The address is no better than others.
            api.stage.clock.advance(limits::PROVISIONING_ADDRESS_RATE.pause * 60);
        }
    }
    assert_eq!(api.get("/v3/whoami").await.status, StatusCode::OK);
    assert_eq!(api.get("/v3/nothing").await.summary(), (404, "M_UNRECOGNIZED", ""));
    assert_eq!(api.post("/v3/whoami", None).await.summary(), (405, "M_UNRECOGNIZED", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_believed_for_its_own_person_alone() {
    let api = Api::new().await;
    api.knows("alices", PERSON);
    api.knows("bobs", BOB);
    api.knows("eves", STRANGER);
    api.knows("mallorys", REFUSED);
    for (token, person, expected) in [
        ("openid:alices", PERSON, (200, "", "")),
        ("openid:bobs", PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        ("openid:eves", PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        ("openid:alices", STRANGER, (401, "M_UNKNOWN_TOKEN", "")),
        ("openid:eves", STRANGER, (200, "", "")),
        ("openid:forged", PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        // An access token is none of our business, and neither is a bare OpenID token.
        ("alices", PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        ("openid:alices", "alice", (400, "M_INVALID_PARAM", "user_id")),
        (SECRET, "alice", (400, "M_INVALID_PARAM", "user_id")),
        (SECRET, "", (400, "M_INVALID_PARAM", "user_id")),
        (SECRET, REFUSED, (403, "M_FORBIDDEN", "")),
        (SECRET, BOT, (403, "M_FORBIDDEN", "")),
    ] {
        let answer = api.whoami(token, person).await;
        assert_eq!(answer.summary(), expected, "{token} {person}");
    }
    let nobody = api.send(api.request(Method::GET, "/v3/whoami", Some(SECRET), None)).await;
    assert_eq!(nobody.summary(), (400, "M_MISSING_PARAM", "user_id"));
    let before = api.openid.asked();
    assert_eq!(api.whoami("openid:mallorys", REFUSED).await.status, StatusCode::FORBIDDEN);
    assert_eq!(api.openid.asked(), before, "a server that nobody may come from was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ran_out_is_noticed_and_a_good_one_is_not_asked_for_each_time() {
    let api = Api::new().await;
    api.knows("alices", PERSON);
    for _ in 0..3 {
        assert_eq!(api.whoami("openid:alices", PERSON).await.status, StatusCode::OK);
    }
    assert_eq!(api.openid.asked(), 1);
    api.openid.tokens.lock().unwrap().clear();
    let kept = limits::OPENID_TOKEN_KEPT;
    api.stage.clock.advance(kept.saturating_sub(std::time::Duration::from_millis(1)));
    assert_eq!(api.whoami("openid:alices", PERSON).await.status, StatusCode::OK);
    api.stage.clock.advance(std::time::Duration::from_millis(1));
    let run_out = api.whoami("openid:alices", PERSON).await;
    assert_eq!(run_out.summary(), (401, "M_UNKNOWN_TOKEN", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_is_away_lets_nobody_in() {
    let api = Api::new().await;
    for (trouble, person, expected) in [
        (Trouble::Later, PERSON, (503, "M_LIMIT_EXCEEDED", "")),
        (Trouble::Never, PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        (Trouble::Later, STRANGER, (401, "M_UNKNOWN_TOKEN", "")),
    ] {
        *api.openid.trouble.lock().unwrap() = Some(trouble);
        assert_eq!(api.whoami("openid:alices", person).await.summary(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_at_the_limit_and_one_past_it() {
    let api = Api::new().await;
    let longest = "x".repeat(limits::OPENID_TOKEN_BYTES_MAX);
    api.knows(&longest, PERSON);
    api.knows(&format!("{longest}x"), PERSON);
    let taken = api.whoami(&format!("openid:{longest}"), PERSON).await;
    assert_eq!(taken.status, StatusCode::OK);
    let refused = api.whoami(&format!("openid:{longest}x"), PERSON).await;
    assert_eq!(refused.summary(), (401, "M_UNKNOWN_TOKEN", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_shared_secret_nobody_has_it() {
    let api = Api::of(Stage::new().await, None).await;
    for bearer in [SECRET, "None", "null"] {
        assert_eq!(api.whoami(bearer, PERSON).await.summary(), (401, "M_UNKNOWN_TOKEN", ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_person_at_the_limit_and_one_past_it() {
    let api = Api::new().await;
    for _ in 0..limits::PROVISIONING_PERSON_RATE.burst {
        assert_eq!(api.get("/v3/logins").await.status, StatusCode::OK);
    }
    let over = api.get("/v3/logins").await;
    assert_eq!(over.summary(), (429, "M_LIMIT_EXCEEDED", ""));
    assert_eq!(over.retry_after.as_deref(), Some("1"));
    assert_eq!(over.body["retry_after_ms"], 1_000);
    assert_eq!(api.whoami(SECRET, BOB).await.status, StatusCode::OK, "others are not held up");
    api.stage.clock.advance(limits::PROVISIONING_PERSON_RATE.pause);
    assert_eq!(api.get("/v3/logins").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_from_an_address_at_the_limit_and_one_past_it() {
    let api = Api::new().await;
    let guess = |from: &'static str| {
        let request = api.request(Method::GET, "/v3/whoami", Some("a guess"), Some(PERSON));
        api.send(request.header("X-Forwarded-For", from))
    };
    for _ in 0..limits::PROVISIONING_ADDRESS_RATE.burst {
        assert_eq!(guess("9.9.9.9, 1.2.3.4").await.status, StatusCode::UNAUTHORIZED);
    }
    let over = guess("8.8.8.8, 1.2.3.4").await;
    assert_eq!(over.summary(), (429, "M_LIMIT_EXCEEDED", ""));
    assert_eq!(over.body["retry_after_ms"], 500);
    assert_eq!(guess("1.2.3.5").await.status, StatusCode::UNAUTHORIZED, "others are not held up");
    // A manager asks for everybody.
    let manager = api.request(Method::GET, "/v3/whoami", Some(SECRET), Some(PERSON));
    let manager = manager.header("X-Forwarded-For", "1.2.3.4");
    assert_eq!(api.send(manager).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_any_place_may_ask() {
    let api = Api::new().await;
    let request = api.client.request(Method::OPTIONS, format!("{}/v3/whoami", api.url));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("Authorization"), "{allowed}");
    let answer = api.client.get(format!("{}/v3/whoami", api.url)).send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_the_limit_and_one_past_it() {
    let api = Api::new().await;
    let started = api.post("/v3/login/start/consent", None).await;
    let id = started.body["login_id"].as_str().unwrap();
    let path = format!("/v3/login/step/{id}/eu.causeway.consent/user_input");
    let answer = json!({"agree": "do not agree"}).to_string();
    for (bytes, expected) in [
        (limits::PROVISIONING_BODY_BYTES_MAX, (400, "M_INVALID_PARAM", "agree")),
        (limits::PROVISIONING_BODY_BYTES_MAX + 1, (413, "M_TOO_LARGE", "")),
    ] {
        let body = format!("{answer}{}", " ".repeat(bytes - answer.len()));
        let request = api.request(Method::POST, &path, Some(SECRET), Some(PERSON));
        let said = api.send(request.body(body)).await;
        assert_eq!(said.summary(), expected, "{bytes}");
    }
}
