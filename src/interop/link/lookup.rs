//! Who a phone number is, and which devices a person has (network facts 2.3, 3.9, 6).

use causeway_wire::stanza::{
    Personal, Query,
    interop::{ExternalUser, ResolvedUser},
    usync::{Usync, UsyncReply},
};

use super::{Link, jid_of, refused, unreadable};
use crate::{
    domain::ids::{RemoteAddress, RemoteUser},
    interop::profile::{FanOut, Lookup},
    port::{Failure, network::Resolved},
};

const PERSON: &str = "looking up a person";
const DEVICES: &str = "a person's devices";
/// Error codes of a lookup: the person has not opted in, and there is no such person.
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;

impl Link {
    pub(super) async fn look_up(&self, phone: &str) -> Result<Resolved, Failure> {
        if phone.is_empty() || !phone.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::never("a phone number is digits with the country code"));
        }
        match self.profile.lookup {
            Lookup::UsyncContact => self.look_up_contact(phone).await,
            Lookup::InteropUsers => self.look_up_user(phone).await,
        }
    }

    async fn look_up_contact(&self, phone: &str) -> Result<Resolved, Failure> {
        let query = Query::Usync(Usync::lookup(&self.connection.next_id(), phone));
        let content = match self.connection.ask(query).await? {
            Ok(content) => content,
            Err(error) => return refusal(error.code).ok_or_else(|| refused(PERSON, &error)),
        };
        let reply = UsyncReply::parse(&content).map_err(unreadable(PERSON))?.into_iter().next();
        let registered =
            |reply: &UsyncReply| reply.contact.as_ref().is_some_and(|contact| contact.registered);
        match reply.filter(registered).map(|reply| reply.jid) {
            None => Ok(Resolved::NotOnNetwork),
            // Known, but without an address that we could write to.
            Some(None) => Ok(Resolved::NotOptedIn),
            Some(Some(jid)) => self.may_write_to(user(&jid)).await,
        }
    }

    /// A contact query tells who is on the network; whether they opted in shows when their keys are
    /// asked for. Those keys are kept for who asks for them next.
    async fn may_write_to(&self, user: RemoteUser) -> Result<Resolved, Failure> {
        let address = RemoteAddress { user: user.clone(), device: 0 };
        match self.request_bundle(&address).await? {
            Ok(bundle) => {
                self.spare.keep(address, bundle);
                Ok(Resolved::Reachable { user })
            }
            Err(error) if error.code == FORBIDDEN => Ok(Resolved::NotOptedIn),
            Err(error) if error.code == NOT_FOUND => Ok(Resolved::Reachable { user }),
            Err(error) => Err(refused(PERSON, &error)),
        }
    }

    async fn look_up_user(&self, phone: &str) -> Result<Resolved, Failure> {
        let integrator = self
            .connection
            .me
            .integrator()
            .ok_or_else(|| Failure::never("our own address is no interop address"))?;
        let external_id = Personal(format!("+{phone}"));
        let query = Query::ResolveUsers(vec![ExternalUser { external_id, integrator }]);
        let content = match self.connection.ask(query).await? {
            Ok(content) => content,
            Err(error) => return refusal(error.code).ok_or_else(|| refused(PERSON, &error)),
        };
        let users = ResolvedUser::parse(&content).map_err(unreadable(PERSON))?;
        match users.into_iter().next().map(|user| user.resolved) {
            None => Ok(Resolved::NotOnNetwork),
            Some(Ok(resolved)) => Ok(Resolved::Reachable { user: user(&resolved.jid) }),
            Some(Err(error)) => refusal(error.code).ok_or_else(|| refused(PERSON, &error)),
        }
    }

    pub(super) async fn list_devices(&self, user: &RemoteUser) -> Result<Vec<u16>, Failure> {
        if self.profile.fan_out == FanOut::One {
            return Ok(vec![0]);
        }
        let jid = jid_of(user, 0)?;
        let query = Query::Usync(Usync::devices(&self.connection.next_id(), [jid.clone()]));
        let content = self.ask(query, DEVICES).await?;
        let replies = UsyncReply::parse(&content).map_err(unreadable(DEVICES))?;
        let reply = replies.into_iter().find(|reply| reply.jid.as_ref() == Some(&jid));
        let listed = reply.and_then(|reply| reply.devices).unwrap_or_default();
        let mut devices: Vec<_> = listed.devices.into_iter().map(|device| device.id).collect();
        // The primary device is always there, whether the list names it or not.
        devices.push(0);
        devices.sort_unstable();
        devices.dedup();
        Ok(devices)
    }
}

fn refusal(code: u16) -> Option<Resolved> {
    match code {
        FORBIDDEN => Some(Resolved::NotOptedIn),
        NOT_FOUND => Some(Resolved::NotOnNetwork),
        _ => None,
    }
}

fn user(jid: &causeway_wire::jid::Jid) -> RemoteUser {
    RemoteUser(jid.without_device().to_string())
}
