//! The operator's rules as people meet them: limits, deny lists, refusals.

use std::time::Duration;

use causeway::{
    domain::{
        allowance::{Day, Limits},
        permission::{Permission, Rule, Scope},
    },
    port::{Clock as _, Storage as _},
    runtime::Answer,
};
use ruma::{OwnedRoomId, UserId};
use serde_json::{Value, json};

use super::{
    attachments::{bytes, document},
    cut::Cut,
    homeserver::{BOT, PERSON},
    stage::{Stage, permissions},
    surroundings::Trouble,
};

const MINUTE: Duration = Duration::from_mins(1);
const LIST: &str = "!list:example.org";
const MANAGEMENT: &str = "!management:example.org";

/// A stage whose person is under these limits, connected, with a chat.
async fn limited(limits: Limits) -> (Stage, OwnedRoomId) {
    let mut stage = Stage::new().await;
    stage.permissions = permissions(Permission::User.into(), limits);
    stage.begin(Cut::Never).await;
    stage.log_in().await;
    let room = stage.open_chat().await;
    (stage, room)
}

fn count(shown: &[String], words: &str) -> usize {
    shown.iter().filter(|shown| shown.contains(words)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_past_the_pace_wait_in_order_and_the_person_is_told_once() {
    let (mut stage, room) = limited(Limits { messages_a_minute: 2, ..Limits::default() }).await;
    let events = ["one", "two", "three", "four", "five"].map(|text| stage.text(&room, text));
    assert_eq!(stage.push(events.to_vec(), &[]).await, Answer::Acknowledge);
    stage.until("two messages", || stage.screen() == ["one", "two"]).await;
    stage.pass(MINUTE / 2).await;
    assert_eq!(stage.screen(), ["one", "two"], "the third waits");
    stage.until("the rest", || stage.screen().len() == 5).await;
    assert_eq!(stage.screen(), ["one", "two", "three", "four", "five"]);
    let told = "You have sent 2 messages within a minute";
    assert_eq!(count(&stage.homeserver.shown(), told), 1, "{:?}", stage.homeserver.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn new_contacts_are_refused_past_the_days_limit_and_known_ones_are_not() {
    let (mut stage, room) = limited(Limits { contacts_a_day: 1, ..Limits::default() }).await;
    let second = "start +33 6 11 11 11 11";
    for restarted in [false, true] {
        if restarted {
            stage.begin(Cut::Never).await;
            stage.until("the connection", || stage.network.is_connected()).await;
        }
        let refused = stage.ask(second).await;
        assert!(refused.contains("with 1 new contacts today"), "{refused}");
        assert!(refused.contains("It works again in "), "{refused}");
        assert_eq!(stage.open_chat().await, room, "a known contact is no new one");
    }
    let left = Day::of(stage.clock.now()).ends_at() - stage.clock.now();
    stage.clock.advance(Duration::from_millis(u64::try_from(left).unwrap()));
    stage.until("the connection", || stage.network.is_connected()).await;
    let answer = stage.ask(second).await;
    assert!(answer.starts_with("The chat is ready"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_refused_past_the_days_limit_whatever_became_of_earlier_ones() {
    // A file of 100 bytes is hosted as 122 bytes of ciphertext.
    let (mut stage, room) = limited(Limits { media_bytes_a_day: 244, ..Limits::default() }).await;
    for number in 1..=2 {
        let file = document(&mut stage, &room, &bytes(100));
        assert_eq!(stage.push(vec![file], &[]).await, Answer::Acknowledge);
        stage.until("the file", || stage.network.envelopes().len() == number).await;
    }
    let person = UserId::parse(PERSON).unwrap();
    let today = Day::of(stage.clock.now());
    assert_eq!(stage.storage().day_usage(&person, today).await.unwrap().media_bytes, 244);

    stage.begin(Cut::Never).await;
    let (file, text) = (document(&mut stage, &room, b"x"), stage.text(&room, "after"));
    assert_eq!(stage.push(vec![file, text], &[]).await, Answer::Acknowledge);
    stage.until("what stands behind it", || stage.screen().contains(&"after".to_owned())).await;
    let shown = stage.homeserver.shown();
    assert_eq!(count(&shown, "more than the 244 bytes a day"), 1, "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_past_the_limit_is_refused_and_leaves_nothing_behind() {
    let mut stage = Stage::new().await;
    let rule = Rule { logins: Some(0), ..Permission::User.into() };
    stage.permissions = permissions(rule, Limits::default());
    stage.begin(Cut::Never).await;
    stage.ask("login").await;
    let answer = stage.ask("agree").await;
    assert!(answer.contains("As many people are connected"), "{answer}");
    assert!(stage.storage().logins().await.unwrap().is_empty());
    let person = UserId::parse(PERSON).unwrap();
    assert!(stage.storage().ledger_of(&person).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_how_people_stand_and_may_end_a_login() {
    const ADMIN: &str = "@admin:example.org";
    let mut stage = Stage::new().await;
    let rules = &mut stage.permissions.rules;
    rules.insert(Scope::User(ADMIN.try_into().unwrap()), Permission::Admin.into());
    stage.begin(Cut::Never).await;
    assert_eq!(stage.ask_as(ADMIN, "users").await, "Nobody is logged in.");
    stage.push(vec![invite(PERSON, MANAGEMENT, "$m")], &[]).await;
    stage.log_in().await;
    let room = stage.open_chat().await;
    let text = stage.text(&room, "hush");
    assert_eq!(stage.push(vec![text], &[]).await, Answer::Acknowledge);
    stage.until("the text", || stage.screen() == ["hush"]).await;

    let mut answers = String::new();
    for (typed, expected) in [
        ("users", "1 person is logged in:\n- `@alice:example.org` – connected, 1 chat"),
        ("show @alice:example.org", "connected, 1 chat. They may use the bridge."),
        ("show @bob:example.org", "`@bob:example.org` is not logged in."),
        ("show alice", "for example `show @alice:example.org`"),
        ("quota @alice:example.org", "chats with 1 of 100 new contacts today"),
        ("revoke @alice:example.org", "they were told"),
        ("revoke @alice:example.org", "is not logged in"),
        ("users", "Nobody is logged in."),
        ("help", "`revoke @alice:example.org`"),
    ] {
        let answer = stage.ask_as(ADMIN, typed).await;
        assert!(answer.contains(expected), "{typed}: {answer}");
        if typed != "help" {
            answers.push_str(&answer);
        }
    }
    for secret in ["hush", "33612345678", "6 12 34 56 78", "Anna"] {
        assert!(!answers.contains(secret), "{secret}: {answers}");
    }
    let told = "An admin of this bridge has ended your connection";
    stage.until("the word", || count(&stage.homeserver.shown(), told) == 1).await;

    for typed in ["users", "revoke @admin:example.org", "quota @admin:example.org"] {
        let answer = stage.ask(typed).await;
        assert!(answer.contains("do not know that command"), "{typed}: {answer}");
    }
    assert!(!stage.ask("help").await.contains("revoke"));
}

fn event(kind: &str, room: &str, sender: &str, id: &str, content: &Value) -> Value {
    json!({"type": kind, "room_id": room, "sender": sender, "event_id": id, "content": content})
}

fn invite(sender: &str, room: &str, id: &str) -> Value {
    let mut invite = event("m.room.member", room, sender, id, &json!({"membership": "invite"}));
    invite["state_key"] = json!(BOT);
    invite
}

fn said(sender: &str, room: &str, id: &str, text: &str) -> Value {
    let content = json!({"msgtype": "m.text", "body": text});
    event("m.room.message", room, sender, id, &content)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_refused_politely_once_and_then_no_more() {
    const EVE: &str = "@eve:elsewhere.example";
    const ROOM: &str = "!eve:elsewhere.example";
    let mut stage = Stage::new().await;
    let mut events = vec![invite(EVE, ROOM, "$i")];
    for (number, word) in ["hello", "login", "please"].into_iter().enumerate() {
        events.push(said(EVE, ROOM, &format!("$e{number}"), word));
    }
    events.push(invite(PERSON, MANAGEMENT, "$p"));
    events.push(said(PERSON, MANAGEMENT, "$q", "status"));
    assert_eq!(stage.push(events, &[]).await, Answer::Acknowledge);
    let refusal = "has not allowed you to use it";
    stage
        .until("both to be answered", || {
            let shown = stage.homeserver.shown();
            count(&shown, refusal) == 1 && count(&shown, "You are not connected") == 1
        })
        .await;
    let again = said(EVE, ROOM, "$again", "hello?");
    let then = said(PERSON, MANAGEMENT, "$then", "help");
    assert_eq!(stage.push(vec![again, then], &[]).await, Answer::Acknowledge);
    stage.until("the answer", || count(&stage.homeserver.shown(), "`logout`") == 1).await;
    stage.pass(Duration::from_secs(5)).await;
    assert_eq!(count(&stage.homeserver.shown(), refusal), 1);
}

/// A policy about everybody called alice.
fn policy(id: &str, recommendation: &str) -> Value {
    let content = json!({"entity": "@alice:*", "recommendation": recommendation, "reason": "spam"});
    let mut policy = event("m.policy.rule.user", LIST, "@mod:example.org", id, &content);
    policy["state_key"] = json!("rule:alice");
    policy
}

/// A stage that follows the list, with a person who is connected, has a chat and a management room.
async fn following() -> (Stage, OwnedRoomId) {
    let mut stage = Stage::new().await;
    stage.policy_rooms = vec![LIST.try_into().unwrap()];
    stage.begin(Cut::Never).await;
    stage.push(vec![invite(PERSON, MANAGEMENT, "$m")], &[]).await;
    stage.log_in().await;
    let room = stage.open_chat().await;
    (stage, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_policy_room_bans_is_paused_and_told_even_after_a_restart() {
    let (mut stage, room) = following().await;
    let before = stage.text(&room, "before");
    assert_eq!(stage.push(vec![before], &[]).await, Answer::Acknowledge);
    stage.until("the text", || stage.screen() == ["before"]).await;

    assert_eq!(stage.push(vec![policy("$ban", "m.ban")], &[]).await, Answer::Acknowledge);
    stage.until("the pause", || !stage.network.is_connected()).await;
    let told = "Your connection to WhatsApp is paused";
    stage.until("the word", || count(&stage.homeserver.shown(), told) == 1).await;
    let denied = stage.text(&room, "denied");
    assert_eq!(stage.push(vec![denied], &[]).await, Answer::Acknowledge);
    let why = "That message was not sent. You cannot use this bridge";
    stage.until("the notice", || count(&stage.homeserver.shown(), why) == 1).await;
    let answer = stage.ask("start +33 6 12 34 56 78").await;
    assert!(answer.contains("(\"spam\")"), "{answer}");

    // The list outlives the process, even while nobody can read the room.
    stage.policy_rooms = vec!["!other:example.org".try_into().unwrap()];
    stage.homeserver.trouble(Some(Trouble::Later));
    stage.begin(Cut::Never).await;
    assert!(stage.ask("start +33 6 12 34 56 78").await.contains("deny list"));
    assert!(!stage.network.is_connected());
    stage.homeserver.trouble(None);

    // A room that is followed no longer says nothing.
    stage.until("the connection", || stage.network.is_connected()).await;
    let after = stage.text(&room, "after");
    assert_eq!(stage.push(vec![after], &[]).await, Answer::Acknowledge);
    stage.until("the text", || stage.screen() == ["before", "after"]).await;
    let again = "You may use this bridge again";
    stage.until("the word", || count(&stage.homeserver.shown(), again) == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_ends_connects_again_and_a_banned_person_may_leave() {
    let (mut stage, _) = following().await;
    assert_eq!(stage.push(vec![policy("$1", "m.ban")], &[]).await, Answer::Acknowledge);
    stage.until("the pause", || !stage.network.is_connected()).await;
    assert_eq!(stage.push(vec![policy("$2", "")], &[]).await, Answer::Acknowledge);
    stage.until("the connection", || stage.network.is_connected()).await;
    assert_eq!(stage.push(vec![policy("$3", "m.ban")], &[]).await, Answer::Acknowledge);
    stage.until("the pause", || !stage.network.is_connected()).await;
    stage.ask("logout").await;
    stage.until("the end", || !stage.network.knows_the_person()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_room_said_before_the_start_is_read() {
    let mut stage = Stage::new().await;
    stage.homeserver.add_policy(policy("$ban", "m.ban"));
    stage.policy_rooms = vec![LIST.try_into().unwrap()];
    stage.begin(Cut::Never).await;
    let rules = stage.ports().rules;
    let person = UserId::parse(PERSON).unwrap();
    stage.until("the list to be read", || !rules.may_use(&person)).await;
    assert!(stage.ask("login").await.contains("deny list"));

    // An admin is whom the operator trusts.
    stage.permissions = permissions(Permission::Admin.into(), Limits::default());
    stage.begin(Cut::Never).await;
    assert!(stage.ask("login").await.contains("European Economic Area"));
}
