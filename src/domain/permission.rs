//! Who may use the bridge.

use std::collections::BTreeMap;

use ruma::{OwnedServerName, OwnedUserId, ServerName, UserId};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    None,
    User,
    Admin,
}

/// Rules by Matrix id, by server and for everybody; the most exact one holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    pub users: BTreeMap<OwnedUserId, Permission>,
    pub servers: BTreeMap<OwnedServerName, Permission>,
    pub everyone: Option<Permission>,
}

impl Permissions {
    /// Nobody is allowed whom no rule names.
    pub fn of(&self, person: &UserId) -> Permission {
        let of_user = self.users.get(person);
        let of_server = || self.servers.get(person.server_name());
        of_user.or_else(of_server).copied().or(self.everyone).unwrap_or(Permission::None)
    }

    pub fn may_use(&self, person: &UserId) -> bool {
        self.of(person) != Permission::None
    }

    /// Without any rule, the users of our own homeserver are users.
    #[must_use]
    pub fn or_local(mut self, server: &ServerName) -> Self {
        if self == Self::default() {
            self.servers.insert(server.to_owned(), Permission::User);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_server_name, owned_user_id, user_id};

    use super::*;

    #[test]
    fn the_most_exact_rule_holds_and_no_rule_means_no() {
        let rules = Permissions {
            users: BTreeMap::from([(owned_user_id!("@eve:example.org"), Permission::None)]),
            servers: BTreeMap::from([(owned_server_name!("example.org"), Permission::User)]),
            everyone: None,
        };
        assert!(rules.may_use(user_id!("@alice:example.org")));
        assert!(!rules.may_use(user_id!("@eve:example.org")));
        assert!(!rules.may_use(user_id!("@bob:elsewhere.org")));
        let everyone = Permissions { everyone: Some(Permission::Admin), ..rules };
        assert_eq!(everyone.of(user_id!("@bob:elsewhere.org")), Permission::Admin);
        assert!(!everyone.may_use(user_id!("@eve:example.org")));
    }

    #[test]
    fn without_rules_our_own_users_may() {
        let rules = Permissions::default().or_local(&owned_server_name!("example.org"));
        assert!(rules.may_use(user_id!("@alice:example.org")));
        assert!(!rules.may_use(user_id!("@bob:elsewhere.org")));
    }
}
