//! What contacts are called: what they call themselves, and not too many names in a row; and how a person names them
//! to the bot.

use std::time::Duration;

use causeway::{
    domain::{bridged::Ghost, ids::RemoteUser, limits},
    port::{Storage as _, storage::Change},
};
use serde_json::json;

use super::{
    contact::{Contact, SECOND_PHONE},
    stage::{MANAGEMENT_ROOM, Stage},
};

impl Stage {
    async fn hears_from(&self, name: &str) {
        name.clone_into(&mut self.network.contact.lock().unwrap().name);
        let before = self.homeserver.shown().len();
        self.network.contact_writes("hi");
        self.until("the text", || self.homeserver.shown().len() > before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_takes_its_contacts_name_once_a_change() {
    let (stage, _) = Stage::connected().await;
    assert_eq!(stage.homeserver.ghost_names(), ["WhatsApp contact"], "nobody else names them");
    for _ in 0..3 {
        stage.hears_from("Anna").await;
    }
    assert_eq!(stage.homeserver.ghost_names(), ["WhatsApp contact", "Anna"]);
    stage.hears_from("Anna Lind").await;
    // Somebody who changes it with each message is followed no faster than this.
    for name in ["A", "B", "C"] {
        stage.hears_from(name).await;
    }
    assert_eq!(stage.homeserver.ghost_names(), ["WhatsApp contact", "Anna", "Anna Lind"]);
    stage.pass(limits::RENAMING_PAUSE).await;
    stage.hears_from("C").await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.homeserver.ghost_names(), ["WhatsApp contact", "Anna", "Anna Lind", "C"]);
}

/// The Matrix user who stands for somebody.
fn matrix_user(stage: &Stage, user: &RemoteUser) -> String {
    format!("@wa_{}:example.org", stage.ports().namer.ghost_key(user).0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_without_a_name_is_named_and_taken_by_what_matrix_has_for_them() {
    let (stage, room) = Stage::connected().await;
    let user = matrix_user(&stage, &Contact::user());
    let list = stage.ask("contacts").await;
    assert!(list.ends_with(&format!("- {user} – you write to each other")), "{list}");
    for typed in [
        user.clone(),
        format!("`{user}`"),
        format!("<{user}>"),
        format!("https://matrix.to/#/{user}"),
        format!("https://matrix.to/#/{}", user.replace('@', "%40").replace(':', "%3A")),
        format!("[somebody](https://matrix.to/#/{user})"),
        format!("matrix:u/{}", user.trim_start_matches('@')),
        room.to_string(),
        format!("https://matrix.to/#/{room}?via=example.org"),
        "+33 6 12 34 56 78".to_owned(),
    ] {
        let paused = stage.ask(&format!("pause {typed}")).await;
        assert!(paused.starts_with(&format!("{user}: paused.")), "{typed}: {paused}");
        let resumed = stage.ask(&format!("resume {typed}")).await;
        assert!(resumed.starts_with(&format!("{user}: you hear")), "{typed}: {resumed}");
    }
    let other = matrix_user(&stage, &RemoteUser("nobody".to_owned()));
    assert!(stage.ask(&format!("pause {other}")).await.contains("no contact of yours"));
    stage.hears_from("Anna").await;
    assert!(stage.ask(&format!("pause {user}")).await.starts_with("Anna: paused."));
    assert!(stage.ask("resume ANNA").await.starts_with("Anna: you hear"));
    assert!(stage.ask("consent").await.contains("you paused Anna"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_namesakes_the_person_is_asked_which_one() {
    let (stage, _) = Stage::connected().await;
    stage.hears_from("Anna").await;
    stage.ask("start +33 6 11 11 11 11").await;
    let remote = RemoteUser(format!("{SECOND_PHONE}@s.whatsapp.net"));
    let users = [Contact::user(), remote.clone()].map(|user| matrix_user(&stage, &user));
    let key = stage.ports().namer.ghost_key(&remote);
    let named = Ghost { key, remote, display_name: Some("anna".to_owned()), prepared: true };
    stage.storage().commit(vec![Change::GhostSaved(named)]).await.unwrap();

    let list = stage.ask("contacts").await;
    let asked = stage.ask("pause Anna").await;
    assert!(asked.starts_with("Several contacts have that name") && asked.contains("`pause`"));
    for (user, name) in users.iter().zip(["Anna", "anna"]) {
        assert!(list.contains(&format!("- {name} ({user}) – you write")), "{list}");
        assert!(asked.contains(&format!("- {user} – you write")), "{asked}");
    }
    assert!(stage.ask(&format!("pause {}", users[1])).await.starts_with("anna: paused."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_that_a_client_wrote_is_understood_and_answered_with_one() {
    let (mut stage, _) = Stage::connected().await;
    stage.has_management_room().await;
    let user = matrix_user(&stage, &Contact::user());
    let link = format!("<a href=\"https://matrix.to/#/{user}\">");
    let pill = json!({"msgtype": "m.text", "body": "pause WhatsApp contact",
        "format": "org.matrix.custom.html", "formatted_body": format!("pause {link}WhatsApp contact</a>")});
    let room = MANAGEMENT_ROOM.try_into().unwrap();
    let event = stage.event(&room, "m.room.message", &pill);
    stage.push(vec![event], &[]).await;
    stage.until("the answer", || !stage.homeserver.shown().is_empty()).await;
    let answer = stage.homeserver.contents().remove(0);
    assert!(answer["body"].as_str().unwrap().starts_with(&format!("{user}: paused.")), "{answer}");
    let html = answer["formatted_body"].as_str().unwrap();
    assert!(html.starts_with(&format!("{link}{user}</a>: paused.")), "{html}");
}
