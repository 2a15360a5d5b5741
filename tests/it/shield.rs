//! What a client shows beside a message, and that the check for it can fail. This is the reason for
//! giving each ghost its own cross-signed device (matrix facts 0): with one device for all ghosts, as
//! bridges commonly have, ordinary clients show a red shield and strict ones show no message at all.

use anyhow::{Result, ensure};

use crate::support::{
    ghost::{self, Ghost},
    matrix_client::{Person, Shield, must_be_clean},
    place::RunFolder,
    synapse::Synapse,
    wait::{PATIENCE, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_under_another_ghosts_device_is_red_or_not_readable() -> Result<()> {
    let mut run = RunFolder::new("shield")?;
    let told = async {
        let synapse = Synapse::start(&run, Some(&ghost::registration(&run)?)).await?;
        let ghost = Ghost::appear(&synapse, "one").await?;
        let other = Ghost::appear(&synapse, "other").await?;
        let strict = Person::join(&synapse, "strict").await?;
        let ordinary = Person::join_with_ordinary_client(&synapse, "ordinary").await?;

        for person in [&strict, &ordinary] {
            let chat = person.create_chat_with(ghost.id()).await?;
            ghost.joins(chat.room_id()).await?;
            person.sees_member(&chat, ghost.id()).await?;
            ghost.says_as(&ghost, chat.room_id(), person.id(), "under my own device").await?;
            must_be_clean(&person.reads(chat.room_id(), "under my own device").await?)?;
            other.says_as(&ghost, chat.room_id(), person.id(), "under another's device").await?;
        }

        let chat = ordinary.only_room()?;
        let read = ordinary.reads(&chat, "under another's device").await?;
        ensure!(matches!(read.shield, Shield::Red(_)), "an ordinary client shows {read:?}");
        ensure!(must_be_clean(&read).is_err(), "the check for a shield cannot fail");

        let chat = strict.only_room()?;
        until("the strict client to refuse the message", PATIENCE, || async {
            let refused = strict.saw(&chat).iter().any(|message| message.unreadable.is_some());
            Ok(refused.then_some(()))
        })
        .await
    };
    let told = told.await;
    run.report(told)
}
