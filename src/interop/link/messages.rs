//! Envelopes and receipts on their way out (network facts 2.4, 3.7).

use causeway_wire::{
    jid::Jid,
    stanza::{
        AckClass, Enc, EncKind, MessageStanza, Participant, ReceiptKind, ReceiptStanza, Retry,
        Route,
    },
};

use super::{Link, jid_of, keys};
use crate::{
    domain::item::{Envelope, EnvelopeKind, MediaWord, OutboundReceipt, OutboundReceiptKind},
    interop::profile::FanOut,
    port::{
        Failure,
        network::{Accepted, OurBundle},
    },
    signal::{Ciphertext, CiphertextKind},
};

impl Link {
    pub(super) async fn send_envelope(&self, envelope: &Envelope) -> Result<Accepted, Failure> {
        let stanza = message(envelope, self.profile.fan_out)?;
        let id = &envelope.id.0;
        let ack = self.connection.deliver(stanza.into_node(), &AckClass::Message, id).await?;
        match ack.error {
            None => Ok(Accepted::Stored),
            Some(code) => verdict(code),
        }
    }

    pub(super) async fn deliver_receipt(
        &self,
        receipt: &OutboundReceipt,
        bundle: Option<&OurBundle>,
    ) -> Result<(), Failure> {
        let stanza = receipt_stanza(receipt, bundle)?;
        let id = stanza.id.clone();
        let ack = self.connection.deliver(stanza.into_node(), &AckClass::Receipt, &id).await?;
        if let Some(code) = ack.error {
            return Err(Failure::never(format!("the network refused a receipt ({code})")));
        }
        Ok(())
    }
}

/// One part for the primary device stands plainly in the message, as the framework has it; anything
/// else is a fan-out, as ordinary clients do.
fn message(envelope: &Envelope, fan_out: FanOut) -> Result<MessageStanza, Failure> {
    let to = jid_of(&envelope.to, 0)?;
    let (kind, edit, media) = match envelope.kind {
        EnvelopeKind::Text => ("text", None, None),
        EnvelopeKind::Reaction => ("reaction", None, None),
        EnvelopeKind::Edit => ("text", Some(EDIT), None),
        EnvelopeKind::Deletion => ("text", Some(REVOKE), None),
        EnvelopeKind::Media(word) => ("media", None, Some(media_type(word))),
    };
    let mut stanza = MessageStanza::new(&envelope.id.0, Route::to(to.clone()), kind);
    stanza.edit = edit;
    let enc = |ciphertext| Enc { hide_failure: edit.is_some(), ..enc(ciphertext, media) };
    match envelope.parts.as_slice() {
        [] => return Err(Failure::never("an envelope without a part")),
        [part] if part.device == 0 && fan_out == FanOut::One => {
            stanza.encs.push(enc(&part.ciphertext));
        }
        parts => {
            for part in parts {
                let device = device_of(&to, part.device)?;
                let encs = vec![enc(&part.ciphertext)];
                stanza.participants.push(Participant { to: device, encs });
            }
        }
    }
    Ok(stanza)
}

/// What a message does to an earlier one, in the numbers of ordinary clients (network facts 3.7).
const EDIT: u16 = 1;
const REVOKE: u16 = 7;

/// The words of ordinary clients (network facts 3.7).
fn media_type(word: MediaWord) -> &'static str {
    match word {
        MediaWord::Image => "image",
        MediaWord::Video => "video",
        MediaWord::Gif => "gif",
        MediaWord::Round => "ptv",
        MediaWord::Audio => "audio",
        MediaWord::Voice => "ptt",
        MediaWord::Document => "document",
        MediaWord::Sticker => "sticker",
    }
}

fn enc(ciphertext: &Ciphertext, media_type: Option<&str>) -> Enc {
    let kind = match ciphertext.kind {
        CiphertextKind::PreKey => EncKind::PreKeyMessage,
        CiphertextKind::Message => EncKind::Message,
    };
    let mut enc = Enc::new(kind, ciphertext.bytes.clone());
    enc.media_type = media_type.map(str::to_owned);
    enc
}

fn device_of(to: &Jid, device: u16) -> Result<Jid, Failure> {
    to.with_device(device)
        .map_err(|error| Failure::never("this person has no such device").because(error))
}

/// What a code in an acknowledgement means (network facts 3.7): to be tried again, or a sentence for
/// people.
fn verdict(code: u16) -> Result<Accepted, Failure> {
    let reason = match code {
        429 | 500..=599 => {
            return Err(Failure::later(format!("the network does not take messages now ({code})")));
        }
        401 | 403 => "the network does not allow writing to this person".to_owned(),
        404 => "this person is no longer on the network".to_owned(),
        487..=490 => format!("the network does not understand this message (error {code})"),
        491 => "the network does not understand what this message holds (error 491)".to_owned(),
        code => format!("the network refused this message (error {code})"),
    };
    Ok(Accepted::Refused { reason })
}

