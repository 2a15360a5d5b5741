//! Who may use the bridge, and how much.

use std::collections::BTreeMap;

use ruma::{OwnedServerName, OwnedUserId, ServerName, UserId};

use super::allowance::Limits;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    Block,
    User,
    Admin,
}

/// What the operator wrote for somebody, or for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub permission: Permission,
    /// How many of the people for whom this rule holds may be logged in at the same time; `None`:
    /// only the limit of the whole bridge counts.
    pub logins: Option<u64>,
    /// `None`: as everybody.
    pub contacts_a_day: Option<u64>,
    pub messages_a_minute: Option<u64>,
    pub media_bytes_a_day: Option<u64>,
}

impl From<Permission> for Rule {
    fn from(permission: Permission) -> Self {
        Self {
            permission,
            logins: None,
            contacts_a_day: None,
            messages_a_minute: None,
            media_bytes_a_day: None,
        }
    }
}

/// For whom a rule is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    User(OwnedUserId),
    /// Everybody of one homeserver.
    Server(OwnedServerName),
    /// Everybody of the homeservers below this domain, which is written without the dot before it.
    Below(String),
    Everyone,
}

/// The operator's rules; of those that fit a person the most exact one holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    pub rules: BTreeMap<Scope, Rule>,
    /// How many people may be logged in at the same time, in all.
    pub logins: u64,
    /// What holds for a rule that says nothing else.
    pub limits: Limits,
}

impl Permissions {
    /// Nobody is allowed whom no rule names.
    pub fn of(&self, person: &UserId) -> Permission {
        self.rule(person).map_or(Permission::Block, |(_, rule)| rule.permission)
    }

    /// What a person may do at most.
    pub fn limits(&self, person: &UserId) -> Limits {
        let Some((_, rule)) = self.rule(person) else { return self.limits };
        let all = self.limits;
        Limits {
            contacts_a_day: rule.contacts_a_day.unwrap_or(all.contacts_a_day),
            messages_a_minute: rule.messages_a_minute.unwrap_or(all.messages_a_minute),
            media_bytes_a_day: rule.media_bytes_a_day.unwrap_or(all.media_bytes_a_day),
        }
    }

    /// Whether there is room for a login of `person` beside those of `others`.
    pub fn has_room(&self, person: &UserId, others: &[OwnedUserId]) -> bool {
        if count(others.len()) >= self.logins {
            return false;
        }
        let Some((scope, Rule { logins: Some(logins), .. })) = self.rule(person) else {
            return true;
        };
        let is_same = |other: &&OwnedUserId| self.rule(other).is_some_and(|(it, _)| it == scope);
        count(others.iter().filter(is_same).count()) < *logins
    }

    fn rule(&self, person: &UserId) -> Option<(&Scope, &Rule)> {
        let server = person.server_name();
        // The domains above a server, the nearest one first.
        let above = server.host().match_indices('.').map(|(dot, _)| &server.host()[dot + 1..]);
        let scopes = [Scope::User(person.to_owned()), Scope::Server(server.to_owned())]
            .into_iter()
            .chain(above.map(|domain| Scope::Below(domain.to_owned())))
            .chain([Scope::Everyone]);
        scopes.into_iter().find_map(|scope| self.rules.get_key_value(&scope))
    }

    /// Without any rule, the users of our own homeserver are users.
    #[must_use]
    pub fn or_local(mut self, server: &ServerName) -> Self {
        if self.rules.is_empty() {
            self.rules.insert(Scope::Server(server.to_owned()), Permission::User.into());
        }
        self
    }
}

fn count(people: usize) -> u64 {
    u64::try_from(people).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use ruma::{owned_server_name, owned_user_id, user_id};

    use super::*;
    use crate::domain::limits;

    fn permissions(rules: impl IntoIterator<Item = (Scope, Rule)>) -> Permissions {
        let rules = rules.into_iter().collect();
        Permissions { rules, logins: limits::LOGINS_MAX, limits: Limits::default() }
    }

    fn below(domain: &str) -> Scope {
        Scope::Below(domain.to_owned())
    }

    #[test]
    fn the_most_exact_rule_holds_and_no_rule_means_no() {
        let mut rules = permissions([
            (Scope::User(owned_user_id!("@eve:example.org")), Permission::Block.into()),
            (Scope::Server(owned_server_name!("example.org")), Permission::User.into()),
            (below("uni.example"), Permission::User.into()),
            (below("law.uni.example"), Permission::Block.into()),
        ]);
        for (person, permission) in [
            (user_id!("@alice:example.org"), Permission::User),
            (user_id!("@eve:example.org"), Permission::Block),
            (user_id!("@bob:elsewhere.org"), Permission::Block),
            (user_id!("@bob:m.uni.example"), Permission::User),
            (user_id!("@bob:a.b.uni.example:8448"), Permission::User),
            (user_id!("@bob:m.law.uni.example"), Permission::Block),
            // A name is not below itself, nor below one that it only ends like.
            (user_id!("@bob:uni.example"), Permission::Block),
            (user_id!("@bob:evil-uni.example"), Permission::Block),
        ] {
            assert_eq!(rules.of(person), permission, "{person}");
        }
        rules.rules.insert(Scope::Everyone, Permission::Admin.into());
        assert_eq!(rules.of(user_id!("@bob:elsewhere.org")), Permission::Admin);
        assert_eq!(rules.of(user_id!("@eve:example.org")), Permission::Block);
    }

    #[test]
    fn without_rules_our_own_users_may() {
        let rules = permissions([]).or_local(&owned_server_name!("example.org"));
        assert_eq!(rules.of(user_id!("@alice:example.org")), Permission::User);
        assert_eq!(rules.of(user_id!("@bob:elsewhere.org")), Permission::Block);
    }

    #[test]
    fn a_rule_changes_only_the_limits_that_it_names() {
        let rule = Rule { contacts_a_day: Some(3), ..Permission::User.into() };
        let rules = permissions([(Scope::Everyone, rule)]);
        let expected = Limits { contacts_a_day: 3, ..Limits::default() };
        assert_eq!(rules.limits(user_id!("@alice:example.org")), expected);
    }

    #[test]
    fn logins_are_admitted_up_to_the_limit_of_the_rule_and_of_the_bridge() {
        let rule = Rule { logins: Some(2), ..Permission::User.into() };
        let mut rules = permissions([
            (Scope::Server(owned_server_name!("example.org")), rule),
            (Scope::Everyone, Permission::User.into()),
        ]);
        let alice = user_id!("@alice:example.org");
        let (bob, carol) = (owned_user_id!("@bob:example.org"), owned_user_id!("@c:example.org"));
        let (dora, emil) = (owned_user_id!("@dora:b.org"), owned_user_id!("@emil:c.org"));
        assert!(rules.has_room(alice, &[bob.clone(), dora.clone(), emil.clone()]));
        assert!(!rules.has_room(alice, &[bob.clone(), carol.clone()]));
        assert!(rules.has_room(&dora, &[bob.clone(), carol.clone()]));
        rules.logins = 2;
        assert!(rules.has_room(&dora, std::slice::from_ref(&bob)));
        assert!(!rules.has_room(&dora, &[bob, carol]));
    }
}
