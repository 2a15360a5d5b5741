//! One logged-in connection: reads stanzas and answers them, and sends what the mailbox holds, oldest first. Faults of
//! delivery happen here. It must not know what stanzas mean; that is `dispatch`'s business.

use std::{sync::Arc, time::Duration};

use causeway_wire::{
    node::{Content, Node},
    stanza::{IbItem, IbStanza, OfflinePreview, StreamError, SuccessStanza},
};

use super::{
    dispatch,
    handshake::{ChannelError, ChannelReader, ChannelWriter},
    reaction::{End, Reaction},
    render, typing,
};
use crate::{
    causes::Causes,
    clock,
    faults::{self, Fault},
    limits::{IDLE_TIME_MAX, OUTGOING_QUEUE_MAX},
    network::{Attachment, Network, Order},
    router::Sign,
    world::{AccountId, DeviceKey, Entry, View, mailbox::Item},
};

/// Why a session ends.
enum Ending {
    /// The peer is gone, or the emulator stops.
    Gone,
    /// Say this, then close.
    Saying(Node),
    /// Close without a word.
    Closing,
    /// Keep the socket and do nothing with it.
    HalfOpen,
}

impl From<ChannelError> for Ending {
    fn from(error: ChannelError) -> Self {
        tracing::debug!(error = %Causes(&error), "a connection ended");
        Self::Gone
    }
}

struct Session<'a> {
    network: &'a Network,
    key: DeviceKey,
    writer: ChannelWriter,
    active: bool,
    /// Entries below this were sent on this connection.
    cursor: u64,
    /// Entries below this waited when the connection was made.
    offline_below: u64,
    offline_count: u32,
    offline_reported: bool,
    /// An entry that lets the next one pass.
    held: Option<Entry>,
}

/// Serves a device until its connection ends.
pub(crate) async fn run(
    network: &Arc<Network>,
    key: DeviceKey,
    passive: bool,
    reader: ChannelReader,
    writer: ChannelWriter,
) {
    let attachment = network.attach(key);
    let serial = attachment.serial;
    let session = Session {
        network: network.as_ref(),
        key,
        writer,
        active: !passive,
        cursor: 0,
        offline_below: 0,
        offline_count: 0,
        offline_reported: false,
        held: None,
    };
    Box::pin(session.serve(reader, attachment)).await;
    network.detach(key, serial);
    // What came between the last look at the mailbox and now must not wait for the next activity.
    let waits = network.with(|world| world.device(key).is_some_and(|d| d.mailbox.len() > 0));
    if waits && !network.is_connected(key) {
        network.wake(key);
    }
}

