//! The two listeners over HTTP: who is let in, how much is taken, and what one strange event does to the rest.

use causeway::domain::limits;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    homeserver::{BOT, PERSON},
    stage::{HS_TOKEN, Stage},
};

struct Faces {
    homeserver: String,
    network: String,
    client: Client,
}

impl Faces {
    async fn of(stage: &Stage) -> Self {
        let (homeserver, network) = stage.faces();
        let mut urls = Vec::new();
        for router in [homeserver.router(), network.router()] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            urls.push(format!("http://{}", listener.local_addr().unwrap()));
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        let network = urls.pop().unwrap();
        let client = Client::builder().build().unwrap();
        Self { homeserver: urls.pop().unwrap(), network, client }
    }

    async fn status(
        &self,
        method: Method,
        url: String,
        bearer: Option<&str>,
        body: String,
    ) -> StatusCode {
        let mut request = self.client.request(method, url).body(body);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        request.send().await.unwrap().status()
    }

    async fn push(&self, id: &str, bearer: Option<&str>, body: String) -> StatusCode {
        let url = format!("{}/_matrix/app/v1/transactions/{id}", self.homeserver);
        self.status(Method::PUT, url, bearer, body).await
    }

    async fn notify(&self, bearer: Option<&str>, body: &str) -> StatusCode {
        self.status(Method::POST, format!("{}/push", self.network), bearer, body.to_owned()).await
    }

