//! Puts the adapters behind the ports and starts the runtime.

use std::sync::Arc;

use anyhow::Context as _;
use hkdf::Hkdf;
use ruma::OwnedRoomOrAliasId;
use sha2::Sha256;

use super::{
    ambient::{OsEntropy, SystemClock, process_name},
    serve,
    token_keys::{Keeper, Rotated},
};
use crate::{
    command::Bot,
    config::{self, Config},
    domain::{hosting::MediaRules, ids::GhostNamer, limits, rotation::Rotation},
    hosting::{self, Hosting},
    http::{HomeserverFace, HostedFiles, NetworkFace, ProvisioningFace, ProvisioningRules},
    interop::{self, Interop, NetworkProfile},
    matrix::{
        CipherOptions, KeySharing, MatrixCipher, MatrixHomeserver, MatrixOptions, OpenIdOptions,
        OpenIdServers,
    },
    port::{Clock, Entropy, Failure, Homeserver, Storage as _},
    runtime::{
        Directory, Hints, Inbox, Intake, Links, Logins, Outbox, Policies, Ports, Rooms, Rules,
        Stop, clean, erase, renew_signs, resume, sound,
    },
    storage::{Holder, SqlStorage},
};

/// Runs the bridge until a signal stops it, or somebody else has its database.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let storage = Arc::new(open_storage(config, &*clock).await?);
    tokio::select! {
        served = serve_with(config, &storage, &clock) => served,
        lost = storage.lease_lost(&*clock) => {
            tracing::error!(%lost, "stopping at once");
            Err(lost.into())
        }
    }
}

/// Before anything else, since a second instance must not begin anything.
async fn open_storage(config: &Config, clock: &dyn Clock) -> anyhow::Result<SqlStorage> {
    let holder = Holder { name: process_name(), since: clock.now() };
    let (url, key) = (config.database.url.expose(), *config.keys.master_key.expose());
    SqlStorage::open_alone(url, key, Arc::new(OsEntropy), holder, clock)
        .await
        .context("could not open the database")
}

