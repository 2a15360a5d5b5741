//! The reading task.

use std::sync::{Arc, atomic::Ordering};

use causeway_wire::{
    node::{self, Node},
    noise::Opener,
    stanza::Stanza,
};
use tokio::sync::mpsc;

use super::{Connection, FrameReader};
use crate::{
    interop::inbound::{self, Context, Turn},
    port::{Failure, network::Inbound},
};

pub(super) async fn run(
    connection: Arc<Connection>,
    mut reader: FrameReader,
    mut opener: Opener,
    deliver: mpsc::Sender<Inbound>,
) {
    let reading = async {
        loop {
            match read_one(&connection, &mut reader, &mut opener, &deliver).await {
                Ok(None) => {}
                Ok(Some(why)) => return why,
                Err(error) => {
                    tracing::debug!(login = connection.login.0, ?error, "reading failed");
                    return error.to_string();
                }
            }
        }
    };
    tokio::select! {
        why = reading => connection.end(&why),
        () = connection.over.cancelled() => {}
    }
}

/// Reads one stanza and does what it says; why the connection is over, if it is.
async fn read_one(
    connection: &Connection,
    reader: &mut FrameReader,
    opener: &mut Opener,
    deliver: &mpsc::Sender<Inbound>,
) -> Result<Option<String>, Failure> {
    let Some(frame) = reader.next().await? else {
        return Ok(Some("the network hung up".to_owned()));
    };
    connection.heard.fetch_add(1, Ordering::Relaxed);
    let packed = opener
        .decrypt(&frame)
        .map_err(|error| Failure::later("a frame does not authenticate").because(error))?;
    let node = match node::decode(&packed) {
        Ok(node) => node,
        Err(error) => {
            // The channel is intact, so this spoils only one stanza; whatever it was, it comes
            // again on the next connection.
            tracing::warn!(login = connection.login.0, %error, "a stanza cannot be unpacked");
            return Ok(None);
        }
    };
    let stanza = match Stanza::parse(node) {
        Stanza::Ack(ack) => {
            connection.settle_ack(ack);
            return Ok(None);
        }
        Stanza::Iq(iq) => match connection.settle_iq(iq) {
            Some(query) => Stanza::Iq(query),
            None => return Ok(None),
        },
        other => other,
    };
    let context =
        Context { me: &connection.me, form: connection.form, now: connection.clock.now() };
    match inbound::read(stanza, &context) {
        Turn::HandOn(inbound) => hand_on(connection, deliver, inbound).await,
        Turn::HandOnAnswered(inbound, answer) => {
            send(connection, &answer).await?;
            hand_on(connection, deliver, inbound).await
        }
        Turn::Answer(answer) => send(connection, &answer).await.map(|()| None),
        Turn::Ignore(what) => {
            tracing::debug!(login = connection.login.0, what, "ignored a stanza");
            Ok(None)
        }
        Turn::End(why) => Ok(Some(why)),
        Turn::EndTelling(inbound, why) => {
            hand_on(connection, deliver, inbound).await?;
            Ok(Some(why))
        }
    }
}

async fn hand_on(
    connection: &Connection,
    deliver: &mpsc::Sender<Inbound>,
    inbound: Inbound,
) -> Result<Option<String>, Failure> {
    connection.held_back.store(true, Ordering::Relaxed);
    let taken = deliver.send(inbound).await;
    connection.held_back.store(false, Ordering::Relaxed);
    Ok(taken.is_err().then(|| "nobody takes what comes in".to_owned()))
}

async fn send(connection: &Connection, answer: &Node) -> Result<(), Failure> {
    connection.send(connection.pack(answer)?).await
}
