use std::time::Duration;

use assert_matches::assert_matches;
use causeway_wire::{
    node::Node,
    noise::{KeyPair, certificate::RootKey},
    payload::Login,
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use super::{NOW_S, PERSON, credentials, interop, server::Server};
use crate::port::{
    InteropNetwork as _,
    network::{ConnectFailure, Connected},
};

/// Connects to a server that cannot prove itself, and sees what it got from us.
async fn distrusted(server: Server, profile: super::NetworkProfile) -> ConnectFailure {
    let interop = interop(profile);
    let who = credentials();
    let serve = async {
        let mut fresh = server.accept().await;
        let _responder = server.respond(&mut fresh).await;
        assert_eq!(fresh.next().await, None, "the client sent something to this server");
    };
    tokio::join!(interop.connect(&who), serve).0.unwrap_err()
}

#[tokio::test]
async fn a_server_with_another_root_gets_no_payload() {
    let change = |proof: &mut super::server::Proof| {
        proof.root = RootKey::generate(&mut StdRng::seed_from_u64(8));
    };
    let (server, profile) = Server::start_with(change).await;
    assert_matches!(distrusted(server, profile).await, ConnectFailure::Untrusted(_));
}

#[tokio::test]
async fn a_server_with_another_leaf_key_gets_no_payload() {
    let (server, profile) = Server::start_with(|proof| proof.leaf_key = [9; 32]).await;
    assert_matches!(distrusted(server, profile).await, ConnectFailure::Untrusted(_));
}

#[tokio::test]
async fn a_server_with_an_expired_leaf_gets_no_payload() {
    let expire =
        |by: u64| move |proof: &mut super::server::Proof| proof.leaf.not_after_s = Some(NOW_S - by);
    let (server, profile) = Server::start_with(expire(1)).await;
    let failure = distrusted(server, profile).await;
    assert_matches!(failure, ConnectFailure::Untrusted(failure) => {
        assert!(failure.to_string().contains("expired"), "{failure}");
    });
    let (server, profile) = Server::start_with(expire(0)).await;
    let interop = interop(profile);
    let (connected, _session) = tokio::join!(connect(&interop), server.welcome());
    connected.unwrap();
}

/// What the network is told of read receipts, by the profile's word and the person's.
async fn tells_of_reading(profile_does: bool, person_does: bool) -> bool {
    let (server, mut profile) = Server::start().await;
    profile.read_receipts = profile_does;
    let interop = interop(profile);
    let mut who = credentials();
    who.introduction.read_receipts = person_does;
    let (connected, session) = tokio::join!(interop.connect(&who), server.welcome());
    let _connected = connected.unwrap();
    let Login::Interop(login) = Login::parse(&session.client.1).unwrap() else { panic!("none") };
    login.read_receipts
}

#[tokio::test]
async fn reading_is_told_if_both_the_profile_and_the_person_say_so() {
    assert!(tells_of_reading(true, true).await);
    for (profile_does, person_does) in [(true, false), (false, true), (false, false)] {
        assert!(!tells_of_reading(profile_does, person_does).await);
    }
}

async fn connect(interop: &super::Interop) -> Result<Connected, ConnectFailure> {
    interop.connect(&credentials()).await
}

#[tokio::test]
async fn the_payload_says_who_logs_in_and_proves_it() {
    let (server, profile) = Server::start().await;
    let interop = interop(profile);
    let (connected, session) = tokio::join!(connect(&interop), server.welcome());
    let _connected = connected.unwrap();
    let (static_key, payload) = &session.client;
    assert_eq!(*static_key, KeyPair::from_private(credentials().keys.noise).public());
    assert_matches!(Login::parse(payload).unwrap(), Login::Interop(login) => {
        assert_eq!(login.account, 10_501_234_567);
        assert!(login.read_receipts);
        assert_eq!(login.push_name.unwrap().0, "Ana");
        let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Value>(&login.token).unwrap();
        assert_eq!(claims["sub"], PERSON);
        assert_eq!(claims["iat"], NOW_S);
    });
}

#[tokio::test]
async fn a_refused_login_says_why() {
    let (server, profile) = Server::start().await;
    let interop = interop(profile);
    for (reason, enlisted) in [(401_u16, false), (403, true)] {
        let refuse = async {
            let mut session = server.handshake().await;
            session.send(Node::new("failure").attr("reason", reason)).await;
        };
        let (failed, ()) = tokio::join!(connect(&interop), refuse);
        match failed.unwrap_err() {
            ConnectFailure::NotEnlisted(_) => assert!(!enlisted),
            ConnectFailure::Refused(_) => assert!(enlisted),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let (server, mut profile) = Server::start().await;
    profile.patience.connect = Duration::from_millis(200);
    let interop = interop(profile);
    let (failed, _silent) = tokio::join!(connect(&interop), server.handshake());
    assert_matches!(failed.unwrap_err(), ConnectFailure::Away(_));
}

#[tokio::test]
async fn nobody_listening_is_away() {
    let (server, profile) = Server::start().await;
    drop(server);
    let interop = interop(profile);
    assert_matches!(connect(&interop).await.unwrap_err(), ConnectFailure::Away(_));
}

#[tokio::test]
async fn a_server_without_tls_is_away_where_tls_is_due() {
    let (server, mut profile) = Server::start().await;
    let address = profile.chat_url.authority().to_owned();
    profile.chat_url = format!("wss://{address}/ws/chat").parse().unwrap();
    let interop = interop(profile);
    let hang_up = async { drop(server.accept().await) };
    let (failed, ()) = tokio::join!(connect(&interop), hang_up);
    assert_matches!(failed.unwrap_err(), ConnectFailure::Away(_));
}
