//! Which contact is meant: by a phone number, a name, a Matrix id or a link; and what a contact is
//! called in answers.

use ruma::OwnedUserId;

use super::{Bot, chats};
use crate::{
    domain::{
        consent::ContactState,
        ids::{GhostKey, LoginId, PortalKey},
        markup,
    },
    port::{Failure, network::Resolved},
};

/// In what people put a name.
const QUOTES: [char; 4] = ['`', '"', '<', '>'];

/// What was understood.
pub(super) enum Named {
    One {
        portal: PortalKey,
        /// For the answer.
        name: String,
    },
    Nobody,
    /// Several contacts have that name: who stands for them, and how the person stands to them.
    Several(Vec<(OwnedUserId, ContactState)>),
    Nothing,
    NotConnected,
}

impl Bot {
    /// Whom the person means by what they typed after a command.
    pub(super) async fn named(&self, login: &LoginId, typed: &str) -> Result<Named, Failure> {
        let typed = typed.trim_matches(QUOTES);
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

    /// By the shown name, or by the Matrix id of the ghost or the room, alone or in a link.
    async fn by_name(&self, login: &LoginId, typed: &str) -> Result<Named, Failure> {
        let wanted = typed.to_lowercase();
        let id = markup::link_target(typed).unwrap_or_else(|| typed.to_owned());
        let (mut found, mut namesakes) = (Vec::new(), Vec::new());
        for contact in self.logins.consents().contacts(login).await? {
            let matrix_user = self.logins.consents().matrix_user(&contact.ghost);
            let portal = PortalKey { login: login.clone(), ghost: contact.ghost };
            let name = self.contact_name(&portal.ghost).await?;
            let addresses = self.logins.addresses(&portal).await?;
            let is_meant = name.to_lowercase() == wanted
                || addresses.iter().any(|address| id.contains(address.as_str()));
            if is_meant {
                found.push(Named::One { portal, name });
                namesakes.push((matrix_user, contact.state));
            }
        }
        Ok(match found.len() {
            0 => Named::Nobody,
            1 => found.remove(0),
            _ => Named::Several(namesakes),
        })
    }

    /// What a contact is called in an answer: as they call themselves, else by their Matrix user,
    /// which becomes a link. Never by their number.
    pub(super) async fn contact_name(&self, ghost: &GhostKey) -> Result<String, Failure> {
        let name = self.logins.name_of(ghost).await?;
        Ok(name.unwrap_or_else(|| self.logins.consents().matrix_user(ghost).to_string()))
    }
}

/// The answer where no one contact was named.
pub(super) fn asked_again(named: &Named, word: &str) -> String {
    match named {
        Named::Nobody => {
            "I find no contact of yours by that. Send `contacts` for the list.".to_owned()
        }
        Named::Several(contacts) => {
            let line = |(user, state): &(OwnedUserId, ContactState)| {
                format!("- {user} – {}", chats::described(*state))
            };
            let lines: Vec<_> = contacts.iter().map(line).collect();
            format!(
                "Several contacts have that name:\n{}\nPlease say `{word}` and one of these ids, or \
                 the phone number, for example `{word} +33 6 12 34 56 78`.",
                lines.join("\n")
            )
        }
        Named::NotConnected => "You are not connected to WhatsApp at the moment, so I cannot look \
             a number up. Use the contact's name, or try again in a minute."
            .to_owned(),
        Named::Nothing | Named::One { .. } => {
            format!(
                "Please say whom you mean, by number, name or Matrix id: `{word} +33 6 12 34 56 78`."
            )
        }
    }
}