impl Session<'_> {
    async fn serve(mut self, mut reader: ChannelReader, mut attachment: Attachment) {
        let ending = match self.greet().await {
            Ok(()) => self.converse(&mut reader, &mut attachment).await,
            Err(error) => error.into(),
        };
        match ending {
            Ending::Gone => {}
            Ending::Closing => self.writer.close().await,
            Ending::Saying(node) => {
                if self.writer.send(&node).await.is_ok() {
                    self.writer.close().await;
                }
            }
            Ending::HalfOpen => {
                // The socket stays open until somebody gives up; nothing more is read from or written to it.
                tokio::select! {
                    () = tokio::time::sleep(IDLE_TIME_MAX) => {}
                    () = self.network.stop.cancelled() => {}
                    _ = attachment.orders.recv() => {}
                }
            }
        }
    }

    async fn converse(
        &mut self,
        reader: &mut ChannelReader,
        attachment: &mut Attachment,
    ) -> Ending {
        loop {
            let deadline = tokio::time::sleep(IDLE_TIME_MAX);
            let step = tokio::select! {
                biased;
                () = self.network.stop.cancelled() => return Ending::Closing,
                order = attachment.orders.recv() => return ending_of(order),
                node = reader.next() => match node {
                    Ok(node) => self.react(node).await,
                    Err(error) => return error.into(),
                },
                () = attachment.wake.notified() => self.deliver().await,
                Some(sign) = attachment.signs.recv() => self.show(sign).await,
                () = deadline => return Ending::Closing,
            };
            if let Err(ending) = step {
                return ending;
            }
        }
    }

    /// Says that the login succeeded, and what waits.
    async fn greet(&mut self) -> Result<(), ChannelError> {
        let (lid, counts, end) = self.network.with(|world| {
            let lid = match self.key.account {
                AccountId::Person(_) => Some(world.name(self.key, View::Lid)),
                AccountId::Partner(_) => None,
            };
            let mailbox = world.device(self.key).map(|device| &device.mailbox);
            let counts = mailbox.map_or((0, 0, 0), crate::world::Mailbox::counts);
            (lid, counts, mailbox.map_or(0, crate::world::Mailbox::end))
        });
        let success = SuccessStanza { timestamp_s: Some(clock::now_s()), lid, more: Vec::new() };
        self.writer.send(&success.into_node()).await?;
        let count = |number: usize| u32::try_from(number).expect("a mailbox is bounded");
        let (messages, receipts, notices) = counts;
        self.offline_count = count(messages + receipts + notices);
        self.offline_below = end;
        if self.offline_count > 0 {
            let preview = IbItem::OfflinePreview(OfflinePreview {
                count: self.offline_count,
                message: count(messages),
                receipt: count(receipts),
                notification: count(notices),
                appdata: 0,
            });
            self.writer.send(&IbStanza { items: vec![preview] }.into_node()).await?;
        }
        // The first delivery: with it comes the count of what waited, which clients wait for.
        self.network.wake(self.key);
        Ok(())
    }

    async fn react(&mut self, node: Node) -> Result<(), Ending> {
        let Reaction { replies, activate, end } = dispatch::react(self.network, self.key, node);
        for reply in replies {
            self.writer.send(&reply).await?;
        }
        if let Some(end) = end {
            return Err(match end {
                End::Saying(farewell) => Ending::Saying(farewell),
                End::Closing => Ending::Closing,
            });
        }
        if let Some(active) = activate {
            self.active = active;
            return self.deliver().await;
        }
        Ok(())
    }

    /// Sends a sign of life, unless the client wants nothing now.
    async fn show(&mut self, sign: Sign) -> Result<(), Ending> {
        if !self.active {
            return Ok(());
        }
        let node = self.network.with(|world| typing::node(world, self.key, sign));
        Ok(self.writer.send(&node).await?)
    }

    /// Sends everything in the mailbox that was not sent on this connection yet.
    async fn deliver(&mut self) -> Result<(), Ending> {
        let account = self.key.account;
        let breaks = |fault| matches!(fault, Fault::HalfOpen | Fault::StreamError(_));
        match self.network.faults.take(account, breaks) {
            Some(Fault::StreamError(code)) => {
                return Err(Ending::Saying(StreamError::Code(code).into_node()));
            }
            Some(_) => return Err(Ending::HalfOpen),
            None => {}
        }
        if !self.active {
            return Ok(());
        }
        loop {
            let entries = self.network.with(|world| {
                let device = world.device(self.key);
                device.map_or_else(Vec::new, |d| d.mailbox.read(self.cursor, OUTGOING_QUEUE_MAX))
            });
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                self.cursor = entry.sequence + 1;
                self.deliver_entry(entry).await?;
            }
        }
        if !self.offline_reported {
            self.offline_reported = true;
            let item = IbItem::Offline { count: self.offline_count };
            self.writer.send(&IbStanza { items: vec![item] }.into_node()).await?;
        }
        Ok(())
    }

    async fn deliver_entry(&mut self, entry: Entry) -> Result<(), Ending> {
        let fault = match &entry.item {
            Item::Message(_) => self.network.faults.take(self.key.account, strikes_delivery),
            Item::Receipt(_) | Item::Notice(_) => None,
        };
        match fault {
            Some(Fault::Drop) => return Ok(()),
            Some(Fault::Reorder) if self.held.is_none() => {
                self.held = Some(entry);
                return Ok(());
            }
            Some(Fault::Delay(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
            _ => {}
        }
        let offline = (entry.sequence < self.offline_below).then_some(self.offline_count);
        let mut node =
            self.network.with(|world| render::render(world, self.key, &entry.item, offline));
        if fault == Some(Fault::Corrupt) {
            corrupt(&mut node);
        }
        self.writer.send(&node).await?;
        if fault == Some(Fault::Duplicate) {
            self.writer.send(&node).await?;
        }
        if let Some(held) = self.held.take() {
            return Box::pin(self.deliver_entry(held)).await;
        }
        Ok(())
    }
}

fn strikes_delivery(fault: Fault) -> bool {
    match fault {
        Fault::Drop | Fault::Duplicate | Fault::Reorder | Fault::Delay(_) | Fault::Corrupt => true,
        Fault::HalfOpen
        | Fault::StreamError(_)
        | Fault::WrongRoot
        | Fault::WrongLeafKey
        | Fault::ExpiredLeaf
        | Fault::NoPrekeys
        | Fault::Nack(_) => false,
    }
}

/// Changes each ciphertext.
fn corrupt(node: &mut Node) {
    let Content::Nodes(children) = &mut node.content else { return };
    for child in children.iter_mut().filter(|child| child.tag == "enc") {
        if let Content::Bytes(bytes) = &mut child.content {
            faults::corrupt(bytes);
        }
    }
}

fn ending_of(order: Option<Order>) -> Ending {
    match order {
        Some(Order::Replaced) => {
            Ending::Saying(StreamError::Conflict { kind: "replaced".to_owned() }.into_node())
        }
        Some(Order::LoggedOut) => Ending::Saying(StreamError::Code(401).into_node()),
        Some(Order::Close) | None => Ending::Closing,
    }
}
