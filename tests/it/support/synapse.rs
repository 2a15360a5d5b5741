//! A homeserver: Synapse from PyPI, on a free port, with an empty database in the run's folder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use super::{
    leash::{Errand, Leashed},
    place::{RunFolder, free_url, installed},
    wait::until,
};

/// The name that user ids end in. Not an address: nothing federates here.
pub(crate) const SERVER_NAME: &str = "localhost";

/// Starting takes about 4 s of one core, and several start at once.
const START_LIMIT: Duration = Duration::from_secs(90);

/// A started homeserver. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Synapse {
    url: Url,
    config: PathBuf,
    log: PathBuf,
    folder: PathBuf,
    process: Option<Leashed>,
    http: reqwest::Client,
}

impl Synapse {
    /// Starts a homeserver in `run`. `registration` is the file of an appservice, if there is one.
    pub(crate) async fn start(run: &RunFolder, registration: Option<&Path>) -> Result<Self> {
        Self::start_at(run, &free_url()?, registration).await
    }

    /// The same, at an address that somebody has already been told.
    pub(crate) async fn start_at(
        run: &RunFolder,
        url: &Url,
        registration: Option<&Path>,
    ) -> Result<Self> {
        let folder = run.path().join("synapse");
        let port = url.port().context("the homeserver's address has no port")?;
        fs::create_dir_all(&folder)?;
        let config = folder.join("homeserver.yaml");
        fs::write(
            &config,
            serde_json::to_vec_pretty(&configuration(&folder, port, registration))?,
        )?;
        fs::write(folder.join("log.json"), serde_json::to_vec_pretty(&log_configuration())?)?;
        // The key that would sign for other servers, if there were any: a constant will do.
        fs::write(
            folder.join("signing.key"),
            format!("ed25519 a_test {}\n", STANDARD_NO_PAD.encode([7; 32])),
        )?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?;
        let mut synapse =
            Self { url: url.clone(), config, log: run.log("synapse"), folder, process: None, http };
        synapse.resume().await?;
        Ok(synapse)
    }

    /// Where its client API is.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Ends the process; its data stays.
    pub(crate) fn pause(&mut self) {
        self.process = None;
    }

    /// Starts the process (again) on its data.
    pub(crate) async fn resume(&mut self) -> Result<()> {
        let python = installed("synapse")?.join("bin/python");
        let mut process = Errand::new("synapse", &python, &self.log)
            .arg("-m")
            .arg("synapse.app.homeserver")
            .arg("-c")
            .arg(&self.config)
            .folder(&self.folder)
            .start()?;
        let versions = self.url.join("_matrix/client/versions")?;
        until("the homeserver to answer", START_LIMIT, || {
            let running = process.must_run();
            let asked = self.http.get(versions.clone()).send();
            async move {
                running?;
                Ok(asked.await.is_ok_and(|answer| answer.status().is_success()).then_some(()))
            }
        })
        .await
        .with_context(|| process.shown_log())?;
        self.process = Some(process);
        Ok(())
    }

    /// Makes an account.
    pub(crate) async fn register(&self, localpart: &str, password: &str) -> Result<()> {
        let request = json!({
            "username": localpart, "password": password, "inhibit_login": true,
            "auth": {"type": "m.login.dummy"},
        });
        let url = self.url.join("_matrix/client/v3/register")?;
        let answer = self.http.post(url).json(&request).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "registering {localpart}: {status} {}", answer.text().await?);
        Ok(())
    }

    /// One call of the client API with a token, for what no client library offers. `path` is relative
    /// to the server's root. Returns the status and the body.
    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<(reqwest::StatusCode, Value)> {
        let mut request = self.http.request(method, self.url.join(path)?).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        match serde_json::from_str(&text) {
            Ok(body) => Ok((status, body)),
            Err(_) => bail!("{path} answered {status} with no JSON: {text}"),
        }
    }
}

/// Warnings, and the requests that it refused: what a person wants to see below a failed test.
fn log_configuration() -> Value {
    json!({
        "version": 1,
        "disable_existing_loggers": false,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
        "loggers": {"synapse.http.server": {"level": "INFO"}},
        "root": {"level": "WARNING", "handlers": ["console"]},
    })
}

/// `homeserver.yaml`, in the JSON that is also YAML (matrix facts 1): client API only, no limits on
/// speed, cheap passwords, and the two extensions that bring an appservice its keys.
fn configuration(folder: &Path, port: u16, registration: Option<&Path>) -> Value {
    let unlimited = json!({"per_second": 100_000, "burst_count": 100_000});
    json!({
        "server_name": SERVER_NAME,
        "public_baseurl": format!("http://127.0.0.1:{port}/"),
        "listeners": [{
            "port": port, "type": "http", "tls": false, "bind_addresses": ["127.0.0.1"],
            "resources": [{"names": ["client"], "compress": false}],
        }],
        "database": {"name": "sqlite3", "args": {"database": folder.join("homeserver.db")}},
        "signing_key_path": folder.join("signing.key"),
        "media_store_path": folder.join("media"),
        // As much as the network takes.
        "max_upload_size": "2G",
        "pid_file": folder.join("homeserver.pid"),
        "log_config": folder.join("log.json"),
        "report_stats": false,
        "enable_registration": true,
        "enable_registration_without_verification": true,
        "bcrypt_rounds": 4,
        "trusted_key_servers": [],
        "app_service_config_files": registration.into_iter().collect::<Vec<_>>(),
        "experimental_features": {
            "msc2409_to_device_messages_enabled": true,
            "msc3202_transaction_extensions": true,
        },
        "presence": {"enabled": false},
        // A client that asks for everything gets it: otherwise 100 events a sync, with gaps.
        "filter_timeline_limit": -1,
        "rc_message": unlimited, "rc_registration": unlimited, "rc_key_requests": unlimited,
        "rc_room_creation": unlimited,
        "rc_login": {"address": unlimited, "account": unlimited, "failed_attempts": unlimited},
        "rc_joins": {"local": unlimited, "remote": unlimited},
        "rc_invites": {"per_room": unlimited, "per_user": unlimited, "per_issuer": unlimited},
    })
}
