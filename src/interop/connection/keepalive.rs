//! The task that notices a server that has fallen silent (network facts 3.5).

use std::sync::{Arc, atomic::Ordering};

use causeway_wire::stanza::Query;
use tokio::time::sleep;

use super::Connection;

pub(super) async fn run(connection: Arc<Connection>) {
    let pinging = async {
        loop {
            sleep(connection.patience.keepalive).await;
            let heard = connection.heard.load(Ordering::Relaxed);
            // A refused ping is an answer, too.
            let answered = connection.ask_within(Query::Ping, connection.patience.silence).await;
            let silent = connection.heard.load(Ordering::Relaxed) == heard
                && !connection.held_back.load(Ordering::Relaxed);
            if answered.is_err() && silent {
                return;
            }
        }
    };
    tokio::select! {
        () = pinging => connection.end("the network has fallen silent"),
        () = connection.over.cancelled() => {}
    }
}