async fn serve_with(
    config: &Config,
    storage: &Arc<SqlStorage>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<()> {
    let (ports, token_keys, interop) = ports(config, storage, clock).await?;
    let (hints, links, stop) = (Hints::default(), Links::default(), Stop::default());
    let rooms = Rooms::new(ports.clone());
    let backoff = limits::Backoff {
        min: config.network.reconnect_min_s,
        max: config.network.reconnect_max_s,
    };
    let logins = Logins::new(&ports, &hints, &links, &rooms, backoff, stop.clone());
    let bot = Arc::new(Bot::new(logins.clone(), ports.rules.clone()));
    let policies = Policies::new(&ports, &hints, &links);
    policies.restore().await?;
    let homeserver_face = HomeserverFace {
        intake: Intake::new(ports.clone(), hints.clone(), &links),
        directory: Directory::new(&ports),
        hs_token: config.appservice.hs_token.expose().into(),
    };
    let network_face = NetworkFace {
        network: Arc::clone(&ports.network),
        clock: Arc::clone(&ports.clock),
        logins: logins.clone(),
        hosted: HostedFiles::new(&ports),
    };
    let mut private = homeserver_face.router();
    if config.provisioning.enabled {
        private = private.merge(provisioning_face(config, &ports, &logins)?.router());
    }
    let listeners = serve::Listeners::bind(&[
        (config.appservice.listen, private),
        (config.network.listen, network_face.router()),
    ])
    .await?;

    let inbox = Inbox::new(&ports, &hints, &links, &rooms, bot, stop.clone());
    let outbox = Outbox::to_homeserver(&ports, &hints, stop.clone());
    let pumps = tokio_util::task::TaskTracker::new();
    pumps.spawn(inbox.run());
    pumps.spawn(outbox.run());
    let following = (policies, config.policy_rooms.clone());
    pumps.spawn(renew_signs(ports.clone(), rooms.clone(), stop.clone()));
    pumps.spawn(greet(ports.clone(), rooms, following, stop.clone()));
    pumps.spawn(sound(ports.clone(), stop.clone()));
    pumps.spawn(resume(ports.clone(), stop.clone()));
    pumps.spawn(clean(ports.clone(), logins.consents().clone(), stop.clone()));
    pumps.spawn(erase(ports.clone(), hints.clone(), logins.clone(), stop.clone()));
    pumps.spawn(token_keys.keep(interop, stop.clone()));
    pumps.spawn(listeners.serve(stop.clone()));
    pumps.close();
    logins.start_all().await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the bridge is running");

    serve::until_stopped(&stop, async {
        pumps.wait().await;
        logins.ended().await;
    })
    .await?;
    // Whoever was cut off may still hold a connection, and nothing is left to be written.
    if tokio::time::timeout(serve::CLOSING, ports.storage.close()).await.is_err() {
        tracing::warn!("the database was not closed in time; nothing is lost by it");
    }
    tracing::info!("the bridge has stopped");
    Ok(())
}

/// Makes a successor of the key that signs identity tokens, while a bridge runs or not.
pub(super) async fn rotate_token_key(config: &Config) -> anyhow::Result<Rotated> {
    let storage = storage(config, Arc::new(OsEntropy)).await?;
    let rotated = token_keys(config, Arc::clone(&storage), Arc::new(SystemClock)).rotate().await;
    storage.close().await;
    Ok(rotated?)
}

async fn storage(config: &Config, entropy: Arc<dyn Entropy>) -> anyhow::Result<Arc<SqlStorage>> {
    let master_key = *config.keys.master_key.expose();
    let storage = SqlStorage::open(config.database.url.expose(), master_key, entropy)
        .await
        .context("could not open the database")?;
    Ok(Arc::new(storage))
}

fn token_keys(config: &Config, storage: Arc<SqlStorage>, clock: Arc<dyn Clock>) -> Keeper {
    let rotation = Rotation { every: config.network.token_key_days.duration() };
    Keeper { storage, clock, rotation }
}

/// The bot exists, the homeserver pushes at once, and the policy rooms are followed, as soon as it
/// can be reached.
async fn greet(
    ports: Ports,
    rooms: Rooms,
    (policies, policy_rooms): (Policies, Vec<OwnedRoomOrAliasId>),
    stop: Stop,
) {
    let greeted = async {
        let mut attempt = 0;
        loop {
            let met = async {
                rooms.ensure_bot().await?;
                ports.homeserver.ping().await
            };
            let Err(failure) = met.await else { return };
            attempt += 1;
            tracing::warn!(%failure, "the homeserver does not answer as it should; will try again");
            ports.clock.sleep(limits::ITEM_BACKOFF.pause(attempt)).await;
        }
    };
    tokio::select! {
        () = stop.soft() => {}
        () = greeted => {
            tracing::info!("the homeserver knows the bridge");
            policies.follow(policy_rooms, stop.clone()).await;
        }
    }
}

async fn ports(
    config: &Config,
    storage: &Arc<SqlStorage>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Ports, Keeper, Arc<Interop>)> {
    let (storage, clock) = (Arc::clone(storage), Arc::clone(clock));
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let homeserver = Arc::new(MatrixHomeserver::new(matrix_options(config), Arc::clone(&clock))?);
    let sharing = match config.encryption.outbound {
        config::Outbound::AllDevices => KeySharing::AllDevices,
        config::Outbound::CrossSignedOnly => KeySharing::CrossSignedDevices,
    };
    let stores = Arc::clone(&storage);
    let cipher =
        MatrixCipher::new(Arc::clone(&homeserver), stores, CipherOptions { key_sharing: sharing });
    let token_keys = token_keys(config, Arc::clone(&storage), Arc::clone(&clock));
    let keys = token_keys.keys().await?;
    let (profile, dice) = (network_profile(config), Arc::clone(&entropy));
    let network = Arc::new(Interop::new(profile, keys, Arc::clone(&clock), dice)?);
    let media = Hosting::open(media_place(config))
        .await
        .context("could not open the store of hosted media")?;
    let homeserver: Arc<dyn Homeserver> = homeserver;
    let ports = Ports {
        storage,
        homeserver,
        cipher: Arc::new(cipher),
        network: network.clone(),
        media: Arc::new(media),
        media_rules: media_rules(config),
        rules: Rules::new(config.permissions.clone()),
        clock,
        entropy,
        namer: GhostNamer::new(ghost_key(config.keys.master_key.expose())),
        region: config.network.phone_region,
        message_status: config.appservice.message_status,
    };
    Ok((ports, token_keys, network))
}

fn provisioning_face(
    config: &Config,
    ports: &Ports,
    logins: &Logins,
) -> Result<ProvisioningFace, Failure> {
    let own = (config.homeserver.server_name.clone(), config.homeserver.url.as_url().clone());
    let named = config.provisioning_servers.0.iter();
    let named = named.map(|(server, url)| (server.clone(), url.as_url().clone()));
    // What is named in the section comes later and holds.
    let openid =
        OpenIdServers::new(OpenIdOptions { servers: [own].into_iter().chain(named).collect() })?;
    let secret = config.provisioning.shared_secret.as_ref();
    let rules = ProvisioningRules {
        server_name: config.homeserver.server_name.clone(),
        shared_secret: secret.map(|secret| secret.expose().into()),
    };
    Ok(ProvisioningFace::new(ports, logins, Arc::new(openid), rules))
}

/// Ghosts are named with a key of their own, so that a name tells nothing of the master key.
fn ghost_key(master_key: &[u8; 32]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, master_key)
        .expand(b"causeway ghost names", &mut key)
        .expect("32 bytes are a valid output length");
    key
}

