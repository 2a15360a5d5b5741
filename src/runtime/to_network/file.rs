//! A file of an event: hosted for the network, and the message that names it.

use super::{
    Parties, ToNetwork,
    saying::{Heard, Hosted, Said, Saying},
};
use crate::{
    domain::{
        attachment::{Attachment, EncryptedFile},
        bridged::{ActAs, Direction, Portal},
        item::{EnvelopeKind, MediaWord},
        limits,
        media::{MediaContent, MediaFile, OutgoingMedia, Reading, Source},
        notice::{FileTrouble, Notice},
        outgoing::About,
    },
    port::{Failure, media::MediaFailure},
    runtime::media::{Leaving, MovedOut, NotMoved, Turn},
};

impl ToNetwork {
    /// Moves the file, if it can be sent as soon as it is there.
    pub(super) async fn file(
        &self,
        portal: &Portal,
        parties: &Parties,
        heard: Heard<'_>,
        media: OutgoingMedia,
        about: &About,
        mut notices: Vec<Notice>,
    ) -> Result<Said, Failure> {
        if self.links.link(&portal.key.login).is_none() {
            return Ok(self.not_before(limits::LINK_WAIT));
        }
        let Some(turn) = self.mover.turn() else {
            return Ok(self.not_before(limits::MEDIA_TURN_WAIT));
        };
        let quote = self.answered(portal, parties, &heard.event.room, about, &mut notices).await?;
        let now = self.ports.clock.now();
        let gives_up = heard.waiting.is_over(limits::MEDIA_SOURCE_WAIT, now);
        let (media, moved) = match self.hosted(&turn, portal, media).await {
            Ok(hosted) => hosted,
            Err(not_moved) => return Ok(refused(not_moved.trouble(gives_up)?)),
        };
        let file = MediaFile {
            direct_path: self.ports.network.hosted_path(&moved.name),
            url: None,
            media_key: *moved.media_key,
            media_key_at: self.ports.clock.now().div_euclid(1_000),
            sha256: moved.hashes.file_sha256,
            enc_sha256: moved.hashes.file_enc_sha256,
            length: moved.hashes.file_length,
        };
        let kind = EnvelopeKind::Media(word(media.kind()));
        match media.message(file, quote.as_ref()) {
            Ok(message) => {
                let hosted = Some(Hosted { name: moved.name, change: moved.change });
                Ok(Said::Saying(Box::new(Saying { hosted, ..Saying::new(message, kind, notices) })))
            }
            Err(error) => {
                tracing::warn!(%error, "the network has no message for a file");
                self.mover.unhost(&moved.name).await;
                Ok(refused(FileTrouble::Refused))
            }
        }
    }

    async fn hosted(
        &self,
        turn: &Turn,
        portal: &Portal,
        mut media: OutgoingMedia,
    ) -> Result<(OutgoingMedia, MovedOut), NotMoved> {
        let (login, who) = (&portal.key.login, ActAs::Ghost(portal.key.ghost.clone()));
        let file = attachment(media.source())?;
        self.add_thumbnail(&who, &mut media).await?;
        if let Reading::Whole { bytes_max } = media.reading() {
            let whole = self.mover.whole_turn().await;
            match self.mover.fetch_whole(&whole, &who, &file, bytes_max).await {
                Ok(mut clear) => {
                    let (unseen, clear) = (media.clone(), std::mem::take(&mut *clear));
                    // Whoever sent it decides what the decoders get to see.
                    let seen = tokio::task::spawn_blocking(move || unseen.seen(clear)).await;
                    if let Ok((media, clear)) = seen {
                        let moved = self.mover.host_whole(&whole, login, media.keys(), clear).await;
                        return Ok((media, moved?));
                    }
                    tracing::error!("looking at a picture panicked; it passes as it is");
                }
                Err(NotMoved::ForGood(MediaFailure::TooLarge { .. })) => {}
                Err(other) => return Err(other),
            }
            media = media.unseen();
        }
        let (kind, claimed) = (media.keys(), media.length());
        let leaving = Leaving { login, who: &who, file: &file, kind, claimed };
        Ok((media, self.mover.to_network(turn, &leaving).await?))
    }

    /// Without the small picture the file is sent all the same.
    async fn add_thumbnail(&self, who: &ActAs, media: &mut OutgoingMedia) -> Result<(), NotMoved> {
        let Some(source) = media.thumbnail_source() else { return Ok(()) };
        let Ok(file) = attachment(source) else { return Ok(()) };
        let whole = self.mover.whole_turn().await;
        let max = limits::THUMBNAIL_SOURCE_BYTES_MAX;
        let clear = match self.mover.fetch_whole(&whole, who, &file, max).await {
            Ok(clear) => clear,
            Err(NotMoved::Later(failure)) => return Err(NotMoved::Later(failure)),
            Err(not_moved) => {
                tracing::debug!(%not_moved, "a thumbnail was not fetched");
                return Ok(());
            }
        };
        let mut with_thumbnail = media.clone();
        let adding = tokio::task::spawn_blocking(move || {
            with_thumbnail.add_thumbnail(&clear);
            with_thumbnail
        });
        if let Ok(with_thumbnail) = adding.await {
            *media = with_thumbnail;
        } else {
            tracing::error!("looking at a thumbnail panicked; the file goes without it");
        }
        Ok(())
    }
}

fn attachment(source: &Source) -> Result<Attachment, NotMoved> {
    match source {
        Source::Plain(url) => Ok(Attachment::Plain(url.clone())),
        Source::Encrypted(file) => match EncryptedFile::parse(file) {
            Ok(file) => Ok(Attachment::Encrypted(file)),
            Err(error) => {
                tracing::warn!(%error, "an event describes its file badly");
                Err(NotMoved::ForGood(MediaFailure::Damaged))
            }
        },
    }
}

fn refused(trouble: FileTrouble) -> Said {
    Said::Refused(Notice::File { way: Direction::ToNetwork, trouble })
}

fn word(kind: MediaContent) -> MediaWord {
    match kind {
        MediaContent::Image => MediaWord::Image,
        MediaContent::Video { round: true, .. } => MediaWord::Round,
        MediaContent::Video { gif: true, .. } => MediaWord::Gif,
        MediaContent::Video { .. } => MediaWord::Video,
        MediaContent::Audio { voice: true } => MediaWord::Voice,
        MediaContent::Audio { voice: false } => MediaWord::Audio,
        MediaContent::Document => MediaWord::Document,
        MediaContent::Sticker { .. } => MediaWord::Sticker,
    }
}
