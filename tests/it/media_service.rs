//! The emulated network's media service between an unmodified Baileys and a simulated person, without the bridge: each
//! encrypts, uploads, downloads and decrypts with code of its own.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::support::{
    baileys::BaileysPerson,
    emulator::{
        Contact, Emulator,
        files::{FileMark, sample},
    },
    place::{RunFolder, free_url},
    wait::{PATIENCE, until},
};

const BAILEY: &str = "4915112340001";
const ROBIN: &str = "4915112340002";

/// A network with two people: one in Baileys, one whom the emulator plays.
struct Scene {
    network: Emulator,
    bailey: BaileysPerson,
    robin: Contact,
}

impl Scene {
    async fn set(run: &RunFolder) -> Result<Self> {
        let network = Emulator::start(&free_url()?).await?;
        let robin = network.control().person(ROBIN, "Robin", true).await?;
        let bailey = BaileysPerson::join(&network, run, BAILEY).await?;
        Ok(Self { network, bailey, robin })
    }

    /// Sends a file from Baileys and has Robin open it. Returns what Robin sees of it.
    async fn baileys_sends(&mut self, kind: &str, file: Value, about: Value) -> Result<Value> {
        let to = format!("{ROBIN}@s.whatsapp.net");
        let sent = self.bailey.sends_file(&to, kind, file, about).await?;
        let id = sent["id"].as_str().context("no id")?.to_owned();
        let got = self.robin.gets("a file", |received| received.id == id).await?;
        let opened = self.robin.opens(&id).await?;
        let claimed: FileMark = serde_json::from_value(sent["file"].clone())?;
        ensure!(opened == claimed, "sent {claimed:?}, arrived {opened:?}");
        ensure!(got.attachment["kind"] == kind, "sent {kind}, got {:?}", got.attachment);
        Ok(got.attachment)
    }

    /// Sends a file from Robin and has Baileys open it. Returns what Baileys sees of it.
    async fn robin_sends(&mut self, kind: &str, file: Value, about: Value) -> Result<Value> {
        let sent = self.robin.sends_file(BAILEY, kind, file, about).await?;
        let got = self.bailey.gets_file(&sent.id).await?;
        let opened = self.bailey.opens(&sent.id).await?;
        ensure!(opened == sent.mark, "sent {:?}, arrived {opened:?}", sent.mark);
        ensure!(got["file"]["kind"] == kind, "sent {kind}, got {}", got["file"]);
        Ok(got["file"].clone())
    }
}

/// Fails unless `shown` has every field of `expected`.
fn has(shown: &Value, expected: &Value) -> Result<()> {
    for (name, value) in expected.as_object().context("expected fields")? {
        ensure!(shown[name] == *value, "{name} is {}, not {value}", shown[name]);
    }
    Ok(())
}

#[tokio::test]
async fn every_kind_of_file_goes_between_baileys_and_a_simulated_person() -> Result<()> {
    let mut run = RunFolder::new("media-kinds")?;
    let told = every_kind(&run).await;
    run.report(told)
}

async fn every_kind(run: &RunFolder) -> Result<()> {
    let mut scene = Scene::set(run).await?;
    let size = json!({"width": 640, "height": 480, "thumbnail": "/9j/AAEC"});
    let captioned =
        json!({"caption": "look", "width": 640, "height": 480, "thumbnail": "/9j/AAEC"});
    let named = json!({"file_name": "a.pdf", "mimetype": "application/pdf"});
    let voice = json!({"seconds": 3, "waveform": "AAEyYw=="});
    let both = [
        ("image", &captioned),
        ("video", &captioned),
        ("gif", &captioned),
        ("document", &named),
        ("audio", &json!({"seconds": 5})),
        ("voice", &voice),
        ("sticker", &json!({"width": 512, "height": 512})),
    ];
    for (kind, about) in both {
        let shown = scene.baileys_sends(kind, sample(70_001, 1), about.clone()).await?;
        has(&shown, about).with_context(|| format!("{kind} from Baileys"))?;
        let shown = scene.robin_sends(kind, sample(70_001, 2), about.clone()).await?;
        has(&shown, about).with_context(|| format!("{kind} from Robin"))?;
    }
    // Of a round video, Baileys sends nothing but the file.
    scene.baileys_sends("ptv", sample(70_001, 1), json!({})).await?;
    has(&scene.robin_sends("ptv", sample(70_001, 2), size.clone()).await?, &size)?;
    // Ordinary apps wrap a document that has a caption.
    let document = json!({"file_name": "b.txt", "mimetype": "text/plain", "caption": "read"});
    has(&scene.robin_sends("document", sample(10, 2), document.clone()).await?, &document)?;
    has(&scene.baileys_sends("document", sample(10, 2), document.clone()).await?, &document)
}

