//! The description is the committed one, and no operation of it is open.

use std::{fs, path::Path};

use serde_json::Value;

use super::*;

/// `CAUSEWAY_BLESS=1` writes the file instead.
#[test]
fn the_committed_description_is_that_of_the_code() {
    let text = serde_json::to_string_pretty(&operations().into_openapi()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/provisioning.openapi.json");
    if std::env::var_os("CAUSEWAY_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        committed, text,
        "docs/provisioning.openapi.json is out of date: run the tests with CAUSEWAY_BLESS=1 and commit it"
    );
}

#[test]
fn the_description_names_every_act_of_the_ledger() {
    let text = serde_json::to_string(&operations().into_openapi()).unwrap();
    for act in crate::domain::consent::Act::ALL {
        assert!(text.contains(&format!("`{}`", act.name())), "{}", act.name());
    }
}

#[test]
fn every_operation_wants_a_token_and_a_person() {
    let description = serde_json::to_value(operations().into_openapi()).unwrap();
    assert_eq!(description["security"][0][SECURITY], Value::Array(Vec::new()));
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() >= 12);
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation.get("security").is_none(), "{method} {path} has a rule of its own");
            let parameters = operation["parameters"].as_array().unwrap();
            let person = parameters.iter().find(|it| it["name"] == "user_id");
            assert!(person.is_some_and(|it| it["required"] == true), "{method} {path}");
            assert!(operation["responses"].get("401").is_some(), "{method} {path}");
        }
    }
}