fn receipt_stanza(
    receipt: &OutboundReceipt,
    bundle: Option<&OurBundle>,
) -> Result<ReceiptStanza, Failure> {
    let to = Route::to(jid_of(&receipt.to.user, receipt.to.device)?);
    let mut ids = receipt.messages.iter().map(|id| id.0.clone());
    let first = ids.next().ok_or_else(|| Failure::never("a receipt for no message"))?;
    let kind = match receipt.kind {
        OutboundReceiptKind::Delivered => ReceiptKind::Delivered,
        OutboundReceiptKind::Read => ReceiptKind::Read,
        OutboundReceiptKind::Retry { count, sent_at, .. } => {
            let bundle =
                bundle.ok_or_else(|| Failure::never("a request to send again needs our keys"))?;
            ReceiptKind::Retry(Retry {
                count,
                message_timestamp_s: u64::try_from(sent_at.div_euclid(1_000)).ok(),
                registration_id: bundle.identity.registration_id(),
                keys: Some(keys::of_ours(bundle)),
            })
        }
    };
    let more_ids = ids.collect();
    Ok(ReceiptStanza { more_ids, ..ReceiptStanza::new(first, to, kind) })
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{
        domain::{
            ids::{LoginId, RemoteAddress, RemoteMessageId, RemoteUser},
            item::EnvelopePart,
        },
        port::Retry as TryAgain,
        signal::{OurIdentity, PreKey, SignedPreKey},
    };

    const BOB: &str = "33612345678@s.whatsapp.net";

    fn envelope(devices: &[u16]) -> Envelope {
        let ciphertext = Ciphertext { kind: CiphertextKind::PreKey, bytes: vec![3] };
        Envelope {
            login: LoginId("l1".to_owned()),
            id: RemoteMessageId("M1".to_owned()),
            to: RemoteUser(BOB.to_owned()),
            kind: EnvelopeKind::Text,
            parts: devices
                .iter()
                .map(|device| EnvelopePart { device: *device, ciphertext: ciphertext.clone() })
                .collect(),
        }
    }

    #[test]
    fn the_primary_device_alone_is_written_to_plainly() {
        let plain = message(&envelope(&[0]), FanOut::One).unwrap();
        assert_eq!((plain.encs.len(), plain.participants.len()), (1, 0));
        for (devices, fan_out) in
            [(&[0][..], FanOut::All), (&[3], FanOut::One), (&[0, 3], FanOut::All)]
        {
            let fanned = message(&envelope(devices), fan_out).unwrap();
            assert!(fanned.encs.is_empty());
            let to: Vec<_> = fanned.participants.iter().map(|one| one.to.device()).collect();
            assert_eq!(to, devices);
        }
        assert!(message(&envelope(&[]), FanOut::One).is_err());
    }

    #[test]
    fn a_change_of_an_earlier_message_says_so() {
        for (kind, edit) in [
            (EnvelopeKind::Text, None),
            (EnvelopeKind::Edit, Some(1)),
            (EnvelopeKind::Deletion, Some(7)),
        ] {
            let stanza = message(&Envelope { kind, ..envelope(&[0]) }, FanOut::One).unwrap();
            assert_eq!((stanza.kind.as_str(), stanza.edit), ("text", edit));
            assert_eq!(stanza.encs[0].hide_failure, edit.is_some());
        }
    }

    #[test]
    fn a_code_is_to_be_tried_again_or_a_sentence() {
        for code in [429, 500, 503] {
            assert_eq!(verdict(code).unwrap_err().retry, TryAgain::Later);
        }
        for code in [400, 401, 403, 404, 487, 491, 496] {
            assert!(matches!(verdict(code), Ok(Accepted::Refused { .. })), "{code}");
        }
    }

    #[test]
    fn a_request_to_send_again_carries_our_keys() {
        let mut rng = StdRng::seed_from_u64(1);
        let identity = OurIdentity::generate(&mut rng);
        let bundle = OurBundle {
            signed_prekey: SignedPreKey::generate(1, &identity, 0, &mut rng).unwrap(),
            prekey: Some(PreKey::generate(9, &mut rng).unwrap()),
            identity,
        };
        let receipt = OutboundReceipt {
            login: LoginId("l1".to_owned()),
            to: RemoteAddress { user: RemoteUser(BOB.to_owned()), device: 2 },
            messages: vec![RemoteMessageId("M1".to_owned())],
            kind: OutboundReceiptKind::Retry { count: 2, sent_at: 1_700_000_000_999, prekey: 9 },
        };
        assert!(receipt_stanza(&receipt, None).is_err());
        let stanza = receipt_stanza(&receipt, Some(&bundle)).unwrap();
        assert_eq!(stanza.route.to.unwrap().device(), 2);
        let ReceiptKind::Retry(retry) = stanza.kind else { panic!("not a retry") };
        assert_eq!((retry.count, retry.message_timestamp_s), (2, Some(1_700_000_000)));
        assert_eq!(retry.registration_id, bundle.identity.registration_id());
        let keys = retry.keys.unwrap();
        assert_eq!(keys.identity, bundle.identity.public_key());
        assert_eq!(keys.prekey.unwrap().id, 9);
    }
}
