//! The eraser: people who want nothing of them kept are forgotten everywhere, in an order in which every
//! step may be the last one before a crash.
//!
//! First what others must hear or let go of (the network, the rooms, the store of hosted files), then
//! what is ours, in one commit. What tells the steps apart is in storage; each is safe to perform twice.

use std::{collections::BTreeSet, time::Duration};

use ruma::UserId;

use super::{hints::Hints, logins::Logins, ports::Ports, rooms::GHOST_NAME, stop::Stop};
use crate::{
    domain::{
        bridged::{ActAs, LoginState},
        erasure::{Erasure, Meeting},
        ids::{Lane, LoginId},
        item::Destination,
        limits,
    },
    port::{Failure, Retry, storage::Change},
};

/// Fulfils every wish to be erased until the stop: at each hint, and while one waits for something.
pub async fn erase(ports: Ports, hints: Hints, logins: Logins, stop: Stop) {
    let hint = hints.erasures();
    let eraser = Eraser { ports, logins };
    let mut failed = 0;
    loop {
        let round = async {
            let pause = eraser.round(&mut failed).await;
            tokio::select! {
                biased;
                () = hint.notified() => {}
                () = eraser.ports.clock.sleep(pause) => {}
            }
        };
        tokio::select! {
            biased;
            () = stop.soft() => return,
            () = round => {}
        }
    }
}

struct Eraser {
    ports: Ports,
    logins: Logins,
}

/// The pause after one more round that met a failure.
fn after(failed: &mut u32) -> Duration {
    *failed = failed.saturating_add(1);
    limits::ITEM_BACKOFF.pause(*failed).max(limits::ERASURE_LOOK)
}

/// How far one look at a wish came.
enum Step {
    Fulfilled,
    /// Something is waited for.
    Waits,
}

impl Eraser {
    /// Looks at every wish once; returns when to look again. `failed` is how many rounds in a row met a
    /// failure.
    async fn round(&self, failed: &mut u32) -> Duration {
        let erasures = match self.ports.can_write() {
            Ok(()) => self.ports.storage.erasures().await,
            Err(failure) => Err(failure),
        };
        let erasures = match erasures {
            Ok(erasures) => erasures,
            Err(failure) => {
                if !failure.is_told() {
                    tracing::warn!(%failure, "could not look for wishes to be erased; will look again");
                }
                return after(failed);
            }
        };
        let (mut pause, mut all_well) = (limits::CLEAN_EVERY, true);
        for erasure in erasures {
            match self.step(&erasure).await {
                Ok(Step::Fulfilled) => tracing::info!("everything of a person is deleted"),
                Ok(Step::Waits) => pause = limits::ERASURE_LOOK,
                Err(failure) => {
                    tracing::warn!(%failure, "could not erase a person yet; will try again");
                    all_well = false;
                }
            }
        }
        if all_well {
            *failed = 0;
            return pause;
        }
        after(failed)
    }

    async fn step(&self, erasure: &Erasure) -> Result<Step, Failure> {
        let person = &erasure.person;
        if !self.has_left_the_network(person).await? {
            return Ok(Step::Waits);
        }
        let now = self.ports.clock.now();
        if erasure.left_at.is_none() {
            if !self.has_heard_everything(person).await? {
                return Ok(Step::Waits);
            }
            self.leave_rooms(person).await?;
            let left = Change::ErasureLeft { person: person.clone(), at: self.ports.clock.now() };
            self.ports.storage.commit(vec![left]).await?;
            return Ok(Step::Waits);
        }
        if !erasure.may_end(now) {
            return Ok(Step::Waits);
        }
        self.fulfil(person).await?;
        Ok(Step::Fulfilled)
    }

    /// The login goes as at `logout`: it is there until the network confirms.
    async fn has_left_the_network(&self, person: &UserId) -> Result<bool, Failure> {
        let Some(login) = self.logins.of(person).await? else { return Ok(true) };
        self.remove_hosted(&login.id).await?;
        // Whoever is leaving already goes on by themselves.
        if login.state != LoginState::Leaving {
            self.logins.leave(person, None).await?;
        }
        Ok(self.logins.of(person).await?.is_none())
    }

    /// Files that wait to be fetched. Their rows would go with the login, and nobody would know the
    /// files.
    async fn remove_hosted(&self, login: &LoginId) -> Result<(), Failure> {
        let hosted = self.ports.storage.hosted_of(login).await?;
        if hosted.is_empty() {
            return Ok(());
        }
        let mut forgotten = Vec::with_capacity(hosted.len());
        for media in hosted {
            self.ports.media.delete(&media.name).await?;
            forgotten.push(Change::MediaForgotten(media.name));
        }
        self.ports.storage.commit(forgotten).await
    }

    /// Whether what the person said last is answered, and the answer sent.
    async fn has_heard_everything(&self, person: &UserId) -> Result<bool, Failure> {
        let storage = &self.ports.storage;
        let Some(room) = storage.management_room(person).await? else { return Ok(true) };
        let lane = Lane::Room(room);
        let asked = storage.inbox_next(&lane, None).await?;
        let answered = storage.outbox_next(&lane, &Destination::Homeserver).await?;
        Ok(asked.is_none() && answered.is_none())
    }

    /// Our users leave every room in which they meet the person, those of logins of before too.
    async fn leave_rooms(&self, person: &UserId) -> Result<(), Failure> {
        let mut last = Ok(());
        for meeting in self.ports.storage.meetings_with(person).await? {
            match self.leave(&meeting).await {
                // They are not in it: they left, or were made to. Or the alias is not ours to free.
                Err(failure) if failure.retry == Retry::Never => {
                    let room = meeting.room;
                    tracing::debug!(%room, %failure, "nothing of ours to take from a room");
                }
                Err(failure) => last = Err(failure),
                Ok(()) => {}
            }
        }
        last
    }

    /// With the alias, the homeserver stops bringing us what is said there from now on.
    async fn leave(&self, Meeting { who, room, chat }: &Meeting) -> Result<(), Failure> {
        let homeserver = &self.ports.homeserver;
        let left = homeserver.leave(who, room).await;
        if let Some(chat) = chat {
            homeserver.free_alias(who, &self.ports.namer.portal_alias(chat)).await?;
        }
        left
    }

    async fn fulfil(&self, person: &UserId) -> Result<(), Failure> {
        let storage = &self.ports.storage;
        for ghost in storage.ghosts_of_nobody_else(person).await? {
            let who = ActAs::Ghost(ghost);
            self.ports.homeserver.ensure_user(&who, Some(GHOST_NAME)).await?;
        }
        let users: Vec<_> = self.acquainted(person).await?.into_iter().collect();
        let _unloaded = self.ports.cipher.forget(&users).await;
        storage.commit(vec![Change::PersonErased(person.to_owned())]).await
    }

    /// Those of our users who may have keys of the person.
    async fn acquainted(&self, person: &UserId) -> Result<BTreeSet<ActAs>, Failure> {
        let (storage, homeserver) = (&self.ports.storage, &self.ports.homeserver);
        let tracking = storage.users_tracking(person).await?;
        let met = storage.meetings_with(person).await?;
        let users = tracking.iter().filter_map(|user| homeserver.our_user(user));
        Ok(users.chain(met.into_iter().map(|met| met.who)).chain([ActAs::Bot]).collect())
    }
}
