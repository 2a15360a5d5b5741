//! Files cross the bridge: every kind, every length, both ways, byte for byte; and what people read when
//! one cannot.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use matrix_sdk::Room;
use serde_json::{Value, json};

use crate::support::{
    baileys::BaileysPerson,
    bridge::Plan,
    emulator::{
        Received,
        files::{FileMark, sample},
    },
    files::{Bytes, Print, Uploaded},
    matrix_client::{Message, Person, must_be_clean},
    memory,
    world::{PHONE, World, logs_in, starts_chat},
};

/// The phone number of the person in Baileys.
const BAILEY: &str = "4915112340001";

/// For the largest file of these stories, on a machine that does much else.
const FILE_LIMIT: Duration = Duration::from_mins(3);

/// What the bridge may need above its idle size while files cross, in bytes.
const MEMORY_MAX: u64 = 100_000_000;

/// The same file for somebody on the network, who may need it on disk.
fn order(world: &World, bytes: &Bytes) -> Result<Value> {
    Ok(match bytes {
        Bytes::Sample { size, seed } => sample(*size, *seed),
        Bytes::These(bytes) => {
            let path = world.run.path().join("file");
            std::fs::write(&path, bytes)?;
            json!({"path": path})
        }
    })
}

/// Fails unless `shown` has every field of `expected`, and in each of them the same.
fn has(shown: &Value, expected: &Value) -> Result<()> {
    for (name, value) in expected.as_object().context("expected fields")? {
        if value.is_object() {
            has(&shown[name], value).with_context(|| format!("in {name}"))?;
        } else {
            ensure!(shown[name] == *value, "{name} is {}, not {value}, in {shown}", shown[name]);
        }
    }
    Ok(())
}

/// Alice in the room that she has with a contact.
struct Scene<'a> {
    alice: &'a Person,
    room: &'a Room,
}

impl Scene<'_> {
    /// Sends a file in a message with this content.
    async fn sends(&self, bytes: Bytes, mut content: Value) -> Result<Print> {
        let Uploaded { file, print } = self.alice.uploads(bytes).await?;
        content["file"] = file;
        content["info"]["size"] = print.size.into();
        self.alice.sends_content(self.room, content).await?;
        Ok(print)
    }

    /// How many messages there are.
    fn count(&self) -> usize {
        self.alice.saw(self.room.room_id()).len()
    }

    /// Waits for the next message after the first `before`.
    async fn sees_next(&self, before: usize, what: &str) -> Result<Message> {
        let message = self.alice.sees_after(self.room.room_id(), before, what, FILE_LIMIT).await?;
        must_be_clean(&message)?;
        Ok(message)
    }

    /// Waits for the file that comes after the first `before` messages, and decrypts it.
    async fn sees_file(&self, before: usize) -> Result<(Message, Print)> {
        let message = self.sees_next(before, "a message with a file").await?;
        let file = &message.content["file"];
        ensure!(file.is_object(), "no file came but {:?}", message.body);
        let print = self.alice.downloads(file).await?;
        Ok((message, print))
    }
}

/// A kind of file: what the network's message says of it, and what the Matrix event does.
struct Kind {
    name: &'static str,
    bytes: Bytes,
    network: Value,
    matrix: Value,
}

fn kinds() -> Vec<Kind> {
    let wave: Vec<u8> = (0..64_u16).map(|n| u8::try_from(n * 100 / 63).unwrap_or(100)).collect();
    let mut seed = 0;
    let mut kind = |name, network, matrix| {
        seed += 1;
        let bytes = Bytes::Sample { size: 70_001, seed };
        Kind { name, bytes, network, matrix }
    };
    let picture = Kind {
        name: "image",
        bytes: Bytes::These(jpeg(64, 48)),
        network: json!({"mimetype": "image/jpeg", "caption": "look", "width": 64, "height": 48}),
        matrix: json!({"msgtype": "m.image", "body": "look", "filename": "image.jpg",
            "info": {"mimetype": "image/jpeg", "w": 64, "h": 48}}),
    };
    let video = json!({"mimetype": "video/mp4", "w": 320, "h": 240, "duration": 7_000});
    let mut gif = video.clone();
    gif["fi.mau.gif"] = true.into();
    let seen = json!({"mimetype": "video/mp4", "caption": "run", "width": 320, "height": 240, "seconds": 7});
    let named = json!({"mimetype": "application/pdf", "file_name": "plan.pdf"});
    let voice =
        json!({"mimetype": "audio/ogg; codecs=opus", "seconds": 3, "waveform": base64(&wave)});
    vec![
        picture,
        kind(
            "video",
            seen.clone(),
            json!({"msgtype": "m.video", "body": "run", "filename": "video.mp4", "info": video}),
        ),
        kind(
            "gif",
            seen,
            json!({"msgtype": "m.video", "body": "run", "filename": "gif.mp4", "info": gif}),
        ),
        kind(
            "audio",
            json!({"mimetype": "audio/mp4", "seconds": 5}),
            json!({"msgtype": "m.audio", "body": "audio.m4a", "info": {"mimetype": "audio/mp4", "duration": 5_000}}),
        ),
        kind(
            "voice",
            voice,
            json!({"msgtype": "m.audio", "body": "voice-message.ogg", "org.matrix.msc3245.voice": {},
                "info": {"mimetype": "audio/ogg; codecs=opus", "duration": 3_000},
                "org.matrix.msc1767.audio": {"duration": 3_000, "waveform": matrix_wave(&wave)}}),
        ),
        kind(
            "document",
            named,
            json!({"msgtype": "m.file", "body": "plan.pdf", "filename": "plan.pdf",
                "info": {"mimetype": "application/pdf"}}),
        ),
    ]
}

