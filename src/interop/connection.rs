//! One logged-in connection: a task that reads, one that writes, one that asks whether the server is
//! still there.
//!
//! Every queue has a limit. When the receiver of what came in is slow, the reader waits for it, so
//! the network holds the rest back; nothing is dropped. Whatever ends one of the tasks ends all.

mod keepalive;
mod reading;
mod writing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use causeway_wire::{
    jid::{Jid, JidForm},
    node::{self, Content, Node},
    noise::{Opener, Sealer},
    stanza::{AckClass, AckStanza, IqBody, IqError, IqStanza, Query},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    profile::Patience,
    requests::{Ticket, Waiting},
    transport::{FrameReader, FrameWriter},
};
use crate::{
    domain::ids::LoginId,
    port::{Clock, Failure, network::Inbound},
};

/// Stanzas that may wait to be written.
pub(super) const OUTGOING_MAX: usize = 64;
/// Stanzas that may wait for the receiver of what comes in; the next one makes the reader wait.
pub(super) const INCOMING_MAX: usize = 64;
/// How long a closing connection may take to write what waits.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// What the tasks and the link of one connection share.
pub(super) struct Connection {
    pub(super) login: LoginId,
    /// Our own address.
    pub(super) me: Jid,
    pub(super) form: JidForm,
    pub(super) patience: Patience,
    clock: Arc<dyn Clock>,
    /// Precedes the number in the ids of our questions, so that no two connections share one.
    id_prefix: String,
    asked: AtomicU64,
    outgoing: mpsc::Sender<Vec<u8>>,
    answers: Waiting<IqStanza>,
    acks: Waiting<AckStanza>,
    /// Counts the frames that came: proof that the server is there.
    heard: AtomicU64,
    /// Set while the reader waits for the receiver: then silence is not the server's.
    held_back: AtomicBool,
    /// Cancelled when the connection is over.
    pub(super) over: CancellationToken,
    tasks: TaskTracker,
}

/// What a connection is made of.
pub(super) struct Parts {
    pub(super) login: LoginId,
    pub(super) me: Jid,
    pub(super) form: JidForm,
    pub(super) patience: Patience,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) id_prefix: String,
    pub(super) reader: FrameReader,
    pub(super) writer: FrameWriter,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

impl Connection {
    /// Starts the tasks. They end when `over` is cancelled.
    pub(super) fn start(parts: Parts) -> (Arc<Self>, mpsc::Receiver<Inbound>) {
        let (outgoing, to_write) = mpsc::channel(OUTGOING_MAX);
        let (deliver, inbound) = mpsc::channel(INCOMING_MAX);
        let connection = Arc::new(Self {
            login: parts.login,
            me: parts.me,
            form: parts.form,
            patience: parts.patience,
            clock: parts.clock,
            id_prefix: parts.id_prefix,
            asked: AtomicU64::new(0),
            outgoing,
            answers: Waiting::new(),
            acks: Waiting::new(),
            heard: AtomicU64::new(0),
            held_back: AtomicBool::new(false),
            over: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let tasks = &connection.tasks;
        tasks.spawn(reading::run(connection.clone(), parts.reader, parts.opener, deliver));
        tasks.spawn(writing::run(connection.clone(), parts.writer, parts.sealer, to_write));
        tasks.spawn(keepalive::run(connection.clone()));
        tasks.close();
        (connection, inbound)
    }

    /// Asks the network something and waits for its answer.
    pub(super) async fn ask(&self, query: Query) -> Result<Result<Content, IqError>, Failure> {
        self.ask_within(query, self.patience.request).await
    }

    async fn ask_within(
        &self,
        query: Query,
        patience: Duration,
    ) -> Result<Result<Content, IqError>, Failure> {
        let iq = query.into_iq(self.next_id()).expect("we ask only what we can name");
        self.ask_iq(iq, patience).await
    }

    /// The same for a question that the wire has no name for; its id is from [`Self::next_id`].
    pub(super) async fn ask_iq(
        &self,
        iq: IqStanza,
        patience: Duration,
    ) -> Result<Result<Content, IqError>, Failure> {
        let ticket = self.answers.wait_for(&iq.id)?;
        let answer = self.exchange(iq.into_node(), ticket, patience).await?;
        answer
            .body
            .into_answer()
            .map_err(|error| Failure::later("an answer cannot be read").because(error))
    }

    /// Sends a stanza of `class` and waits until the network has taken it.
    pub(super) async fn deliver(
        &self,
        stanza: Node,
        class: &AckClass,
        id: &str,
    ) -> Result<AckStanza, Failure> {
        let ticket = self.acks.wait_for(&ack_key(class, id))?;
        self.exchange(stanza, ticket, self.patience.request).await
    }

    /// Sends a stanza; whether it arrived is not known.
    pub(super) async fn send(&self, packed: Vec<u8>) -> Result<(), Failure> {
        let sent = timeout(self.patience.request, self.outgoing.send(packed)).await;
        match sent {
            Ok(Ok(())) if !self.over.is_cancelled() => Ok(()),
            Ok(_) => Err(ended()),
            Err(_) => Err(Failure::later("the network takes no more stanzas")),
        }
    }

    pub(super) fn pack(&self, stanza: &Node) -> Result<Vec<u8>, Failure> {
        node::encode(stanza, self.form)
            .map_err(|error| Failure::never("a stanza cannot be written").because(error))
    }

    /// Ends the connection after writing what waits.
    pub(super) async fn close(&self) {
        self.over.cancel();
        if timeout(2 * GOODBYE, self.tasks.wait()).await.is_err() {
            tracing::warn!(login = self.login.0, "a connection did not end in time");
        }
    }

    /// An id that no other stanza of ours has.
    pub(super) fn next_id(&self) -> String {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.id_prefix)
    }

    async fn exchange<T>(
        &self,
        stanza: Node,
        mut ticket: Ticket<'_, T>,
        patience: Duration,
    ) -> Result<T, Failure> {
        let packed = self.pack(&stanza)?;
        let exchanged = async {
            self.send(packed).await?;
            tokio::select! {
                // The last thing that a connection brings may be an answer.
                biased;
                answer = ticket.answer() => answer.ok_or_else(ended),
                () = self.over.cancelled() => Err(ended()),
            }
        };
        timeout(patience, exchanged)
            .await
            .unwrap_or_else(|_| Err(Failure::later("the network did not answer in time")))
    }

    /// Hands an answer to who waits for it; gives back what is none.
    fn settle_iq(&self, iq: IqStanza) -> Option<IqStanza> {
        match iq.body {
            IqBody::Get { .. } | IqBody::Set { .. } => Some(iq),
            IqBody::Result(_) | IqBody::Error(_) => {
                let id = iq.id.clone();
                if !self.answers.answer(&id, iq) {
                    tracing::debug!(login = self.login.0, "an answer came too late");
                }
                None
            }
        }
    }

    fn settle_ack(&self, ack: AckStanza) {
        let key = ack_key(&ack.class, &ack.id);
        if !self.acks.answer(&key, ack) {
            tracing::debug!(login = self.login.0, "an acknowledgement that nobody waits for");
        }
    }

    /// Ends the connection and says why in the log.
    fn end(&self, why: &str) {
        if !self.over.is_cancelled() {
            tracing::info!(login = self.login.0, why, "the connection to the network is over");
            self.over.cancel();
        }
    }
}

fn ack_key(class: &AckClass, id: &str) -> String {
    format!("{}/{id}", class.as_str())
}

fn ended() -> Failure {
    Failure::later("the connection to the network is over")
}
