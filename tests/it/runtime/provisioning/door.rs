//! Who is let in, and how often.

use std::{sync::Arc, time::Duration};

use causeway::domain::limits;
use reqwest::{Method, StatusCode};

use super::{
    super::{
        homeserver::{BOT, PERSON},
        stage::Stage,
        surroundings::Trouble,
    },
    Api, BOB, REFUSED, SECRET, STRANGER,
};

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_is_open() {
    let api = Api::new().await;
    let operations = api.operations().await;
    assert!(operations.len() >= 16, "{operations:?}");
    for (method, path) in operations {
        let ask = |bearer| api.send(api.request(method.clone(), &path, bearer, Some(PERSON)));
        let none = ask(None).await;
        assert_eq!(none.summary(), (401, "M_MISSING_TOKEN", ""), "{method} {path}");
        for wrong in ["wrong", "the shared secre", "the shared secret!", "openid:", "openid:forged"]
        {
            let answer = ask(Some(wrong)).await;
            assert_eq!(answer.summary(), (401, "M_UNKNOWN_TOKEN", ""), "{method} {path} {wrong}");
        }
        // The address is no better than others.
        api.stage.clock.advance(limits::PROVISIONING_ADDRESS_RATE.pause * 60);
    }
    assert_eq!(api.get("/v3/whoami").await.status, StatusCode::OK);
    assert_eq!(api.get("/v3/nothing").await.summary(), (404, "M_UNRECOGNIZED", ""));
    assert_eq!(api.post("/v3/whoami", None).await.summary(), (405, "M_UNRECOGNIZED", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_believed_for_its_own_person_alone() {
    let api = Api::new().await;
    api.knows("alices", PERSON);
    api.knows("bobs", BOB);
    api.knows("eves", STRANGER);
    api.knows("mallorys", REFUSED);
    for (token, person, expected) in [
        ("openid:alices", PERSON, (200, "", "")),
        ("openid:bobs", PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        ("openid:eves", PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        ("openid:alices", STRANGER, (401, "M_UNKNOWN_TOKEN", "")),
        ("openid:eves", STRANGER, (200, "", "")),
        ("openid:forged", PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        // An access token is none of our business, and neither is a bare OpenID token.
        ("alices", PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        ("openid:alices", "alice", (400, "M_INVALID_PARAM", "user_id")),
        (SECRET, "alice", (400, "M_INVALID_PARAM", "user_id")),
        (SECRET, "", (400, "M_INVALID_PARAM", "user_id")),
        (SECRET, REFUSED, (403, "M_FORBIDDEN", "")),
        (SECRET, BOT, (403, "M_FORBIDDEN", "")),
    ] {
        let answer = api.whoami(token, person).await;
        assert_eq!(answer.summary(), expected, "{token} {person}");
    }
    let nobody = api.send(api.request(Method::GET, "/v3/whoami", Some(SECRET), None)).await;
    assert_eq!(nobody.summary(), (400, "M_MISSING_PARAM", "user_id"));
    let before = api.openid.asked();
    assert_eq!(api.whoami("openid:mallorys", REFUSED).await.status, StatusCode::FORBIDDEN);
    assert_eq!(api.openid.asked(), before, "a server that nobody may come from was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ran_out_is_noticed_and_a_good_one_is_not_asked_for_each_time() {
    let api = Api::new().await;
    api.knows("alices", PERSON);
    for _ in 0..3 {
        assert_eq!(api.whoami("openid:alices", PERSON).await.status, StatusCode::OK);
    }
    assert_eq!(api.openid.asked(), 1);
    api.openid.tokens.lock().unwrap().clear();
    let kept = limits::OPENID_TOKEN_KEPT;
    api.stage.clock.advance(kept.saturating_sub(Duration::from_millis(1)));
    assert_eq!(api.whoami("openid:alices", PERSON).await.status, StatusCode::OK);
    api.stage.clock.advance(Duration::from_millis(1));
    let run_out = api.whoami("openid:alices", PERSON).await;
    assert_eq!(run_out.summary(), (401, "M_UNKNOWN_TOKEN", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_is_away_lets_nobody_in() {
    let api = Api::new().await;
    for (trouble, person, expected) in [
        (Trouble::Later, PERSON, (503, "M_LIMIT_EXCEEDED", "")),
        (Trouble::Never, PERSON, (401, "M_UNKNOWN_TOKEN", "")),
        (Trouble::Later, STRANGER, (401, "M_UNKNOWN_TOKEN", "")),
    ] {
        *api.openid.trouble.lock().unwrap() = Some(trouble);
        assert_eq!(api.whoami("openid:alices", person).await.summary(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_at_the_limit_and_one_past_it() {
    let api = Api::new().await;
    let longest = "x".repeat(limits::OPENID_TOKEN_BYTES_MAX);
    api.knows(&longest, PERSON);
    api.knows(&format!("{longest}x"), PERSON);
    let taken = api.whoami(&format!("openid:{longest}"), PERSON).await;
    assert_eq!(taken.status, StatusCode::OK);
    let refused = api.whoami(&format!("openid:{longest}x"), PERSON).await;
    assert_eq!(refused.summary(), (401, "M_UNKNOWN_TOKEN", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_shared_secret_nobody_has_it() {
    let api = Api::of(Stage::new().await, None).await;
    for bearer in [SECRET, "None", "null"] {
        assert_eq!(api.whoami(bearer, PERSON).await.summary(), (401, "M_UNKNOWN_TOKEN", ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_person_at_the_limit_and_one_past_it() {
    let api = Api::new().await;
    for _ in 0..limits::PROVISIONING_PERSON_RATE.burst {
        assert_eq!(api.get("/v3/logins").await.status, StatusCode::OK);
    }
    let over = api.get("/v3/logins").await;
    assert_eq!(over.summary(), (429, "M_LIMIT_EXCEEDED", ""));
    assert_eq!(over.retry_after.as_deref(), Some("1"));
    assert_eq!(over.body["retry_after_ms"], 1_000);
    assert_eq!(api.whoami(SECRET, BOB).await.status, StatusCode::OK, "others are not held up");
    api.stage.clock.advance(limits::PROVISIONING_PERSON_RATE.pause);
    assert_eq!(api.get("/v3/logins").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_from_an_address_at_the_limit_and_one_past_it() {
    let api = Api::new().await;
    let guess = |from: &'static str| {
        let request = api.request(Method::GET, "/v3/whoami", Some("a guess"), Some(PERSON));
        api.send(request.header("X-Forwarded-For", from))
    };
    for _ in 0..limits::PROVISIONING_ADDRESS_RATE.burst {
        assert_eq!(guess("9.9.9.9, 1.2.3.4").await.status, StatusCode::UNAUTHORIZED);
    }
    let over = guess("8.8.8.8, 1.2.3.4").await;
    assert_eq!(over.summary(), (429, "M_LIMIT_EXCEEDED", ""));
    assert_eq!(over.body["retry_after_ms"], 500);
    assert_eq!(guess("1.2.3.5").await.status, StatusCode::UNAUTHORIZED, "others are not held up");
    // A manager asks for everybody.
    let manager = api.request(Method::GET, "/v3/whoami", Some(SECRET), Some(PERSON));
    let manager = manager.header("X-Forwarded-For", "1.2.3.4");
    assert_eq!(api.send(manager).await.status, StatusCode::OK);
}

/// Whom the operator's rules keep out is kept out of everything, and why is not told to whoever asks.
#[tokio::test(flavor = "multi_thread")]
async fn no_operation_is_open_to_whom_the_rules_refuse() {
    let api = Api::new().await;
    let why = "ask them to add you to `permissions`";
    for (method, path) in api.operations().await {
        for refused in [REFUSED, BOT] {
            let ask = |bearer| api.send(api.request(method.clone(), &path, bearer, Some(refused)));
            for (bearer, is_told) in [(SECRET, refused == REFUSED), ("openid:forged", false)] {
                let answer = ask(Some(bearer)).await;
                assert_eq!(answer.summary(), (403, "M_FORBIDDEN", ""), "{method} {path} {refused}");
                let said = answer.body["error"].as_str().unwrap();
                assert_eq!(said.contains(why), is_told, "{method} {path} {refused}: {said}");
            }
        }
        api.stage.clock.advance(limits::PROVISIONING_ADDRESS_RATE.pause * 60);
    }
    assert_eq!(api.openid.asked(), 0, "a server was asked for people who may not come in");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_asked_at_the_limit_and_one_past_it() {
    let api = Arc::new(Api::new().await);
    api.knows("alices", PERSON);
    api.openid.others.close();
    let ask = |token: usize| {
        let api = Arc::clone(&api);
        tokio::spawn(async move { api.whoami(&format!("openid:{token}"), STRANGER).await })
    };
    let mut asking = Vec::new();
    for token in 1..=limits::OPENID_ASKED_AT_ONCE_MAX {
        asking.push(ask(token));
        api.stage.until("the server is asked", || api.openid.asked() == token).await;
    }
    let over = ask(limits::OPENID_ASKED_AT_ONCE_MAX + 1).await.unwrap();
    assert_eq!(over.summary(), (503, "M_LIMIT_EXCEEDED", ""));
    // Strangers whose servers take their time do not hold up our own people.
    assert_eq!(api.whoami("openid:alices", PERSON).await.status, StatusCode::OK);
    api.openid.others.open();
    for asked in asking {
        assert_eq!(asked.await.unwrap().summary(), (401, "M_UNKNOWN_TOKEN", ""));
    }
    api.knows("eves", STRANGER);
    assert_eq!(api.whoami("openid:eves", STRANGER).await.status, StatusCode::OK);
}
