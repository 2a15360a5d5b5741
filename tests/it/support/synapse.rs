//! A homeserver: Synapse from PyPI, on a free port, with an empty database in the run's folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{OwnedUserId, UserId};
use serde_json::{Value, json};
use url::Url;

use super::{
    leash::{Errand, Leashed},
    place::{RunFolder, dice, free_url, installed},
    wait::until,
};

/// The name that user ids end in. Not an address: a homeserver of this name federates with nobody.
pub(crate) const SERVER_NAME: &str = "localhost";

/// Starting takes about 4 s of one core, and several start at once.
const START_LIMIT: Duration = Duration::from_secs(90);

/// A started homeserver. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Synapse {
    server_name: String,
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
        Self::start_at(run, SERVER_NAME, &free_url()?, registration).await
    }

    /// The same, at an address that somebody has already been told. A server name with a port (see
    /// [`federating_name`]) is where other homeservers find it.
    pub(crate) async fn start_at(
        run: &RunFolder,
        server_name: &str,
        url: &Url,
        registration: Option<&Path>,
    ) -> Result<Self> {
        let name = format!("synapse-{}", server_name.replace(':', "-"));
        let folder = run.path().join(&name);
        let port = url.port().context("the homeserver's address has no port")?;
        fs::create_dir_all(&folder)?;
        let config = folder.join("homeserver.yaml");
        fs::write(
            &config,
            serde_json::to_vec_pretty(&configuration(&folder, server_name, port, registration)?)?,
        )?;
        fs::write(folder.join("log.json"), serde_json::to_vec_pretty(&log_configuration())?)?;
        // The key that signs for other servers: each has one of its own.
        let seed: Vec<u8> = (0..4).flat_map(|_| dice().to_le_bytes()).collect();
        fs::write(
            folder.join("signing.key"),
            format!("ed25519 a_test {}\n", STANDARD_NO_PAD.encode(seed)),
        )?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?;
        let (server_name, url, log) = (server_name.to_owned(), url.clone(), run.log(&name));
        let mut synapse = Self { server_name, url, config, log, folder, process: None, http };
        synapse.resume().await?;
        Ok(synapse)
    }

    /// Where its client API is.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The id of an account here.
    pub(crate) fn user(&self, localpart: &str) -> Result<OwnedUserId> {
        Ok(UserId::parse(format!("@{localpart}:{}", self.server_name))?)
    }

    /// Ends the process; its data stays.
    pub(crate) fn pause(&mut self) {
        self.process = None;
    }

    /// From now on it takes what comes and answers nothing; or it goes on.
    pub(crate) fn freeze(&mut self, frozen: bool) -> Result<()> {
        let process = self.process.as_mut().context("the homeserver is not running")?;
        process.signal(if frozen { "STOP" } else { "CONT" })
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

/// A server name for a homeserver that federates: other homeservers connect to its port.
pub(crate) fn federating_name() -> Result<String> {
    let port = free_url()?.port().context("a free address without a port")?;
    Ok(format!("localhost:{port}"))
}

/// `homeserver.yaml`, in the JSON that is also YAML (matrix facts 1): no limits on speed, cheap
/// passwords, the two extensions that bring an appservice its keys; client API only, unless the name
/// says where it federates.
fn configuration(
    folder: &Path,
    server_name: &str,
    port: u16,
    registration: Option<&Path>,
) -> Result<Value> {
    let mut configuration = client_configuration(folder, server_name, port, registration);
    let Some((_, port)) = server_name.split_once(':') else { return Ok(configuration) };
    let (certificate, key) = (folder.join("tls.pem"), folder.join("tls.key"));
    certify(&certificate, &key)?;
    let listeners = configuration["listeners"].as_array_mut().context("a list of listeners")?;
    listeners.push(json!({
        "port": port.parse::<u16>()?, "type": "http", "tls": true, "bind_addresses": ["127.0.0.1"],
        "resources": [{"names": ["federation"], "compress": false}],
    }));
    configuration["tls_certificate_path"] = json!(certificate);
    configuration["tls_private_key_path"] = json!(key);
    // Every certificate is signed by itself, and every address is one of this machine.
    configuration["federation_verify_certificates"] = json!(false);
    configuration["ip_range_blacklist"] = json!([]);
    configuration["federation"] =
        json!({"destination_min_retry_interval": "1s", "destination_max_retry_interval": "2s"});
    Ok(configuration)
}

/// Makes a certificate for this machine with what Synapse itself needs for its own.
fn certify(certificate: &Path, key: &Path) -> Result<()> {
    const SCRIPT: &str = "
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'localhost')])
now = datetime.datetime.now(datetime.timezone.utc)
builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
builder = builder.not_valid_before(now - datetime.timedelta(days=1))
builder = builder.not_valid_after(now + datetime.timedelta(days=1))
certificate = builder.sign(key, hashes.SHA256())
encoding = serialization.Encoding.PEM
with open(sys.argv[1], 'wb') as file:
    file.write(certificate.public_bytes(encoding))
with open(sys.argv[2], 'wb') as file:
    plain = serialization.NoEncryption()
    file.write(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
";
    let python = installed("synapse")?.join("bin/python");
    let made = Command::new(python).args(["-c", SCRIPT]).args([certificate, key]).output()?;
    let said = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "no certificate was made: {said}");
    Ok(())
}

fn client_configuration(
    folder: &Path,
    server_name: &str,
    port: u16,
    registration: Option<&Path>,
) -> Value {
    let unlimited = json!({"per_second": 100_000, "burst_count": 100_000});
    json!({
        "server_name": server_name,
        "public_baseurl": format!("http://127.0.0.1:{port}/"),
        "listeners": [{
            "port": port, "type": "http", "tls": false, "bind_addresses": ["127.0.0.1"],
            "resources": [{"names": ["client", "openid"], "compress": false}],
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
