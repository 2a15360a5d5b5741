//! The official library as one party, driven over the standard input and output of its process.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use causeway::signal::{Ciphertext, RemoteBundle, RemoteIdentityKey};
use serde_json::{Value, json};

pub(crate) struct Oracle {
    process: Child,
    /// Taken when the process is told to end.
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    identity: RemoteIdentityKey,
}

impl Oracle {
    /// A new process with one party, which has not spoken to anyone.
    pub(crate) fn start() -> Self {
        let folder = env::var_os("CAUSEWAY_PEERS")
            .map_or_else(
                || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".local/peers"),
                PathBuf::from,
            )
            .join("libsignal");
        let script = folder.join("oracle.mjs");
        assert!(
            script.is_file() && folder.join("node_modules/@signalapp/libsignal-client").is_dir(),
            "the official Signal library is not installed in {}: run tests/peers/install, or set \
             CAUSEWAY_PEERS to the folder that it installed into",
            folder.display()
        );
        let mut process = Command::new("node")
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node 20 or later is on the path");
        let requests = process.stdin.take();
        let replies = BufReader::new(process.stdout.take().expect("the output is piped"));
        let identity = RemoteIdentityKey::from_bytes([0; 32]);
        let mut oracle = Self { process, requests, replies, identity };
        let created = oracle.ask("create", json!({})).unwrap();
        oracle.identity = RemoteIdentityKey::from_bytes(array(&created["identity"]));
        oracle
    }

    pub(crate) fn identity(&self) -> RemoteIdentityKey {
        self.identity
    }

    pub(crate) fn bundle(&mut self, with_prekey: bool) -> RemoteBundle {
        let bundle = self.ask("bundle", json!({ "withPreKey": with_prekey })).unwrap();
        let prekey = &bundle["preKey"];
        assert_eq!(prekey.is_object(), with_prekey);
        RemoteBundle {
            registration_id: id(&bundle["registrationId"]),
            identity: array(&bundle["identity"]),
            signed_prekey_id: id(&bundle["signedPreKeyId"]),
            signed_prekey: array(&bundle["signedPreKey"]),
            signature: array(&bundle["signature"]),
            prekey: with_prekey.then(|| (id(&prekey["id"]), array(&prekey["key"]))),
        }
    }

    pub(crate) fn establish(&mut self, bundle: &RemoteBundle) -> Result<(), String> {
        let prekey =
            bundle.prekey.map(|(id, key)| json!({ "id": id, "key": STANDARD.encode(key) }));
        let bundle = json!({
            "registrationId": bundle.registration_id,
            "identity": STANDARD.encode(bundle.identity),
            "signedPreKeyId": bundle.signed_prekey_id,
            "signedPreKey": STANDARD.encode(bundle.signed_prekey),
            "signature": STANDARD.encode(bundle.signature),
            "preKey": prekey,
        });
        self.ask("establish", json!({ "bundle": bundle })).map(drop)
    }

    pub(crate) fn send(&mut self, text: &str) -> Ciphertext {
        let sent = self.ask("encrypt", json!({ "plaintext": STANDARD.encode(text) })).unwrap();
        serde_json::from_value(sent).expect("a kind and bytes")
    }

    /// The text, and how many one-time prekeys are left; or the library's error.
    pub(crate) fn read(&mut self, sent: &Ciphertext) -> Result<(String, u64), String> {
        let sent = serde_json::to_value(sent).unwrap();
        let read = self.ask("decrypt", sent)?;
        let text = String::from_utf8(decoded(&read["plaintext"])).unwrap();
        Ok((text, read["preKeysLeft"].as_u64().expect("a number")))
    }

    /// The safety number of this party under `id` with another one.
    pub(crate) fn fingerprint(
        &mut self,
        id: &str,
        other: &RemoteIdentityKey,
        other_id: &str,
    ) -> String {
        let parties = json!({
            "id": STANDARD.encode(id),
            "identity": STANDARD.encode(other.as_bytes()),
            "theirId": STANDARD.encode(other_id),
        });
        self.ask("fingerprint", parties).unwrap()["digits"].as_str().unwrap().to_owned()
    }

    pub(crate) fn sign(&mut self, message: &[u8]) -> [u8; 64] {
        let signed = self.ask("sign", json!({ "message": STANDARD.encode(message) })).unwrap();
        array(&signed["signature"])
    }

    pub(crate) fn verify(
        &mut self,
        signer: &RemoteIdentityKey,
        message: &[u8],
        signature: &[u8; 64],
    ) -> bool {
        let claim = json!({
            "identity": STANDARD.encode(signer.as_bytes()),
            "message": STANDARD.encode(message),
            "signature": STANDARD.encode(signature),
        });
        self.ask("verify", claim).unwrap()["valid"].as_bool().expect("yes or no")
    }

    /// The reply, or the library's name for the error and its text. A mistake of the script itself fails the test.
    fn ask(&mut self, verb: &str, mut request: Value) -> Result<Value, String> {
        request["do"] = verb.into();
        request["party"] = "theirs".into();
        let requests = self.requests.as_mut().expect("open until the process is told to end");
        writeln!(requests, "{request}").expect("the oracle reads");
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("the oracle answers");
        let mut reply: Value = serde_json::from_str(&line).expect("one JSON object a line");
        match reply["error"].as_str() {
            None => Ok(reply["ok"].take()),
            Some("Oracle") => panic!("{verb}: {}", reply["message"]),
            Some(name) => Err(format!("{name}: {}", reply["message"].as_str().unwrap_or_default())),
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // The process ends when its input does.
        drop(self.requests.take());
        drop(self.process.wait());
    }
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("a string")).expect("base64")
}

fn array<const LENGTH: usize>(value: &Value) -> [u8; LENGTH] {
    decoded(value).try_into().expect("the length of the field")
}

fn id(value: &Value) -> u32 {
    value.as_u64().and_then(|id| id.try_into().ok()).expect("an id")
}
