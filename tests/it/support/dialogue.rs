//! A peer program in another language that is spoken to in JSON, one object a line: commands go to
//! its standard input and each is answered in order; events come between the answers. It ends with its
//! standard input, so it cannot outlive the test.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    time::timeout,
};

use super::{place::tail, wait::until};

/// How many answers may lie unread; there is one at most, since commands wait for theirs.
const ANSWERS: usize = 4;

/// A running peer program.
#[derive(Debug)]
pub(crate) struct Dialogue {
    name: String,
    log: PathBuf,
    // Killed when dropped. It leads a group of its own, so an interrupt meant for the test spares it
    // until its standard input closes.
    _child: Child,
    stdin: ChildStdin,
    answers: mpsc::Receiver<Value>,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Dialogue {
    /// Starts `command`, which will be called `name`; its standard error goes to `log`.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(OpenOptions::new().create(true).append(true).open(log)?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let (answer, answers) = mpsc::channel(ANSWERS);
        let events = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(listen(stdout, answer, events.clone()));
        Ok(Self {
            name: name.to_owned(),
            log: log.to_owned(),
            _child: child,
            stdin,
            answers,
            events,
        })
    }

    /// Gives a command and waits for its answer, which is an error if the program says so.
    pub(crate) async fn ask(&mut self, command: &Value, limit: Duration) -> Result<Value> {
        self.tell(command).await?;
        let answer = timeout(limit, self.answers.recv()).await;
        let Ok(Some(answer)) = answer else {
            bail!("{} gave no answer to {}\n{}", self.name, command["do"], tail(&self.log, 40));
        };
        ensure!(answer["ok"] == true, "{} failed at {command}: {answer}", self.name);
        Ok(answer)
    }

    /// Gives a command to a program that answers by its events alone.
    pub(crate) async fn tell(&mut self, command: &Value) -> Result<()> {
        Ok(self.stdin.write_all(format!("{command}\n").as_bytes()).await?)
    }

    /// Everything that it reported so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for an event that `wanted` accepts.
    pub(crate) async fn event(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Result<Value> {
        let found = until(what, limit, || async {
            Ok(self.events().into_iter().find(|event| wanted(event)))
        });
        found.await.with_context(|| {
            let events: Vec<String> =
                self.events().iter().map(|event| format!("  {event}")).collect();
            format!("{} reported:\n{}\n{}", self.name, events.join("\n"), tail(&self.log, 40))
        })
    }
}

async fn listen(stdout: ChildStdout, answer: mpsc::Sender<Value>, events: Arc<Mutex<Vec<Value>>>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Value>(&line) {
            Ok(value) if value.get("ok").is_some() => {
                if answer.send(value).await.is_err() {
                    return;
                }
            }
            Ok(value) => events.lock().unwrap_or_else(PoisonError::into_inner).push(value),
            Err(error) => tracing::warn!(%error, "a peer program printed a line that is no JSON"),
        }
    }
}
