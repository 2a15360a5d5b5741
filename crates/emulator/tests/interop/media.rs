//! Files: what simulated people send and partners fetch, what partners host and people fetch, and what can go wrong.

use causeway_wire::{
    media::{Decryptor, Encryptor, Expected, MediaError},
    stanza::MessageStanza,
};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE},
};
use sha2::{Digest as _, Sha256};

use super::*;

/// The emulator's own reading and writing of messages with files; Baileys reads and writes them too, in the tests of the
/// whole workspace.
#[expect(dead_code, reason = "a test needs less of it than the emulator")]
#[path = "../../src/person/content/media.rs"]
mod content;

use content::{About, Attachment, Kind, RemoteFile, encode};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

impl Scene {
    /// Has Robin send a file to Alice; gives the answer.
    async fn robin_sends_file(&self, kind: &str, file: Value, more: Value) -> Value {
        let mut order = json!({"to": ALICE, "kind": kind, "file": file});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = self.post(&format!("people/{ROBIN}/send_media"), order).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Asks the host of media for a path.
    async fn fetch(&self, path: &str, range: Option<&str>) -> Response {
        let url = format!("http://{}{path}", self.emulator.addresses().http);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut request = http.get(url);
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        request.send().await.unwrap()
    }

    async fn robin_opens(&self, id: &str) -> (u16, Value) {
        let path = self.url(&format!("people/{ROBIN}/received/{id}/file"));
        let answer = self.http.get(path).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

impl Client {
    /// The next message, which has a file.
    async fn next_attachment(&mut self) -> (MessageStanza, Attachment) {
        let stanza = self.next_message_raw().await;
        let plain = self.open(&stanza).await;
        (stanza, content::decode(&plain).expect("a message with a file"))
    }
}

fn decrypted(attachment: &Attachment, sealed: &[u8]) -> Result<Vec<u8>, MediaError> {
    let Attachment { kind, file, .. } = attachment;
    let mut decryptor = Decryptor::new(&file.media_key, kind.keys());
    let mut clear = Vec::new();
    decryptor.update(sealed, &mut clear)?;
    let expected = Expected { file_sha256: file.sha256, file_enc_sha256: Some(file.enc_sha256) };
    decryptor.finish(&expected, &mut clear)?;
    Ok(clear)
}

/// A file that Alice's server hosts, and the message that names it.
async fn host(scene: &Scene, kind: Kind, bytes: &[u8], about: About) -> Attachment {
    let media_key = [7; 32];
    let mut encryptor = Encryptor::new(&media_key, kind.keys());
    let mut sealed = Vec::new();
    encryptor.update(bytes, &mut sealed).unwrap();
    let hashes = encryptor.finish(&mut sealed).unwrap();
    scene.partner.host("reference", sealed).await;
    let file = RemoteFile {
        direct_path: "/interop/whatsapp/download/12/reference/".to_owned(),
        url: None,
        media_key,
        sha256: hashes.file_sha256,
        enc_sha256: hashes.file_enc_sha256,
        length: hashes.file_length,
    };
    Attachment { kind, about, file }
}

#[tokio::test]
async fn every_kind_of_file_reaches_a_partner() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let kinds = [
        ("image", "image", Kind::Image),
        ("video", "video", Kind::Video),
        ("gif", "gif", Kind::Gif),
        ("ptv", "ptv", Kind::Ptv),
        ("audio", "audio", Kind::Audio),
        ("voice", "ptt", Kind::Voice),
        ("document", "document", Kind::Document),
        ("sticker", "sticker", Kind::Sticker),
    ];
    for (name, media_type, kind) in kinds {
        let file = json!({"sample": {"size": 70_000, "seed": 3}});
        let sent = scene.robin_sends_file(name, file, json!({})).await;
        let (stanza, attachment) = alice.next_attachment().await;
        assert_eq!(
            (&*stanza.kind, stanza.encs[0].media_type.as_deref()),
            ("media", Some(media_type))
        );
        assert_eq!(attachment.kind, kind);
        assert_eq!(sent["direct_path"], attachment.file.direct_path);
        let answer = scene.fetch(&attachment.file.direct_path, None).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/octet-stream");
        assert!(answer.content_length().is_some());
        let clear = decrypted(&attachment, &answer.bytes().await.unwrap()).unwrap();
        assert_eq!((sent["length"].as_u64(), clear.len()), (Some(70_000), 70_000));
        assert_eq!(sent["sha256"], hex(&Sha256::digest(&clear)));
    }
}

#[tokio::test]
async fn what_is_said_of_a_file_reaches_a_partner() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let more = json!({"caption": "look", "file_name": "a.pdf", "mimetype": "application/pdf", "thumbnail": "AAEC"});
    scene.robin_sends_file("document", json!({"base64": "YWJj"}), more).await;
    let (_, Attachment { about, file, .. }) = alice.next_attachment().await;
    assert_eq!(file.sha256, <[u8; 32]>::from(Sha256::digest("abc")));
    let shown = About {
        caption: Some("look".to_owned()),
        file_name: Some("a.pdf".to_owned()),
        mimetype: Some("application/pdf".to_owned()),
        thumbnail: Some(vec![0, 1, 2]),
        ..About::default()
    };
    assert_eq!(about, shown);
    scene
        .robin_sends_file("voice", json!({"base64": ""}), json!({"seconds": 3, "waveform": "AGQ="}))
        .await;
    let (_, Attachment { about, file, .. }) = alice.next_attachment().await;
    assert_eq!((about.seconds, about.waveform, file.length), (Some(3), Some(vec![0, 100]), 0));
}

#[tokio::test]
async fn a_file_that_a_partner_hosts_is_relayed_to_people() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let robin = alice.look_up(ROBIN).await.unwrap();
    let about =
        About { caption: Some("from Alice".to_owned()), width: Some(3), ..About::default() };
    let bytes = vec![5; 100_000];
    let attachment = host(&scene, Kind::Image, &bytes, about).await;
    let stanza = alice.encrypt_plain(&robin, encode(&attachment, None), "media").await;
    alice.send_message(stanza.clone()).await.unwrap();
    assert_eq!(scene.robin_reads(1).await, ["from Alice"]);
    let listed = scene.get(&format!("people/{ROBIN}/received")).await;
    let listed = &listed["messages"][0]["attachment"];
    assert_eq!((&listed["kind"], &listed["width"]), (&json!("image"), &json!(3)));
    assert!(!listed.to_string().contains("key"), "keys are nobody's business: {listed}");
    let opened = scene.robin_opens(&stanza.id).await;
    assert_eq!(opened, (200, json!({"sha256": hex(&Sha256::digest(&bytes)), "length": 100_000})));

