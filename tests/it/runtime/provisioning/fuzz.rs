//! The description against what is served: schemathesis makes requests of every operation, good and bad ones, and
//! looks for server errors, answers that the description does not know, and operations that need no token.

use std::{fs, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{process::Command, time::sleep};

use super::{super::homeserver::PERSON, Api, SECRET};
use crate::support::place::{RunFolder, installed};

/// Requests of each kind for one operation.
const EXAMPLES_MAX: &str = "25";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,ignored_auth,unsupported_method,\
    missing_required_header";
/// A run takes some fifteen seconds of one core.
const PATIENCE: Duration = Duration::from_mins(4);

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_keeps_to_its_description() {
    let api = Api::new().await;
    api.stage.log_in().await;
    api.stage.open_chat().await;
    let mut run = RunFolder::new("fuzz").unwrap();
    // Whoever is asked for is not a stranger's to choose: that is what other tests are for.
    let settings = format!("[parameters]\n\"query.user_id\" = \"{PERSON}\"\n");
    fs::write(run.path().join("schemathesis.toml"), settings).unwrap();
    let report = run.path().join("report.json");
    let log = fs::File::create(run.log("schemathesis")).unwrap();
    let mut fuzzer = Command::new(installed("schemathesis").unwrap().join("bin/schemathesis"))
        .current_dir(run.path())
        .env("NO_COLOR", "1")
        .arg("run")
        .arg(format!("{}/v3/openapi.json", api.url))
        .args(["--header", &format!("Authorization: Bearer {SECRET}")])
        .args(["--checks", CHECKS, "--max-examples", EXAMPLES_MAX, "--seed", "1"])
        .args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"])
        .args(["--suppress-health-check", "all", "--no-shrink"])
        .args(["--report", "json", "--report-json-path", report.to_str().unwrap()])
        .stdout(Stdio::from(log.try_clone().unwrap()))
        .stderr(Stdio::from(log))
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ended = async {
        loop {
            tokio::select! {
                ended = fuzzer.wait() => return ended.unwrap(),
                // Nobody wants to wait for buckets to fill.
                () = sleep(Duration::from_millis(1)) => api.stage.clock.advance(Duration::from_secs(1)),
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("the fuzzer takes too long");
    if !ended.success() {
        run.keep();
        panic!("the API is not as it says:\n{}", run.log_tails(150));
    }
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["operations"]["tested"], 14, "{report}");
}