    async fn user(&self, user: &str) -> StatusCode {
        let url = format!("{}/_matrix/app/v1/users/{user}", self.homeserver);
        self.status(Method::GET, url, Some(HS_TOKEN), String::new()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_homeserver_is_let_in_and_nothing_else_is_stored() {
    let (mut stage, room) = Stage::connected().await;
    let faces = Faces::of(&stage).await;
    let forged = json!({"events": [stage.text(&room, "forged")]}).to_string();
    for bearer in [None, Some(""), Some("wrong"), Some("the right toke"), Some("the right token!")]
    {
        assert_eq!(faces.push("1", bearer, forged.clone()).await, StatusCode::FORBIDDEN);
    }
    let genuine = json!({"events": [stage.text(&room, "genuine")]}).to_string();
    assert_eq!(faces.push("1", Some(HS_TOKEN), genuine).await, StatusCode::OK);
    let query = json!({"events": [stage.text(&room, "by query")]}).to_string();
    let by_query = "2?access_token=the%20right%20token";
    assert_eq!(faces.push(by_query, None, query.clone()).await, StatusCode::OK);
    assert_eq!(faces.push("3?access_token=wrong", None, query).await, StatusCode::FORBIDDEN);
    stage.until("both", || stage.screen().len() == 2).await;
    assert_eq!(stage.screen(), ["genuine", "by query"]);
    let health = format!("{}/health", faces.homeserver);
    assert_eq!(faces.status(Method::GET, health, None, String::new()).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_at_the_limit_and_one_past_it() {
    let (stage, _) = Stage::connected().await;
    let faces = Faces::of(&stage).await;
    let padded = |body: &str, bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
    let max = limits::TRANSACTION_BYTES_MAX;
    let full = padded("{}", max);
    assert_eq!(faces.push("1", Some(HS_TOKEN), full).await, StatusCode::OK);
    let over = padded("{}", max + 1);
    assert_eq!(faces.push("2", Some(HS_TOKEN), over).await, StatusCode::PAYLOAD_TOO_LARGE);
    let no_json = "no JSON".to_owned();
    assert_eq!(faces.push("3", Some(HS_TOKEN), no_json).await, StatusCode::BAD_REQUEST);

    let push = json!({"to": PERSON}).to_string();
    let max = limits::PUBLIC_BODY_BYTES_MAX;
    let full = padded(&push, max);
    assert_eq!(faces.notify(Some("genuine"), &full).await, StatusCode::OK);
    let over = padded(&push, max + 1);
    assert_eq!(faces.notify(Some("genuine"), &over).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_believed_from_the_network_alone() {
    let (stage, _) = Stage::connected().await;
    let faces = Faces::of(&stage).await;
    let body = json!({"to": PERSON}).to_string();
    assert_eq!(faces.notify(None, &body).await, StatusCode::UNAUTHORIZED);
    assert_eq!(faces.notify(Some("forged"), &body).await, StatusCode::UNAUTHORIZED);
    assert_eq!(faces.notify(Some("away"), &body).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(faces.notify(Some("genuine"), &body).await, StatusCode::OK);
    assert_eq!(faces.notify(Some("genuine"), "no JSON").await, StatusCode::BAD_REQUEST);
    for unknown in ["@bob:example.org", "no id"] {
        let body = json!({"to": unknown}).to_string();
        assert_eq!(faces.notify(Some("genuine"), &body).await, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_ours_when_we_made_them() {
    let (stage, _) = Stage::connected().await;
    let faces = Faces::of(&stage).await;
    assert_eq!(faces.user(BOT).await, StatusCode::OK);
    for other in ["@wa_nobody:example.org", PERSON, "no id"] {
        assert_eq!(faces.user(other).await, StatusCode::NOT_FOUND, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_homeserver_may_look_a_number_up_and_nobody_else() {
    let (stage, _) = Stage::connected().await;
    let faces = Faces::of(&stage).await;
    let at = |path: &str| format!("{}/_matrix/app/v1/thirdparty/{path}", faces.homeserver);
    let ask = async |path: &str| {
        let answer = faces.client.get(at(path)).bearer_auth(HS_TOKEN).send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap())
    };
    let (status, protocol) = ask("protocol/whatsapp").await;
    assert_eq!((status, &protocol["user_fields"]), (StatusCode::OK, &json!(["phone"])));
    assert_eq!(protocol["instances"][0]["network_id"], "whatsapp");
    let (status, found) = ask("user/whatsapp?phone=06%2012%2034%2056%2078").await;
    assert_eq!((status, &found[0]["protocol"]), (StatusCode::OK, &json!("whatsapp")));
    assert_eq!(found[0]["fields"], json!({"phone": "+33612345678"}));
    let ghost = found[0]["userid"].as_str().unwrap();
    assert!(ghost.starts_with("@wa_") && !ghost.contains("612345678"), "{ghost}");
    assert_eq!(faces.user(ghost).await, StatusCode::OK);
    // The way back is told to nobody, and there are no public rooms.
    for path in [&format!("user?userid={ghost}"), "location/whatsapp?x=y", "location?alias=x"] {
        assert_eq!(ask(path).await, (StatusCode::OK, json!([])), "{path}");
    }
    let (status, wrong) = ask("user/whatsapp?phone=0612").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(wrong["error"].as_str().unwrap().contains("too short"), "{wrong}");
    for path in ["protocol/signal", "user/signal?phone=%2B33612345678", "user/whatsapp"] {
        assert_eq!(ask(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["protocol/whatsapp", "user/whatsapp?phone=%2B33612345678", "user", "location"] {
        let status = faces.status(Method::GET, at(path), Some("wrong"), String::new()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
}

/// A stranger's event is as deep as it fits into 64 KiB; the homeserver sends a refused transaction
/// again for ever, and nothing behind it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_too_deep_to_be_read_does_not_block_the_rest() {
    let (mut stage, room) = Stage::connected().await;
    let faces = Faces::of(&stage).await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let event = stage.text(&room, "behind it");
    let body = format!(
        r#"{{"events": [{{"content": {deep}}}, {event}],
            "de.sorunome.msc2409.to_device": [{{"content": {deep}}}, {{"room_key": "k1"}}]}}"#
    );
    assert_eq!(faces.push("1", Some(HS_TOKEN), body).await, StatusCode::OK);
    stage.until("the text behind it", || stage.screen() == ["behind it"]).await;
    assert!(stage.homeserver.seen().contains(&"key k1".to_owned()));
    // It is in a lane of its own, which may be slower than the other.
    let aside = || !stage.set_aside.lock().unwrap().is_empty();
    stage.until("the deep one to be set aside", aside).await;
    assert_eq!(*stage.set_aside.lock().unwrap(), ["malformed event"]);
}
