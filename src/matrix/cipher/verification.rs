//! Interactive verification of our users by a person (SAS), to-device and in rooms.
//!
//! The machine keeps every flow in memory and does the arithmetic; here its events come in, its answers go out,
//! and what a person must decide becomes news for the runtime. Nothing is accepted or confirmed from here:
//! after a restart, or when the machine is put away, the person begins again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
};

use matrix_sdk_crypto::{
    Sas, SasState, VerificationRequestState,
    types::requests::{OutgoingVerificationRequest, RoomMessageRequest},
};
use ruma::{
    OwnedRoomId, OwnedUserId, RoomId, UserId,
    api::client::message::send_message_event,
    events::{
        AnyTimelineEvent, AnyToDeviceEvent, MessageLikeEventContent as _, MessageLikeEventType,
        key::verification::{VerificationMethod, cancel::CancelCode},
    },
    serde::Raw,
};
use serde_json::Value;

use super::{
    MatrixCipher,
    failure::{from_olm, from_store},
    machines::Machine,
};
use crate::{
    domain::{
        bridged::ActAs,
        verification::{Answer, ShortCode, Stage, Verification},
    },
    port::{Failure, room_cipher::Plain},
};

const PREFIX: &str = "m.key.verification.";
const REQUEST: &str = "m.key.verification.request";

/// What is remembered of the flows, beside what the machines hold.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// The last stage of each that was made news of.
    last: BTreeMap<(ActAs, OwnedUserId, String), Stage>,
    news: Vec<Verification>,
    /// With whom somebody is verified in a room: who can read our answers.
    rooms: BTreeMap<OwnedRoomId, OwnedUserId>,
}

/// Whoever sent one of these wants something of a flow.
pub(super) fn senders(to_device: &[Raw<AnyToDeviceEvent>]) -> BTreeSet<OwnedUserId> {
    let field = |event: &Raw<AnyToDeviceEvent>, name| {
        event.get_field::<String>(name).ok().flatten().unwrap_or_default()
    };
    let of_flow = |event: &&Raw<AnyToDeviceEvent>| field(event, "type").starts_with(PREFIX);
    let sender = |event| OwnedUserId::try_from(field(event, "sender")).ok();
    to_device.iter().filter(of_flow).filter_map(sender).collect()
}

/// Whether a decrypted event of a room belongs to a verification.
pub(super) fn is_of_flow(event_type: &str, content: &Value) -> bool {
    event_type.starts_with(PREFIX)
        || (event_type == "m.room.message" && content["msgtype"] == REQUEST)
}

