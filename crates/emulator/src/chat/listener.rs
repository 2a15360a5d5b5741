//! Accepts connections and brings each from its first byte to a session or a refusal. It must not know stanzas.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::{TcpListener, TcpStream};

use super::{
    connection,
    handshake::{ChannelError, Hello, shake_hands},
    login::{self, Login},
    pairing, session,
};
use crate::{causes::Causes, limits::LOGIN_TIME_MAX, network::Network};

/// Accepts until the emulator stops. A connection over the limit is closed at once.
pub(crate) async fn serve(network: Arc<Network>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = network.stop.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&network.connections).try_acquire_owned() else {
            tracing::warn!("a connection was refused: there are as many as the limit allows");
            continue;
        };
        let network = Arc::clone(&network);
        network.tasks.clone().spawn(async move {
            Box::pin(welcome(&network, stream, peer)).await;
            drop(permit);
        });
    }
}

async fn welcome(network: &Arc<Network>, stream: TcpStream, peer: SocketAddr) {
    let hello = tokio::select! {
        hello = tokio::time::timeout(LOGIN_TIME_MAX, open(network, stream)) => hello,
        () = network.stop.cancelled() => return,
    };
    let mut hello = match hello {
        Ok(Ok(hello)) => hello,
        Ok(Err(error)) => {
            tracing::info!(%peer, error = %Causes(&error), "no handshake");
            return;
        }
        Err(_) => {
            tracing::info!(%peer, "the handshake took too long");
            return;
        }
    };
    match login::check(network, &hello.static_key, &hello.payload).await {
        Ok(Login::Device { key, passive }) => {
            session::run(network, key, passive, hello.reader, hello.writer).await;
        }
        Ok(Login::Registration(bundle)) => {
            let client = pairing::Client { noise_key: hello.static_key, bundle: *bundle };
            pairing::run(network, client, hello.reader, hello.writer).await;
        }
        Err(error) => {
            tracing::info!(%peer, error = %Causes(&error), "a login was refused");
            if hello.writer.send(&error.failure().into_node()).await.is_ok() {
                hello.writer.close().await;
            }
        }
    }
}

async fn open(network: &Network, stream: TcpStream) -> Result<Hello, ChannelError> {
    let opened = connection::open(stream).await?;
    shake_hands(network, opened).await
}
