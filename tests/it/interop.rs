//! The network adapter on the whole emulated network: enlisted, connected, understood both ways.

mod stage;

use std::time::Duration;

use assert_matches::assert_matches;
use causeway::{
    domain::{
        ids::{RemoteAddress, RemoteMessageId, RemoteUser},
        item::{
            Envelope, EnvelopeKind, EnvelopePart, InboundReceiptKind, OutboundReceipt,
            OutboundReceiptKind,
        },
    },
    interop::{BlocklistForm, FanOut, TokenKey, TokenKeys},
    port::{
        InteropNetwork as _,
        network::{Accepted, ConnectFailure, Connected, Inbound, OurBundle, Resolved},
    },
    signal::PreKey,
};
use causeway_emulator::{ChangedIdentity, Coded, FaultOrder};

use serde_json::json;

use self::stage::{BOB, Correspondent, Stage};

async fn connected(stage: &Stage) -> (Connected, Correspondent) {
    let mut correspondent = Correspondent::new(stage.enlisted().await);
    let connected = stage.interop.connect(&correspondent.credentials).await.unwrap();
    correspondent.publish(&*connected.link, 20).await;
    (connected, correspondent)
}

async fn next(connected: &mut Connected) -> Inbound {
    let next = tokio::time::timeout(stage::PATIENCE, connected.inbound.recv()).await;
    next.expect("nothing came in").expect("the connection ended")
}

#[tokio::test]
async fn a_person_is_enlisted_once_and_connects() {
    for transport in ["ws", "tcp"] {
        let stage = Stage::with(|profile| {
            let address = profile.chat_url.authority().to_owned();
            let path = if transport == "ws" { "/ws/chat" } else { "" };
            profile.chat_url = format!("{transport}://{address}{path}").parse().unwrap();
        })
        .await;
        let credentials = stage.enlisted().await;
        let again = stage.interop.enlist(&credentials).await.unwrap();
        assert_eq!(Some(again), credentials.network_id);
        let connected = stage.interop.connect(&credentials).await.unwrap();
        assert_eq!(connected.link.prekey_count().await.unwrap(), 0);
        connected.link.close().await;
    }
}

/// The network fetched the first set of keys and keeps it.
#[tokio::test]
async fn keys_of_tokens_follow_one_another_without_anybody_being_refused() {
    let stage = Stage::new().await;
    let stored = TokenKey::generate().unwrap().to_pkcs8_der().unwrap();
    let next_stored = TokenKey::generate().unwrap().to_pkcs8_der().unwrap();
    let key = || TokenKey::from_pkcs8_der(&stored).unwrap();
    let next = || TokenKey::from_pkcs8_der(&next_stored).unwrap();
    let mut sets = Vec::new();
    let credentials = {
        stage.interop.use_token_keys(key().into());
        stage.enlisted().await
    };
    // Published, current, and the old one gone.
    for keys in
        [TokenKeys::new(key(), vec![next()]), TokenKeys::new(next(), vec![key()]), next().into()]
    {
        sets.push(keys.key_set()["keys"].as_array().unwrap().len());
        stage.interop.use_token_keys(keys);
        let connected = stage.interop.connect(&credentials).await.unwrap();
        let again = stage.interop.enlist(&credentials).await.unwrap();
        assert_eq!(Some(again), credentials.network_id);
        connected.link.close().await;
    }
    assert_eq!(sets, [2, 2, 1]);
}

#[tokio::test]
async fn a_second_connection_drives_out_the_first_which_says_so() {
    let stage = Stage::new().await;
    let (mut first, us) = connected(&stage).await;
    let second = stage.interop.connect(&us.credentials).await.unwrap();
    assert_matches!(next(&mut first).await, Inbound::Replaced);
    let end = tokio::time::timeout(stage::PATIENCE, first.inbound.recv()).await;
    assert!(end.unwrap().is_none());
    second.link.prekey_count().await.unwrap();
}

#[tokio::test]
async fn another_noise_key_than_the_enlisted_one_is_not_let_in() {
    let stage = Stage::new().await;
    let mut credentials = stage.enlisted().await;
    credentials.keys.noise = [9; 32];
    assert_matches!(stage.interop.connect(&credentials).await, Err(ConnectFailure::NotEnlisted(_)));
}

