//! Known servers are asked and believed for their own people alone; strangers are never looked for
//! in our own network.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
};

use ruma::{ServerName, server_name};
use serde_json::json;

use super::*;
use crate::{
    matrix::fake_homeserver::{FakeHomeserver, ok, refuse},
    port::Retry,
};

fn asking(server: &ServerName, homeserver: &FakeHomeserver) -> OpenIdServers {
    let servers = [(server.to_owned(), homeserver.url())].into();
    OpenIdServers::new(OpenIdOptions { servers }).unwrap()
}

#[tokio::test]
async fn a_known_server_names_its_person() {
    let homeserver = FakeHomeserver::start(|_| ok(&json!({"sub": "@alice:example.org"}))).await;
    let servers = asking(server_name!("example.org"), &homeserver);
    let person = servers.userinfo(server_name!("example.org"), "a token&x=1").await.unwrap();
    assert_eq!(person.unwrap().as_str(), "@alice:example.org");
    let asked = &homeserver.asked()[0];
    assert_eq!(asked.line(), "GET /_matrix/federation/v1/openid/userinfo");
    assert_eq!(asked.parameter("access_token"), Some("a token&x=1"));
    assert_eq!(asked.query.len(), 1);
    assert_eq!(asked.authorization, "");
}

#[tokio::test]
async fn a_token_that_the_server_does_not_know_is_nobodys() {
    let homeserver = FakeHomeserver::start(|_| refuse(401, "M_UNKNOWN_TOKEN")).await;
    let servers = asking(server_name!("example.org"), &homeserver);
    assert_eq!(servers.userinfo(server_name!("example.org"), "forged").await.unwrap(), None);
}

#[tokio::test]
async fn a_server_speaks_for_its_own_people_alone_and_readably() {
    let answers = Arc::new(Mutex::new(Vec::new()));
    let script = Arc::clone(&answers);
    let homeserver = FakeHomeserver::start(move |_| {
        let (status, body): (u16, String) = script.lock().unwrap().pop().unwrap();
        axum::response::IntoResponse::into_response((StatusCode::from_u16(status).unwrap(), body))
    })
    .await;
    let servers = asking(server_name!("example.org"), &homeserver);
    let full = format!(
        r#"{{"sub": "@alice:example.org", "x": "{}"}}"#,
        "x".repeat(limits::OPENID_ANSWER_BYTES_MAX - 38)
    );
    assert_eq!(full.len(), limits::OPENID_ANSWER_BYTES_MAX);
    for (status, body, expected) in [
        (200, full.clone(), None),
        (200, format!("{full} "), Some(Retry::Never)),
        (200, r#"{"sub": "@alice:elsewhere.org"}"#.to_owned(), Some(Retry::Never)),
        (200, r#"{"sub": "alice"}"#.to_owned(), Some(Retry::Later)),
        (200, "no JSON".to_owned(), Some(Retry::Later)),
        (404, r#"{"errcode": "M_UNRECOGNIZED"}"#.to_owned(), Some(Retry::Later)),
        (500, String::new(), Some(Retry::Later)),
        (302, String::new(), Some(Retry::Later)),
    ] {
        answers.lock().unwrap().push((status, body.clone()));
        let said = servers.userinfo(server_name!("example.org"), "token").await;
        assert_eq!(said.as_ref().err().map(|failure| failure.retry), expected, "{status} {said:?}");
    }
}

/// Whoever sends a token chooses the server: it must not be us that knocks on a port of our network.
#[tokio::test]
async fn a_stranger_in_our_own_network_is_never_asked() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let servers = OpenIdServers::new(OpenIdOptions::default()).unwrap();
    for name in ["127.0.0.1", "127.1", "2130706433", "localhost", "[::ffff:127.0.0.1]"] {
        let name = format!("{name}:{port}");
        let server = ServerName::parse(&name).unwrap();
        assert!(servers.userinfo(&server, "token").await.is_err(), "{name}");
    }
    assert!(listener.accept().is_err(), "somebody connected");
}
