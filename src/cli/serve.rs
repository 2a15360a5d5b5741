//! Listening, and stopping in two stages.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::Router;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::{domain::limits, runtime::Stop};

/// How long closing the database may take at the end.
pub(super) const CLOSING: Duration = Duration::from_secs(2);

/// Listeners that are bound, so that a taken port is an error at the start.
pub(super) struct Listeners(Vec<(TcpListener, Router)>);

impl Listeners {
    pub(super) async fn bind(faces: &[(SocketAddr, Router)]) -> anyhow::Result<Self> {
        let mut bound = Vec::with_capacity(faces.len());
        for (address, router) in faces {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("could not listen on {address}"))?;
            bound.push((listener, router.clone()));
        }
        Ok(Self(bound))
    }

    /// Serves until the stop; requests in hand are finished.
    pub(super) async fn serve(self, stop: Stop) {
        let mut servers = JoinSet::new();
        for (listener, router) in self.0 {
            let ending = stop.clone();
            servers.spawn(async move {
                let ending = async move { ending.soft().await };
                let service = router.into_make_service_with_connect_info::<SocketAddr>();
                axum::serve(listener, service).with_graceful_shutdown(ending).await
            });
        }
        while let Some(ended) = servers.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::error!(%error, "a listener failed");
                stop.begin();
            }
        }
    }
}

/// Waits for a signal (or for a part that gave up), then for everything to end: softly, and after
/// [`limits::SHUTDOWN_GRACE`] or a second signal by force.
pub(super) async fn until_stopped(
    stop: &Stop,
    ended: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("could not listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not listen for signals")?;
    let gave_up = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = stop.soft() => true,
    };
    tracing::info!("stopping; what is in hand is finished first");
    stop.begin();
    let cut_off = tokio::select! {
        () = ended => None,
        _ = terminate.recv() => Some("told to stop once more"),
        _ = interrupt.recv() => Some("told to stop once more"),
        () = tokio::time::sleep(limits::SHUTDOWN_GRACE) => Some("what was in hand took too long"),
    };
    if let Some(why) = cut_off {
        tracing::warn!(why, "stopping at once; what was in hand is taken up at the next start");
        stop.enforce();
    }
    anyhow::ensure!(!gave_up, "a part of the bridge gave up; see the log");
    Ok(())
}