#[tokio::test]
async fn a_server_with_wrong_certificates_is_not_believed() {
    let stage = Stage::new().await;
    let credentials = stage.enlisted().await;
    for order in [
        FaultOrder { wrong_root: 1, ..FaultOrder::default() },
        FaultOrder { wrong_leaf_key: 1, ..FaultOrder::default() },
        FaultOrder { expired_leaf: 1, ..FaultOrder::default() },
    ] {
        stage.order(&order).await;
        let failed = stage.interop.connect(&credentials).await;
        assert_matches!(failed, Err(ConnectFailure::Untrusted(_)), "{order:?}");
    }
    stage.interop.connect(&credentials).await.unwrap();
}

#[tokio::test]
async fn a_number_is_reachable_not_opted_in_or_nobody() {
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    stage.person("33600000002", false).await;
    let (connected, _) = connected(&stage).await;
    let resolve = |phone| connected.link.resolve(phone);
    assert_matches!(resolve(BOB).await.unwrap(), Resolved::Reachable { user } => {
        assert_eq!(user.0, format!("{BOB}@s.whatsapp.net"));
        assert_eq!(connected.link.devices(&user).await.unwrap(), [0]);
    });
    assert_eq!(resolve("33600000002").await.unwrap(), Resolved::NotOptedIn);
    assert_eq!(resolve("33600000003").await.unwrap(), Resolved::NotOnNetwork);
}

#[tokio::test]
async fn all_devices_are_listed_where_the_network_wants_all() {
    let stage = Stage::with(|profile| profile.fan_out = FanOut::All).await;
    stage.person(BOB, true).await;
    let (connected, _) = connected(&stage).await;
    let user = RemoteUser(format!("{BOB}@s.whatsapp.net"));
    assert_eq!(connected.link.devices(&user).await.unwrap(), [0]);
}

#[tokio::test]
async fn a_lookup_and_a_session_spend_one_prekey_together() {
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (connected, _) = connected(&stage).await;
    let before = stage.prekeys_left(BOB).await;
    assert_matches!(
        connected.link.resolve(BOB).await.unwrap(),
        Resolved::Reachable { user } => {
            let address = RemoteAddress { user, device: 0 };
            let bundle = connected.link.bundle(&address).await.unwrap().unwrap();
            assert!(bundle.prekey.is_some());
        }
    );
    assert_eq!(stage.prekeys_left(BOB).await, before - 1);
}

#[tokio::test]
async fn prekeys_are_published_counted_and_asked_for_when_low() {
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (mut connected, _) = connected(&stage).await;
    assert_eq!(connected.link.prekey_count().await.unwrap(), 20);
    // Whoever writes first fetches keys; a new identity must fetch again each time.
    let low = async {
        loop {
            if let Inbound::PreKeysLow { left } = next(&mut connected).await {
                return left;
            }
        }
    };
    let write = async {
        for _ in 0..12 {
            let phone = BOB.to_owned();
            let changed_identity = Some(ChangedIdentity { phone });
            stage.order(&FaultOrder { changed_identity, ..FaultOrder::default() }).await;
            stage.says(BOB, "hello").await;
        }
    };
    let (left, ()) = tokio::join!(low, write);
    assert!(left < 10, "{left}");
}

