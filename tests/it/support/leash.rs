//! Child processes that cannot outlive the test: each runs under `scripts/leash`, which kills the
//! child's whole process group as soon as the pipe from here closes, however this process ended.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};

use super::{
    place::{script, tail},
    wait::until,
};

/// How many lines of its log a failed child shows.
const SHOWN_LINES: usize = 40;

/// A command about to be started on a leash.
#[derive(Debug)]
pub(crate) struct Errand {
    name: String,
    log: PathBuf,
    command: Command,
}

impl Errand {
    /// `program` will run as `name`, both its outputs appended to `log`.
    pub(crate) fn new(name: &str, program: &Path, log: &Path) -> Self {
        let mut command = Command::new(script("leash"));
        command.arg(program);
        Self { name: name.to_owned(), log: log.to_owned(), command }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Starts the child.
    pub(crate) fn start(mut self) -> Result<Leashed> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A group of its own, so that what ends this test's group leaves the leash to do its duty.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", self.name))?;
        let leash = child.stdin.take();
        Ok(Leashed { name: self.name, log: self.log, child, leash })
    }
}

/// A running child. Dropping it kills it and everything it started, and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Leashed {
    name: String,
    log: PathBuf,
    child: Child,
    leash: Option<ChildStdin>,
}

impl Leashed {
    /// The process id of the child itself.
    pub(crate) fn process(&self) -> Result<u32> {
        let leash = self.child.id();
        let children = fs::read_to_string(format!("/proc/{leash}/task/{leash}/children"))?;
        let child = children.split_whitespace().next().context("the leash holds nobody")?;
        Ok(child.parse()?)
    }

    /// Sends a signal by its short name: `TERM`, `KILL`, `STOP`, `CONT`.
    pub(crate) fn signal(&mut self, name: &str) -> Result<()> {
        let leash = self.leash.as_mut().context("the leash is gone")?;
        writeln!(leash, "{name}").with_context(|| format!("sending {name} to {}", self.name))
    }

    /// How the child ended, if it did. A child that a signal ended counts as exit code 128 plus its
    /// number.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails, with the tail of the child's log, if it is no longer running.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself ({status})\n{}", self.name, self.shown_log()),
        }
    }

    /// Waits for the child to end.
    pub(crate) async fn end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let child = &mut self.child;
        until(&what, limit, move || {
            let looked = child.try_wait().map_err(|error| anyhow!(error));
            async move { looked }
        })
        .await
    }

    /// `kill -9`, and wait until it is dead.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.signal("KILL")?;
        self.end(Duration::from_secs(20)).await.map(drop)
    }

    /// The tail of the child's log, under its name.
    pub(crate) fn shown_log(&self) -> String {
        format!("--- {} ---\n{}", self.log.display(), tail(&self.log, SHOWN_LINES))
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.leash = None;
        if let Err(error) = self.child.wait() {
            // Nobody is left to tell but the log that a person reads after a surprise.
            tracing::error!(child = self.name, %error, "could not wait for a child");
        }
    }
}
