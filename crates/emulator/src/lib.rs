//! The network's servers for development and tests: chat channel, enlistment, pushes, media,
//! and simulated people.
//!
//! It speaks the real wire and verifies what the real network would, as far as that is public. It holds no bridge code; what
//! it shares with the bridge is `causeway_wire`. Its state is in memory, but for uploaded files, and it listens on loopback
//! only.
//!
//! Reading order: `world` is what the network knows, `router` what may be sent to whom, `chat` the channel on which clients
//! say so, `person` the people who live inside, `control` the handle for tests.

mod causes;
mod chat;
mod clock;
mod control;
mod entropy;
mod faults;
mod http;
pub mod limits;
mod media;
mod network;
mod person;
mod push;
mod router;
mod token;
mod world;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use causeway_wire::jid::Integrator;
use serde::Serialize;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    chat::Certificates,
    media::MediaService,
    network::Network,
    token::{PushSigner, TokenVerifier},
    world::World,
};
pub use crate::{
    faults::{ChangedIdentity, Coded, Delay, FaultOrder},
    media::{MediaFault, MediaFaultOrder},
    token::{SignerError, TokenRules},
};

/// What an emulator is started with. Port 0 means any free port.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where chat connections are accepted.
    pub chat: SocketAddr,
    /// Where partners enlist and fetch the network's key set, and where media is.
    pub http: SocketAddr,
    /// Where tests take control.
    pub control: SocketAddr,
    /// The partner's number in `12-…@interop`.
    pub partner_id: u16,
    /// What the partner's tokens must say, and where its server is.
    pub tokens: TokenRules,
}

impl Options {
    /// Free ports on loopback, for the partner with this number and server.
    pub fn for_partner(partner_id: u16, base_url: &str) -> Self {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let tokens = TokenRules {
            partner_base_url: base_url.to_owned(),
            audience: DEFAULT_AUDIENCE.to_owned(),
        };
        Self { chat: any, http: any, control: any, partner_id, tokens }
    }
}

/// The audience that partners' tokens name unless something else is configured; the real one is not public (network facts
/// 6.1).
pub const DEFAULT_AUDIENCE: &str = "https://whatsapp.com";

/// Where an emulator listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Chat channel: `ws://…/ws/chat` or raw TCP.
    pub chat: SocketAddr,
    /// Enlistment, key set and media.
    pub http: SocketAddr,
    /// Control face.
    pub control: SocketAddr,
}

/// Why an emulator does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// It serves loopback only: it hands out test credentials and takes orders from whoever asks.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// Partner numbers have one to three digits.
    #[error("{0} is no number of a partner: 1 to 999")]
    PartnerId(u16),
    /// A port could not be opened.
    #[error("{address} cannot be listened on")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The key for pushes could not be made.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// There is no place for uploaded files.
    #[error("the media service cannot be set up")]
    Media(#[source] io::Error),
    /// The client for the partner's server could not be made.
    #[error("the HTTP client cannot be built")]
    Http(#[from] reqwest::Error),
}

/// A running emulator. It stops when it is told to; dropping it leaves its tasks running until the runtime ends.
#[derive(Debug)]
pub struct Emulator {
    network: Arc<Network>,
    addresses: Addresses,
}

impl Emulator {
    /// Opens the ports and starts.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let integrator =
            Integrator::new(options.partner_id).ok_or(StartError::PartnerId(options.partner_id))?;
        let chat = listen(options.chat).await?;
        let http = listen(options.http).await?;
        let control = listen(options.control).await?;
        let addresses = Addresses { chat: chat.1, http: http.1, control: control.1 };
        let client = http_client()?;
        let media =
            MediaService::start(&options.tokens.partner_base_url).map_err(StartError::Media)?;
        let network = Arc::new(Network::new(
            World::new(integrator),
            Certificates::generate(),
            TokenVerifier::new(options.tokens, client.clone()),
            PushSigner::generate("emulator-1".to_owned())?,
            media,
        ));
        let tasks = &network.tasks;
        tasks.spawn(chat::serve(Arc::clone(&network), chat.0));
        tasks.spawn(push::run(Arc::clone(&network), client));
        serve_http(&network, http.0, http::routes(Arc::clone(&network)));
        serve_http(&network, control.0, control::routes(Arc::clone(&network)));
        Ok(Self { network, addresses })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The public key at the root of the server's certificates.
    pub fn root_key(&self) -> [u8; 32] {
        self.network.certificates.root_key()
    }

    /// Ends every connection and waits until all tasks are done.
    pub async fn stop(self) {
        self.network.stop.cancel();
        self.network.tasks.close();
        self.network.tasks.wait().await;
    }
}

fn serve_http(network: &Arc<Network>, listener: TcpListener, routes: axum::Router) {
    let stop: CancellationToken = network.stop.clone();
    network.tasks.spawn(async move {
        let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "an HTTP face stopped");
        }
    });
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback(address));
    }
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    // Partners' servers are asked directly: a proxy of the machine must not see tokens of a test.
    reqwest::Client::builder()
        .timeout(limits::PARTNER_HTTP_TIME_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}
