//! The bridge as an operator runs it: the binary, a configuration file, a folder. It can be ended as a
//! service manager would, and killed as a power cut would.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use url::Url;

use super::{
    leash::{Errand, Leashed},
    place::{RunFolder, dice, free_url},
    synapse::SERVER_NAME,
    wait::{PATIENCE, until},
};

/// The localpart of the bridge's bot.
pub(crate) const BOT: &str = "whatsappbot";

/// What every ghost's localpart begins with.
pub(crate) const GHOST_PREFIX: &str = "whatsapp_";

/// The bridge's number among the network's partners.
pub(crate) const INTEGRATOR_ID: u16 = 12;

/// What the homeserver must prove itself with.
pub(crate) const HS_TOKEN: &str = "hs_token_for_tests_only";

/// Where the emulated network is, as a bridge is told.
#[derive(Clone, Debug)]
pub(crate) struct NetworkPlace {
    /// `ws://…` or `tcp://…`
    pub(crate) chat: String,
    pub(crate) enlist: String,
    pub(crate) push_keys: String,
    /// The host of its media, without a slash at the end.
    pub(crate) media: String,
    /// The root of its certificates, in hexadecimal.
    pub(crate) root_key: String,
}

/// What a bridge is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// A database URL; without one, an SQLite file in the bridge's folder.
    pub(crate) database: Option<String>,
    pub(crate) log: &'static str,
    /// Lines of `[network.profile]`.
    pub(crate) profile: &'static str,
    /// What the ids of the bridge's homeserver end in.
    pub(crate) server_name: String,
    /// The lines of `[permissions]`.
    pub(crate) permissions: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            database: None,
            log: "info,causeway=debug",
            profile: "",
            server_name: SERVER_NAME.to_owned(),
            permissions: String::new(),
        }
    }
}

/// A bridge with its folder. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Bridge {
    folder: PathBuf,
    log: PathBuf,
    homeserver_face: Url,
    network_face: Url,
    http: reqwest::Client,
    process: Option<Leashed>,
}

impl Bridge {
    /// Writes the configuration and, by the bridge's own command, the registration. The network will
    /// reach the bridge at `network_face`.
    pub(crate) fn prepare(
        run: &RunFolder,
        homeserver: &Url,
        network_face: &Url,
        network: &NetworkPlace,
        plan: &Plan,
    ) -> Result<Self> {
        let folder = run.path().join("bridge");
        fs::create_dir_all(&folder)?;
        let bridge = Self {
            log: run.log("bridge"),
            homeserver_face: free_url()?,
            network_face: network_face.clone(),
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?,
            process: None,
            folder,
        };
        fs::write(bridge.config(), bridge.configuration(homeserver, network, plan)?)?;
        bridge.command(&["config", "check"])?;
        bridge.command(&["registration"])?;
        ensure!(
            bridge.registration().exists(),
            "`causeway registration` wrote no registration.yaml"
        );
        Ok(bridge)
    }

    /// The file that the homeserver must read.
    pub(crate) fn registration(&self) -> PathBuf {
        self.folder.join("registration.yaml")
    }

    /// The folder that holds everything that the bridge keeps.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that the bridge's log goes to.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Where the homeserver, and people's managers, reach the bridge.
    pub(crate) fn homeserver_face(&self) -> &Url {
        &self.homeserver_face
    }

    /// Where the network reaches the bridge.
    pub(crate) fn network_face(&self) -> &Url {
        &self.network_face
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn start(&mut self) -> Result<()> {
        // A file that may not grow is an error for it and not its death: see `limit_files`.
        let mut process = Errand::new("bridge", "sh".as_ref(), &self.log)
            .arg("-c")
            .arg("trap '' XFSZ; exec \"$0\" \"$@\"")
            .arg(binary()?)
            .arg("run")
            .arg("--config")
            .arg(self.config())
            .folder(&self.folder)
            .start()?;
        let health = self.homeserver_face.join("health")?;
        let serves = until("the bridge to serve", PATIENCE, || {
            let running = process.must_run();
            let asked = self.http.get(health.clone()).send();
            async move {
                running?;
                Ok(asked.await.is_ok_and(|answer| answer.status().is_success()).then_some(()))
            }
        });
        let served = serves.await;
        self.process = Some(process);
        served
    }

    /// Its process id.
    pub(crate) fn process(&self) -> Result<u32> {
        self.process.as_ref().context("the bridge is not running")?.process()
    }

    /// From now on none of its files can grow beyond so many bytes, as on a disk that is full; or they
    /// can again.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let limited = Command::new("prlimit")
            .args(["--pid", &self.process()?.to_string(), &format!("--fsize={limit}:unlimited")])
            .status()
            .context("prlimit, of util-linux, is not installed here")?;
        ensure!(limited.success(), "the size of the bridge's files could not be limited");
        Ok(())
    }

    /// What the bridge says of its own health: the status and why.
    pub(crate) async fn health(&self) -> Result<(reqwest::StatusCode, String)> {
        let answer = self.http.get(self.homeserver_face.join("health")?).send().await?;
        Ok((answer.status(), answer.text().await?))
    }

