//! The bridge's way to the network.

use std::sync::Arc;

use async_trait::async_trait;
use causeway::{
    domain::{
        bridged::Timestamp,
        capability::Capabilities,
        ids::{LoginId, RemoteAddress, RemoteUser, StorageRef},
        item::{Envelope, OutboundReceipt, OutboundReceiptKind},
        phone::Phone,
    },
    port::{
        Failure, InteropNetwork, NetworkLink,
        media::{Download, MediaFailure},
        network::{
            Accepted, ConnectFailure, Connected, Credentials, OurBundle, RemoteFile, Resolved,
            StanzaRef,
        },
    },
    signal::{PreKey, RemoteBundle},
};
use serde_json::{Value, json};

use super::{Line, Mail};
use crate::{
    agenda::{Happening, Millis},
    faults::{Faults, Road},
    people::user_of,
    world::{Outside, State},
};

/// How long the adapter waits for an answer.
const PATIENCE: Millis = 15_000;

fn road(faults: &Faults) -> Road {
    faults.to_network
}

fn connecting(faults: &Faults) -> Road {
    Road { fails_before: faults.connecting_fails, fails_after: 0.0, ..faults.to_network }
}

/// One connection of one login.
struct Link {
    outside: Outside,
    login: LoginId,
    number: u64,
}

impl Link {
    /// A call over the connection, as long as it stands.
    async fn call<T: Send>(
        &self,
        what: &str,
        effect: impl FnOnce(&mut State) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let stands = |state: &mut State, (login, number): (&LoginId, u64)| {
            state.network.line(login).live(number).map(|it| it.is_silent)
        };
        let of = (&self.login, self.number);
        let silent = stands(&mut self.outside.world.lock(), of);
        match silent {
            None => return Err(Failure::later("the connection has ended")),
            Some(true) => {
                self.outside.pause(PATIENCE).await;
                return Err(Failure::later("no answer"));
            }
            Some(false) => {}
        }
        let sent = |state: &mut State| match stands(state, of) {
            Some(false) => effect(state),
            _ => Err(Failure::later("the connection ended on the way")),
        };
        self.outside.call(road, what, sent).await
    }
}

#[async_trait]
impl InteropNetwork for Outside {
    async fn enlist(&self, who: &Credentials) -> Result<RemoteUser, Failure> {
        let enlisted = |state: &mut State| {
            let person = state.people.persons.iter().position(|it| *it == who.person).unwrap();
            let line = state.network.lines.entry(who.login.clone()).or_insert_with(|| Line {
                person,
                is_enlisted: false,
                bundle: None,
                prekeys: std::collections::VecDeque::new(),
                mailbox: std::collections::VecDeque::new(),
                posted: 0,
                connection: None,
                connections: 0,
            });
            line.is_enlisted = true;
            Ok(RemoteUser(format!("12-{person}@interop")))
        };
        self.call(road, "enlist", enlisted).await
    }

    async fn connect(&self, who: &Credentials) -> Result<Connected, ConnectFailure> {
        let connected = |state: &mut State| {
            let is_enlisted =
                state.network.lines.get(&who.login).is_some_and(|line| line.is_enlisted);
            Ok(is_enlisted.then(|| state.connects(&who.login)))
        };
        let connected = self.call(connecting, "connect", connected).await;
        let Some((number, inbound)) = connected.map_err(ConnectFailure::Away)? else {
            return Err(ConnectFailure::NotEnlisted(Failure::never("unknown")));
        };
        let link = Link { outside: self.clone(), login: who.login.clone(), number };
        Ok(Connected { link: Arc::new(link), inbound })
    }

    fn key_set(&self) -> Value {
        json!({"keys": []})
    }

    async fn verify_push(&self, _bearer: &str, _now: Timestamp) -> Result<(), Failure> {
        Ok(())
    }

    async fn download_media(&self, _from: &RemoteFile) -> Result<Download, MediaFailure> {
        Err(Failure::never("no files are simulated").into())
    }

    fn user_of_phone(&self, phone: &Phone) -> RemoteUser {
        user_of(phone)
    }

