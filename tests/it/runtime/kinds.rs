//! Answers, reactions, corrections and deletions, against what both sides see of them.

use std::ops::Range;

use causeway::{
    domain::{capability::Capabilities, ids::RemoteMessageId, item::InboundReceiptKind, limits},
    runtime::Answer,
};
use causeway_wire::message::{self, Quote, Reaction, Target};
use ruma::{EventId, OwnedEventId, OwnedRoomId};
use serde_json::{Value, json};

use super::{
    cut::{Cut, at_every_write},
    homeserver::FakeHomeserver,
    stage::{KEY, Stage},
    surroundings::Trouble,
};

const THUMB: &str = "\u{1f44d}\u{1f3fd}";
const HEART: &str = "\u{2764}\u{fe0f}";

/// The contact's reaction to a message of the person.
fn reacts(to: &RemoteMessageId, emoji: Option<&str>) -> Vec<u8> {
    let target = Target { chat: None, from_me: false, id: to.0.clone() };
    let reaction = Reaction { target, emoji: emoji.map(str::to_owned) };
    message::encode_reaction(&reaction, 1).unwrap()
}

/// A message of the contact's own.
fn own(id: &str) -> Target {
    Target { chat: None, from_me: true, id: id.to_owned() }
}

fn id_of(event: &Value) -> OwnedEventId {
    EventId::parse(event["event_id"].as_str().unwrap()).unwrap()
}

/// Brings a transaction until it is taken; begins the process again if it dies over it.
async fn deliver(stage: &mut Stage, number: &mut u32, event: &Value) -> bool {
    *number += 1;
    let mut died = false;
    let id = number.to_string();
    while stage.offer(&id, vec![event.clone()], &[]).await != Some(Answer::Acknowledge) {
        assert!(stage.is_dead(), "a transaction was refused");
        died = true;
        stage.begin(Cut::Never).await;
    }
    died
}

/// Waits for something that both sides see; begins the process again if it dies on the way.
async fn reach(stage: &mut Stage, what: &str, met: impl Fn(&Stage) -> bool + Send + Sync) -> bool {
    stage.until(what, || stage.is_dead() || met(stage)).await;
    let died = stage.is_dead();
    if died {
        stage.begin(Cut::Never).await;
        stage.until(what, || met(stage)).await;
    }
    died
}

fn stands(homeserver: &FakeHomeserver, emoji: &[&str]) -> bool {
    homeserver.reactions().iter().map(|(_, key)| key.as_str()).eq(emoji.iter().copied())
}

