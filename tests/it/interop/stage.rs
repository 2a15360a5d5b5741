//! The emulated network, the partner's server that it asks back, and a correspondent with real Signal
//! sessions in place of the runtime.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use axum::{
    Json, Router,
    http::HeaderMap,
    routing::{get, post},
};
use causeway::{
    domain::{
        bridged::Timestamp,
        ids::{LoginId, RemoteAddress, RemoteUser},
        item::InboundMessage,
    },
    interop::{Interop, NetworkProfile, TokenKey},
    port::{
        Clock, Entropy, InteropNetwork as _, NetworkLink,
        network::{Credentials, Introduction, LoginKeys, OurBundle},
    },
    signal::{
        self, Address, Ciphertext, DecryptError, OfferedKeys, OurIdentity, PreKey,
        RemoteIdentityKey, SessionRecord, SignedPreKey, needed_prekeys,
    },
};
use causeway_emulator::{DEFAULT_AUDIENCE, Emulator, FaultOrder, Options};
use causeway_wire::message;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PERSON: &str = "@alice:example.org";
pub(crate) const BOB: &str = "33612345678";
pub(crate) const NAME: &str = "Bob";

/// Keys of tests need not be secret, only different.
pub(crate) fn rng() -> StdRng {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let start = now().unsigned_abs() << 20 ^ u64::from(std::process::id());
    StdRng::seed_from_u64(start.wrapping_add(DRAWN.fetch_add(1, Ordering::Relaxed) << 44))
}

#[expect(clippy::disallowed_methods, reason = "certificates and tokens have real dates")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

struct Real;

#[async_trait]
impl Clock for Real {
    fn now(&self) -> Timestamp {
        now()
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}

impl Entropy for Real {
    fn fill(&self, bytes: &mut [u8]) {
        rng().fill(bytes);
    }
}

pub(crate) struct Stage {
    pub(crate) interop: Arc<Interop>,
    emulator: Emulator,
    http: reqwest::Client,
    pushes: mpsc::Receiver<(String, String)>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut NetworkProfile)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public_url = format!("http://{}", listener.local_addr().unwrap());
        let emulator = Emulator::start(Options::for_partner(12, &public_url)).await.unwrap();
        let addresses = emulator.addresses();
        let mut profile = NetworkProfile {
            enlist_url: format!("http://{}/3p/interop_reg", addresses.http).parse().unwrap(),
            chat_url: format!("tcp://{}", addresses.chat).parse().unwrap(),
            certificate_root: emulator.root_key(),
            ..NetworkProfile::documented(&public_url, 12)
        };
        profile.token.audience = DEFAULT_AUDIENCE.to_owned();
        profile.push.keys_url =
            format!("http://{}/.well-known/jwks", addresses.http).parse().unwrap();
        change(&mut profile);
        let key = TokenKey::generate().unwrap();
        let (clock, entropy) = (Arc::new(Real), Arc::new(Real));
        let interop = Arc::new(Interop::new(profile, key, clock, entropy).unwrap());
        let (push, pushes) = mpsc::channel(16);
        tokio::spawn(serve(listener, Arc::clone(&interop), push));
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        Self { interop, emulator, http, pushes }
    }

    /// A fresh login, enlisted.
    pub(crate) async fn enlisted(&self) -> Credentials {
        let identity = OurIdentity::generate(&mut rng());
        let mut noise = [0; 32];
        rng().fill(&mut noise);
        let mut credentials = Credentials {
            login: LoginId("l1".to_owned()),
            person: PERSON.try_into().unwrap(),
            network_id: None,
            keys: LoginKeys {
                noise,
                signed_prekey: SignedPreKey::generate(1, &identity, 0, &mut rng()).unwrap(),
                identity,
            },
            introduction: Introduction { display_name: None, read_receipts: true },
        };
        credentials.network_id = Some(self.interop.enlist(&credentials).await.unwrap());
        credentials
    }

    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("http://{}{path}", self.emulator.addresses().control);
        let request = self.http.request(method.parse().unwrap(), url);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn order(&self, order: &FaultOrder) {
        self.control("POST", "/faults", Some(serde_json::to_value(order).unwrap())).await;
    }

    pub(crate) async fn person(&self, phone: &str, opted_in: bool) {
        let person = json!({"phone": phone, "name": NAME, "opted_in": opted_in});
        self.control("POST", "/people", Some(person)).await;
    }

    pub(crate) async fn opt_out(&self, phone: &str) {
        let change = json!({"opted_in": false});
        self.control("PATCH", &format!("/people/{phone}"), Some(change)).await;
    }

    /// What the network knows of our person.
    pub(crate) async fn ours(&self) -> Value {
        self.control("GET", &format!("/partners/{PERSON}"), None).await
    }

    pub(crate) async fn prekeys_left(&self, phone: &str) -> u64 {
        let person = self.control("GET", &format!("/people/{phone}"), None).await;
        person["devices"][0]["prekeys_left"].as_u64().unwrap()
    }

    /// Has a person write to ours; the id of the message.
    pub(crate) async fn says(&self, phone: &str, text: &str) -> String {
        let body = json!({"to": PERSON, "text": text});
        let sent = self.control("POST", &format!("/people/{phone}/send"), Some(body)).await;
        sent["id"].as_str().unwrap().to_owned()
    }

    /// The texts that a person has read, once there are so many.
    pub(crate) async fn heard(&self, phone: &str, count: usize) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let path = format!("/people/{phone}/received?after=0&wait_ms=200");
            let received = self.control("GET", &path, None).await;
            let texts: Vec<_> = received["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|message| message["text"].as_str().unwrap().to_owned())
                .collect();
            if texts.len() >= count {
                return texts;
            }
            assert!(tokio::time::Instant::now() < deadline, "heard only {}", texts.len());
        }
    }

    pub(crate) async fn reads(&self, phone: &str, id: &str) {
        let body = json!({"to": PERSON, "ids": [id]});
        self.control("POST", &format!("/people/{phone}/read"), Some(body)).await;
    }

    /// The receipts that a person got for a message, once there is one.
    pub(crate) async fn receipts(&self, phone: &str, id: &str) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let receipts =
                self.control("GET", &format!("/people/{phone}/receipts/{id}"), None).await;
            let receipts: Vec<String> = serde_json::from_value(receipts).unwrap();
            if !receipts.is_empty() {
                return receipts;
            }
            assert!(tokio::time::Instant::now() < deadline, "no receipt came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The bearer token and the addressee of the next push.
    pub(crate) async fn push(&mut self) -> (String, String) {
        let push = tokio::time::timeout(PATIENCE, self.pushes.recv()).await;
        push.expect("no push came").unwrap()
    }
}