/// A picture that every decoder takes.
pub(crate) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let pixels = image::RgbImage::from_fn(width, height, |x, y| {
        let shade = |n: u32| u8::try_from(n * 4 % 256).unwrap_or_default();
        image::Rgb([shade(x), shade(y), 128])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    let written = pixels.write_to(&mut bytes, image::ImageFormat::Jpeg);
    written.map(|()| bytes.into_inner()).unwrap_or_default()
}

/// Loudness as Matrix counts it, up to 1024, of what WhatsApp counts up to 100.
fn matrix_wave(wave: &[u8]) -> Vec<u32> {
    wave.iter().map(|&loud| (u32::from(loud) * 1024 + 50) / 100).collect()
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_that_baileys_has_crosses_both_ways() -> Result<()> {
    let mut world = World::start("media-baileys", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, BAILEY).await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, &format!("+{BAILEY}")).await?;
        let scene = Scene { alice: &alice, room: &room };
        let to = bailey.jid_of(alice.id()).await?;
        for kind in kinds() {
            let kind_of = || format!("{} with Baileys", kind.name);
            let before = scene.count();
            let about = kind.network.clone();
            let sent =
                bailey.sends_file(&to, kind.name, order(&world, &kind.bytes)?, about).await?;
            let mark: FileMark = serde_json::from_value(sent["file"].clone())?;
            let (message, print) = scene.sees_file(before).await.with_context(kind_of)?;
            ensure!(print == mark.clone().into(), "sent {mark:?}, arrived {print:?}");
            has(&message.content, &kind.matrix).with_context(kind_of)?;

            let print = scene.sends(kind.bytes.clone(), kind.matrix.clone()).await?;
            let wanted = |got: &Value| got["file"]["sha256"] == print.sha256;
            let got = bailey.gets_file_that(kind.name, wanted).await.with_context(kind_of)?;
            let id = got["id"].as_str().context("no id")?;
            let opened: Print = bailey.opens(id).await?.into();
            ensure!(opened == print, "sent {print:?}, arrived {opened:?}");
            ensure!(got["file"]["kind"] == kind.name, "sent {}, arrived {got}", kind.name);
            has(&got["file"], &kind.network).with_context(kind_of)?;
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_cross_with_baileys_in_little_memory() -> Result<()> {
    lengths_cross_with_baileys("media-large", &[100_000_000]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_length_cross_with_baileys() -> Result<()> {
    lengths_cross_with_baileys("media-lengths", &[0, 1, 65_535, 65_536, 65_537]).await
}

async fn lengths_cross_with_baileys(name: &str, lengths: &[u64]) -> Result<()> {
    let mut world = World::start(name, Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, BAILEY).await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, &format!("+{BAILEY}")).await?;
        let scene = Scene { alice: &alice, room: &room };
        let to = bailey.jid_of(alice.id()).await?;
        let bridge = world.bridge.process()?;
        memory::forget_peak(bridge)?;
        let idle = memory::of(bridge)?.now;
        for &size in lengths {
            let before = scene.count();
            let sent = bailey.sends_file(&to, "document", sample(size, size), json!({})).await?;
            let mark: FileMark = serde_json::from_value(sent["file"].clone())?;
            let (_, print) = scene.sees_file(before).await?;
            ensure!(print == mark.clone().into(), "sent {mark:?}, arrived {print:?}");

            let content = json!({"msgtype": "m.file", "body": "file",
                "info": {"mimetype": "application/octet-stream"}});
            let print = scene.sends(Bytes::Sample { size, seed: size }, content).await?;
            let wanted = |got: &Value| got["file"]["sha256"] == print.sha256;
            let got = bailey.gets_file_that("from Matrix", wanted).await?;
            let opened = bailey.opens(got["id"].as_str().context("no id")?).await?;
            ensure!(print == opened.clone().into(), "arrived {opened:?}");
        }
        let above = memory::of(bridge)?.peak.saturating_sub(idle);
        ensure!(above < MEMORY_MAX, "the bridge needed {above} bytes above its idle size");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_baileys_sends_can_be_read() -> Result<()> {
    let mut world = World::start("media-else", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let mut bailey = BaileysPerson::join(&world.emulator, &world.run, BAILEY).await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, &format!("+{BAILEY}")).await?;
        let scene = Scene { alice: &alice, room: &room };
        let to = bailey.jid_of(alice.id()).await?;
        let vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Ada\nTEL:+49151\nEND:VCARD";
        let place = json!({"degreesLatitude": 52.5, "degreesLongitude": 13.4, "name": "here"});
        let contents = [
            (json!({"location": place}), "m.location", "here"),
            (
                json!({"contacts": {"displayName": "Ada", "contacts": [{"displayName": "Ada", "vcard": vcard}]}}),
                "m.text",
                "+49151",
            ),
            (
                json!({"poll": {"name": "Tea?", "values": ["yes", "no"], "selectableCount": 1}}),
                "m.text",
                "2. no",
            ),
        ];
        for (content, kind, words) in contents {
            let before = scene.count();
            bailey.sends_content(&to, content.clone()).await?;
            let seen = scene.sees_next(before, "what was sent").await?;
            ensure!(seen.kind == kind && seen.body.contains(words), "{content} became {seen:?}");
        }
        let files = [
            ("ptv", "m.video", json!({})),
            ("sticker", "m.sticker", json!({"mimetype": "image/webp"})),
        ];
        for (name, kind, about) in files {
            let before = scene.count();
            let sent = bailey.sends_file(&to, name, sample(5_000, 9), about).await?;
            let mark: FileMark = serde_json::from_value(sent["file"].clone())?;
            let (seen, print) = scene.sees_file(before).await.context(name)?;
            ensure!(
                seen.kind == kind && print == mark.into(),
                "a {name} became {:?}",
                seen.content
            );
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// With somebody whose phone knows the interop kinds alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_lacks_arrives_as_something_that_can_be_read() -> Result<()> {
    let mut world = World::start("media-fallbacks", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let place = json!({"msgtype": "m.location", "body": "the pub", "geo_uri": "geo:52.5,13.4"});
        alice.sends_content(&room, place).await?;
        bruno
            .gets("the place", |got| got.text.contains("52.5") && got.text.contains("http"))
            .await?;
        let answers = ["yes", "no"].map(|id| json!({"id": id, "org.matrix.msc1767.text": id}));
        let poll = json!({"org.matrix.msc1767.text": "Tea?", "org.matrix.msc3381.poll.start": {
            "kind": "org.matrix.msc3381.poll.disclosed", "max_selections": 1,
            "question": {"org.matrix.msc1767.text": "Tea?"}, "answers": answers}});
        room.send_raw("org.matrix.msc3381.poll.start", poll).await?;
        bruno
            .gets("the poll", |got| got.text.contains("Tea?") && got.text.contains("2. no"))
            .await?;
        alice.reads_words(room.room_id(), &["no polls"]).await?;
        let Uploaded { file, print } = alice.uploads(Bytes::These(jpeg(32, 32))).await?;
        let sticker = json!({"body": "a cat", "file": file,
            "info": {"mimetype": "image/jpeg", "w": 32, "h": 32, "size": print.size}});
        room.send_raw("m.sticker", sticker).await?;
        let is_image = |got: &Received| got.attachment["kind"] == "image";
        let got = bruno.gets("the sticker", is_image).await?;
        ensure!(Print::from(bruno.opens(&got.id).await?) == print, "another picture came");

        let about = json!({"wrap": "view_once", "mimetype": "image/jpeg"});
        let order = order(&world, &Bytes::These(jpeg(16, 16)))?;
        bruno.sends_file(alice.id().as_str(), "image", order, about).await?;
        alice.reads_words(room.room_id(), &["seen once"]).await?;
        alice.sees(room.room_id(), "the picture", |seen| seen.kind == "m.image").await?;
        Ok(())
    };
    let told = told.await;
    world.report(told)
}

/// What is wrong with a file.
enum Fault {
    /// The network's media service does this to so many downloads.
    Download(Value, u32),
    /// The message says something false in this field.
    Lie(&'static str),
}

/// By name: what is wrong, and words of the sentence that the person then reads.
fn faults() -> [(&'static str, Fault, &'static str); 7] {
    let elsewhere = json!({"redirect": "http://169.254.169.254/latest/meta-data"});
    [
        ("tampered with", Fault::Download(json!("tampered"), 1), "arrived damaged"),
        // As often as it is asked for.
        ("cut off", Fault::Download(json!("truncated"), 3), "arrived damaged"),
        ("gone", Fault::Download(json!({"status": 404}), 1), "no longer has"),
        (
            "at a private address",
            Fault::Download(elsewhere, 1),
            "does not lie on whatsapp's servers",
        ),
        ("under a wrong key", Fault::Lie("media_key"), "arrived damaged"),
        ("not what was promised", Fault::Lie("sha256"), "arrived damaged"),
        ("not what was uploaded", Fault::Lie("enc_sha256"), "arrived damaged"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_shown_is_a_notice_and_the_next_message_comes() -> Result<()> {
    let mut world = World::start("media-faults", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let scene = Scene { alice: &alice, room: &room };
        for (name, fault, words) in faults() {
            let about = match fault {
                Fault::Download(what, count) => {
                    world
                        .network()
                        .fault(&json!({"media": {"what": what, "count": count}}))
                        .await?;
                    json!({})
                }
                Fault::Lie(field) => json!({"lie": field}),
            };
            let before = scene.count();
            bruno.sends_file(alice.id().as_str(), "document", sample(70_000, 1), about).await?;
            let notice = scene.sees_next(before, "a notice").await?;
            let told = notice.kind == "m.notice" && notice.body.to_lowercase().contains(words);
            ensure!(told, "for a file that is {name}: {:?}", notice.body);
            let after = format!("after one that was {name}");
            bruno.says(alice.id(), &after).await?;
            alice.reads(room.room_id(), &after).await?;
        }
        world.network().all_faults_happened().await
    };
    let told = told.await;
    world.report(told)
}

/// It takes more than a minute: the bridge is patient with slow networks.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_drips_is_given_up_and_the_next_message_comes() -> Result<()> {
    let mut world = World::start("media-drip", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let scene = Scene { alice: &alice, room: &room };
        world.network().spoil_download(json!({"bytes_per_second": 100}), None).await?;
        let before = scene.count();
        bruno.sends_file(alice.id().as_str(), "document", sample(70_000, 1), json!({})).await?;
        bruno.says(alice.id(), "after it").await?;
        let notice = scene.sees_next(before, "a notice").await?;
        ensure!(notice.body.contains("too slowly"), "{:?}", notice.body);
        alice.reads(room.room_id(), "after it").await?;
        world.network().all_faults_happened().await
    };
    let told = told.await;
    world.report(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_sent_is_a_notice_and_the_next_message_goes() -> Result<()> {
    let mut world = World::start("media-refused", Plan::default()).await?;
    let told = async {
        let alice = world.person("alice").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = logs_in(&alice).await?;
        let (room, _) = starts_chat(&alice, &management, PHONE).await?;
        let scene = Scene { alice: &alice, room: &room };
        let Uploaded { file, print } =
            alice.uploads(Bytes::Sample { size: 70_000, seed: 1 }).await?;
        let other = alice.uploads(Bytes::Sample { size: 70_000, seed: 2 }).await?.file;
        let change = |field: &str, value: Value| {
            let mut file = file.clone();
            file[field] = value;
            file
        };
        let spoiled = [
            (change("hashes", other["hashes"].clone()), "could not be decrypted"),
            (change("url", json!("mxc://localhost/gone")), "no longer has"),
            (Value::Null, "without saying where"),
        ];
        for (turn, (file, words)) in spoiled.into_iter().enumerate() {
            let before = scene.count();
            let content = json!({"msgtype": "m.file", "body": "a", "file": file,
                "info": {"size": print.size, "mimetype": "application/pdf"}});
            alice.sends_content(&room, content).await?;
            let what = format!("a notice with {words:?}");
            alice.reads_words(room.room_id(), &[words]).await.context(what)?;
            ensure!(scene.count() > before);
            let after = format!("after {turn}");
            alice.says(&room, &after).await?;
            bruno.reads(&after).await?;
        }
        ensure!(bruno.got().await?.iter().all(|got| got.attachment.is_null()), "a file came");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
