//! Policy rooms: the bot is in them, reads them at the start and follows them by their events. Whom
//! they begin to ban is told and disconnected; whose ban ends is told and connected again.
//!
//! What is known is kept, so that a restart forgets nothing while the rooms cannot be read.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId};

use super::{
    commit::commit, connection::Links, hints::Hints, ports::Ports, speech::Speech, stop::Stop,
};
use crate::{
    domain::{
        bridged::{ActAs, Login},
        event::Event,
        limits,
        notice::Refusal,
        policy::DenyList,
    },
    port::{Failure, storage::Change},
};

/// Where the deny list is kept.
const DENY_LIST: &str = "deny_list";
const ALLOWED_AGAIN: &str = "You may use this bridge again: the deny list that named you or your \
    homeserver does so no longer. I connect you to WhatsApp; there is nothing to do.";
const PAUSED: &str = "Your connection to WhatsApp is paused: nothing is carried from now on. Your \
    keys and rooms stay, and WhatsApp keeps what your contacts write for a while. `logout` still \
    ends the connection for good and deletes your keys.";

/// Follows policy rooms. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Policies {
    ports: Ports,
    hints: Hints,
    links: Links,
    speech: Speech,
}

/// Who could use the bridge and who not, of all logins.
type Standings = BTreeMap<OwnedUserId, Option<Refusal>>;

impl Policies {
    pub fn new(ports: &Ports, hints: &Hints, links: &Links) -> Self {
        let speech = Speech::new(ports.clone());
        Self { ports: ports.clone(), hints: hints.clone(), links: links.clone(), speech }
    }

    /// Takes over what was known when the process ended. Belongs before everything else.
    pub async fn restore(&self) -> Result<(), Failure> {
        let Some(kept) = self.ports.storage.setting(DENY_LIST).await? else { return Ok(()) };
        let kept: DenyList = serde_json::from_slice(&kept)
            .map_err(|_error| Failure::never("the kept deny list is unreadable"))?;
        self.ports.rules.replace_deny_list(kept);
        Ok(())
    }

    /// Joins the rooms and reads them, however long that takes. Ends when all were read, or with the
    /// stop; from then on their events come by themselves.
    pub async fn follow(self, rooms: Vec<OwnedRoomOrAliasId>, stop: Stop) {
        let (mut found, mut missing) = (Vec::new(), rooms);
        let mut attempt = 0;
        loop {
            let mut left = Vec::new();
            for room in missing {
                match self.read(&room).await {
                    Ok(id) => found.push(id),
                    Err(failure) => {
                        tracing::warn!(%room, %failure, "could not read a policy room; will try again");
                        left.push(room);
                    }
                }
                if stop.begun() {
                    return;
                }
            }
            missing = left;
            if missing.is_empty() {
                break;
            }
            attempt += 1;
            tokio::select! {
                biased;
                () = stop.soft() => return,
                () = self.ports.clock.sleep(limits::ITEM_BACKOFF.pause(attempt)) => {}
            }
        }
        let forgot = self.change(|list| list.keep(&found)).await;
        match forgot {
            Ok(()) => tracing::info!(rooms = found.len(), "following the policy rooms"),
            Err(failure) => tracing::error!(%failure, "could not forget former policy rooms"),
        }
    }

    async fn read(&self, room: &OwnedRoomOrAliasId) -> Result<OwnedRoomId, Failure> {
        let homeserver = &self.ports.homeserver;
        let id = homeserver.join_named(&ActAs::Bot, room).await?;
        let state = homeserver.all_state(&ActAs::Bot, &id).await?;
        let state: Vec<Event> = state.iter().filter_map(Event::parse).collect();
        self.change(|list| list.read(&id, &state)).await?;
        Ok(id)
    }

    /// Takes in an event of a room that is followed.
    pub(crate) async fn learn(&self, event: &Event) -> Result<(), Failure> {
        self.change(|list| list.learn(event)).await
    }

    /// Changes the list, if `change` says that it did, keeps it, and acts on what that means for the
    /// logins.
    async fn change(
        &self,
        change: impl FnOnce(&mut DenyList) -> bool + Send,
    ) -> Result<(), Failure> {
        let rules = &self.ports.rules;
        let changing = rules.changing();
        let _held = changing.lock().await;
        let former = rules.current_deny_list();
        let mut list = former.clone();
        if !change(&mut list) {
            return Ok(());
        }
        let value = serde_json::to_vec(&list)
            .map_err(|_error| Failure::never("a deny list that is no JSON"))?;
        let mut changes = vec![Change::SettingSaved { key: DENY_LIST, value }];
        let logins = self.ports.storage.logins().await?;
        let (before, after) = (self.standings(&former, &logins), self.standings(&list, &logins));
        let changed = |login: &&Login| {
            let is_refused =
                |standings: &Standings| standings.get(&login.person).is_some_and(Option::is_some);
            is_refused(&before) != is_refused(&after)
        };
        let changed: Vec<&Login> = logins.iter().filter(changed).collect();
        for login in &changed {
            let text = match after.get(&login.person).and_then(Option::as_ref) {
                Some(refusal) => format!("{} {PAUSED}", refusal.text()),
                None => ALLOWED_AGAIN.to_owned(),
            };
            let about = format!("policy/{}/{}", login.id.0, self.ports.clock.now());
            changes.extend(self.speech.to_person_if_there(&login.person, &text, &about).await?);
        }
        commit(&self.ports, &self.hints, changes).await?;
        rules.replace_deny_list(list);
        for login in changed {
            self.reconsider(login).await;
        }
        Ok(())
    }

    fn standings(&self, list: &DenyList, logins: &[Login]) -> Standings {
        let standing = |login: &Login| {
            let permission = self.ports.rules.permission_under(list, &login.person);
            (login.person.clone(), permission.err())
        };
        logins.iter().map(standing).collect()
    }

    /// Disconnects who may not be connected, and has who may be connected try at once.
    async fn reconsider(&self, login: &Login) {
        let transition = self.links.transition(&login.id);
        let _held = transition.lock().await;
        if !self.ports.rules.may_use(&login.person)
            && let Some(link) = self.links.link(&login.id)
        {
            link.close().await;
        }
        self.links.rouse(&login.id);
    }
}
