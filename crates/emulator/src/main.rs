//! `causeway-emulator`: the network's servers as a process. The work is in the library.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use causeway_emulator::{DEFAULT_AUDIENCE, Emulator, Options, TokenRules};
use clap::Parser;
use serde_json::json;
use tracing_subscriber::EnvFilter;

/// Plays the network's servers on loopback, for development and tests.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where chat connections are accepted.
    #[arg(long, default_value = "127.0.0.1:0")]
    chat: SocketAddr,
    /// Where partners enlist and fetch the network's key set, and where media is.
    #[arg(long, default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// Where tests take control.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// The partner's number in `12-…@interop`.
    #[arg(long, default_value_t = 12)]
    partner_id: u16,
    /// Base URL of the partner's server: its key set, its pushes, and the `iss` of its tokens.
    #[arg(long)]
    partner_base_url: String,
    /// The `aud` of the partner's tokens.
    #[arg(long, default_value = DEFAULT_AUDIENCE)]
    audience: String,
    /// A file that is written once everything listens: addresses and root key as JSON.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// What is logged, in the syntax of `tracing`. The Signal library names phone numbers in its warnings.
    #[arg(long, default_value = "info,wacore_libsignal=off")]
    log: EnvFilter,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_env_filter(arguments.log).with_writer(std::io::stderr).init();
    let tokens =
        TokenRules { partner_base_url: arguments.partner_base_url, audience: arguments.audience };
    let emulator = Emulator::start(Options {
        chat: arguments.chat,
        http: arguments.http,
        control: arguments.control,
        partner_id: arguments.partner_id,
        tokens,
    })
    .await?;
    let addresses = emulator.addresses();
    tracing::info!(chat = %addresses.chat, http = %addresses.http, control = %addresses.control, "listening");
    if let Some(path) = arguments.ready_file {
        write_ready_file(&path, &emulator).await?;
    }
    stop_signal().await?;
    emulator.stop().await;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |index: u8| char::from(DIGITS[usize::from(index)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Written beside and renamed: who waits for the file never reads half of it.
async fn write_ready_file(path: &std::path::Path, emulator: &Emulator) -> anyhow::Result<()> {
    let addresses = emulator.addresses();
    let root_key = hex(&emulator.root_key());
    let ready = json!({
        "chat": addresses.chat,
        "chat_url": format!("ws://{}/ws/chat", addresses.chat),
        "http": addresses.http,
        "control": addresses.control,
        "root_key": root_key,
    });
    let beside = path.with_extension("tmp");
    tokio::fs::write(&beside, ready.to_string()).await.context("the ready file")?;
    tokio::fs::rename(&beside, path).await.context("the ready file")
}

async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
