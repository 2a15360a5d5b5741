//! The description against what is served: schemathesis makes requests of every operation, good and bad ones, and
//! looks for server errors, answers that the description does not know, and operations that need no token.

use std::{fs, process::Stdio, time::Duration};

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command, time::sleep};

use super::{super::homeserver::PERSON, Api, BOB, SECRET, STRANGER};
use crate::support::place::{RunFolder, installed};

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,ignored_auth,unsupported_method,\
    missing_required_header";
/// A run takes some fifteen seconds of one core.
const PATIENCE: Duration = Duration::from_mins(4);

/// What schemathesis found.
struct Findings {
    passed: bool,
    report: Value,
    run: RunFolder,
}

/// For whom the requests are, which is not for a fuzzer to choose. Who leaves and who is erased is
/// somebody else, so that the other operations keep the login that they need: the fuzzer uses ids that
/// it was answered.
fn settings() -> String {
    format!(
        r#"
[parameters]
"query.user_id" = "{PERSON}"

[[operations]]
include-path = "/v3/logout/{{loginID}}"
parameters = {{ "query.user_id" = "{STRANGER}" }}

[[operations]]
include-path = "/v3/erase"
parameters = {{ "query.user_id" = "{BOB}" }}
"#
    )
}

/// Lets schemathesis loose on an API; `tick` is called all the while.
async fn fuzz(url: &str, arguments: &[&str], tick: impl Fn() + Send + Sync) -> Findings {
    let run = RunFolder::new("fuzz").unwrap();
    fs::write(run.path().join("schemathesis.toml"), settings()).unwrap();
    let report = run.path().join("report.json");
    let log = fs::File::create(run.log("schemathesis")).unwrap();
    let mut fuzzer = Command::new(installed("schemathesis").unwrap().join("bin/schemathesis"))
        .current_dir(run.path())
        .env("NO_COLOR", "1")
        .arg("run")
        .arg(format!("{url}/v3/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {SECRET}")])
        .args(["--checks", CHECKS, "--seed", "1", "--no-shrink"])
        .args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"])
        .args(["--suppress-health-check", "all"])
        .args(["--report", "json", "--report-json-path", report.to_str().unwrap()])
        .args(arguments)
        .stdout(Stdio::from(log.try_clone().unwrap()))
        .stderr(Stdio::from(log))
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ended = async {
        loop {
            tokio::select! {
                ended = fuzzer.wait() => return ended.unwrap(),
                () = sleep(Duration::from_millis(1)) => tick(),
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("the fuzzer takes too long");
    let report = serde_json::from_slice(&fs::read(&report).unwrap_or_default()).unwrap_or_default();
    Findings { passed: ended.success(), report, run }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_keeps_to_its_description() {
    let api = Api::new().await;
    api.stage.log_in().await;
    api.stage.open_chat().await;
    // Nobody wants to wait for buckets to fill.
    let tick = || api.stage.clock.advance(Duration::from_secs(1));
    let found = fuzz(&api.url, &["--max-examples", "20"], tick).await;
    let Findings { passed, report, mut run } = found;
    if !passed {
        run.keep();
        panic!("the API is not as it says:\n{}", run.log_tails(150));
    }
    assert_eq!(report["operations"]["tested"], 16, "{report}");
    for operation in [
        "GET /v3/whoami",
        "GET /v3/capabilities",
        "GET /v3/login/flows",
        "GET /v3/logins",
        "GET /v3/consent",
        "GET /v3/export",
        "POST /v3/erase",
    ] {
        let accepted = &report["valid_rates"][operation]["fuzzing"]["accepted"];
        assert!(accepted.as_u64() > Some(0), "{operation} was never answered: {report}");
    }
    let ledger = api.get("/v3/consent").await.body;
    assert_eq!(api.logins().await, 1, "the fuzzer has ended the login: {ledger}");
}

/// The proof above is worth as much as this one.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_door_and_a_wrong_answer_are_found() {
    let api = Api::new().await;
    let request = api.request(reqwest::Method::GET, "/v3/openapi.json", None, None);
    let description = api.send(request).await.body;
    let open = Router::new()
        .route("/_matrix/provision/v3/openapi.json", get(async || Json(description)))
        .fallback(async || Json(json!({"login_ids": 1})));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/_matrix/provision", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, open).await });
    let arguments = ["--max-examples", "3", "--include-path", "/v3/logins"];
    let Findings { passed, report, run: _run } = fuzz(&url, &arguments, || {}).await;
    assert!(!passed, "{report}");
    let failures = report["failures"].as_array().unwrap();
    let kinds: Vec<&str> = failures.iter().filter_map(|failure| failure["type"].as_str()).collect();
    for kind in ["IgnoredAuth", "JsonSchemaError"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}
