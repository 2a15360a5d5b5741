//! A first session with the bot, as somebody would have it who knows nothing but `help`.

use serde_json::json;

use super::{
    homeserver::PERSON,
    stage::{KEY, Stage},
};
use crate::transcript::{SESSION, Step, Transcript};

async fn talks(stage: &mut Stage) {
    let room = stage.homeserver.invites().remove(0);
    stage.homeserver.set_member(&room, PERSON, "join");
    let joined = json!({"type": "m.room.member", "room_id": room, "sender": PERSON, "state_key": PERSON,
        "event_id": "$joined", "content": {"membership": "join"}});
    let text = stage.text(&room, "hello");
    stage.push(vec![joined, text], &[KEY]).await;
    stage.until("it to arrive", || stage.screen() == ["hello"]).await;
    stage.network.contact_writes("hi");
    stage.until("the answer", || stage.homeserver.shown() == ["hi"]).await;
    stage.until("its receipt", || stage.network.receipts() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_hold_a_first_session_with_the_bot() {
    let mut stage = Stage::new().await;
    let mut told = Transcript::new();
    for (thought, step) in SESSION {
        match step {
            Step::Asks(typed) => {
                told.asked(thought, typed, &stage.ask(typed).await, "example.org");
            }
            Step::Talks => {
                talks(&mut stage).await;
                told.did(thought);
            }
        }
    }
    if std::env::var_os("CAUSEWAY_BLESS").is_some() {
        told.write().unwrap();
    }
    told.check().unwrap();
}