/// The partner's public server.
async fn serve(listener: TcpListener, interop: Arc<Interop>, push: mpsc::Sender<(String, String)>) {
    let key_set = get(move || std::future::ready(Json(interop.key_set())));
    let push = post(move |headers: HeaderMap, Json(body): Json<Value>| async move {
        let bearer = headers["authorization"].to_str().unwrap();
        let bearer = bearer.strip_prefix("Bearer ").unwrap().to_owned();
        push.send((bearer, body["to"].as_str().unwrap().to_owned())).await.unwrap();
    });
    let router =
        Router::new().route("/.well-known/oauth/openid/jwks", key_set).route("/push", push);
    axum::serve(listener, router).await.unwrap();
}

/// A login with its sessions in memory.
pub(crate) struct Correspondent {
    pub(crate) credentials: Credentials,
    prekeys: BTreeMap<u32, PreKey>,
    sessions: BTreeMap<RemoteUser, (SessionRecord, RemoteIdentityKey)>,
}

impl Correspondent {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, prekeys: BTreeMap::new(), sessions: BTreeMap::new() }
    }

    pub(crate) fn bundle(&self) -> OurBundle {
        let LoginKeys { identity, signed_prekey, .. } = self.credentials.keys.clone();
        OurBundle { identity, signed_prekey, prekey: None }
    }

    pub(crate) async fn publish(&mut self, link: &dyn NetworkLink, count: u32) {
        let prekeys: Vec<_> =
            (1..=count).map(|id| PreKey::generate(id, &mut rng()).unwrap()).collect();
        link.upload_prekeys(&self.bundle(), &prekeys).await.unwrap();
        for prekey in prekeys {
            self.keep(prekey);
        }
    }

    pub(crate) fn keep(&mut self, prekey: PreKey) {
        self.prekeys.insert(prekey.id(), prekey);
    }

    pub(crate) async fn establish(&mut self, link: &dyn NetworkLink, with: &RemoteUser) {
        let address = RemoteAddress { user: with.clone(), device: 0 };
        let bundle = link.bundle(&address).await.unwrap().unwrap();
        let us = &self.credentials.keys.identity;
        let step = signal::establish(us, &name(with), None, None, &bundle, &mut rng()).unwrap();
        self.sessions.insert(with.clone(), (step.record, step.identity.key()));
    }

    pub(crate) fn encrypt(&mut self, to: &RemoteUser, text: &str) -> Ciphertext {
        let (record, identity) = &self.sessions[to];
        let us = &self.credentials.keys.identity;
        let plaintext = message::pad(message::encode_text(text).unwrap(), &mut rng());
        let step = signal::encrypt(us, &name(to), record, identity, &plaintext).unwrap();
        let identity = *identity;
        self.sessions.insert(to.clone(), (step.record, identity));
        step.output
    }

    pub(crate) fn decrypt(&mut self, message: &InboundMessage) -> Result<String, DecryptError> {
        let ciphertext = message.ciphertext.as_ref().unwrap();
        let needed = needed_prekeys(ciphertext)?;
        let keys = &self.credentials.keys;
        let offered = OfferedKeys {
            signed: Some(&keys.signed_prekey),
            one_time: needed
                .and_then(|needed| needed.one_time)
                .and_then(|id| self.prekeys.get(&id)),
        };
        let (user, session) = (&message.from.user, self.sessions.get(&message.from.user));
        let (record, known) = (session.map(|s| &s.0), session.map(|s| &s.1));
        let step = signal::decrypt(
            &keys.identity,
            &name(user),
            record,
            known,
            &offered,
            ciphertext,
            &mut rng(),
        )?;
        let padded = step.output;
        self.sessions.insert(user.clone(), (step.record, step.identity.key()));
        let incoming = message::decode(message::unpad(&padded).unwrap()).unwrap();
        match incoming.content {
            message::MessageContent::Text(text) => Ok(text.body),
            other => panic!("{other:?}"),
        }
    }
}

fn name(user: &RemoteUser) -> Address {
    Address { name: user.0.clone(), device: 0 }
}
