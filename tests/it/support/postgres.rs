//! A PostgreSQL server for tests: the one that `make test` started, or else one for this process alone.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::place::{dice, script};

/// The variable with the server's URL, set by `scripts/with-postgres`.
const SERVER: &str = "CAUSEWAY_TEST_POSTGRES";

/// The server of this process: the child ends when its standard input does, so with this process.
struct OwnServer {
    url: String,
    _child: Child,
    _stdin: ChildStdin,
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

fn start() -> Result<OwnServer> {
    let mut child = Command::new(script("with-postgres"))
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
    Ok(OwnServer { url: url.trim().to_owned(), _child: child, _stdin: stdin })
}
