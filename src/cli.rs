//! The command line and the composition root: the only place that knows every adapter.

mod ambient;
mod compose;
mod serve;
mod token_keys;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use self::ambient::OsEntropy;
use crate::{
    config::{Config, LogFormat, ProcessEnvironment, registration},
    port::Entropy as _,
    telemetry,
};

/// Connects a Matrix homeserver to WhatsApp through the interface that the Digital Markets Act
/// obliges Meta to offer.
#[derive(Debug, Parser)]
#[command(name = "causeway", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run the bridge until it is told to stop
    Run(ConfigFile),
    /// Write the registration.yaml that the homeserver must read
    Registration {
        #[command(flatten)]
        config: ConfigFile,
        /// Where to write it; `-` prints it
        #[arg(long, short, value_name = "FILE", default_value = "registration.yaml")]
        output: PathBuf,
    },
    /// Make a new key for identity tokens now, before it is due
    RotateTokenKey(ConfigFile),
    /// Write or check the configuration
    #[command(subcommand)]
    Config(ConfigTask),
}

#[derive(Debug, Subcommand)]
enum ConfigTask {
    /// Print a documented configuration with fresh secrets in it
    Example,
    /// Name every mistake in the configuration
    Check(ConfigFile),
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long = "config", short, value_name = "FILE", default_value = "causeway.toml")]
    path: PathBuf,
}

/// The configuration has mistakes.
const EXIT_CONFIG: u8 = 2;

/// Parses the arguments and does the task. 0 is success, 1 a failure, 2 a mistake in the arguments
/// or in the configuration.
pub fn main() -> ExitCode {
    let ended = match Arguments::parse().task {
        Task::Run(config) => with_config(&config.path, &run),
        Task::Registration { config, output } => {
            with_config(&config.path, &|config| write_registration(&registration(config), &output))
        }
        Task::RotateTokenKey(config) => with_config(&config.path, &rotate_token_key),
        Task::Config(ConfigTask::Example) => {
            let mut fill = |bytes: &mut [u8]| OsEntropy.fill(bytes);
            print(&Config::example(&mut fill)).map(|()| ExitCode::SUCCESS)
        }
        Task::Config(ConfigTask::Check(config)) => {
            with_config(&config.path, &|_| print("The configuration has no mistakes.\n"))
        }
    };
    ended.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn with_config(
    path: &Path,
    task: &dyn Fn(&Config) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    match Config::load(path, &ProcessEnvironment) {
        Ok(config) => task(&config).map(|()| ExitCode::SUCCESS),
        Err(mistakes) => {
            complain(&mistakes.to_string());
            Ok(ExitCode::from(EXIT_CONFIG))
        }
    }
}

fn run(config: &Config) -> anyhow::Result<()> {
    telemetry::start(config.log.filter.as_str(), config.log.format == LogFormat::Json)?;
    keep_panics_quiet();
    let runtime = runtime()?;
    let ended = runtime.block_on(compose::run(config));
    // Whoever still computes is not waited for: what counts is committed.
    runtime.shutdown_background();
    ended
}

fn rotate_token_key(config: &Config) -> anyhow::Result<()> {
    print(&runtime()?.block_on(compose::rotate_token_key(config))?.text())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("could not start the asynchronous runtime")
}

/// A panic's message may quote what it stumbled over, and that may be a message of a person. The
/// place is enough to find it.
fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a part of the bridge panicked; please report the place");
    }));
}

fn write_registration(text: &str, path: &Path) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return print(text);
    }
    ambient::write_private(path, text)
        .with_context(|| format!("could not write {}", path.display()))?;
    print(&format!("Wrote {}. Name it in the homeserver's configuration.\n", path.display()))
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("could not write to standard output")
}

fn complain(text: &str) {
    // Nobody is left to tell if this fails.
    drop(writeln!(io::stderr(), "{}", text.trim_end()));
}
