//! `make large-file`: one large file crosses the bridge each way, and what that costs is printed: how
//! fast it was, beside what the ciphers alone take on this machine, and how much memory the bridge needed
//! above what it has when idle. Fails if that is more than it may be.
//!
//! The ciphers are compiled optimised in every build, so the figures of a debug build say something; those
//! of `make large-file RELEASE=1` say what an operator gets. The bridge's processor time is printed too,
//! which says more than the clock where other programs want the processor at the same time.

// matrix-sdk's futures nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

// The support code of the end-to-end tests, of which this needs a part.
#[path = "../tests/it"]
mod it {
    #[expect(dead_code, reason = "the tests use more of it")]
    pub(crate) mod support;
}

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use causeway::domain::attachment::{AttachmentEncryptor, AttachmentKeys};
use causeway_wire::media::{Encryptor, MediaKind};
use serde_json::json;
use tokio::time::Instant;

use it::support::{
    bridge::{Bridge, Plan},
    emulator::files::sample,
    files::{Bytes, Print},
    memory,
    place::{RunFolder, checkout},
    world::{PHONE, World, logs_in, starts_chat},
};

/// The size without an argument.
const SIZE: u64 = 1 << 30;
/// What the bridge may need above its idle size, in bytes.
const MEMORY_MAX: u64 = 100_000_000;
/// Programs are told of processor time in hundredths of a second, whatever the kernel counts in.
const TICK: Duration = Duration::from_millis(10);
/// For one file one way.
const LIMIT: Duration = Duration::from_mins(10);

#[tokio::main]
async fn main() -> Result<()> {
    let size = std::env::args().nth(1).map_or(Ok(SIZE), |size| size.parse());
    let size = size.context("the argument is a number of bytes")?;
    let folder = RunFolder::emptied(checkout().join(".local/large-file"))?;
    say(&format!("{size} bytes each way, as a document.\n"))?;
    let (network, matrix) = (network_alone(size)?, matrix_alone(size)?);
    say(&format!("{:<33} {}", "the network's ciphers alone", rate(size, network)))?;
    say(&format!("{:<33} {}", "Matrix's cipher alone", rate(size, matrix)))?;
    let mut world = World::in_folder(folder, Plan::default()).await?;
    let told = crossing(&world, size).await;
    world.report(told)
}

/// AES-256-CBC, HMAC-SHA-256 and both hashes of the network's format (RustCrypto's), in one thread.
fn network_alone(size: u64) -> Result<Duration> {
    let mut encryptor = Encryptor::new(&[1; 32], MediaKind::Document);
    alone(size, |piece, out| Ok(encryptor.update(piece, out)?))
}

/// AES-256-CTR and SHA-256 of Matrix's format (AWS-LC's), in one thread.
fn matrix_alone(size: u64) -> Result<Duration> {
    let keys = AttachmentKeys::from_random(&[1; AttachmentKeys::RANDOM_BYTES]);
    let mut encryptor = AttachmentEncryptor::new(keys);
    alone(size, |piece, out| {
        encryptor.update(piece, out);
        Ok(())
    })
}

fn alone(
    size: u64,
    mut encrypt: impl FnMut(&[u8], &mut Vec<u8>) -> Result<()>,
) -> Result<Duration> {
    let (piece, mut out) = (vec![7; 64 * 1024], Vec::new());
    let start = Instant::now();
    let mut left = size;
    while left > 0 {
        let now = piece.len().min(usize::try_from(left)?);
        out.clear();
        encrypt(&piece[..now], &mut out)?;
        left -= now as u64;
    }
    Ok(start.elapsed())
}

async fn crossing(world: &World, size: u64) -> Result<()> {
    let alice = world.person("alice").await?;
    let bruno = world.contact(PHONE, "Bruno").await?;
    let management = logs_in(&alice).await?;
    let (room, _) = starts_chat(&alice, &management, PHONE).await?;
    alice.says(&room, "here it comes").await?;
    bruno.reads("here it comes").await?;

    let uploaded = alice.uploads(Bytes::Sample { size, seed: 1 }).await?;
    let watch = Watch::start("Matrix → WhatsApp", &world.bridge, size)?;
    let content = json!({"msgtype": "m.file", "body": "large.bin", "file": uploaded.file,
        "info": {"size": size, "mimetype": "application/octet-stream"}});
    alice.sends_content(&room, content).await?;
    let got = bruno.gets_within(LIMIT, "a file", |got| got.attachment.is_object()).await?;
    watch.stop()?;
    let opened: Print = bruno.opens(&got.id).await?.into();
    ensure!(opened == uploaded.print, "sent {:?}, arrived {opened:?}", uploaded.print);

    let before = alice.saw(room.room_id()).len();
    // From the moment at which the contact's app begins to encrypt.
    let watch = Watch::start("WhatsApp → Matrix", &world.bridge, size)?;
    let sent =
        bruno.sends_file(alice.id().as_str(), "document", sample(size, 2), json!({})).await?;
    let message = alice.sees_after(room.room_id(), before, "a file", LIMIT).await?;
    watch.stop()?;
    let opened = alice.downloads(&message.content["file"]).await?;
    ensure!(opened == sent.mark.clone().into(), "sent {:?}, arrived {opened:?}", sent.mark);
    say("\nBoth files arrived byte for byte.")
}

/// Watches one crossing.
struct Watch<'a> {
    what: &'static str,
    bridge: &'a Bridge,
    size: u64,
    idle: u64,
    worked: Duration,
    start: Instant,
}

impl<'a> Watch<'a> {
    fn start(what: &'static str, bridge: &'a Bridge, size: u64) -> Result<Self> {
        let process = bridge.process()?;
        memory::forget_peak(process)?;
        let idle = memory::of(process)?.now;
        let worked = worked(process)?;
        Ok(Self { what, bridge, size, idle, worked, start: Instant::now() })
    }

    fn stop(self) -> Result<()> {
        let took = self.start.elapsed();
        let process = self.bridge.process()?;
        let worked = worked(process)?.saturating_sub(self.worked);
        let peak = memory::of(process)?.peak;
        let above = peak.saturating_sub(self.idle);
        say(&format!(
            "{:<33} {}, {:.1} s of the processor, memory {:.1} MB idle, {:.1} MB above it at its peak",
            self.what,
            rate(self.size, took),
            worked.as_secs_f64(),
            megabytes(self.idle),
            megabytes(above),
        ))?;
        ensure!(above < MEMORY_MAX, "the bridge needed {above} bytes above its idle size");
        Ok(())
    }
}

/// The processor time that a process has taken since it started, in all its threads.
fn worked(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The program's name is in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(") ").context("a process without a name")?;
    // proc_pid_stat(5): fields 14 and 15, of which the third comes first here.
    let ticks: Result<Vec<u32>, _> = fields.split(' ').skip(11).take(2).map(str::parse).collect();
    Ok(TICK * ticks?.into_iter().sum::<u32>())
}

fn rate(size: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    format!("{seconds:6.1} s {:7.1} MB/s", megabytes(size) / seconds)
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
