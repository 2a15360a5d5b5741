//! The writing task.

use std::sync::Arc;

use causeway_wire::noise::Sealer;
use tokio::{sync::mpsc, time::timeout};

use super::{Connection, FrameWriter, GOODBYE};
use crate::port::Failure;

pub(super) async fn run(
    connection: Arc<Connection>,
    mut writer: FrameWriter,
    mut sealer: Sealer,
    mut to_write: mpsc::Receiver<Vec<u8>>,
) {
    let last = loop {
        let packed = tokio::select! {
            packed = to_write.recv() => packed,
            () = connection.over.cancelled() => break None,
        };
        let Some(packed) = packed else { break None };
        let mut writing = std::pin::pin!(write(&mut writer, &mut sealer, &packed));
        let written = tokio::select! {
            written = &mut writing => written,
            // What is being written when the connection is closed may still be finished.
            () = connection.over.cancelled() => {
                timeout(GOODBYE, writing).await.unwrap_or_else(|_| Err(super::ended()))
            }
        };
        if let Err(error) = written {
            break Some(error);
        }
    };
    if let Some(error) = last {
        tracing::debug!(login = connection.login.0, ?error, "writing failed");
        connection.end(&error.to_string());
        return;
    }
    let goodbye = async {
        // Acknowledgements of what is durable may wait here: spare the network the repetition.
        to_write.close();
        while let Some(packed) = to_write.recv().await {
            if write(&mut writer, &mut sealer, &packed).await.is_err() {
                return;
            }
        }
        writer.close().await;
    };
    if timeout(GOODBYE, goodbye).await.is_err() {
        tracing::debug!(login = connection.login.0, "what waited could not be written in time");
    }
}

async fn write(
    writer: &mut FrameWriter,
    sealer: &mut Sealer,
    packed: &[u8],
) -> Result<(), Failure> {
    let sealed = sealer
        .encrypt(packed)
        .map_err(|error| Failure::later("the channel is used up").because(error))?;
    writer.write(&sealed).await
}