fn media_place(config: &Config) -> hosting::Place {
    match &config.media.store {
        config::MediaPlace::Folder(path) => {
            hosting::Place::Folder(hosting::Folder { path: path.clone() })
        }
        config::MediaPlace::Bucket { name, prefix } => {
            let s3 = &config.media_s3;
            let secret = s3.secret_access_key.as_ref();
            hosting::Place::Bucket(hosting::Bucket {
                name: name.clone(),
                prefix: prefix.clone(),
                endpoint: s3.endpoint.as_ref().map(|url| url.as_url().clone()),
                region: s3.region.clone(),
                access_key_id: s3.access_key_id.clone().unwrap_or_default(),
                secret_access_key: secret.map(|it| it.expose().clone()).unwrap_or_default(),
            })
        }
    }
}

fn media_rules(config: &Config) -> MediaRules {
    let config::Media { store: _, keep_days, max_bytes, quota_bytes } = config.media;
    MediaRules { max_bytes, quota_bytes, keep: keep_days.duration() }
}

fn matrix_options(config: &Config) -> MatrixOptions {
    MatrixOptions {
        url: config.homeserver.url.as_url().clone(),
        server_name: config.homeserver.server_name.clone(),
        as_token: config.appservice.as_token.expose().to_owned(),
        appservice_id: config.appservice.id.clone(),
        bot_localpart: config.appservice.bot_localpart.as_str().to_owned(),
        ghost_prefix: config.appservice.ghost_prefix.as_str().to_owned(),
    }
}

fn network_profile(config: &Config) -> NetworkProfile {
    let (network, profile) = (&config.network, &config.profile);
    let public_url = network.public_url.as_str();
    let config::ProtocolVersion([primary, secondary, tertiary]) = profile.protocol_version;
    NetworkProfile {
        enlist_url: network.enlist_url.as_url().clone(),
        media_url: network.media_url.as_url().clone(),
        integrator_id: network.integrator_id.get(),
        chat_url: network.chat_url.as_url().clone(),
        origin: Some(network.chat_origin.clone()).filter(|origin| !origin.is_empty()),
        header: profile.header,
        certificate_root: network.root_key,
        jid_form: match profile.jid_form {
            config::JidForm::Pair => interop::JidForm::Pair250,
            config::JidForm::Interop => interop::JidForm::Interop245WithServer,
            config::JidForm::InteropBare => interop::JidForm::Interop245Bare,
        },
        fan_out: match profile.fan_out {
            config::FanOut::One => interop::FanOut::One,
            config::FanOut::All => interop::FanOut::All,
        },
        protocol_version: interop::Version { primary, secondary, tertiary },
        token: interop::TokenClaims {
            issuer: config.token_issuer().to_owned(),
            audience: profile.token_audience.clone(),
            lifetime: profile.token_lifetime_s,
        },
        read_receipts: profile.read_receipts,
        edits: profile.edits,
        deletes: profile.deletes,
        lookup: match profile.lookup {
            config::Lookup::Usync => interop::Lookup::UsyncContact,
            config::Lookup::Interop => interop::Lookup::InteropUsers,
        },
        blocklist: match profile.blocklist {
            config::BlocklistForm::Ordinary => interop::BlocklistForm::Ordinary,
            config::BlocklistForm::Interop => interop::BlocklistForm::Interop,
        },
        report: interop::ReportForm {
            xmlns: profile.report_xmlns.clone(),
            flow: profile.report_flow.clone(),
        },
        unenlist: interop::Unenlist {
            xmlns: profile.unenlist_xmlns.clone(),
            element: profile.unenlist_element.clone(),
        },
        push: interop::PushProof {
            keys_url: network.push_keys_url.as_url().clone(),
            issuer: profile.push_issuer.clone(),
            audience: public_url.to_owned(),
        },
        patience: interop::Patience {
            connect: network.connect_timeout_s,
            request: network.request_timeout_s,
            keepalive: network.keepalive_s,
            silence: network.keepalive_timeout_s,
        },
    }
}
