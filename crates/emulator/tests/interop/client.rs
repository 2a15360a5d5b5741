//! The partner's client: as small as it can be and still speak everything that the tests need.

use std::{collections::VecDeque, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use causeway_wire::{
    frame::{Decoder, HEADER, encode as encode_frame},
    jid::{Jid, JidForm},
    message::{self, MessageContent},
    node::{self, Content, Node},
    noise::{Initiator, KeyPair, NoiseError, Transport, certificate::Trust},
    payload::{InteropLogin, Version},
    stanza::{
        AckStanza, ChatstateStanza, Enc, EncKind, FailureStanza, IqBody, IqError, IqStanza,
        MessageStanza, NotificationStanza, Query, ReceiptKind, ReceiptStanza, Retry, Route, Stanza,
        StreamError,
        keys::Bundle,
        prekeys::{KeyReply, KeyRequest, Upload},
        usync::{Usync, UsyncReply},
    },
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::{
    Scene, offline,
    party::{Party, rng},
};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) enum ConnectError {
    Noise(NoiseError),
    Refused(FailureStanza),
}

enum Socket {
    Raw(TcpStream),
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
}

struct Channel {
    socket: Socket,
    decoder: Decoder,
    transport: Option<Transport>,
}

/// A message as it was read.
pub(crate) struct Read {
    pub(crate) id: String,
    pub(crate) text: String,
    stanza: MessageStanza,
}

pub(crate) struct Client {
    user: String,
    noise: KeyPair,
    pub(crate) party: Party,
    pub(crate) account: u64,
    pub(crate) token_override: Option<String>,
    pub(crate) websocket: bool,
    channel: Option<Channel>,
    /// Stanzas that came while something else was awaited.
    waiting: VecDeque<Stanza>,
    next_id: u32,
}

impl Client {
    pub(crate) fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            noise: KeyPair::generate(&mut rng()),
            party: Party::new(),
            account: 0,
            token_override: None,
            websocket: false,
            channel: None,
            waiting: VecDeque::new(),
            next_id: 0,
        }
    }

    /// Another client with the same login and none of its sessions.
    pub(crate) fn clone_login(&self) -> Self {
        let mut other = Self::new(&self.user);
        (other.noise, other.account) = (self.noise.clone(), self.account);
        other
    }

    pub(crate) fn renew_noise_key(&mut self) {
        self.noise = KeyPair::generate(&mut rng());
    }

    pub(crate) async fn try_enlist(&self, scene: &Scene, token: Option<String>) -> Value {
        let bundle = self.party.bundle();
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let form = [
            ("authkey", b64(&self.noise.public())),
            ("e_keytype", b64(&[5])),
            ("e_regid", b64(&bundle.registration_id.to_be_bytes())),
            ("e_ident", b64(&bundle.identity)),
            ("e_skey_id", b64(&bundle.signed_prekey.id.to_be_bytes()[1..])),
            ("e_skey_val", b64(&bundle.signed_prekey.public)),
            ("e_skey_sig", b64(&bundle.signed_prekey.signature)),
            ("token", token.unwrap_or_else(|| scene.partner.token(&self.user))),
        ];
        let url = format!("http://{}/3p/interop_reg", scene.emulator.addresses().http);
        let response = scene.http.post(url).form(&form).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    pub(crate) async fn enlist(&mut self, scene: &Scene) {
        let answer = self.try_enlist(scene, None).await;
        assert_eq!(answer["status"], "ok", "{answer}");
        let login = answer["login"].as_str().unwrap();
        let jid: Jid = login.parse().unwrap();
        assert_eq!(jid.integrator().unwrap().get(), 12);
        self.account = jid.user().parse().unwrap();
    }

    pub(crate) async fn connect(&mut self, scene: &Scene) -> Result<(), ConnectError> {
        let address = scene.emulator.addresses().chat;
        let socket = if self.websocket {
            let (socket, _) = connect_async(format!("ws://{address}/ws/chat")).await.unwrap();
            Socket::WebSocket(Box::new(socket))
        } else {
            Socket::Raw(TcpStream::connect(address).await.unwrap())
        };
        let mut channel = Channel { socket, decoder: Decoder::new(), transport: None };
        let initiator = Initiator::new(self.noise.clone(), HEADER, &mut rng());
        let hello = encode_frame(&initiator.hello()).unwrap();
        channel.write([&HEADER[..], &hello].concat()).await;
        let server_hello = channel.frame().await.unwrap();
        let token = self.token_override.clone();
        let login = InteropLogin {
            account: self.account,
            token: token.unwrap_or_else(|| scene.partner.token(&self.user)).into_bytes(),
            read_receipts: true,
            push_name: None,
            version: Version::default(),
        };
        let trust = Trust { root: scene.emulator.root_key() };
        let (finish, transport) = initiator
            .finish(&server_hello, &trust, now_s(), &login.encode().unwrap())
            .map_err(ConnectError::Noise)?;
        channel.write(encode_frame(&finish).unwrap()).await;
        channel.transport = Some(transport);
        self.channel = Some(channel);
        self.waiting.clear();
        match self.next().await {
            Some(Stanza::Success(_)) => Ok(()),
            Some(Stanza::Failure(failure)) => Err(ConnectError::Refused(failure)),
            other => panic!("{other:?} instead of an answer to the login"),
        }
    }

    pub(crate) async fn disconnect(&mut self) {
        let channel = self.channel.take().unwrap();
        match channel.socket {
            Socket::Raw(mut socket) => socket.shutdown().await.unwrap(),
            Socket::WebSocket(mut socket) => socket.close().await.unwrap(),
        }
    }

    async fn send(&mut self, node: Node) {
        let channel = self.channel.as_mut().unwrap();
        let plain = node::encode(&node, JidForm::Interop245Bare).unwrap();
        let sealed = channel.transport.as_mut().unwrap().encrypt(&plain).unwrap();
        channel.write(encode_frame(&sealed).unwrap()).await;
    }

    /// The next stanza; `None` when the connection is over.
    pub(crate) async fn next(&mut self) -> Option<Stanza> {
        if let Some(stanza) = self.waiting.pop_front() {
            return Some(stanza);
        }
        self.receive().await
    }

    async fn receive(&mut self) -> Option<Stanza> {
        let channel = self.channel.as_mut().unwrap();
        let frame = tokio::time::timeout(PATIENCE, channel.frame()).await.expect("a stanza")?;
        let plain = channel.transport.as_mut().unwrap().decrypt(&frame).unwrap();
        Some(Stanza::parse(node::decode(&plain).unwrap()))
    }

    /// The next stanza that fits; the others keep their order.
    async fn next_that<T>(&mut self, fits: impl Fn(&Stanza) -> Option<T>) -> T {
        let held = self.waiting.iter().enumerate().find_map(|(at, held)| Some((at, fits(held)?)));
        if let Some((place, found)) = held {
            self.waiting.remove(place);
            return found;
        }
        loop {
            let stanza = self.receive().await.expect("the connection is open");
            match fits(&stanza) {
                Some(found) => return found,
                None => self.waiting.push_back(stanza),
            }
        }
    }

    pub(crate) async fn ask(&mut self, query: Query) -> IqStanza {
        self.next_id += 1;
        let id = format!("q{}", self.next_id);
        self.send(query.into_iq(&id).expect("a known query").into_node()).await;
        self.next_that(|stanza| match stanza {
            Stanza::Iq(iq) if iq.id == id => Some(iq.clone()),
            _ => None,
        })
        .await
    }

    /// Asks something that the typed queries do not know.
    pub(crate) async fn ask_raw(&mut self, xmlns: &str, child: Node) -> IqStanza {
        let query = IqStanza::get("raw", xmlns, Content::Nodes(vec![child]));
        self.send(query.into_node()).await;
        self.next_that(|stanza| match stanza {
            Stanza::Iq(iq) if iq.id == "raw" => Some(iq.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn send_raw(&mut self, node: Node) {
        self.send(node).await;
    }

    /// Whether nothing comes for a while.
    pub(crate) async fn is_silent_for(&mut self, time: Duration) -> bool {
        let channel = self.channel.as_mut().unwrap();
        tokio::time::timeout(time, channel.frame()).await.is_err()
    }

    pub(crate) async fn publish_prekeys(&mut self, count: u32) {
        let mut prekeys = Vec::new();
        for id in 1..=count {
            prekeys.push(self.party.prekey(id).await);
        }
        let Bundle { registration_id, identity, signed_prekey, .. } = self.party.bundle();
        let upload = Upload { registration_id, identity, prekeys, signed_prekey };
        let answer = self.ask(Query::UploadPreKeys(upload)).await;
        assert!(matches!(answer.body, IqBody::Result(_)), "{answer:?}");
    }

    pub(crate) async fn look_up(&mut self, phone: &str) -> Option<Jid> {
        let answer = self.ask(Query::Usync(Usync::lookup("s1", phone))).await;
        let content = answer.body.into_answer().unwrap().unwrap();
        let reply = UsyncReply::parse(&content).unwrap().remove(0);
        assert_eq!(reply.contact.unwrap().registered, reply.jid.is_some());
        reply.jid
    }

    pub(crate) async fn fetch_keys(&mut self, jid: &Jid) -> Result<Bundle, IqError> {
        let answer = self.ask(Query::FetchKeys(vec![KeyRequest::new(jid.clone())])).await;
        let content = answer.body.into_answer().unwrap().unwrap();
        KeyReply::parse(&content).unwrap().remove(0).keys
    }

    pub(crate) async fn encrypt(&mut self, to: &Jid, text: &str) -> MessageStanza {
        self.encrypt_plain(to, message::encode_text(text).unwrap(), "text").await
    }

    /// Any encoded message as a stanza of this type.
    pub(crate) async fn encrypt_plain(
        &mut self,
        to: &Jid,
        plain: Vec<u8>,
        kind: &str,
    ) -> MessageStanza {
        let name = to.local_part();
        if !self.party.has_session(&name).await {
            let bundle = self.fetch_keys(to).await.unwrap();
            self.party.establish(&name, &bundle).await;
        }
        let padded = message::pad(plain, &mut rng());
        let (first, body) = self.party.encrypt(&name, &padded).await;
        let enc = if first { EncKind::PreKeyMessage } else { EncKind::Message };
        self.next_id += 1;
        let id = format!("3EB0{:06}", self.next_id);
        MessageStanza {
            encs: vec![Enc::new(enc, body)],
            ..MessageStanza::new(id, Route::to(to.clone()), kind)
        }
    }

    /// Sends a message and waits for the server's word on it.
    pub(crate) async fn send_message(&mut self, stanza: MessageStanza) -> Result<(), u16> {
        let id = stanza.id.clone();
        self.send(stanza.into_node()).await;
        let ack: AckStanza = self
            .next_that(|stanza| match stanza {
                Stanza::Ack(ack) if ack.id == id => Some(ack.clone()),
                _ => None,
            })
            .await;
        ack.error.map_or(Ok(()), Err)
    }

    pub(crate) async fn send_text(&mut self, to: &Jid, text: &str) -> String {
        let stanza = self.encrypt(to, text).await;
        let id = stanza.id.clone();
        self.send_message(stanza).await.unwrap();
        id
    }

    /// Answers a retry receipt: the same id under a fresh session.
    pub(crate) async fn send_again(&mut self, to: &Jid, id: &str, text: &str) {
        let bundle = self.fetch_keys(to).await.unwrap();
        self.party.establish(&to.local_part(), &bundle).await;
        let mut stanza = self.encrypt(to, text).await;
        id.clone_into(&mut stanza.id);
        stanza.encs[0].count = Some(1);
        self.send_message(stanza).await.unwrap();
    }

    pub(crate) async fn next_message_raw(&mut self) -> MessageStanza {
        self.next_that(|stanza| match stanza {
            Stanza::Message(message) => Some(message.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn next_message(&mut self) -> Read {
        let stanza = self.next_message_raw().await;
        let incoming = message::decode(&self.open(&stanza).await).unwrap();
        let MessageContent::Text(text) = incoming.content else { panic!("{incoming:?}") };
        Read { id: stanza.id.clone(), text: text.body, stanza }
    }

    /// What is in a message, without padding.
    pub(crate) async fn open(&mut self, stanza: &MessageStanza) -> Vec<u8> {
        let name = stanza.route.from.as_ref().unwrap().local_part();
        let enc = &stanza.encs[0];
        let first = enc.kind == EncKind::PreKeyMessage;
        let padded = self.party.decrypt(&name, first, &enc.ciphertext).await;
        message::unpad(&padded).unwrap().to_vec()
    }

    /// Acknowledges a message and says that it was delivered.
    pub(crate) async fn confirm(&mut self, message: &Read) {
        self.send(message.stanza.ack().into_node()).await;
        let route = message.stanza.route.reply();
        let receipt = ReceiptStanza::new(message.id.as_str(), route, ReceiptKind::Delivered);
        self.send(receipt.into_node()).await;
        self.next_that(|stanza| match stanza {
            Stanza::Ack(ack) if ack.id == message.id => Some(()),
            _ => None,
        })
        .await;
    }

    /// Asks for a message again, with keys for a fresh session.
    pub(crate) async fn ask_again(&mut self, message: &MessageStanza) {
        let mut bundle = self.party.bundle();
        bundle.prekey = Some(self.party.prekey(900).await);
        let retry = Retry {
            count: 1,
            message_timestamp_s: message.timestamp_s,
            registration_id: bundle.registration_id,
            keys: Some(bundle),
        };
        let kind = ReceiptKind::Retry(retry);
        let receipt = ReceiptStanza::new(message.id.as_str(), message.route.reply(), kind);
        self.send(receipt.into_node()).await;
    }

    pub(crate) async fn next_receipt(&mut self) -> ReceiptStanza {
        let receipt = self
            .next_that(|stanza| match stanza {
                Stanza::Receipt(receipt) => Some(receipt.clone()),
                _ => None,
            })
            .await;
        self.send(receipt.ack().into_node()).await;
        receipt
    }

    pub(crate) async fn next_chatstate(&mut self) -> ChatstateStanza {
        self.next_that(|stanza| match stanza {
            Stanza::Chatstate(chatstate) => Some(chatstate.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn next_notification(&mut self) -> NotificationStanza {
        self.next_that(|stanza| match stanza {
            Stanza::Notification(notice) => Some(notice.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn next_stream_error(&mut self) -> StreamError {
        self.next_that(|stanza| match stanza {
            Stanza::StreamError(error) => Some(error.clone()),
            _ => None,
        })
        .await
    }

    /// How many stanzas waited, once all of them were sent.
    pub(crate) async fn offline_count(&mut self) -> u32 {
        self.next_that(|stanza| match stanza {
            Stanza::Ib(ib) => offline(&ib.items),
            _ => None,
        })
        .await
    }
}

impl Channel {
    async fn write(&mut self, bytes: Vec<u8>) {
        match &mut self.socket {
            Socket::Raw(socket) => socket.write_all(&bytes).await.unwrap(),
            // In two halves: a message of a WebSocket may hold a part of a frame.
            Socket::WebSocket(socket) => {
                let (one, other) = bytes.split_at(bytes.len() / 2);
                socket.send(Message::Binary(one.to_vec().into())).await.unwrap();
                socket.send(Message::Binary(other.to_vec().into())).await.unwrap();
            }
        }
    }

    async fn frame(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            match &mut self.socket {
                Socket::Raw(socket) => {
                    let mut buffer = [0; 4096];
                    match socket.read(&mut buffer).await.unwrap() {
                        0 => return None,
                        count => self.decoder.push(&buffer[..count]),
                    }
                }
                Socket::WebSocket(socket) => match socket.next().await {
                    Some(Ok(Message::Binary(bytes))) => self.decoder.push(&bytes),
                    Some(Ok(Message::Close(_))) | None => return None,
                    other => panic!("{other:?}"),
                },
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates are checked against the real clock")]
fn now_s() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
