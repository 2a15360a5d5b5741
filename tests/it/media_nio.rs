//! Files between a person in matrix-nio, whose encryption of files is code of its own, and a simulated
//! contact: one of each kind, both ways, byte for byte.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    media::jpeg,
    support::{
        bridge::Plan,
        emulator::{Contact, files::sample},
        files::Print,
        nio::NioPerson,
        world::{PHONE, World, bot, is_ghost},
    },
};

/// A length that no block and no piece of a stream divides.
const SIZE: u64 = 70_001;

/// A kind of file, by what each side calls it.
struct Kind {
    network: &'static str,
    matrix: &'static str,
    voice: bool,
    mimetype: &'static str,
    name: &'static str,
    /// What the person reads beside the contact's file: a name or the caption.
    body: Option<&'static str>,
    /// What else the contact's app says of its file.
    about: Value,
}

fn kinds() -> [Kind; 5] {
    let kind = |network, matrix, mimetype, name| Kind {
        network,
        matrix,
        voice: false,
        mimetype,
        name,
        body: None,
        about: json!({}),
    };
    [
        Kind {
            body: Some("look"),
            about: json!({"caption": "look"}),
            ..kind("image", "m.image", "image/jpeg", "a.jpg")
        },
        Kind {
            body: Some("run"),
            about: json!({"caption": "run", "seconds": 7}),
            ..kind("video", "m.video", "video/mp4", "a.mp4")
        },
        Kind {
            voice: true,
            about: json!({"seconds": 3}),
            ..kind("voice", "m.audio", "audio/ogg; codecs=opus", "a.ogg")
        },
        Kind { about: json!({"seconds": 5}), ..kind("audio", "m.audio", "audio/mp4", "a.m4a") },
        Kind {
            body: Some("plan.pdf"),
            about: json!({"file_name": "plan.pdf"}),
            ..kind("document", "m.file", "application/pdf", "plan.pdf")
        },
    ]
}

/// A person in matrix-nio in the room that they have with a contact.
struct Scene {
    nina: NioPerson,
    room: String,
    bruno: Contact,
}

impl Scene {
    /// The person logs in and starts a chat with the contact.
    async fn set(world: &World) -> Result<Self> {
        let mut nina = NioPerson::join(&world.synapse, &world.run, "nina").await?;
        let bruno = world.contact(PHONE, "Bruno").await?;
        let management = nina.open_chat_with(bot()?.as_str()).await?;
        nina.says(&management, "login").await?;
        nina.reads_words(&management, &["European Economic Area"]).await?;
        nina.says(&management, "agree").await?;
        nina.reads_words(&management, &["you are connected"]).await?;
        nina.says(&management, &format!("start {PHONE}")).await?;
        let room = nina
            .accepts_invitation(|by| ruma::UserId::parse(by).is_ok_and(|by| is_ghost(&by)))
            .await?;
        Ok(Self { nina, room, bruno })
    }

    async fn contact_sends(&self, kind: &Kind, file: Value) -> Result<()> {
        let mut about = kind.about.clone();
        about["mimetype"] = kind.mimetype.into();
        let sent = self.bruno.sends_file(self.nina.id(), kind.network, file, about).await?;
        let (event, print) = self.nina.sees_file(&self.room, kind.matrix, kind.voice).await?;
        let sent = Print::from(sent.mark);
        ensure!(print == sent, "the contact sent {sent:?}, the person has {print:?}");
        ensure!(event["decrypted"] == true, "the ghost sent it in the clear: {event}");
        if let Some(body) = kind.body {
            ensure!(event["body"] == body, "the person reads {}, not {body:?}", event["body"]);
        }
        Ok(())
    }

    async fn person_sends(&mut self, kind: &Kind, file: &Value) -> Result<()> {
        let order = json!({
            "file": file, "name": kind.name, "mimetype": kind.mimetype, "voice": kind.voice,
        });
        let sent = self.nina.sends_file(&self.room, kind.matrix, &order).await?;
        let what = format!("the contact to get a file of kind {}", kind.network);
        let got = self.bruno.gets(&what, |got| got.attachment["kind"] == kind.network).await?;
        let opened = Print::from(self.bruno.opens(&got.id).await?);
        ensure!(opened == sent, "the person sent {sent:?}, the contact has {opened:?}");
        let shown = &got.attachment;
        ensure!(shown["mimetype"] == kind.mimetype, "the contact's app was told {shown}");
        if kind.network == "document" {
            ensure!(shown["file_name"] == kind.name, "the contact's app was told {shown}");
        }
        Ok(())
    }
}

/// What a file of this kind holds: a real picture, or bytes that only this `seed` has.
fn content(kind: &Kind, picture: &Path, seed: u64) -> Value {
    if kind.network == "image" { json!({"path": picture}) } else { sample(SIZE, seed) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_cross_signing_exchanges_every_kind_of_file() -> Result<()> {
    let mut world = World::start("media-nio", Plan::default()).await?;
    let told = async {
        let mut scene = Scene::set(&world).await?;
        let picture = world.run.path().join("picture.jpg");
        std::fs::write(&picture, jpeg(64, 48))?;
        for (seed, kind) in (1..).zip(kinds()) {
            let from = |who: &str| format!("{} from the {who}", kind.network);
            let file = content(&kind, &picture, seed);
            scene.contact_sends(&kind, file).await.with_context(|| from("contact"))?;
            let file = content(&kind, &picture, seed + 100);
            scene.person_sends(&kind, &file).await.with_context(|| from("person"))?;
        }
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