    fn hosted_path(&self, _name: &StorageRef) -> String {
        String::new()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

#[async_trait]
impl NetworkLink for Link {
    async fn acknowledge(&self, stanza: &StanzaRef) -> Result<(), Failure> {
        let number = u64::from_be_bytes(stanza.0.as_slice().try_into().unwrap());
        {
            let state = &mut *self.outside.world.lock();
            let line = &state.network.lines[&self.login];
            let mail = line.mailbox.iter().find(|(it, _)| *it == number);
            if let Some((_, Mail::Message(message))) = mail {
                state.journal.acknowledged(message);
            }
        }
        let what = format!("acknowledge {number}");
        self.call(&what, |state| {
            // Written to a socket; whether the server reads it shows at the next connection.
            if !state.dice.chance(state.faults.acknowledgement_lost) {
                state.network.line(&self.login).mailbox.retain(|(it, _)| *it != number);
            }
            Ok(())
        })
        .await
    }

    async fn send(&self, envelope: &Envelope) -> Result<Accepted, Failure> {
        self.outside.life.goes_on().await;
        {
            let state = &mut *self.outside.world.lock();
            let asked = state.network.asked(envelope);
            state.journal.leaves(envelope, asked);
        }
        let what = format!("send {}", envelope.id.0);
        let is_taken = self.call(&what, |state| Ok(state.arrives(envelope))).await?;
        Ok(if is_taken {
            Accepted::Stored
        } else {
            Accepted::Refused { reason: "the simulated network refuses it".to_owned() }
        })
    }

    async fn send_receipt(
        &self,
        receipt: &OutboundReceipt,
        bundle: Option<&OurBundle>,
    ) -> Result<(), Failure> {
        let OutboundReceipt { messages, kind, to, .. } = receipt;
        let what = format!("receipt {kind:?} {}", messages[0].0);
        self.call(&what, |state| {
            if matches!(kind, OutboundReceiptKind::Retry { .. }) {
                let keys = bundle.expect("a retry receipt carries keys");
                assert!(keys.prekey.is_some(), "a retry receipt's prekey was committed");
                state.asked_again(&self.login, &messages[0], &to.user, keys);
            }
            Ok(())
        })
        .await
    }

    async fn typing(&self, _to: &RemoteUser, _typing: bool) -> Result<(), Failure> {
        self.call("typing", |_| Ok(())).await
    }

    async fn resolve(&self, phone: &str) -> Result<Resolved, Failure> {
        let user = RemoteUser(format!("{phone}@s.whatsapp.net"));
        self.call("resolve", |_| Ok(Resolved::Reachable { user })).await
    }

    async fn devices(&self, _user: &RemoteUser) -> Result<Vec<u16>, Failure> {
        self.call("devices", |_| Ok(vec![0])).await
    }

    async fn bundle(&self, address: &RemoteAddress) -> Result<Option<RemoteBundle>, Failure> {
        self.call("bundle", |state| {
            let is_stocked = !state.dice.chance(state.faults.unstocked);
            let contacts = &mut state.network.contacts;
            let contact = contacts.iter_mut().find(|it| it.user == address.user);
            Ok(contact.map(|contact| contact.bundle(is_stocked)))
        })
        .await
    }

    async fn upload_prekeys(&self, keys: &OurBundle, prekeys: &[PreKey]) -> Result<(), Failure> {
        self.call("upload_prekeys", |state| {
            let line = state.network.line(&self.login);
            line.bundle = Some(keys.clone());
            line.prekeys.extend(prekeys.iter().cloned());
            Ok(())
        })
        .await
    }

    async fn prekey_count(&self) -> Result<u32, Failure> {
        self.call("prekey_count", |state| {
            Ok(u32::try_from(state.network.line(&self.login).prekeys.len()).unwrap())
        })
        .await
    }

    async fn block(&self, _user: &RemoteUser, _blocked: bool) -> Result<(), Failure> {
        self.call("block", |_| Ok(())).await
    }

    async fn blocklist(&self) -> Result<Vec<RemoteUser>, Failure> {
        self.call("blocklist", |_| Ok(Vec::new())).await
    }

    async fn report(&self, _user: &RemoteUser) -> Result<(), Failure> {
        self.call("report", |_| Ok(())).await
    }

    async fn unenlist(&self) -> Result<(), Failure> {
        self.call("unenlist", |_| Ok(())).await
    }

    async fn close(&self) {
        let (login, connection) = (self.login.clone(), self.number);
        self.outside.world.lock().agenda.after(1, Happening::Breaks { login, connection });
    }
}
