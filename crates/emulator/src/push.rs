//! Pushes: tells a partner's server that one of its users has something waiting (network facts 1.6). It must not know what.

use std::{collections::BTreeMap, sync::Arc, sync::atomic::Ordering};

use crate::{
    limits::{PARTNER_HTTP_TIME_MAX, PUSH_INTERVAL_MIN},
    network::Network,
    world::{AccountId, DeviceKey},
};

/// Sends pushes until the emulator stops: one a user for all that came since the last round.
pub(crate) async fn run(network: Arc<Network>, http: reqwest::Client) {
    loop {
        tokio::select! {
            () = network.push_wake.notified() => {}
            () = network.stop.cancelled() => return,
        }
        for account in network.take_pushes_due() {
            let key = DeviceKey::primary(AccountId::Partner(account));
            let waiting = network.with(|world| {
                world
                    .partner(account)
                    .filter(|partner| partner.device.mailbox.len() > 0)
                    .map(|partner| partner.user_visible_id.clone())
            });
            if let (Some(user), false) = (waiting, network.is_connected(key)) {
                send(&network, &http, &user).await;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PUSH_INTERVAL_MIN) => {}
            () = network.stop.cancelled() => return,
        }
    }
}

async fn send(network: &Network, http: &reqwest::Client, user: &str) {
    let base = network.tokens.rules().partner_base_url.trim_end_matches('/');
    let Ok(bearer) = network.signer.bearer(base) else {
        network.pushes_failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let answer = http
        .post(format!("{base}/push"))
        .timeout(PARTNER_HTTP_TIME_MAX)
        .bearer_auth(bearer)
        .json(&BTreeMap::from([("to", user)]))
        .send()
        .await
        .and_then(reqwest::Response::error_for_status);
    match answer {
        Ok(_) => network.pushes_sent.fetch_add(1, Ordering::Relaxed),
        Err(error) => {
            tracing::warn!(error = %error.without_url(), "a push was not taken");
            network.pushes_failed.fetch_add(1, Ordering::Relaxed)
        }
    };
}