fn envelope(correspondent: &mut Correspondent, to: &RemoteUser, id: &str, text: &str) -> Envelope {
    let ciphertext = correspondent.encrypt(to, text);
    Envelope {
        login: correspondent.credentials.login.clone(),
        id: RemoteMessageId(id.to_owned()),
        to: to.clone(),
        kind: EnvelopeKind::Text,
        parts: vec![EnvelopePart { device: 0, ciphertext }],
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_are_confirmed() {
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (mut connected, mut us) = connected(&stage).await;
    let bob = RemoteUser(format!("{BOB}@s.whatsapp.net"));
    us.establish(&*connected.link, &bob).await;

    let first = envelope(&mut us, &bob, "OURS1", "hello Bob");
    assert_eq!(connected.link.send(&first).await.unwrap(), Accepted::Stored);
    // The same envelope again, as after a crash: stored once.
    assert_eq!(connected.link.send(&first).await.unwrap(), Accepted::Stored);
    assert_eq!(stage.heard(BOB, 1).await, ["hello Bob"]);
    assert_matches!(next(&mut connected).await, Inbound::Receipt { stanza, receipt } => {
        assert_eq!(receipt.kind, InboundReceiptKind::Delivered);
        assert_eq!(receipt.messages[0].0, "OURS1");
        connected.link.acknowledge(&stanza).await.unwrap();
    });

    for (number, text) in ["hello Alice", "second"].into_iter().enumerate() {
        let id = stage.says(BOB, text).await;
        let Inbound::Message { stanza, message } = next(&mut connected).await else {
            panic!("not a message");
        };
        assert_eq!((&message.id.0, &message.from.user), (&id, &bob), "message {number}");
        assert_eq!(message.display_name.as_deref(), Some(stage::NAME));
        assert_eq!(us.decrypt(&message).unwrap(), text);
        connected.link.acknowledge(&stanza).await.unwrap();
        let receipt = OutboundReceipt {
            login: us.credentials.login.clone(),
            to: message.from.clone(),
            messages: vec![message.id],
            kind: OutboundReceiptKind::Delivered,
        };
        connected.link.send_receipt(&receipt, None).await.unwrap();
        assert_eq!(stage.receipts(BOB, &id).await, ["delivered"]);
    }
    stage.reads(BOB, "OURS1").await;
    assert_matches!(next(&mut connected).await, Inbound::Receipt { receipt, .. } => {
        assert_eq!(receipt.kind, InboundReceiptKind::Read);
    });
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_and_what_was_does_not() {
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (mut first, us) = connected(&stage).await;
    let ids = [stage.says(BOB, "kept").await, stage.says(BOB, "again").await];
    let mut got = Vec::new();
    for _ in 0..2 {
        if let Inbound::Message { stanza, message } = next(&mut first).await {
            got.push((stanza, message.id.0));
        }
    }
    assert_eq!(got.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>(), ids);
    first.link.acknowledge(&got[0].0).await.unwrap();
    first.link.close().await;

    let mut second = stage.interop.connect(&us.credentials).await.unwrap();
    assert_matches!(next(&mut second).await, Inbound::Message { stanza, message } => {
        assert_eq!(message.id.0, ids[1]);
        second.link.acknowledge(&stanza).await.unwrap();
    });
}

#[tokio::test]
async fn a_mailbox_fuller_than_what_is_read_ahead_does_not_keep_anybody_out() {
    const WAITING: usize = 150;
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (first, us) = connected(&stage).await;
    first.link.close().await;
    for number in 0..WAITING {
        stage.says(BOB, &number.to_string()).await;
    }
    let mut second = stage.interop.connect(&us.credentials).await.unwrap();
    for _ in 0..WAITING {
        assert_matches!(next(&mut second).await, Inbound::Message { stanza, .. } => {
            second.link.acknowledge(&stanza).await.unwrap();
        });
    }
    second.link.prekey_count().await.unwrap();
}

#[tokio::test]
async fn an_unreadable_message_is_asked_for_again_and_read() {
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (mut connected, mut us) = connected(&stage).await;
    stage.order(&FaultOrder { corrupt_next_ciphertext: 1, ..FaultOrder::default() }).await;
    let id = stage.says(BOB, "twice").await;
    let Inbound::Message { stanza, message } = next(&mut connected).await else {
        panic!("not a message");
    };
    assert!(us.decrypt(&message).is_err());
    connected.link.acknowledge(&stanza).await.unwrap();
    let prekey = PreKey::generate(500, &mut stage::rng()).unwrap();
    us.keep(prekey.clone());
    let bundle = OurBundle { prekey: Some(prekey), ..us.bundle() };
    let receipt = OutboundReceipt {
        login: us.credentials.login.clone(),
        to: message.from.clone(),
        messages: vec![message.id.clone()],
        kind: OutboundReceiptKind::Retry { count: 1, sent_at: message.sent_at, prekey: 500 },
    };
    connected.link.send_receipt(&receipt, Some(&bundle)).await.unwrap();
    assert_matches!(next(&mut connected).await, Inbound::Message { message, .. } => {
        assert_eq!(message.id.0, id);
        assert_eq!(us.decrypt(&message).unwrap(), "twice");
    });
}

#[tokio::test]
async fn a_half_open_connection_ends() {
    let stage = Stage::with(|profile| {
        profile.patience.keepalive = Duration::from_millis(200);
        profile.patience.silence = Duration::from_millis(500);
    })
    .await;
    let (mut connected, _) = connected(&stage).await;
    stage.order(&FaultOrder { half_open: 1, ..FaultOrder::default() }).await;
    let end = tokio::time::timeout(stage::PATIENCE, connected.inbound.recv()).await;
    assert!(end.unwrap().is_none());
}

#[tokio::test]
async fn a_stream_error_ends_the_connection() {
    let stage = Stage::new().await;
    let (mut connected, us) = connected(&stage).await;
    let stream_error = Some(Coded { code: 503, count: 1 });
    stage.order(&FaultOrder { stream_error, ..FaultOrder::default() }).await;
    let end = tokio::time::timeout(stage::PATIENCE, connected.inbound.recv()).await;
    assert!(end.unwrap().is_none());
    stage.interop.connect(&us.credentials).await.unwrap();
}

#[tokio::test]
async fn a_refused_message_says_so_in_words() {
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (connected, mut us) = connected(&stage).await;
    let bob = RemoteUser(format!("{BOB}@s.whatsapp.net"));
    us.establish(&*connected.link, &bob).await;
    let nack = Some(Coded { code: 491, count: 1 });
    stage.order(&FaultOrder { nack, ..FaultOrder::default() }).await;
    let sent = envelope(&mut us, &bob, "OURS1", "x");
    assert_matches!(connected.link.send(&sent).await.unwrap(), Accepted::Refused { reason } => {
        assert!(reason.contains("491"), "{reason}");
    });
    stage.opt_out(BOB).await;
    let sent = envelope(&mut us, &bob, "OURS2", "x");
    assert_matches!(connected.link.send(&sent).await.unwrap(), Accepted::Refused { .. });
}

#[tokio::test]
async fn a_changed_identity_is_told() {
    let stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (mut connected, mut us) = connected(&stage).await;
    let bob = RemoteUser(format!("{BOB}@s.whatsapp.net"));
    us.establish(&*connected.link, &bob).await;
    let sent = envelope(&mut us, &bob, "OURS1", "x");
    connected.link.send(&sent).await.unwrap();
    let changed_identity = Some(ChangedIdentity { phone: BOB.to_owned() });
    stage.order(&FaultOrder { changed_identity, ..FaultOrder::default() }).await;
    loop {
        if let Inbound::IdentityChanged { stanza, user } = next(&mut connected).await {
            assert_eq!(user, bob);
            return connected.link.acknowledge(&stanza).await.unwrap();
        }
    }
}

#[tokio::test]
async fn who_is_blocked_is_kept_away_until_they_are_not_and_a_report_arrives() {
    for form in [BlocklistForm::Ordinary, BlocklistForm::Interop] {
        let stage = Stage::with(|profile| profile.blocklist = form).await;
        stage.person(BOB, true).await;
        let (mut connected, _) = connected(&stage).await;
        let bob = RemoteUser(format!("{BOB}@s.whatsapp.net"));
        assert!(connected.link.blocklist().await.unwrap().is_empty());
        connected.link.block(&bob, true).await.unwrap();
        connected.link.block(&bob, true).await.unwrap();
        assert_eq!(connected.link.blocklist().await.unwrap(), std::slice::from_ref(&bob));
        stage.says(BOB, "unheard").await;
        connected.link.report(&bob).await.unwrap();
        let ours = stage.ours().await;
        assert_eq!((&ours["blocked"][0], &ours["reported"][0]), (&json!(bob.0), &json!(bob.0)));
        connected.link.block(&bob, false).await.unwrap();
        assert!(connected.link.blocklist().await.unwrap().is_empty());
        let heard = stage.says(BOB, "heard").await;
        assert_matches!(next(&mut connected).await, Inbound::Message { message, .. } => {
            assert_eq!(message.id.0, heard);
        });
    }
}

#[tokio::test]
async fn who_left_is_unknown_and_may_come_again() {
    let stage = Stage::new().await;
    let (connected, mut us) = connected(&stage).await;
    connected.link.unenlist().await.unwrap();
    assert_matches!(
        stage.interop.connect(&us.credentials).await,
        Err(ConnectFailure::NotEnlisted(_))
    );
    us.credentials.network_id = Some(stage.interop.enlist(&us.credentials).await.unwrap());
    stage.interop.connect(&us.credentials).await.unwrap();
}

#[tokio::test]
async fn a_push_comes_for_who_is_away_and_is_the_networks_own() {
    let mut stage = Stage::new().await;
    stage.person(BOB, true).await;
    let (connected, _) = connected(&stage).await;
    connected.link.close().await;
    stage.says(BOB, "are you there?").await;
    let (bearer, to) = stage.push().await;
    assert_eq!(to, stage::PERSON);
    stage.interop.verify_push(&bearer, stage::now()).await.unwrap();
    let tomorrow = stage::now() + 24 * 3_600 * 1_000;
    stage.interop.verify_push(&bearer, tomorrow).await.unwrap_err();
}
