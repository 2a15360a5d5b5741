//! Where things are: the checkout, what `scripts/setup` installed, folders and ports for one run.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Error, Result, bail, ensure};
use tempfile::TempDir;
use url::Url;

/// Ports are taken from below the range that systems use for outgoing connections, since those come
/// and go by the hundred while tests run and could take a port between our choice and its use.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many lines of each log a failed run shows.
const SHOWN_LINES: usize = 30;

/// The root of the checkout.
pub(crate) fn checkout() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A thing that `scripts/setup` installs. Its absence is an error that says what to do: no test is
/// skipped for it.
pub(crate) fn installed(name: &str) -> Result<PathBuf> {
    let path = checkout().join(".local").join(name);
    ensure!(path.exists(), "{name} is not installed here: run scripts/setup (make test does)");
    Ok(path)
}

/// A program of `scripts/`.
pub(crate) fn script(name: &str) -> PathBuf {
    checkout().join("scripts").join(name)
}

/// A random number, for names that must not collide between processes. No secret is made of it.
pub(crate) fn dice() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A folder for a database that may still be written to when its test is over, by threads that end
/// soon: it is removed until it is gone.
#[derive(Debug)]
pub(crate) struct DatabaseFolder(TempDir);

impl DatabaseFolder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("folders can be made"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn sqlite_url(&self) -> String {
        format!("sqlite:{}", self.path().join("causeway.db").display())
    }
}

impl Drop for DatabaseFolder {
    fn drop(&mut self) {
        for _ in 0..200 {
            match fs::remove_dir_all(self.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    thread::sleep(Duration::from_millis(5));
                }
                _ => return,
            }
        }
    }
}

/// An address of 127.0.0.1 at which nobody listens now.
pub(crate) fn free_url() -> Result<Url> {
    Ok(Url::parse(&format!("http://127.0.0.1:{}/", free_port()?))?)
}

fn free_port() -> Result<u16> {
    let span = u64::from(PORTS.end - PORTS.start);
    for _ in 0..200 {
        let port = PORTS.start + u16::try_from(dice() % span)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("found no free port of 127.0.0.1 between {} and {}", PORTS.start, PORTS.end)
}

/// A folder for one run, below `.local/run`, with a subfolder `logs`. It is removed when the owner is
/// dropped, unless [`RunFolder::keep`] was called.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    kept: bool,
}

impl RunFolder {
    /// A new folder whose name begins with `name`.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = checkout().join(".local/run").join(format!("{name}-{:08x}", dice() >> 32));
        Self::at(path)
    }

    /// This very folder, emptied. It is kept: whoever names a folder wants to look into it.
    pub(crate) fn emptied(path: PathBuf) -> Result<Self> {
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("emptying {}", path.display()))?;
        }
        let mut folder = Self::at(path)?;
        folder.keep();
        Ok(folder)
    }

    fn at(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(path.join("logs"))
            .with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path, kept: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file that the part called `name` writes its log to.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// Leave the folder where it is, for somebody to look into.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// How the run ended. If it failed, the folder stays and the error shows the end of every log.
    pub(crate) fn report(&mut self, told: Result<()>) -> Result<()> {
        told.map_err(|error| self.failure(error))
    }

    /// A failure of the run: see [`RunFolder::report`].
    pub(crate) fn failure(&mut self, error: Error) -> Error {
        self.keep();
        error.context(format!("the end of every log:\n{}", self.log_tails(SHOWN_LINES)))
    }

    /// The last `lines` lines of every log, each under its name.
    pub(crate) fn log_tails(&self, lines: usize) -> String {
        let mut logs: Vec<PathBuf> = fs::read_dir(self.path.join("logs"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        logs.sort();
        let shown =
            logs.iter().map(|log| format!("--- {} ---\n{}", log.display(), tail(log, lines)));
        shown.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // A test run by an impatient person may be interrupted here, so failing is no error.
        if !self.kept {
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

/// The last `lines` lines of a file; empty if there is none.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