    /// Tells it to stop, without waiting.
    pub(crate) fn terminate(&mut self) -> Result<()> {
        self.process.as_mut().context("the bridge is not running")?.signal("TERM")
    }

    /// `kill -9`, in the middle of whatever it does.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the bridge is not running")?;
        process.kill().await
    }

    /// Ends it as a service manager would. It must exit with 0.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the bridge is not running")?;
        process.signal("TERM")?;
        let status = process.end(PATIENCE).await?;
        ensure!(status.success(), "the bridge ended with {status}\n{}", process.shown_log());
        Ok(())
    }

    /// Starts a second one, or one that cannot start, and waits for its end. Returns its exit code and
    /// what it said, in the log and to whoever started it.
    pub(crate) async fn start_in_vain(&self) -> Result<(Option<i32>, String)> {
        let log = self.log.with_extension("second.log");
        let mut process = Errand::new("second bridge", &binary()?, &log)
            .arg("run")
            .arg("--config")
            .arg(self.config())
            .folder(&self.folder)
            .start()?;
        let status = process.end(PATIENCE).await?;
        let said = fs::read_to_string(&log)?;
        fs::remove_file(&log)?;
        Ok((status.code(), said))
    }

    /// Waits until it has ended by itself. Returns its exit code.
    pub(crate) async fn ends(&mut self) -> Result<Option<i32>> {
        let mut process = self.process.take().context("the bridge is not running")?;
        Ok(process.end(PATIENCE).await?.code())
    }

    /// Fails if the bridge has ended by itself.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        self.process.as_mut().context("the bridge was not started")?.must_run()
    }

    /// Delivers a transaction as the homeserver would. Returns the status.
    pub(crate) async fn transaction(
        &self,
        id: &str,
        token: Option<&str>,
        body: String,
    ) -> Result<reqwest::StatusCode> {
        let url = self.homeserver_face.join(&format!("_matrix/app/v1/transactions/{id}"))?;
        let mut request = self.http.put(url).body(body).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Ok(request.send().await?.status())
    }

    /// Runs another of the bridge's commands to its end. Returns what it printed.
    pub(crate) fn command(&self, words: &[&str]) -> Result<String> {
        let out = Command::new(binary()?)
            .args(words)
            .arg("--config")
            .arg(self.config())
            .current_dir(&self.folder)
            .output()?;
        let printed = String::from_utf8_lossy(&out.stdout).into_owned();
        ensure!(
            out.status.success(),
            "`causeway {}` ended with {}\n{printed}{}",
            words.join(" "),
            out.status,
            String::from_utf8_lossy(&out.stderr)
        );
        Ok(printed)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("causeway.toml")
    }

    fn configuration(
        &self,
        homeserver: &Url,
        network: &NetworkPlace,
        plan: &Plan,
    ) -> Result<String> {
        let NetworkPlace { chat, enlist, push_keys, root_key, media } = network;
        let Plan { database, log, profile, server_name, permissions } = plan;
        // Fresh in every run, so that nothing can lean on a constant.
        let numbers: Vec<u8> = (0..4).flat_map(|_| dice().to_le_bytes()).collect();
        let master_key = STANDARD.encode(numbers);
        let database = database.as_deref().unwrap_or("sqlite:causeway.db");
        let (ours, theirs) = (&self.homeserver_face, &self.network_face);
        let listen = |face: &Url| -> Result<String> {
            Ok(format!("127.0.0.1:{}", face.port().context("a face without a port")?))
        };
        Ok(format!(
            r#"master_key = "{master_key}"

[homeserver]
url = "{homeserver}"
server_name = "{server_name}"

[appservice]
url = "{ours}"
listen = "{}"
as_token = "as_token_{:016x}"
hs_token = "{HS_TOKEN}"
bot_localpart = "{BOT}"
ghost_prefix = "{GHOST_PREFIX}"

[network]
public_url = "{theirs}"
listen = "{}"
integrator_id = {INTEGRATOR_ID}
phone_region = "FR"
chat_url = "{chat}"
enlist_url = "{enlist}"
push_keys_url = "{push_keys}"
root_key = "{root_key}"
media_url = "{media}"
# A test does not wait for minutes.
reconnect_max_s = 2

[network.profile]
{profile}

[database]
url = "{database}"

[log]
filter = "{log}"

[permissions]
{permissions}

[limits]
# A test writes in a minute what people write in a day.
messages_a_minute = 100000
"#,
            listen(ours)?,
            dice(),
            listen(theirs)?,
        ))
    }
}

/// The bridge's binary: cargo names it to tests, and puts it beside the folder of examples.
fn binary() -> Result<PathBuf> {
    if let Some(path) = option_env!("CARGO_BIN_EXE_causeway") {
        return Ok(PathBuf::from(path));
    }
    let here = std::env::current_exe()?;
    let path = here
        .ancestors()
        .nth(2)
        .context("this program lies in no folder of cargo's")?
        .join("causeway");
    ensure!(path.exists(), "{} is not built: `make demo` builds it", path.display());
    Ok(path)
}
