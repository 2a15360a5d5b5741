//! The emulated WhatsApp network, in this process, so that it outlives a bridge that is killed. It is
//! spoken to through its control API alone, as any other program would.

pub(crate) mod files;
mod kinds;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{
    bridge::{INTEGRATOR_ID, NetworkPlace},
    wait::{PATIENCE, until},
};

/// For one call of the control API, on a machine that does much else.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// What a person got, as the person's WhatsApp shows it.
#[derive(Clone, Deserialize)]
pub(crate) struct Received {
    /// Under what name it shows the sender.
    pub(crate) display_name: Option<String>,
    /// Of a file, the caption.
    pub(crate) text: String,
    /// Under which id it came.
    pub(crate) id: String,
    /// Under which id the message came that it answers.
    pub(crate) quotes: Option<String>,
    /// What the message says of its file: kind, mimetype, caption, file_name, width, height, seconds, waveform and thumbnail
    /// in base64, length, direct_path.
    #[serde(default)]
    pub(crate) attachment: Value,
    /// When it was read, in milliseconds since the epoch.
    #[serde(rename = "received_at_ms")]
    pub(crate) at_ms: u64,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[derive(Deserialize)]
struct ReceivedAnswer {
    messages: Vec<Received>,
}

/// A running network. It ends with the runtime that it was started in.
#[derive(Debug)]
pub(crate) struct Emulator {
    control: Control,
    place: NetworkPlace,
    _network: causeway_emulator::Emulator,
}

impl Emulator {
    /// Starts a network whose one partner's server is (or will be) at `partner`.
    pub(crate) async fn start(partner: &Url) -> Result<Self> {
        let partner = partner.as_str().trim_end_matches('/');
        let options = causeway_emulator::Options::for_partner(INTEGRATOR_ID, partner);
        let network = causeway_emulator::Emulator::start(options).await?;
        let at = network.addresses();
        let root_key: Vec<String> =
            network.root_key().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            control: Control::at(Url::parse(&format!("http://{}/", at.control))?)?,
            place: NetworkPlace {
                chat: format!("ws://{}/ws/chat", at.chat),
                enlist: format!("http://{}/3p/interop_reg", at.http),
                push_keys: format!("http://{}/.well-known/jwks", at.http),
                media: format!("http://{}", at.http),
                root_key: root_key.concat(),
            },
            _network: network,
        })
    }

    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// Where the network is, as a bridge is told.
    pub(crate) fn place(&self) -> &NetworkPlace {
        &self.place
    }
}

/// How to reach a running network's control API. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) url: Url,
    http: reqwest::Client,
}

impl Control {
    pub(crate) fn at(url: Url) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(CALL_LIMIT).build()?;
        Ok(Self { url, http })
    }

    /// Makes a person whom the emulator plays. `opted_in` says whether they switched on third-party
    /// chats.
    pub(crate) async fn person(&self, phone: &str, name: &str, opted_in: bool) -> Result<Contact> {
        let person = json!({"phone": phone, "name": name, "opted_in": opted_in});
        self.call(Method::POST, "people", Some(&person)).await?;
        Ok(Contact { control: self.clone(), phone: phone.to_owned() })
    }

    /// Orders faults; see the emulator's documentation for what there is.
    pub(crate) async fn fault(&self, order: &Value) -> Result<()> {
        self.call(Method::POST, "faults", Some(order)).await.map(drop)
    }

    /// The network's view of an enlisted login, by its user-visible id; `None` if there is none.
    pub(crate) async fn login(&self, person: &UserId) -> Result<Option<Value>> {
        let state = self.call(Method::GET, "state", None).await?;
        let logins = state["partners"].as_array().context("no list of logins")?;
        Ok(logins.iter().find(|login| login["user_visible_id"] == person.as_str()).cloned())
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        self.call_within(CALL_LIMIT, method, path, body).await
    }

    async fn call_within(
        &self,
        limit: Duration,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let mut request = self.http.request(method, self.url.join(path)?).timeout(limit);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the emulator answered {path} with {status}: {text}");
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }
}

