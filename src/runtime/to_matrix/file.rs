//! A file of a contact: uploaded as the ghost, and the events that show it.

use super::{Arrival, Effect, ToMatrix, target::Target};
use crate::{
    domain::{
        bridged::{ActAs, Direction},
        limits,
        media::{IncomingMedia, Uploaded},
        moving::Described,
        notice::Notice,
        waiting::Waiting,
    },
    port::{Failure, network::RemoteFile},
    runtime::media::{Arriving, NotMoved, Turn},
};

impl ToMatrix {
    /// `waiting`: for how long the message has.
    pub(super) async fn file(
        &self,
        arrival: &Arrival<'_>,
        waiting: Waiting,
        media: &IncomingMedia,
        target: &Target,
    ) -> Result<Effect, Failure> {
        let now = self.ports.clock.now();
        let Some(turn) = self.mover.turn() else {
            return Ok(Effect::Wait { until: now + limits::millis(limits::MEDIA_TURN_WAIT) });
        };
        // The ghost uploads, so there must be one.
        self.room(arrival).await?;
        let parts = match self.uploaded(&turn, &arrival.sender(), media).await {
            Ok(moved) => media.parts(&moved, target.event()),
            Err(not_moved) => {
                let gives_up = waiting.is_over(limits::MEDIA_SOURCE_WAIT, now);
                let trouble = not_moved.trouble(gives_up)?;
                let why = Notice::File { way: Direction::ToMatrix, trouble };
                media.without_file(&why, target.event())
            }
        };
        Ok(Effect::Messages(parts))
    }

    async fn uploaded(
        &self,
        turn: &Turn,
        who: &ActAs,
        media: &IncomingMedia,
    ) -> Result<Uploaded, NotMoved> {
        let file = media.file();
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let from = RemoteFile { direct_path: some(&file.direct_path), url: file.url.clone() };
        let described = Described {
            kind: media.keys(),
            media_key: file.media_key,
            sha256: file.sha256,
            enc_sha256: file.enc_sha256,
            length: file.length,
        };
        let arriving = Arriving { who, from: &from, file: &described };
        let moved = self.mover.to_matrix(turn, &arriving).await?;
        // After the file, so that one whose source is away leaves no thumbnail at each attempt. To
        // upload the whole file again would be too much for it: whatever happens, the file goes on.
        let thumbnail_file = match media.thumbnail() {
            Some(bytes) => match self.mover.upload_whole(turn, who, bytes).await {
                Ok(file) => Some(file.to_json()),
                Err(not_moved) => {
                    tracing::debug!(%not_moved, "a thumbnail was not uploaded");
                    None
                }
            },
            None => None,
        };
        Ok(Uploaded { file: moved.file.to_json(), length: moved.length, thumbnail_file })
    }
}
