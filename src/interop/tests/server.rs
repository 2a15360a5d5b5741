//! A server of one connection that does what a test says, over a bare stream.

use causeway_wire::{
    frame::{self, Decoder, HEADER, Preamble},
    jid::JidForm,
    node::{self, Node},
    noise::{
        KeyPair, Responder, Transport,
        certificate::{ChainDraft, RootKey, Validity, issue},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{super::NetworkProfile, NOW_S, patience, rng};

/// How the server proves itself.
pub(super) struct Proof {
    pub(super) root: RootKey,
    pub(super) leaf_key: [u8; 32],
    pub(super) leaf: Validity,
}

pub(super) struct Server {
    listener: TcpListener,
    static_keys: KeyPair,
    chain: Vec<u8>,
}

/// A connection before its handshake.
pub(super) struct Fresh {
    stream: TcpStream,
    decoder: Decoder,
}

/// A connection after it.
pub(super) struct Session {
    fresh: Fresh,
    transport: Transport,
    /// The static key of the client, and what it said.
    pub(super) client: ([u8; 32], Vec<u8>),
}

impl Server {
    /// A server that proves itself well, and the profile to reach it with.
    pub(super) async fn start() -> (Self, NetworkProfile) {
        Self::start_with(|_| {}).await
    }

    /// The same with something wrong about its proof. The profile trusts the right root.
    pub(super) async fn start_with(change: impl FnOnce(&mut Proof)) -> (Self, NetworkProfile) {
        let static_keys = KeyPair::generate(&mut rng());
        let root = RootKey::generate(&mut rng());
        let trusted = root.trust().root;
        let leaf = Validity { not_before_s: Some(NOW_S - 10), not_after_s: Some(NOW_S + 10) };
        let mut proof = Proof { root, leaf_key: static_keys.public(), leaf };
        change(&mut proof);
        let draft = ChainDraft {
            leaf_key: proof.leaf_key,
            leaf: proof.leaf,
            intermediate: Validity::default(),
        };
        let chain = issue(&proof.root, &draft, &mut rng());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("tcp://{}", listener.local_addr().unwrap());
        let profile = NetworkProfile {
            chat_url: url.parse().unwrap(),
            certificate_root: trusted,
            patience: patience(),
            ..NetworkProfile::documented("https://bridge.example", 12)
        };
        (Self { listener, static_keys, chain }, profile)
    }

    pub(super) async fn accept(&self) -> Fresh {
        let (stream, _) = self.listener.accept().await.unwrap();
        Fresh { stream, decoder: Decoder::new() }
    }

    /// Answers the client's first message; what comes next is the client's business.
    pub(super) async fn respond(&self, fresh: &mut Fresh) -> Responder {
        let mut header = [0; 4];
        fresh.stream.read_exact(&mut header).await.unwrap();
        assert_eq!(Preamble::parse(&header).unwrap().unwrap().0.header, HEADER);
        let hello = fresh.next().await.unwrap();
        let (keys, chain) = (self.static_keys.clone(), self.chain.clone());
        let mut responder = Responder::new(keys, chain, HEADER, &mut rng());
        fresh.write(&responder.respond(&hello).unwrap()).await;
        responder
    }

    /// Takes a client through the handshake.
    pub(super) async fn handshake(&self) -> Session {
        let mut fresh = self.accept().await;
        let responder = self.respond(&mut fresh).await;
        let finish = fresh.next().await.unwrap();
        let (client, payload, transport) = responder.finish(&finish).unwrap();
        Session { fresh, transport, client: (client, payload) }
    }

    /// The same, and lets it in.
    pub(super) async fn welcome(&self) -> Session {
        let mut session = self.handshake().await;
        session.send(Node::new("success")).await;
        let active = session.expect("iq").await;
        assert_eq!(active.attr_text("xmlns"), Some("passive"));
        session.answer(&active, None).await;
        session
    }
}

impl Fresh {
    /// The next frame; `None` when the client has hung up.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.decoder.push(&buffer[..read]),
            }
        }
    }

    pub(super) async fn write(&mut self, payload: &[u8]) {
        self.stream.write_all(&frame::encode(payload).unwrap()).await.unwrap();
    }
}

impl Session {
    pub(super) async fn send(&mut self, node: Node) {
        let packed = node::encode(&node, JidForm::default()).unwrap();
        self.send_packed(&packed).await;
    }

    pub(super) async fn send_packed(&mut self, packed: &[u8]) {
        let sealed = self.transport.encrypt(packed).unwrap();
        self.fresh.write(&sealed).await;
    }

    /// The next stanza; `None` when the client has hung up.
    pub(super) async fn next(&mut self) -> Option<Node> {
        let frame = self.fresh.next().await?;
        Some(node::decode(&self.transport.decrypt(&frame).unwrap()).unwrap())
    }

    pub(super) async fn expect(&mut self, tag: &str) -> Node {
        let node = self.next().await.expect("the client is still there");
        assert_eq!(node.tag, tag);
        node
    }

    /// Answers a query.
    pub(super) async fn answer(&mut self, query: &Node, content: Option<Node>) {
        let id = query.attr_text("id").unwrap();
        let answer = Node::new("iq").attr("id", id).attr("type", "result");
        self.send(answer.attr("from", "s.whatsapp.net").with_children(content)).await;
    }
}
