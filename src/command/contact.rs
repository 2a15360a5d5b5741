//! Which contact is meant: a phone number, a name, or a link to the chat.

use super::Bot;
use crate::{
    domain::ids::{GhostKey, LoginId, PortalKey},
    port::{Failure, network::Resolved},
};

/// What was understood.
pub(super) enum Named {
    One {
        portal: PortalKey,
        /// For the answer.
        name: String,
    },
    Nobody,
    /// Several contacts have that name.
    Several,
    Nothing,
    NotConnected,
}

impl Bot {
    /// Whom the person means by what they typed after a command.
    pub(super) async fn named(&self, login: &LoginId, typed: &str) -> Result<Named, Failure> {
        if typed.is_empty() {
            return Ok(Named::Nothing);
        }
        match self.logins.read_number(typed) {
            Ok(phone) => self.by_phone(login, phone.digits()).await,
            Err(_) => self.by_name(login, typed).await,
        }
    }

    async fn by_phone(&self, login: &LoginId, phone: &str) -> Result<Named, Failure> {
        Ok(match self.logins.resolve(login, phone).await? {
            None => Named::NotConnected,
            Some(Resolved::NotOnNetwork | Resolved::NotOptedIn) => Named::Nobody,
            Some(Resolved::Reachable { user }) => {
                let ghost = self.logins.ghost_of(&user);
                let name = self.contact_name(&ghost).await?;
                Named::One { portal: PortalKey { login: login.clone(), ghost }, name }
            }
        })
    }

    /// By the shown name, the ghost's Matrix id, or a link that holds the ghost's or the room's.
    async fn by_name(&self, login: &LoginId, typed: &str) -> Result<Named, Failure> {
        let wanted = typed.to_lowercase();
        let mut found = Vec::new();
        for contact in self.logins.consents().contacts(login).await? {
            let portal = PortalKey { login: login.clone(), ghost: contact.ghost };
            let name = self.contact_name(&portal.ghost).await?;
            let addresses = self.logins.addresses(&portal).await?;
            let is_meant = name.to_lowercase() == wanted
                || addresses.iter().any(|address| typed.contains(address.as_str()));
            if is_meant {
                found.push(Named::One { portal, name });
            }
        }
        Ok(match found.len() {
            0 => Named::Nobody,
            1 => found.remove(0),
            _ => Named::Several,
        })
    }

    /// The contact's name for an answer.
    pub(super) async fn contact_name(&self, ghost: &GhostKey) -> Result<String, Failure> {
        Ok(self.logins.name_of(ghost).await?.unwrap_or_else(|| ghost.0.clone()))
    }
}

/// The answer where no one contact was named.
pub(super) fn asked_again(named: &Named, word: &str) -> String {
    match named {
        Named::Nobody => {
            "I find no contact of yours by that. Send `contacts` for the list.".to_owned()
        }
        Named::Several => format!(
            "Several contacts have that name. Please say `{word}` and the phone number, for \
             example `{word} +33 6 12 34 56 78`."
        ),
        Named::NotConnected => "You are not connected to WhatsApp at the moment, so I cannot look \
             a number up. Use the contact's name, or try again in a minute."
            .to_owned(),
        Named::Nothing | Named::One { .. } => {
            format!("Please say whom you mean, by number or name: `{word} +33 6 12 34 56 78`.")
        }
    }
}
