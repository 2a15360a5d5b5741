//! What bad input gets: wrong tokens, repeated and malformed transactions, rooms and numbers that cannot
//! be bridged, servers that cannot prove who they are. Each has one defined answer, and none of them
//! stops the bridge.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use matrix_sdk::Room;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    bridge::{HS_TOKEN, Plan},
    matrix_client::Person,
    place::{RunFolder, dice},
    wait::{PATIENCE, until},
    world::{PHONE, World, bot, logs_in, starts_chat},
};

/// An event of a person in the clear, as the homeserver would push it.
fn event(room: &Room, sender: &Person, text: &str) -> Value {
    json!({
        "type": "m.room.message", "room_id": room.room_id(), "sender": sender.id(),
        "event_id": format!("${:016x}", dice()), "origin_server_ts": 1_700_000_000_000_u64,
        "content": {"msgtype": "m.text", "body": text},
    })
}

fn transaction(events: &[Value]) -> String {
    json!({"events": events}).to_string()
}

/// How many messages of others the person sees in a room.
fn answers(person: &Person, room: &Room) -> usize {
    let saw = person.saw(room.room_id());
    saw.iter().filter(|message| message.sender != person.id()).count()
}

/// A room in which the bot answers whatever is said in the clear, if only that it should be encrypted.
async fn open_room(alice: &Person) -> Result<Room> {
    let room = alice.open_unencrypted_chat_with(&bot()?).await?;
    alice.says(&room, "help").await?;
    alice.sees(room.room_id(), "the bot's answer", |_| true).await?;
    Ok(room)
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_taken_once_and_only_from_the_homeserver() -> Result<()> {
    let mut world = World::start("transactions", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let room = open_room(&alice).await?;
        let before = answers(&alice, &room);
        let deliver = async |id: &str, token: Option<&str>, events: &[Value]| {
            world.bridge.transaction(id, token, transaction(events)).await
        };
        let help = || event(&room, &alice, "help");

        for token in [None, Some("wrong"), Some("")] {
            let status = deliver("one", token, &[help()]).await?;
            ensure!(status == StatusCode::FORBIDDEN, "{token:?} got {status}");
        }
        // Had the refused ones been stored, this would be a repetition, and without an answer.
        ensure!(deliver("one", Some(HS_TOKEN), &[help()]).await? == StatusCode::OK);
        until("one answer", PATIENCE, || async {
            Ok((answers(&alice, &room) == before + 1).then_some(()))
        })
        .await?;
        // The homeserver did not hear that it was taken, and delivers it again.
        let repeated = [help()];
        for _ in 0..3 {
            ensure!(deliver("two", Some(HS_TOKEN), &repeated).await? == StatusCode::OK);
        }
        // A homeserver on SQLite counts from 1 again after a restart: the same id, another transaction.
        ensure!(deliver("two", Some(HS_TOKEN), &[help()]).await? == StatusCode::OK);
        // What is malformed is set aside, whatever it is; the rest goes through.
        let malformed = [
            json!(null),
            json!(5),
            json!({}),
            json!({"type": "m.room.message", "room_id": room.room_id(), "sender": 17}),
            json!({"type": "m.room.encrypted", "room_id": "nowhere", "sender": "@x", "content": []}),
            json!({"type": "m.room.member", "room_id": room.room_id(), "sender": alice.id(),
                "state_key": bot()?, "content": {"membership": 5}, "event_id": "$odd"}),
        ];
        let mut events = malformed.to_vec();
        events.push(help());
        ensure!(deliver("three", Some(HS_TOKEN), &events).await? == StatusCode::OK);
        alice.says(&room, "help").await?;
        until("four more answers", PATIENCE, || async {
            Ok((answers(&alice, &room) >= before + 5).then_some(()))
        })
        .await?;
        let answered = answers(&alice, &room);
        ensure!(answered == before + 5, "the bot answered {} times", answered - before);
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_from_a_room_that_is_not_encrypted() -> Result<()> {
    let mut world = World::start("unencrypted", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, ghost) = starts_chat(&alice, &management, PHONE).await?;
        let open = alice.open_unencrypted_chat_with(&ghost).await?;
        alice.says(&open, "in the clear").await?;
        alice.reads_words(open.room_id(), &["not encrypted", "nothing was sent"]).await?;
        // What follows in the right room comes after whatever the wrong one might have sent.
        alice.says(&room, "encrypted").await?;
        bruno.reads("encrypted").await?;
        ensure!(bruno.got().await?.len() == 1, "the contact got {:?}", bruno.got().await?);
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_connected_without_having_read_and_agreed() -> Result<()> {
    let mut world = World::start("consent", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let management = alice.open_chat_with(&bot()?).await?;
        alice.asks(&management, "help", &["login", "start", "status", "logout"]).await?;
        alice.asks(&management, "agree", &["read first", "login"]).await?;
        alice.asks(&management, &format!("start {PHONE}"), &["login"]).await?;
        let consent = alice.asks(&management, "login", &["agree"]).await?;
        for needle in [alice.id().as_str(), "Meta", "operates", "European Economic Area"] {
            ensure!(consent.body.contains(needle), "the text does not say {needle:?}");
        }
        alice.asks(&management, "I agree, I think", &["help"]).await?;
        alice.asks(&management, "status", &["not connected"]).await?;
        let login = world.network().login(alice.id()).await?;
        ensure!(login.is_none(), "the network knows {login:?} without consent");
        alice.asks(&management, "agree", &["you are connected"]).await?;
        ensure!(world.network().login(alice.id()).await?.is_some());
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_cannot_be_reached_gets_a_sentence_that_says_why() -> Result<()> {
    let mut world = World::start("numbers", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        world.network().person("+33698765432", "Nobody's friend", false).await?;
        let management = logs_in(&alice).await?;
        alice.asks(&management, "start +33611111111", &["not on WhatsApp"]).await?;
        let closed = ["third-party chats", "not switched on"];
        alice.asks(&management, "start +33698765432", &closed).await?;
        alice.asks(&management, "start 06123", &["too short"]).await?;
        alice.asks(&management, "start", &["dial it at home"]).await?;
        ensure!(alice.client().invited_rooms().is_empty(), "somebody was invited all the same");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_face_shows_public_keys_and_believes_no_forged_push() -> Result<()> {
    let mut world = World::start("public-face", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let at = |path: &str| world.bridge.network_face().join(path);

        let shown = http.get(at(".well-known/oauth/openid/jwks")?).send().await?;
        ensure!(shown.status() == StatusCode::OK, "the key set: {}", shown.status());
        let shown: Value = serde_json::from_slice(&shown.bytes().await?)?;
        let keys = shown["keys"].as_array().cloned().unwrap_or_default();
        ensure!(!keys.is_empty(), "the key set is empty: {shown}");
        let secret = |key: &Value| ["d", "k", "p", "q"].iter().any(|name| key.get(name).is_some());
        ensure!(!keys.iter().any(secret), "a secret part is shown");

        let push = json!({"to": alice.id()}).to_string();
        for token in ["", "Bearer ", "Bearer forged", "Bearer eyJhbGciOiJub25lIn0.e30."] {
            let mut request = http.post(at("push")?).body(push.clone());
            if !token.is_empty() {
                request = request.header("authorization", token);
            }
            let status = request.send().await?.status();
            ensure!(status == StatusCode::UNAUTHORIZED, "{token:?} got {status}");
        }
        // What is the homeserver's alone is not to be found here, even with its token.
        let private = at("_matrix/app/v1/transactions/one")?;
        let request = http.put(private).bearer_auth(HS_TOKEN).body(transaction(&[]));
        let status = request.send().await?.status();
        ensure!(status == StatusCode::NOT_FOUND, "a transaction at the public face got {status}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_prove_itself_gets_no_login() -> Result<()> {
    let mut world = World::start("certificates", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let management = alice.open_chat_with(&bot()?).await?;
        alice.asks(&management, "login", &["agree"]).await?;
        let wrong = json!({"wrong_root": 1, "wrong_leaf_key": 1, "expired_leaf": 1});
        world.network().fault(&wrong).await?;
        alice.asks(&management, "agree", &[]).await?;
        until("the bridge to connect in the end", PATIENCE, || async {
            let login = world.network().login(alice.id()).await?;
            Ok(login.filter(|login| login["connected"] == true))
        })
        .await?;
        let log = fs::read_to_string(world.bridge.log())?.to_lowercase();
        ensure!(log.contains("certificate"), "the log does not say what was wrong");
        alice.asks(&management, "status", &["you are connected"]).await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoiled_message_is_asked_for_again_and_at_last_reported() -> Result<()> {
    let mut world = World::start("spoiled", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        alice.says(&room, "hello").await?;
        bruno.reads("hello").await?;

        world.network().fault(&json!({"corrupt_next_ciphertext": 1})).await?;
        bruno.says(alice.id(), "spoiled once").await?;
        alice.reads(room.room_id(), "spoiled once").await?;

        world.network().fault(&json!({"corrupt_next_ciphertext": 20})).await?;
        bruno.says(alice.id(), "spoiled for good").await?;
        alice.reads_words(room.room_id(), &["could not be decrypted"]).await?;
        world.network().call(reqwest::Method::DELETE, "faults", None).await?;
        bruno.says(alice.id(), "and on we go").await?;
        alice.reads(room.room_id(), "and on we go").await?;
        let shown = alice.saw(room.room_id());
        ensure!(shown.iter().all(|message| message.body != "spoiled for good"));
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_or_falls_silent_is_made_again() -> Result<()> {
    let mut world = World::start("reconnect", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let faults =
            [json!({"stream_error": {"code": 503}}), json!({"duplicate": 1}), json!({"drop": 1})];
        for (number, fault) in faults.iter().enumerate() {
            let (question, answer) = (format!("question {number}"), format!("answer {number}"));
            world.network().fault(fault).await?;
            bruno.says(alice.id(), &answer).await?;
            until("the fault to have happened", PATIENCE, || async {
                let waiting = world.network().call(reqwest::Method::GET, "faults", None).await?;
                Ok((waiting == json!([])).then_some(()))
            })
            .await?;
            // What was dropped comes with the next connection.
            let path = format!("partners/{}/disconnect", alice.id());
            until("a connection to end", PATIENCE, || async {
                let told = world.network().call(reqwest::Method::POST, &path, None).await;
                Ok(told.is_ok().then_some(()))
            })
            .await?;
            alice.reads(room.room_id(), &answer).await?;
            alice.says(&room, &question).await?;
            bruno.reads(&question).await?;
        }
        let got: Vec<String> = bruno.got().await?.into_iter().map(|text| text.text).collect();
        let sent: Vec<String> =
            (0..faults.len()).map(|number| format!("question {number}")).collect();
        ensure!(got == sent, "the contact got {got:?}");
        let saw = alice.saw(room.room_id());
        let answers = saw.iter().filter(|message| message.body.starts_with("answer")).count();
        ensure!(answers == faults.len(), "the person saw {answers} answers");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[test]
fn every_mistake_in_the_configuration_is_named_at_once() -> Result<()> {
    let run = RunFolder::new("mistakes")?;
    let config = run.path().join("causeway.toml");
    fs::write(
        &config,
        "master_key = \"short\"\n[homeserver]\nurl = 5\n[network]\nintegrator_id = 1000\n[no_such]\n",
    )?;
    let out = Command::new(env!("CARGO_BIN_EXE_causeway"))
        .args(["config", "check", "--config"])
        .arg(&config)
        .output()?;
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    ensure!(out.status.code() == Some(2), "exit code {:?}\n{said}", out.status.code());
    for path in [
        "master_key",
        "homeserver.url",
        "homeserver.server_name",
        "network.integrator_id",
        "no_such",
    ] {
        ensure!(said.contains(path), "{path} is not named in:\n{said}");
    }
    Ok(())
}