    let path = &attachment.file.direct_path;
    let part = scene.fetch(path, Some("bytes=16-31")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[CONTENT_RANGE], "bytes 16-31/100026");
    assert_eq!(part.bytes().await.unwrap().len(), 16);
    let other = scene.fetch("/interop/whatsapp/download/13/reference/", None).await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    let unhosted = scene.fetch("/interop/whatsapp/download/12/other/", None).await;
    assert_eq!(unhosted.status(), StatusCode::NOT_FOUND);

    scene.partner.host("reference", b"something else".to_vec()).await;
    let (status, problem) = scene.robin_opens(&stanza.id).await;
    assert_eq!((status, problem["error"].as_str()), (502, Some("the encrypted file is cut off")));
}

#[tokio::test]
async fn ordered_faults_strike_downloads() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    scene
        .robin_sends_file("document", json!({"sample": {"size": 1000, "seed": 1}}), json!({}))
        .await;
    let (_, attachment) = alice.next_attachment().await;
    let path = attachment.file.direct_path.as_str();
    let media = |what: Value| json!({"media": {"what": what, "direct_path": path}});

    scene.order(media(json!("tampered"))).await;
    let bytes = scene.fetch(path, None).await.bytes().await.unwrap();
    assert_eq!(decrypted(&attachment, &bytes), Err(MediaError::WrongCiphertextHash));

    scene.order(media(json!("truncated"))).await;
    let answer = scene.fetch(path, None).await;
    assert_eq!(answer.content_length(), Some(1018));
    assert!(answer.bytes().await.is_err());

    scene.order(media(json!({"status": 410}))).await;
    assert_eq!(scene.fetch(path, None).await.status(), StatusCode::GONE);

    scene.order(media(json!({"redirect": "http://10.0.0.1/"}))).await;
    let answer = scene.fetch(path, None).await;
    assert_eq!(
        (answer.status(), &answer.headers()[LOCATION]),
        (StatusCode::FOUND, &"http://10.0.0.1/".parse().unwrap())
    );

    scene.order(media(json!({"length_off_by": -18}))).await;
    assert_eq!(scene.fetch(path, None).await.bytes().await.unwrap().len(), 1000);
    scene.order(media(json!({"length_off_by": 1}))).await;
    assert!(scene.fetch(path, None).await.bytes().await.is_err());

    scene.order(media(json!({"bytes_per_second": 4000}))).await;
    let started = tokio::time::Instant::now();
    let bytes = scene.fetch(path, None).await.bytes().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(250));
    assert!(decrypted(&attachment, &bytes).is_ok());
    assert_eq!(scene.get("faults").await, json!([]));

    scene.order(media(json!({"bytes_per_second": 1}))).await;
    let slow = scene.fetch(path, None).await;
    scene.emulator.stop().await;
    assert!(slow.bytes().await.is_err(), "a stopped emulator ends its downloads");
}