#[tokio::test]
async fn files_of_every_length_arrive_unchanged() -> Result<()> {
    let mut run = RunFolder::new("media-lengths")?;
    let told = every_length(&run).await;
    run.report(told)
}

async fn every_length(run: &RunFolder) -> Result<()> {
    let mut scene = Scene::set(run).await?;
    for length in [0, 1, 65_535, 65_536, 65_537] {
        for from_baileys in [true, false] {
            let file = sample(length, length);
            let sent = if from_baileys {
                scene.baileys_sends("document", file, json!({})).await
            } else {
                scene.robin_sends("document", file, json!({})).await
            };
            sent.with_context(|| format!("{length} bytes, from Baileys: {from_baileys}"))?;
        }
    }
    let path = run.path().join("file");
    std::fs::write(&path, b"by path")?;
    scene.baileys_sends("image", json!({"path": path}), json!({})).await?;
    scene.robin_sends("image", json!({"path": path}), json!({})).await.map(drop)
}

#[tokio::test]
async fn a_hundred_megabytes_go_both_ways_in_little_memory() -> Result<()> {
    let mut run = RunFolder::new("media-large")?;
    let told = large(&run).await;
    run.report(told)
}

/// Of a Baileys process that moved 100 MB twice. Idle it has some 150.
const BAILEYS_MEGABYTES: u64 = 400;

async fn large(run: &RunFolder) -> Result<()> {
    let mut scene = Scene::set(run).await?;
    scene.baileys_sends("document", sample(100_000_000, 1), json!({})).await?;
    scene.robin_sends("video", sample(100_000_000, 2), json!({})).await?;
    let to = format!("{ROBIN}@s.whatsapp.net");
    let sent = scene.bailey.sends_file(&to, "document", sample(1, 1), json!({})).await?;
    let peak = sent["peak_mb"].as_u64().context("no figure")?;
    ensure!(peak < BAILEYS_MEGABYTES, "Baileys needed {peak} MB");
    Ok(())
}

#[tokio::test]
async fn a_spoiled_file_is_noticed_and_the_next_is_not() -> Result<()> {
    let mut run = RunFolder::new("media-faults")?;
    let told = faults(&run).await;
    run.report(told)
}

async fn faults(run: &RunFolder) -> Result<()> {
    let mut scene = Scene::set(run).await?;
    let sent = scene.robin.sends_file(BAILEY, "document", sample(70_000, 1), json!({})).await?;
    scene.bailey.gets_file(&sent.id).await?;
    let control = scene.network.control();
    control.spoil_download(json!({"status": 404}), Some(&sent.direct_path)).await?;
    ensure!(scene.bailey.opens(&sent.id).await.is_err(), "a missing file was opened");
    control.spoil_download(json!("truncated"), None).await?;
    ensure!(scene.bailey.opens(&sent.id).await.is_err(), "half a file was opened");
    control.spoil_download(json!("tampered"), None).await?;
    let opened = scene.bailey.opens(&sent.id).await?;
    // Baileys itself checks no hash.
    ensure!(opened != sent.mark, "a tampered file was taken for the one that was sent");
    control.all_faults_happened().await?;
    ensure!(scene.bailey.opens(&sent.id).await? == sent.mark);
    Ok(())
}

#[tokio::test]
async fn content_without_a_file_goes_both_ways() -> Result<()> {
    let mut run = RunFolder::new("media-content")?;
    let told = content(&run).await;
    run.report(told)
}

async fn content(run: &RunFolder) -> Result<()> {
    let mut scene = Scene::set(run).await?;
    let to = format!("{ROBIN}@s.whatsapp.net");
    let vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Ada\nTEL:+49151\nEND:VCARD";
    let contents = [
        json!({"location": {"degreesLatitude": 52.5, "degreesLongitude": 13.4, "name": "here"}}),
        json!({"contacts": {"displayName": "Ada", "contacts": [{"displayName": "Ada", "vcard": vcard}]}}),
        json!({"poll": {"name": "Tea?", "values": ["yes", "no"], "selectableCount": 1}}),
    ];
    let count = contents.len() as u64;
    for content in contents {
        scene.bailey.sends_content(&to, content).await?;
    }
    scene.robin.sends_raw(BAILEY, "text", "0a0568656c6c6f").await?;
    scene.bailey.reads("hello").await?;
    let path = format!("people/{ROBIN}");
    until("Robin's phone to read three messages", PATIENCE, || async {
        let robin = scene.network.control().call(reqwest::Method::GET, &path, None).await?;
        Ok((robin["counters"]["without_text"] == count).then_some(()))
    })
    .await
}
