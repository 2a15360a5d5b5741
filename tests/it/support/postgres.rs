//! A PostgreSQL server for tests: the one that `make test` started, or else one for this process alone; and
//! one that a test may stop.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{
    place::{dice, script},
    wait::{PATIENCE, until},
};

/// The variable with the server's URL, set by `scripts/with-postgres`.
const SERVER: &str = "CAUSEWAY_TEST_POSTGRES";

/// The server of this process: the child ends when its standard input does, so with this process.
struct OwnServer {
    url: String,
    child: Child,
    stdin: Option<ChildStdin>,
}

/// A new empty database. It is dropped with the server; names never collide.
pub(crate) async fn new_database() -> Result<String> {
    let server = server_url()?;
    let name = format!("causeway_{:016x}", dice());
    let mut connection =
        PgConnection::connect(&server).await.context("connecting to PostgreSQL")?;
    // A name of our own making; names cannot be parameters.
    connection.execute(AssertSqlSafe(format!("create database {name}"))).await?;
    connection.close().await?;
    let (base, _) = server.rsplit_once('/').context("the server's URL names no database")?;
    Ok(format!("{base}/{name}"))
}

fn server_url() -> Result<String> {
    static OWN: OnceLock<Result<OwnServer, String>> = OnceLock::new();
    if let Some(url) = std::env::var_os(SERVER) {
        return url.into_string().map_err(|url| anyhow!("{SERVER} is not text: {}", url.display()));
    }
    match OWN.get_or_init(|| start().map_err(|error| format!("{error:#}"))) {
        Ok(own) => Ok(own.url.clone()),
        Err(error) => Err(anyhow!("{error}")),
    }
}

/// A server of a test's own, which can be stopped and started again.
pub(crate) struct Server {
    own: OwnServer,
    /// Where its files are.
    data: PathBuf,
    /// Since it was started again.
    child: Option<Child>,
}

impl Server {
    pub(crate) async fn start() -> Result<Self> {
        let own = start()?;
        let mut connection = PgConnection::connect(&own.url).await?;
        let data: String =
            sqlx::query_scalar("show data_directory").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(Self { own, data: data.into(), child: None })
    }

    pub(crate) fn url(&self) -> &str {
        &self.own.url
    }

    /// Stops it as its operator would who does not wait for its clients.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let lock = self.data.join("postmaster.pid");
        let text = fs::read_to_string(&lock)?;
        let process = text.lines().next().context("an empty lock file")?;
        let killed = Command::new("kill").args(["-INT", process]).status()?;
        ensure!(killed.success(), "the server could not be told to stop");
        until("the server to stop", PATIENCE, || async { Ok((!lock.exists()).then_some(())) })
            .await?;
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    /// Starts it again with the command that it was started with, at the same port.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        // The server wrote it down itself: a program and its arguments, each in quotation marks.
        let command = fs::read_to_string(self.data.join("postmaster.opts"))?;
        let (program, arguments) = command.trim().split_once(' ').context("no arguments")?;
        let arguments = arguments.split('"').skip(1).step_by(2);
        let owner = fs::metadata(&self.data)?;
        let log = fs::OpenOptions::new().append(true).create(true).open(self.data.join("log"))?;
        let mut server = Command::new(program);
        server.args(arguments).current_dir(&self.data).stdin(Stdio::null());
        server.stdout(log.try_clone()?).stderr(log);
        // The server does not run as root.
        if owner.uid() != fs::metadata("/proc/self")?.uid() {
            server.uid(owner.uid()).gid(owner.gid());
        }
        self.child = Some(server.spawn().context("starting the server again")?);
        until("the server to answer", PATIENCE, || async {
            Ok(PgConnection::connect(self.url()).await.ok())
        })
        .await?
        .close()
        .await?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
        // Whoever started the first one removes its files.
        self.own.stdin = None;
        drop(self.own.child.wait());
    }
}

fn start() -> Result<OwnServer> {
    let mut child = Command::new(script("with-postgres"))
        .env_remove(SERVER)
        // `cat` ends when our end of the pipe closes, and the server with it.
        .args(["sh", "-c", "echo $CAUSEWAY_TEST_POSTGRES && exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("starting scripts/with-postgres")?;
    let stdin = child.stdin.take().context("no standard input")?;
    let mut url = String::new();
    BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut url)?;
    ensure!(!url.trim().is_empty(), "PostgreSQL did not start; its reason is on standard error");
    Ok(OwnServer { url: url.trim().to_owned(), child, stdin: Some(stdin) })
}