#[tokio::test]
async fn a_message_may_lie_about_its_file() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let lies = [
        ("media_key", MediaError::Unauthentic),
        ("sha256", MediaError::WrongHash),
        ("enc_sha256", MediaError::WrongCiphertextHash),
    ];
    for (lie, error) in lies {
        let file = json!({"base64": "YWJj"});
        scene.robin_sends_file("image", file, json!({"lie": lie})).await;
        let (_, attachment) = alice.next_attachment().await;
        let bytes = scene.fetch(&attachment.file.direct_path, None).await.bytes().await.unwrap();
        assert_eq!(decrypted(&attachment, &bytes), Err(error), "{lie}");
    }
    let elsewhere = json!({"direct_path": "//10.0.0.1/x", "url": "http://10.0.0.1/x"});
    scene.robin_sends_file("image", json!({"base64": "YWJj"}), elsewhere).await;
    let (_, Attachment { file, .. }) = alice.next_attachment().await;
    assert_eq!(
        (&*file.direct_path, file.url.as_deref()),
        ("//10.0.0.1/x", Some("http://10.0.0.1/x"))
    );
}

#[tokio::test]
async fn any_message_can_be_sent_as_it_is() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let order =
        json!({"to": ALICE, "message": "c2bb01026869", "kind": "media", "media_type": "future"});
    assert_eq!(scene.post(&format!("people/{ROBIN}/send_raw"), order).await.0, 200);
    let stanza = alice.next_message_raw().await;
    assert_eq!((&*stanza.kind, stanza.encs[0].media_type.as_deref()), ("media", Some("future")));
    assert_eq!(alice.open(&stanza).await, b"\xc2\xbb\x01\x02hi");
}

#[tokio::test]
async fn the_control_face_takes_a_request_up_to_its_limit() {
    let scene = Scene::set().await;
    for (length, status) in [(limits::CONTROL_BYTES_MAX, 400), (limits::CONTROL_BYTES_MAX + 1, 413)]
    {
        let url = scene.url(&format!("people/{ROBIN}/send_media"));
        let request = scene.http.post(url).header(CONTENT_TYPE, "application/json");
        let answer = request.body(" ".repeat(length)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{length}");
    }
}

#[tokio::test]
async fn an_upload_needs_the_word_that_was_given_out() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let refused = alice.ask_raw("w:m", Node::new("media_conn")).await;
    assert_matches!(refused.body, IqBody::Error(error) if error.code == 501, "partners host");
    let upload = |path: &str| {
        let url = format!("http://{}{path}", scene.emulator.addresses().http);
        let request = scene.http.post(url).body("sealed");
        async move { request.send().await.unwrap().status() }
    };
    assert_eq!(upload("/mms/image/AAAA?auth=guessed&token=x").await, StatusCode::UNAUTHORIZED);
    assert_eq!(upload("/mms/picture/AAAA?auth=guessed").await, StatusCode::NOT_FOUND);
    assert_eq!(scene.get("state").await["media_files"], 0);
}

#[tokio::test]
async fn a_hundred_megabytes_take_seconds() {
    let scene = Scene::set().await;
    let mut alice = scene.alice().await;
    let started = tokio::time::Instant::now();
    let file = json!({"sample": {"size": 100_000_000, "seed": 9}});
    let sent = scene.robin_sends_file("document", file, json!({})).await;
    let (_, attachment) = alice.next_attachment().await;
    let mut answer = scene.fetch(&attachment.file.direct_path, None).await;
    let mut hash = Sha256::new();
    while let Some(piece) = answer.chunk().await.unwrap() {
        hash.update(&piece);
    }
    assert_eq!(hash.finalize().as_slice(), attachment.file.enc_sha256);
    assert_eq!(sent["length"], 100_000_000);
    // Some ten times what it takes, for a machine that does much else.
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
}