/// A simulated WhatsApp person.
#[derive(Clone)]
pub(crate) struct Contact {
    control: Control,
    phone: String,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(…)")
    }
}

impl Contact {
    /// The phone number, with `+`.
    pub(crate) fn phone(&self) -> &str {
        &self.phone
    }

    /// Writes to a Matrix person, who is known to the network under their Matrix id. Returns the id of
    /// the message.
    pub(crate) async fn says(&self, to: &UserId, text: &str) -> Result<String> {
        let outgoing = json!({"to": to, "text": text});
        let sent = self.control.call(Method::POST, &self.path("send"), Some(&outgoing)).await?;
        Ok(sent["id"].as_str().context("the emulator named no message id")?.to_owned())
    }

    /// Everything that the person got so far, in the order in which it came.
    pub(crate) async fn got(&self) -> Result<Vec<Received>> {
        let answer = self.control.call(Method::GET, &self.path("received"), None).await?;
        Ok(serde_json::from_value::<ReceivedAnswer>(answer)?.messages)
    }

    /// Waits until the person has got this very text.
    pub(crate) async fn reads(&self, text: &str) -> Result<Received> {
        self.gets(&format!("the contact to read {text:?}"), |received| received.text == text).await
    }

    /// Waits until the person has got a text that `wanted` accepts.
    pub(crate) async fn gets(
        &self,
        what: &str,
        wanted: impl Fn(&Received) -> bool + Send + Sync,
    ) -> Result<Received> {
        self.gets_within(PATIENCE, what, wanted).await
    }

    /// The same, with another patience.
    pub(crate) async fn gets_within(
        &self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Received) -> bool + Send + Sync,
    ) -> Result<Received> {
        let found = until(what, limit, || async {
            Ok(self.got().await?.into_iter().find(|received| wanted(received)))
        });
        match found.await {
            Ok(received) => Ok(received),
            Err(error) => {
                let got = self.got().await.unwrap_or_default();
                Err(error.context(format!("the contact got: {got:#?}")))
            }
        }
    }

    /// Waits until the network says `receipt` ("delivered", "read") of a message of this person.
    pub(crate) async fn learns_of(&self, id: &str, receipt: &str) -> Result<()> {
        until(&format!("the receipt {receipt:?} for message {id}"), PATIENCE, || async {
            Ok(self.receipts(id).await?.iter().any(|kind| kind == receipt).then_some(()))
        })
        .await
    }

    /// Everything that the network said of a message of this person, in order.
    pub(crate) async fn receipts(&self, id: &str) -> Result<Vec<String>> {
        let path = self.path(&format!("receipts/{id}"));
        Ok(serde_json::from_value(self.control.call(Method::GET, &path, None).await?)?)
    }

    /// Says, in one receipt, that this person read messages ("read") or listened to them ("played").
    pub(crate) async fn says_read(&self, to: &UserId, ids: &[String], kind: &str) -> Result<()> {
        let order = json!({"to": to, "ids": ids, "kind": kind});
        self.control.call(Method::POST, &self.path("read"), Some(&order)).await.map(drop)
    }

    /// Types ("composing"), records ("recording") or stops ("paused").
    pub(crate) async fn types(&self, to: &UserId, state: &str) -> Result<()> {
        let order = json!({"to": to, "state": state});
        self.control.call(Method::POST, &self.path("typing"), Some(&order)).await.map(drop)
    }

    /// What this person saw others do, oldest first.
    pub(crate) async fn saw_typing(&self) -> Result<Vec<String>> {
        let seen = self.control.call(Method::GET, &self.path("typing"), None).await?;
        let seen = seen.as_array().cloned().unwrap_or_default();
        Ok(seen.iter().filter_map(|it| it["state"].as_str().map(str::to_owned)).collect())
    }

    fn path(&self, what: &str) -> String {
        format!("people/{}/{what}", self.phone.trim_start_matches('+'))
    }
}
