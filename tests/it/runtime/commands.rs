//! What the bot answers, in the order in which people say things.

use causeway::domain::limits;
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use super::{
    homeserver::{BOT, PERSON},
    stage::Stage,
};

#[track_caller]
fn check(typed: &str, answer: &str, expected: &str) {
    assert!(answer.contains(expected), "{typed}: {answer}");
}

/// Says each line and looks for the words in its answer.
async fn check_dialogue(stage: &Stage, lines: &[(&str, &str)]) {
    for (typed, expected) in lines {
        check(typed, &stage.ask(typed).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_connected_without_having_read_what_it_means() {
    let stage = Stage::new().await;
    check_dialogue(
        &stage,
        &[
            ("help", "`logout`"),
            ("status", "You are not connected"),
            ("start +33 6 12 34 56 78", "Send `login` first"),
            ("read-receipts off", "Send `login` first"),
            ("typing off", "Send `login` first"),
            ("logout", "You are not connected"),
            ("agree", "send `login`"),
            ("status", "You are not connected"),
            ("login", "European Economic Area"),
            ("I agree", "do not know that command"),
            ("status", "You are not connected"),
            ("agree", "You are connected"),
            ("agree", "you had agreed before"),
            ("login", "connected already"),
            ("status", "You are connected to WhatsApp. Read receipts are on, typing is on."),
            ("typing", "`typing on` or `typing off`"),
            ("typing off", "do not see when you are typing"),
            ("read-receipts please", "`read-receipts on` or `read-receipts off`"),
            ("read-receipts off", "you do not see either when they have read yours"),
            ("status", "Read receipts are off, typing is off."),
            ("read-receipts on", "you see when they have read yours"),
            ("status", "Read receipts are on, typing is off."),
            ("start", "`+33 6 12 34 56 78`, or as you dial it at home: `06 12 34 56 78`."),
            ("start 06 12 34 56", "too short for its country"),
            ("start +999 123456", "No country has the code"),
            ("start 06 99 99 99 99", "not on WhatsApp"),
            ("start +33 6 00 00 00 00", "third-party chats"),
            ("start +33 6 99 99 99 99", "not on WhatsApp"),
            ("start +33 6 12 34 56 78", "The chat is ready"),
            ("logout", "your keys are deleted"),
            ("status", "You are not connected"),
            // A new login has chosen nothing.
            ("login", "European Economic Area"),
            ("agree", "You are connected"),
            ("status", "Read receipts are on, typing is on."),
            ("logout", "your keys are deleted"),
            // Having read the text once is no consent for ever.
            ("agree", "send `login`"),
        ],
    )
    .await;
    let answer = stage.ask_as("@bob:example.org", "login").await;
    check("login", &answer, "has not allowed you");
}

fn said(room: &OwnedRoomId, id: &str, sender: &str, text: &str) -> Value {
    json!({"type": "m.room.message", "room_id": room, "sender": sender,
        "event_id": format!("${id}"), "content": {"msgtype": "m.text", "body": text}})
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_in_a_management_room_at_the_limit_and_one_past_it() {
    let mut stage = Stage::new().await;
    let room = OwnedRoomId::try_from("!management:example.org").unwrap();
    let invite = json!({"type": "m.room.member", "room_id": room, "sender": PERSON,
        "event_id": "$invite", "state_key": BOT, "content": {"membership": "invite"}});
    let full = format!("help{}", " ".repeat(limits::COMMAND_CHARS_MAX - "help".len()));
    let over = format!("{full} ");
    let events = vec![
        invite,
        said(&room, "full", PERSON, &full),
        said(&room, "over", PERSON, &over),
        said(&room, "stranger", "@bob:example.org", "help"),
        said(&room, "echo", BOT, "help"),
        said(&room, "last", PERSON, "status"),
    ];
    stage.push(events, &[]).await;
    stage.until("the answers", || stage.homeserver.shown().len() == 3).await;
    let shown = stage.homeserver.shown();
    check(&full, &shown[0], "`logout`");
    check(&over, &shown[1], "too long for a command");
    check("status", &shown[2], "You are not connected");
}
