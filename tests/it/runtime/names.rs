//! What contacts are called: what they call themselves, and not too many names in a row.

use std::time::Duration;

use causeway::domain::limits;

use super::stage::Stage;

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