/// Both react to the other's message, change their mind and take it back, and the process dies at
/// the cut. Says whether it died.
async fn check(cut: Cut) -> bool {
    let (mut stage, room) = Stage::connected().await;
    let (mut number, mut died) = (0, false);
    let question = stage.text(&room, "shall we?");
    died |= deliver(&mut stage, &mut number, &question).await;
    stage.network.contact_writes("yes");
    died |= reach(&mut stage, "the texts", |stage| {
        stage.screen().len() == 1 && stage.homeserver.shown().len() == 1
    })
    .await;
    stage.pass(std::time::Duration::from_secs(2)).await;
    stage.begin(cut).await;

    let (asked, _) = stage.network.envelopes()[0].clone();
    for emoji in [THUMB, HEART] {
        stage.network.contact_says(reacts(&asked, Some(emoji)));
        died |= reach(&mut stage, emoji, |stage| stands(&stage.homeserver, &[emoji])).await;
    }
    stage.network.contact_says(reacts(&asked, None));
    died |= reach(&mut stage, "no reaction", |stage| stands(&stage.homeserver, &[])).await;

    let said = stage.homeserver.shown_ids()[0].clone();
    let on_screen = |stage: &Stage| stage.network.contact.lock().unwrap().reactions.clone();
    let mut last = None;
    for emoji in [THUMB, HEART] {
        let event = stage.reaction(&room, &said, emoji);
        died |= deliver(&mut stage, &mut number, &event).await;
        let seen = |stage: &Stage| on_screen(stage).values().eq([emoji]);
        died |= reach(&mut stage, emoji, seen).await;
        last = Some(id_of(&event));
    }
    let event = stage.redaction(&room, &last.unwrap());
    died |= deliver(&mut stage, &mut number, &event).await;
    died |= reach(&mut stage, "nothing", |stage| on_screen(stage).is_empty()).await;
    for _ in 0..2 {
        // What is still to be written (deliveries, receipts) may be the cut.
        stage.pass(std::time::Duration::from_secs(2)).await;
        if stage.is_dead() {
            died = true;
            stage.begin(Cut::Never).await;
        }
    }

    assert!(stage.set_aside.lock().unwrap().is_empty(), "{cut:?}");
    assert_eq!(stage.network.unacknowledged(), 0, "{cut:?}");
    // The contact's two, and the first one of the person, which the second one replaced.
    let redacted = stage.homeserver.redacted();
    let mut unique = redacted.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((redacted.len(), unique.len()), (3, 3), "{cut:?}: {redacted:?}");
    assert_eq!(stage.homeserver.shown(), ["yes"], "{cut:?}: no notices");
    let mut sent: Vec<_> = stage.network.envelopes();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 4, "{cut:?}: a text, two reactions, none, each in one form");
    died
}

/// The story writes about so often; more cuts than that change nothing.
const WRITES: Range<u64> = 15..60;

