use ruma::{owned_room_id, room_id, user_id};
use serde_json::{Value, json};

use super::*;

fn event(event_type: &str, state_key: &str, id: u32, content: &Value) -> Event {
    Event::parse_value(&json!({
        "type": event_type, "state_key": state_key, "content": content,
        "room_id": "!list:example.org", "sender": "@mod:example.org",
        "event_id": format!("${id}"),
    }))
    .unwrap()
}

fn ban(entity: &str) -> Value {
    json!({"entity": entity, "recommendation": "m.ban", "reason": "spam"})
}

fn list(events: &[Event]) -> DenyList {
    let mut list = DenyList::default();
    list.read(room_id!("!list:example.org"), events);
    list
}

#[test]
fn a_glob_fits_a_whole_text() {
    for (glob, text, fits) in [
        ("@a:b.c", "@a:b.c", true),
        ("@a:b.c", "@a:b.cd", false),
        ("@a:b.c", "@a:b", false),
        ("*", "", true),
        ("*", "@a:b.c", true),
        ("?", "", false),
        ("@?:b.c", "@a:b.c", true),
        ("@?:b.c", "@ab:b.c", false),
        ("@spam*:*.example", "@spam1:x.example", true),
        ("@spam*:*.example", "@ham:x.example", false),
        ("*a*a*b", "aaaaaaaab", true),
        ("*a*b*c", "abxbxc", true),
        ("*.org", "a.org.b", false),
        ("é?", "éü", true),
        ("", "a", false),
    ] {
        assert_eq!(matches(glob, text), fits, "{glob} {text}");
    }
}

#[test]
fn a_malicious_glob_takes_no_time() {
    let glob = "*a".repeat(limits::POLICY_ENTITY_CHARS_MAX / 2);
    assert!(!matches(&glob, &format!("{}b", "a".repeat(255))));
}

#[test]
fn people_and_servers_are_denied_under_every_name_of_the_rule() {
    for prefix in ["m.policy.rule", "m.room.rule", "org.matrix.mjolnir.rule"] {
        let user = event(&format!("{prefix}.user"), "a", 1, &ban("@eve:*"));
        let server = event(&format!("{prefix}.server"), "b", 2, &ban("*.evil.example"));
        let list = list(&[user, server]);
        for (person, denied) in [
            (user_id!("@eve:example.org"), true),
            (user_id!("@alice:example.org"), false),
            (user_id!("@alice:m.evil.example"), true),
            (user_id!("@alice:m.evil.example:8448"), true),
            (user_id!("@alice:evil.example"), false),
        ] {
            let denial = denied.then(|| Denial { reason: Some("spam".to_owned()) });
            assert_eq!(list.denial(person), denial, "{prefix} {person}");
        }
    }
}

#[test]
fn what_is_no_ban_denies_nobody() {
    let eve = user_id!("@eve:example.org");
    for content in [
        json!({}),
        json!({"entity": "@eve:example.org"}),
        json!({"entity": "@eve:example.org", "recommendation": "m.mute"}),
        json!({"entity": "", "recommendation": "m.ban"}),
        json!({"entity": 7, "recommendation": "m.ban"}),
    ] {
        assert_eq!(list(&[event("m.policy.rule.user", "a", 1, &content)]).denial(eve), None);
    }
    let room = event("m.policy.rule.room", "a", 1, &ban("@eve:example.org"));
    assert_eq!(list(&[room]).denial(eve), None);
    let old = json!({"entity": "@eve:example.org", "recommendation": "org.matrix.mjolnir.ban"});
    let old = event("m.policy.rule.user", "a", 1, &old);
    assert_eq!(list(&[old]).denial(eve), Some(Denial { reason: None }));
}

#[test]
fn an_entity_is_taken_up_to_its_limit() {
    for (more, denies) in [(0, true), (1, false)] {
        let entity = "*".repeat(limits::POLICY_ENTITY_CHARS_MAX + more);
        let list = list(&[event("m.policy.rule.user", "a", 1, &ban(&entity))]);
        assert_eq!(list.denial(user_id!("@a:b.c")).is_some(), denies, "{more}");
    }
}

#[test]
fn a_reason_is_cut_and_cleaned() {
    let long = "é".repeat(limits::POLICY_REASON_CHARS_MAX);
    let reason = |reason: &str| {
        let content = json!({"entity": "*", "recommendation": "m.ban", "reason": reason});
        let list = list(&[event("m.policy.rule.user", "a", 1, &content)]);
        list.denial(user_id!("@a:b.c")).unwrap().reason
    };
    assert_eq!(reason(&long), Some(long.clone()));
    assert_eq!(reason(&format!("{long}x")), Some(long));
    assert_eq!(reason(" a\nb "), Some("ab".to_owned()));
    assert_eq!(reason("\n"), None);
}

#[test]
fn a_rule_is_taken_back_by_emptying_it_or_redacting_it() {
    let eve = user_id!("@eve:example.org");
    let banned = event("m.policy.rule.user", "a", 1, &ban("@eve:*"));
    let mut followed = list(std::slice::from_ref(&banned));
    assert!(!followed.learn(&banned), "the same again is no news");
    assert!(followed.learn(&event("m.policy.rule.user", "a", 2, &json!({}))));
    assert_eq!(followed.denial(eve), None);

    assert!(followed.learn(&event("m.policy.rule.user", "a", 3, &ban("@eve:*"))));
    let redaction = |redacts: &str| {
        Event::parse_value(&json!({
            "type": "m.room.redaction", "content": {"redacts": redacts}, "event_id": "$9",
            "room_id": "!list:example.org", "sender": "@mod:example.org",
        }))
        .unwrap()
    };
    assert!(!followed.learn(&redaction("$1")), "an older event of the rule");
    assert!(followed.denial(eve).is_some());
    assert!(followed.learn(&redaction("$3")));
    assert_eq!(followed.denial(eve), None);
}

#[test]
fn rooms_that_are_not_followed_say_nothing() {
    let eve = user_id!("@eve:example.org");
    let banned = event("m.policy.rule.user", "a", 1, &ban("@eve:*"));
    let mut nobodys = DenyList::default();
    assert!(!nobodys.learn(&banned));
    assert_eq!(nobodys.denial(eve), None);

    let mut followed = list(&[banned]);
    followed.keep(&[owned_room_id!("!list:example.org")]);
    assert!(followed.denial(eve).is_some());
    followed.keep(&[]);
    assert_eq!(followed.denial(eve), None);
}

#[test]
fn a_list_survives_its_text() {
    let list = list(&[event("m.policy.rule.user", "a", 1, &ban("@eve:*"))]);
    let text = serde_json::to_vec(&list).unwrap();
    assert_eq!(serde_json::from_slice::<DenyList>(&text).unwrap(), list);
}

#[test]
fn rules_are_taken_up_to_the_limit_and_known_ones_still_change() {
    let rule = |key: usize, entity: &str| {
        event("m.policy.rule.user", &key.to_string(), u32::try_from(key).unwrap(), &ban(entity))
    };
    let mut followed = list(&[]);
    for key in 0..limits::POLICY_RULES_MAX {
        assert!(followed.learn(&rule(key, "@nobody:example.org")));
    }
    assert!(!followed.learn(&rule(limits::POLICY_RULES_MAX, "@one:more.example")));
    assert!(followed.learn(&rule(0, "@eve:*")));
    assert!(followed.denial(user_id!("@eve:example.org")).is_some());
}