impl MatrixCipher {
    fn flows(&self) -> std::sync::MutexGuard<'_, Flows> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_verification_news(&self) -> Vec<Verification> {
        std::mem::take(&mut self.flows().news)
    }

    /// Whom a person compares codes with at the moment.
    pub(super) fn codes_shown_to(&self, person: &UserId) -> Vec<Verification> {
        let flows = self.flows();
        let comparing = flows
            .last
            .iter()
            .filter(|((_, of, _), stage)| of == person && matches!(stage, Stage::Comparing(_)));
        let verification = |((who, person, flow), stage): (&(_, _, _), &Stage)| Verification {
            who: ActAs::clone(who),
            person: OwnedUserId::clone(person),
            flow: String::clone(flow),
            stage: stage.clone(),
        };
        comparing.map(verification).collect()
    }

    /// Hands a decrypted event of a room to the machine. What fails is the person's to begin again.
    pub(super) async fn verify_in_room(
        &self,
        machine: &Machine,
        room: &RoomId,
        sender: &UserId,
        event: &Raw<AnyTimelineEvent>,
    ) {
        let Ok(AnyTimelineEvent::MessageLike(event)) = event.deserialize() else { return };
        self.flows().rooms.insert(room.to_owned(), sender.to_owned());
        let received = async {
            let received = machine.olm.receive_verification_event(&event).await;
            received.map_err(from_store("receiving a verification"))?;
            self.flush(machine).await?;
            self.attend(machine, sender).await
        };
        if let Err(failure) = received.await {
            tracing::warn!(%failure, "a verification does not go on");
        }
    }

    /// Looks how far a person's verifications of one of our users are.
    pub(super) async fn attend(&self, machine: &Machine, person: &UserId) -> Result<(), Failure> {
        let requests = machine.olm.get_verification_requests(person);
        let known: BTreeSet<_> =
            requests.iter().map(|request| request.flow_id().as_str().to_owned()).collect();
        self.flows().last.retain(|(who, of, flow), _| {
            *who != machine.who || of != person || known.contains(flow)
        });
        for request in requests.iter().filter(|request| !request.we_started()) {
            let stage = match request.state() {
                VerificationRequestState::Requested { .. } => Some(Stage::Asked),
                VerificationRequestState::Transitioned { verification, .. } => {
                    match verification.sas_v1() {
                        Some(sas) => self.attend_sas(machine, &sas).await?,
                        None => None,
                    }
                }
                VerificationRequestState::Done => Some(Stage::Done),
                VerificationRequestState::Cancelled(_) => Some(Stage::Cancelled),
                VerificationRequestState::Created { .. }
                | VerificationRequestState::Ready { .. } => None,
            };
            if let Some(stage) = stage {
                let flow = request.flow_id().as_str().to_owned();
                self.note(machine, person, flow, stage);
            }
        }
        Ok(())
    }

    fn note(&self, machine: &Machine, person: &UserId, flow: String, stage: Stage) {
        let mut flows = self.flows();
        let (who, person) = (machine.who.clone(), person.to_owned());
        let before = flows.last.insert((who.clone(), person.clone(), flow.clone()), stage.clone());
        if before.as_ref() != Some(&stage) {
            flows.news.push(Verification { who, person, flow, stage });
        }
    }

    async fn attend_sas(&self, machine: &Machine, sas: &Sas) -> Result<Option<Stage>, Failure> {
        Ok(match sas.state() {
            // The request was accepted, so its method is.
            SasState::Started { .. } if !sas.we_started() => {
                if let Some(accepted) = sas.accept() {
                    self.send_verification(machine, &accepted).await?;
                }
                None
            }
            SasState::KeysExchanged { emojis, decimals: (one, two, three) } => {
                let emoji = emojis.into_iter().flat_map(|emojis| emojis.emojis);
                let named = |emoji: matrix_sdk_crypto::Emoji| {
                    (emoji.symbol.to_owned(), emoji.description.to_owned())
                };
                let emoji = emoji.map(named).collect();
                Some(Stage::Comparing(ShortCode { emoji, decimals: [one, two, three] }))
            }
            SasState::Done { .. } => Some(Stage::Done),
            SasState::Cancelled(_) => Some(Stage::Cancelled),
            SasState::Created { .. }
            | SasState::Started { .. }
            | SasState::Accepted { .. }
            | SasState::Confirmed => None,
        })
    }

    /// `false` if there is no such verification (any more).
    pub(super) async fn answer_flow(
        &self,
        who: &ActAs,
        person: &UserId,
        flow: &str,
        answer: Answer,
    ) -> Result<bool, Failure> {
        let Some(machine) = self.machines.open_existing(who).await? else { return Ok(false) };
        let request = machine.olm.get_verification_request(person, flow);
        let sas = machine
            .olm
            .get_verification(person, flow)
            .and_then(matrix_sdk_crypto::Verification::sas_v1);
        let (outgoing, signatures) = match (answer, request, sas) {
            (Answer::Accept, Some(request), _) => {
                let methods = vec![VerificationMethod::SasV1];
                (request.accept_with_methods(methods).into_iter().collect(), None)
            }
            (Answer::Refuse, Some(request), _) => (request.cancel().into_iter().collect(), None),
            (Answer::Same, _, Some(sas)) => {
                sas.confirm().await.map_err(from_store("confirming a verification"))?
            }
            (Answer::Different, _, Some(sas)) => {
                (sas.cancel_with_code(CancelCode::MismatchedSas).into_iter().collect(), None)
            }
            _ => return Ok(false),
        };
        for request in &outgoing {
            self.send_verification(&machine, request).await?;
        }
        if let Some(signatures) = signatures {
            self.upload_signatures(&machine, signatures).await?;
        }
        self.attend(&machine, person).await?;
        Ok(true)
    }

    async fn send_verification(
        &self,
        machine: &Machine,
        request: &OutgoingVerificationRequest,
    ) -> Result<(), Failure> {
        match request {
            OutgoingVerificationRequest::ToDevice(request) => {
                self.send_to_device(machine, request).await
            }
            OutgoingVerificationRequest::InRoom(message) => {
                self.send_in_room(machine, message).await
            }
        }
    }

    /// Encrypted, as the request was: only an event that was decrypted begins a verification in a room.
    pub(super) async fn send_in_room(
        &self,
        machine: &Machine,
        RoomMessageRequest { room_id, txn_id, content }: &RoomMessageRequest,
    ) -> Result<(), Failure> {
        let reader = self.flows().rooms.get(room_id).cloned();
        let reader = reader.ok_or_else(|| Failure::never("a verification in an unknown room"))?;
        let no_json = |_error| Failure::never("a verification message is no JSON");
        let event_type = content.event_type().to_string();
        let plain = serde_json::to_value(content).map_err(no_json)?;
        let plain = Plain { event_type: &event_type, content: &plain };
        let encrypted = self.encrypt_for(machine, room_id, &[reader], plain).await?;
        let encrypted = serde_json::value::to_raw_value(&encrypted).map_err(no_json)?;
        let request = send_message_event::v3::Request::new_raw(
            room_id.clone(),
            txn_id.clone(),
            MessageLikeEventType::RoomEncrypted,
            Raw::from_json(encrypted),
        );
        let identity = self.homeserver.identity(&machine.user);
        let response = self.homeserver.api().call("verifying", identity, request).await?;
        let marked = machine.olm.mark_request_as_sent(txn_id, &response).await;
        marked.map_err(from_olm("marking a verification message"))
    }
}