#[tokio::test(flavor = "multi_thread")]
async fn reactions_survive_a_death_before_every_write() {
    at_every_write(Cut::Before, WRITES, check).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_survive_a_death_after_every_write() {
    at_every_write(Cut::After, WRITES, check).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_and_a_reaction_that_cannot_be_read_are_sent_again() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.contact_writes("tea?");
    stage.until("a text", || stage.homeserver.shown() == ["tea?"]).await;
    let tea = stage.homeserver.shown_ids()[0].clone();
    let answer = stage.answer(&room, &tea, "yes");
    stage.push(vec![answer], &[]).await;
    stage.until("the answer", || stage.screen() == ["yes"]).await;
    let quoted = Some(RemoteMessageId("C1".to_owned()));
    assert_eq!(stage.network.contact.lock().unwrap().answers, std::slice::from_ref(&quoted));
    let events = [stage.answer(&room, &tea, "with milk"), stage.reaction(&room, &tea, THUMB)];
    let reaction = id_of(&events[1]);
    let taken_back = stage.redaction(&room, &reaction);
    for (number, event) in events.into_iter().chain([taken_back]).enumerate() {
        // The contact writes, so that the session is a settled one, and forgets it.
        stage.network.contact_writes("and then?");
        stage.until("a text", || stage.homeserver.shown().len() == number + 2).await;
        stage.network.contact.lock().unwrap().lose_session();
        stage.push(vec![event], &[]).await;
        let understood = || stage.network.contact.lock().unwrap().understood;
        stage.until("a try", || !understood()).await;
        let (id, _) = stage.network.envelopes().pop().unwrap();
        stage.network.post_receipt(id.clone(), InboundReceiptKind::Retry { count: 1 });
        stage.until("it again", understood).await;
        assert!(stage.network.envelopes().pop().unwrap().0 == id, "{number}");
        let contact = stage.network.contact.lock().unwrap();
        assert_eq!(contact.screen, ["yes", "with milk"]);
        assert_eq!(contact.answers, [quoted.clone(), quoted.clone()]);
        let reaction = contact.reactions.get(&RemoteMessageId("C1".to_owned()));
        assert_eq!(reaction.map(String::as_str), (number == 1).then_some(THUMB));
    }
}

/// Relations are in the clear in every room, so most clients send reactions in the clear; one that
/// encrypts is understood as well.
#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_reaction_is_a_reaction() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.contact_writes("tea?");
    stage.until("a text", || stage.homeserver.shown() == ["tea?"]).await;
    let tea = stage.homeserver.shown_ids()[0].clone();
    let relation = json!({"rel_type": "m.annotation", "event_id": tea, "key": THUMB});
    let content = json!({"room_key": "k0", "plain_type": "m.reaction",
        "plain": {"m.relates_to": relation}});
    let event = stage.event(&room, "m.room.encrypted", &content);
    stage.push(vec![event], &[]).await;
    let seen = || stage.network.contact.lock().unwrap().reactions.len() == 1;
    stage.until("the reaction", seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_nothing_known_is_told() {
    let (mut stage, room) = Stage::connected().await;
    let unknown = EventId::parse("$elsewhere").unwrap();
    let events = vec![
        stage.reaction(&room, &unknown, THUMB),
        stage.answer(&room, &unknown, "alone"),
        stage.redaction(&room, &unknown),
    ];
    stage.push(events, &[]).await;
    stage.until("the answer", || stage.screen() == ["alone"]).await;
    stage.until("notices", || stage.homeserver.shown().len() == 2).await;
    let shown = stage.homeserver.shown();
    assert!(shown[0].contains("does not see your reaction"), "{shown:?}");
    assert!(shown[1].contains("without a quotation"), "{shown:?}");

    let nowhere = RemoteMessageId("nowhere".to_owned());
    stage.network.contact_says(reacts(&nowhere, None));
    stage.network.contact_says(reacts(&nowhere, Some(HEART)));
    stage.until("a sentence", || stage.homeserver.shown().len() == 3).await;
    assert!(stage.homeserver.shown()[2].contains(HEART));
    assert!(stage.homeserver.redacted().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_corrects_and_deletes_their_own_messages_only() {
    let (mut stage, room) = Stage::connected().await;
    let event = stage.text(&room, "mine");
    stage.push(vec![event], &[]).await;
    stage.until("the text", || stage.screen().len() == 1).await;
    let (mine, _) = stage.network.envelopes()[0].clone();
    stage.network.contact_writes("frist");
    stage.network.contact_says(message::encode_edit(&own("C1"), "first", 1).unwrap());
    stage.until("the edit", || stage.homeserver.shown() == ["frist", "* first"]).await;
    let frist = stage.homeserver.shown_ids()[0].clone();
    let edit = stage.homeserver.sends().pop().unwrap().content["plain"].clone();
    assert_eq!(edit["m.new_content"], json!({"msgtype": "m.text", "body": "first"}));
    assert_eq!(edit["m.relates_to"], json!({"rel_type": "m.replace", "event_id": frist}));
    stage.network.contact_says(message::encode_deletion(&own("C1")).unwrap());
    stage.until("the deletion", || stage.homeserver.redacted() == [frist.as_str()]).await;

    // What the person wrote stays as they wrote it.
    stage.network.contact_says(message::encode_edit(&own(&mine.0), "yours", 1).unwrap());
    stage.until("a message", || stage.homeserver.shown().len() == 3).await;
    stage.network.contact_says(message::encode_deletion(&own(&mine.0)).unwrap());
    stage.until("a notice", || stage.homeserver.shown().len() == 4).await;
    let shown = stage.homeserver.shown();
    assert_eq!(shown[2], "\u{270f}\u{fe0f} yours");
    assert!(shown[3].contains("deleted a message"), "{shown:?}");
    stage.pass(std::time::Duration::from_secs(2)).await;
    assert_eq!(stage.homeserver.redacted(), [frist.as_str()]);
    assert_eq!(stage.network.unacknowledged(), 0);
}

/// The contact chooses the ids of their messages. One that is called as a message of the person must
/// not bring the ghost, which has the power, to redact that.
#[tokio::test(flavor = "multi_thread")]
async fn a_borrowed_id_deletes_nothing_of_the_person() {
    let (mut stage, room) = Stage::connected().await;
    let event = stage.text(&room, "mine");
    stage.push(vec![event], &[]).await;
    stage.until("the text", || stage.screen().len() == 1).await;
    let (mine, _) = stage.network.envelopes()[0].clone();
    stage.network.post(stage.network.encrypted(Some(&mine.0), reacts(&mine, Some(THUMB))));
    stage.until("a reaction", || stands(&stage.homeserver, &[THUMB])).await;
    stage.network.contact_says(reacts(&mine, Some(HEART)));
    stage.until("another", || stands(&stage.homeserver, &[HEART])).await;
    let reaction = stage.homeserver.sends().into_iter().find(|it| it.event_type == "m.reaction");
    let reaction = format!("$sent-{}", reaction.unwrap().transaction_id);
    assert_eq!(stage.homeserver.redacted(), [reaction]);
}

/// 65,536 characters do not fit into an event. What is about such a message is about all of its events.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_is_corrected_and_deleted_as_a_whole() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.contact_writes(&"word ".repeat(12_000));
    stage.until("all of it", || stage.homeserver.shown().len() > 2).await;
    stage.until("taken", || stage.network.unacknowledged() == 0).await;
    stage.pass(std::time::Duration::from_secs(2)).await;
    let parts: Vec<String> = stage.homeserver.shown_ids().iter().map(ToString::to_string).collect();
    let (last, before) = parts.split_last().unwrap();
    // Each part stands for the message.
    let first = EventId::parse(&before[0]).unwrap();
    let answer = stage.answer(&room, &first, "so much?");
    stage.push(vec![answer], &[]).await;
    stage.until("an answer", || stage.screen() == ["so much?"]).await;
    let quoted = Some(RemoteMessageId("C1".to_owned()));
    assert_eq!(stage.network.contact.lock().unwrap().answers, [quoted]);

    stage.network.contact_says(message::encode_edit(&own("C1"), "short", 1).unwrap());
    stage.until("the edit", || stage.homeserver.shown().len() == parts.len() + 1).await;
    let edit = stage.homeserver.contents().pop().unwrap();
    assert_eq!(edit["m.relates_to"]["event_id"], **last);
    stage.until("the rest gone", || stage.homeserver.redacted() == before).await;
    // Once more, and the whole.
    stage.network.contact_says(message::encode_edit(&own("C1"), "shorter", 2).unwrap());
    stage.until("the edit", || stage.homeserver.shown().len() == parts.len() + 2).await;
    stage.network.contact_says(message::encode_deletion(&own("C1")).unwrap());
    stage.until("all gone", || stage.homeserver.redacted() == parts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_long_message_deletes_every_part() {
    let (stage, _) = Stage::connected().await;
    stage.network.contact_writes(&"word ".repeat(12_000));
    stage.network.contact_says(message::encode_deletion(&own("C1")).unwrap());
    stage.until("a deletion", || stage.homeserver.redacted().len() > 2).await;
    stage.until("taken", || stage.network.unacknowledged() == 0).await;
    let shown = stage.homeserver.shown_ids();
    let shown: Vec<String> = shown.iter().map(ToString::to_string).collect();
    assert_eq!(stage.homeserver.redacted(), shown);
}

/// Whoever was offline gets everything at once: what is about a message waits for the message.
#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_together_keeps_its_relations() {
    let (stage, _) = Stage::connected().await;
    stage.homeserver.trouble(Some(Trouble::Later));
    stage.network.contact_writes("one");
    let answered = Quote { id: "C1".to_owned(), sender: None, text: Some("one".to_owned()) };
    stage.network.contact_says(message::encode_reply("two", &answered).unwrap());
    stage.network.contact_says(message::encode_edit(&own("C2"), "three", 1).unwrap());
    stage.network.contact_says(reacts(&RemoteMessageId("C1".to_owned()), Some(HEART)));
    stage.network.contact_says(message::encode_deletion(&own("C2")).unwrap());
    stage.pass(std::time::Duration::from_secs(10)).await;
    assert!(stage.homeserver.sends().is_empty());
    stage.homeserver.trouble(None);
    stage.until("the last", || stage.homeserver.redacted().len() == 1).await;
    assert_eq!(stage.homeserver.shown(), ["one", "two", "* three"]);
    let ids = stage.homeserver.shown_ids();
    assert_eq!(stage.homeserver.reactions(), [(ids[0].to_string(), HEART.to_owned())]);
    assert_eq!(stage.homeserver.redacted(), [ids[1].as_str()]);
    let relations: Vec<_> = stage
        .homeserver
        .sends()
        .into_iter()
        .map(|sent| sent.content["plain"]["m.relates_to"].clone())
        .filter(|relation| !relation.is_null())
        .collect();
    let expected = [
        json!({"m.in_reply_to": {"event_id": ids[0]}}),
        json!({"rel_type": "m.replace", "event_id": ids[1]}),
    ];
    assert_eq!(relations, expected);
}

fn edit(stage: &mut Stage, room: &OwnedRoomId, of: &EventId, text: &str) -> Value {
    let content = json!({"msgtype": "m.text", "body": format!("* {text}"),
        "m.new_content": {"msgtype": "m.text", "body": text},
        "m.relates_to": {"rel_type": "m.replace", "event_id": of}});
    stage.event(room, "m.room.encrypted", &json!({"room_key": KEY, "plain": content}))
}

/// The profile of the network says whether it has edits and deletions.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_network_has_edits_and_deletions_the_contact_sees_them() {
    let (mut stage, room) = Stage::connected().await;
    *stage.network.capabilities.lock().unwrap() = Capabilities { edits: true, deletions: true };
    let sent = stage.text(&room, "frist");
    stage.push(vec![sent.clone()], &[]).await;
    stage.until("a text", || stage.screen() == ["frist"]).await;
    let changed = edit(&mut stage, &room, &id_of(&sent), "first");
    stage.push(vec![changed], &[]).await;
    stage.until("the edit", || stage.screen() == ["first"]).await;
    // The network's apps drop an edit that comes too late.
    stage.clock.advance(limits::EDIT_WINDOW);
    let late = edit(&mut stage, &room, &id_of(&sent), "1st");
    stage.push(vec![late], &[]).await;
    let marked = "\u{270f}\u{fe0f} 1st";
    stage.until("the edit", || stage.screen() == ["first", marked]).await;
    stage.until("a notice", || stage.homeserver.shown().len() == 1).await;
    let deletion = stage.redaction(&room, &id_of(&sent));
    stage.push(vec![deletion], &[]).await;
    stage.until("the deletion", || stage.screen() == [marked]).await;
    stage.pass(std::time::Duration::from_secs(2)).await;
    assert_eq!(stage.homeserver.shown().len(), 1, "nothing more to tell");
}

/// What the network refused cannot be changed: the contact has never had it.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_what_was_refused_is_a_message() {
    let (mut stage, room) = Stage::connected().await;
    *stage.network.capabilities.lock().unwrap() = Capabilities { edits: true, deletions: true };
    stage.network.refuse("not now");
    let sent = stage.text(&room, "frist");
    stage.push(vec![sent.clone()], &[]).await;
    stage.until("a notice", || stage.homeserver.shown().len() == 1).await;
    stage.network.refuse_no_more();
    let again = edit(&mut stage, &room, &id_of(&sent), "first");
    stage.push(vec![again], &[]).await;
    stage.until("the text", || stage.screen() == ["first"]).await;
}

/// An edit is a message that quotes the old one; of what never left, the contact gets the new text
/// alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_sent_as_what_the_contact_needs() {
    let (mut stage, room) = Stage::connected().await;
    let too_long = stage.text(&room, &"x".repeat(70_000));
    let sent = stage.text(&room, "frist");
    stage.push(vec![too_long.clone(), sent.clone()], &[]).await;
    stage.until("a text", || stage.screen() == ["frist"]).await;
    let (first, _) = stage.network.envelopes()[0].clone();
    let events = [(&too_long, "short"), (&sent, "first")]
        .map(|(event, text)| edit(&mut stage, &room, &id_of(event), text));
    stage.push(events.to_vec(), &[]).await;
    let marked = "\u{270f}\u{fe0f} first";
    stage.until("the edits", || stage.screen() == ["frist", "short", marked]).await;
    let answers = stage.network.contact.lock().unwrap().answers.clone();
    assert_eq!(answers, [None, None, Some(first)]);
    stage.until("notices", || stage.homeserver.shown().len() == 2).await;
    assert!(stage.homeserver.shown()[0].contains("70000 characters"));
    assert!(stage.homeserver.shown()[1].contains("knows no edits"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_is_told_even_if_its_first_sign_is_a_reaction() {
    let (mut stage, room) = Stage::connected().await;
    let event = stage.text(&room, "hello?");
    stage.push(vec![event], &[]).await;
    stage.until("a text", || stage.screen().len() == 1).await;
    stage.network.contact_writes("hi");
    stage.until("an answer", || stage.homeserver.shown() == ["hi"]).await;
    let (hello, _) = stage.network.envelopes()[0].clone();
    stage.network.contact.lock().unwrap().reinstall(12);
    stage.network.contact_says(reacts(&hello, Some(HEART)));
    stage.until("a reaction", || stands(&stage.homeserver, &[HEART])).await;
    stage.until("a notice", || stage.homeserver.shown().len() == 2).await;
    assert!(stage.homeserver.shown()[1].contains("security keys have changed"));
}

/// A message that shows nothing moves the session to the new key all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_is_told_even_if_its_first_sign_is_nothing_to_see() {
    let (mut stage, room) = Stage::connected().await;
    let event = stage.text(&room, "hello?");
    stage.push(vec![event], &[]).await;
    stage.until("a text", || stage.screen().len() == 1).await;
    stage.network.contact_writes("hi");
    stage.until("an answer", || stage.homeserver.shown() == ["hi"]).await;
    stage.network.contact.lock().unwrap().reinstall(12);
    stage.network.contact_writes("");
    stage.until("a notice", || stage.homeserver.shown().len() == 2).await;
    assert!(stage.homeserver.shown()[1].contains("security keys have changed"));
    stage.network.contact_writes("it is me");
    stage.until("a text", || stage.homeserver.shown().len() == 3).await;
}

/// Others in the room, reactions that were replaced and messages of the contact.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_person_takes_their_reaction_back_and_only_the_current_one() {
    let (mut stage, room) = Stage::connected().await;
    stage.network.contact_writes("tea?");
    stage.until("a text", || stage.homeserver.shown() == ["tea?"]).await;
    let tea = stage.homeserver.shown_ids()[0].clone();
    let [first, second] = [THUMB, HEART].map(|emoji| stage.reaction(&room, &tea, emoji));
    stage.push(vec![first.clone(), second.clone()], &[]).await;
    let mut foreign = stage.redaction(&room, &id_of(&second));
    foreign["sender"] = json!("@mallory:example.org");
    let events = vec![
        foreign,
        stage.redaction(&room, &id_of(&first)),
        stage.redaction(&room, &tea),
        stage.text(&room, "done"),
    ];
    stage.push(events, &[]).await;
    stage.until("the last", || stage.screen() == ["done"]).await;
    let reactions = stage.network.contact.lock().unwrap().reactions.clone();
    assert!(reactions.values().eq([HEART]), "{reactions:?}");
    assert_eq!(stage.homeserver.shown(), ["tea?"], "no notices");
}
