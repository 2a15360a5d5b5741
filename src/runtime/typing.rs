//! Typing, each way: what is heard on one side is told to the other, as far as `domain::typing` finds
//! it worth telling.
//!
//! None of it is stored or awaited by anybody. A chat in which somebody types has a task of its own
//! for as long as it lasts, so that a slow side holds up nothing else.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{connection::Links, ports::Ports};
use crate::{
    domain::{
        bridged::ActAs,
        consent::Admission,
        ids::PortalKey,
        limits,
        typing::{Pace, Step, Typing},
    },
    port::{Clock, Failure},
};

/// Tells one side of typing on the other. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TypingNews {
    side: Arc<dyn Side>,
    pace: Pace,
    clock: Arc<dyn Clock>,
    // Never held across an await.
    chats: Arc<Mutex<BTreeMap<PortalKey, Chat>>>,
}

struct Chat {
    typing: Typing,
    news: Arc<Notify>,
}

/// Who is told.
#[async_trait]
trait Side: Send + Sync {
    async fn tell(&self, chat: &PortalKey, typing: bool) -> Result<(), Failure>;
}

impl TypingNews {
    /// Tells contacts of the people.
    pub(crate) fn to_network(ports: &Ports, links: &Links) -> Self {
        let side = ToNetwork { ports: ports.clone(), links: links.clone() };
        Self::new(Arc::new(side), limits::TYPING_TO_NETWORK, ports)
    }

    /// Tells people of their contacts.
    pub(crate) fn to_matrix(ports: &Ports) -> Self {
        Self::new(Arc::new(ToMatrix { ports: ports.clone() }), limits::TYPING_TO_MATRIX, ports)
    }

    fn new(side: Arc<dyn Side>, pace: Pace, ports: &Ports) -> Self {
        Self { side, pace, clock: Arc::clone(&ports.clock), chats: Arc::default() }
    }

    /// News of a chat; whether it is told, and when, is not the caller's to wait for.
    pub(crate) fn heard(&self, chat: &PortalKey, typing: bool) {
        let now = self.clock.now();
        let mut chats = self.chats();
        if let Some(known) = chats.get_mut(chat) {
            known.typing.heard(typing, now);
            known.news.notify_one();
            return;
        }
        if !typing || chats.len() >= limits::TYPING_CHATS_MAX {
            return;
        }
        let mut begun = Chat { typing: Typing::new(self.pace), news: Arc::default() };
        begun.typing.heard(typing, now);
        chats.insert(chat.clone(), begun);
        drop(chats);
        let (this, chat) = (self.clone(), chat.clone());
        tokio::spawn(async move { this.follow(&chat).await });
    }

    async fn follow(&self, chat: &PortalKey) {
        while let Some((step, news)) = self.step(chat) {
            match step {
                Step::Tell(typing) => {
                    if let Err(failure) = self.side.tell(chat, typing).await {
                        tracing::debug!(?chat, %failure, "could not say who is typing");
                    }
                }
                Step::Wait(until) => {
                    let pause = u64::try_from(until - self.clock.now()).unwrap_or(0);
                    tokio::select! {
                        biased;
                        () = news.notified() => {}
                        () = self.clock.sleep(Duration::from_millis(pause)) => {}
                    }
                }
                Step::End => return,
            }
        }
    }

    /// The next step of a chat, which is forgotten with its last one.
    fn step(&self, chat: &PortalKey) -> Option<(Step, Arc<Notify>)> {
        let now = self.clock.now();
        let mut chats = self.chats();
        let known = chats.get_mut(chat)?;
        let (step, news) = (known.typing.step(now), Arc::clone(&known.news));
        if step == Step::End {
            chats.remove(chat);
        }
        Some((step, news))
    }

    fn chats(&self) -> MutexGuard<'_, BTreeMap<PortalKey, Chat>> {
        self.chats.lock().expect("no holder of this lock can panic")
    }
}

impl fmt::Debug for TypingNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypingNews(…)")
    }
}

struct ToNetwork {
    ports: Ports,
    links: Links,
}

#[async_trait]
impl Side for ToNetwork {
    async fn tell(&self, chat: &PortalKey, typing: bool) -> Result<(), Failure> {
        let storage = &self.ports.storage;
        if !storage.contact(chat).await?.may_send()
            || !storage.choices(&chat.login).await?.typing
            || storage.contact_keys(chat).await?.are_pending()
        {
            return Ok(());
        }
        let ghost = self.ports.storage.ghost(&chat.ghost).await?;
        // Without a connection it is lost.
        match self.links.link(&chat.login).zip(ghost) {
            Some((link, ghost)) => link.typing(&ghost.remote, typing).await,
            None => Ok(()),
        }
    }
}

struct ToMatrix {
    ports: Ports,
}

#[async_trait]
impl Side for ToMatrix {
    async fn tell(&self, chat: &PortalKey, typing: bool) -> Result<(), Failure> {
        let storage = &self.ports.storage;
        if storage.contact(chat).await?.admits() != Admission::Show
            || storage.contact_keys(chat).await?.are_pending()
        {
            return Ok(());
        }
        let portal = self.ports.storage.portal(chat).await?;
        let Some(room) = portal.and_then(|portal| portal.room) else { return Ok(()) };
        let ghost = ActAs::Ghost(chat.ghost.clone());
        let lasts = typing.then_some(limits::TYPING_TIMEOUT);
        self.ports.homeserver.typing(&ghost, &room, lasts).await
    }
}
