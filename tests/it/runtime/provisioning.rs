//! The provisioning API over HTTP: who is let in, how often, a person's way from the consent text to leaving, and what is
//! kept of them.

mod data;
mod door;
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
use ruma::{OwnedUserId, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::{
    homeserver::PERSON,
    stage::Stage,
    surroundings::{Gate, Trouble},
};

const OUR_SERVER: &str = "example.org";
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
    /// Where other servers than ours wait with their answer.
    others: Gate,
}

#[async_trait]
impl OpenId for FakeOpenId {
    async fn userinfo(
        &self,
        server: &ServerName,
        token: &str,
    ) -> Result<Option<OwnedUserId>, Failure> {
        self.asked.lock().unwrap().push(server.to_string());
        if server.as_str() != OUR_SERVER {
            self.others.pass().await;
        }
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
            server_name: OUR_SERVER.try_into().unwrap(),
            shared_secret: secret.map(Into::into),
        };
        let of =
            |server: &str| (Scope::Server(server.try_into().unwrap()), Permission::User.into());
        let permissions = Permissions {
            rules: [of(OUR_SERVER), of("elsewhere.org")].into(),
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

    /// Every operation that the description knows, with its names in braces.
    async fn operations(&self) -> Vec<(Method, String)> {
        let description =
            self.send(self.request(Method::GET, "/v3/openapi.json", None, None)).await;
        let paths = description.body["paths"].as_object().unwrap().clone();
        let methods = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let operations = paths.iter().flat_map(|(path, operations)| {
            let method = |name: String| name.to_uppercase().parse().unwrap();
            methods(operations).into_iter().map(move |name| (method(name), path.clone()))
        });
        operations.collect()
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
