//! Logging in, step by step: the consent text, the person's answer, the network's.

#![expect(unused_qualifications, reason = "of the code that utoipa makes for parameters")]

mod shown;

use axum::{Extension, Json, extract::State};
use ruma::{OwnedUserId, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

use self::shown::LoginStep;
use super::{
    Face, ProvisioningFace,
    access::{As, Person},
    account::{Done, FLOW, login},
    processes::Step,
    read::{InBody, InPath, NamedLogin},
    refusal::{NOT_ALLOWED, NotFound, Refusal, Refused, TooLarge},
    to_its_end,
    whoami::{LAPSED, REPLACED},
};
use crate::{
    domain::{bridged::Timestamp, consent::login::LoginState},
    runtime::{ConnectionState, ReconnectOutcome, StartOutcome},
};

/// The field of the person's answer, and the answer that is consent.
const AGREE: &str = "agree";

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct Again {
    /// The login to connect again, instead of a new one.
    login_id: Option<String>,
}

/// A login that was begun.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Begun {
    /// The `login_id` of the step before.
    #[serde(rename = "loginProcessID")]
    process: String,
}

/// A step of a login that was begun.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AtStep {
    /// The `login_id` of the step before.
    #[serde(rename = "loginProcessID")]
    process: String,
    /// The `step_id` of the step before.
    #[serde(rename = "stepID")]
    step: String,
}

/// Begins a login: the first step holds the consent text.
#[utoipa::path(
    post, path = "/v3/login/start/{flowID}", operation_id = "startLogin", tag = "auth",
    params(
        ("flowID" = String, Path, description = "The way to log in.", example = "consent"), Again, As,
    ),
    responses(
        (status = 200, description = "What comes next.", body = LoginStep),
        Refused, NotFound,
    )
)]
pub(super) async fn start(
    State(face): Face,
    Extension(person): Person,
    InPath(flow): InPath<String>,
    NamedLogin(login_id): NamedLogin,
) -> Result<Json<LoginStep>, Refusal> {
    if flow != FLOW {
        return Err(Refusal::not_found("There is no such way to log in: see `/v3/login/flows`."));
    }
    let known = match &login_id {
        Some(id) => Some(login(&face, &person, Some(id)).await?),
        None => face.logins.of(&person).await?,
    };
    let step = match known.map(|login| login.state) {
        None | Some(LoginState::None | LoginState::Lapsed) => Step::Consent,
        Some(LoginState::Leaving) => {
            return Err(Refusal::bad_state(
                "You are just leaving: begin again when you have no login any more.",
            ));
        }
        Some(LoginState::Enlisting | LoginState::Active) if login_id.is_some() => Step::Connection,
        Some(LoginState::Enlisting | LoginState::Active) => {
            return Err(Refusal::bad_state("You have a login already: there is one a person."));
        }
    };
    let id = face.new_process_id();
    face.processes.begin(id.clone(), &person, step, face.now());
    Ok(Json(match step {
        Step::Consent => LoginStep::consent(&id, &person),
        Step::Connection => LoginStep::waiting(&id, "Connecting to WhatsApp."),
    }))
}

/// Answers the consent text. Anything but `agree` leaves everything as it is.
#[utoipa::path(
    post, path = "/v3/login/step/{loginProcessID}/{stepID}/user_input",
    operation_id = "submitLoginStepUserInput", tag = "auth",
    params(AtStep, As),
    request_body(
        content = BTreeMap<String, String>, description = "The fields of the step, with answers.",
        example = json!({"agree": "agree"}),
    ),
    responses(
        (status = 200, description = "What comes next.", body = LoginStep),
        Refused, NotFound, TooLarge,
    )
)]
pub(super) async fn user_input(
    State(face): Face,
    Extension(person): Person,
    InPath(AtStep { process: id, step }): InPath<AtStep>,
    input: InBody,
) -> Result<Json<LoginStep>, Refusal> {
    face.expects(&id, &person, &step, Step::Consent)?;
    if input.text(AGREE)?.trim() != AGREE {
        return Err(Refusal::invalid(AGREE, "must be `agree` to connect; nothing has changed"));
    }
    // Of two answers at once, one enlists and the other finds the next step.
    if !face.processes.advance(&id, Step::Consent, Step::Connection) {
        return Err(unexpected(Step::Connection));
    }
    let (logins, agreeing) = (face.logins.clone(), person.clone());
    match to_its_end(async move { logins.agree(&agreeing, None).await }).await {
        Ok(StartOutcome::Connected) => face.complete(&id, &person).await,
        Ok(StartOutcome::StillTrying(state) | StartOutcome::Already(state)) => {
            face.outcome(&id, &person, state).await
        }
        Ok(StartOutcome::Full) => {
            face.processes.advance(&id, Step::Connection, Step::Consent);
            Err(Refusal::bad_state(
                "As many people are connected as this bridge allows: ask its operator for room.",
            ))
        }
        Err(refusal) => {
            face.processes.advance(&id, Step::Connection, Step::Consent);
            Err(refusal)
        }
    }
}

/// Waits for the network.
#[utoipa::path(
    post, path = "/v3/login/step/{loginProcessID}/{stepID}/display_and_wait",
    operation_id = "submitLoginStepDisplayAndWait", tag = "auth",
    params(AtStep, As),
    responses(
        (status = 200, description = "What comes next.", body = LoginStep),
        Refused, NotFound,
    )
)]
pub(super) async fn display_and_wait(
    State(face): Face,
    Extension(person): Person,
    InPath(AtStep { process: id, step }): InPath<AtStep>,
) -> Result<Json<LoginStep>, Refusal> {
    face.expects(&id, &person, &step, Step::Connection)?;
    let (logins, waiting) = (face.logins.clone(), person.clone());
    match to_its_end(async move { logins.reconnect(&waiting).await }).await? {
        ReconnectOutcome::Connected => face.complete(&id, &person).await,
        ReconnectOutcome::StillTrying(state) => face.outcome(&id, &person, state).await,
        ReconnectOutcome::Lapsed => face.outcome(&id, &person, ConnectionState::Lapsed).await,
        ReconnectOutcome::Leaving | ReconnectOutcome::NotLoggedIn => {
            face.processes.end(&id);
            Err(Refusal::bad_state("You have logged out meanwhile: begin again."))
        }
    }
}

/// Gives a login up that has not ended. Whoever has agreed already logs out instead.
#[utoipa::path(
    post, path = "/v3/login/cancel/{loginProcessID}", operation_id = "cancelLogin", tag = "auth",
    params(Begun, As),
    responses((status = 200, description = "It is forgotten.", body = Done), Refused, NotFound)
)]
pub(super) async fn cancel(
    State(face): Face,
    Extension(person): Person,
    InPath(Begun { process: id }): InPath<Begun>,
) -> Result<Json<Done>, Refusal> {
    face.process(&id, &person)?;
    face.processes.end(&id);
    Ok(Json(Done {}))
}

fn unexpected(expected: Step) -> Refusal {
    let id = expected.id();
    Refusal::bad_state(format!("This is not the step that is expected, which is `{id}`."))
}

impl ProvisioningFace {
    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    fn new_process_id(&self) -> String {
        let mut bytes = [0; 16];
        self.ports.entropy.fill(&mut bytes);
        hex::encode(bytes)
    }

    fn process(&self, id: &str, person: &UserId) -> Result<Step, Refusal> {
        self.processes.step(id, person, self.now()).ok_or_else(|| {
            Refusal::not_found("This login was not begun by you, or it has run out: begin again.")
        })
    }

    fn expects(&self, id: &str, person: &UserId, said: &str, step: Step) -> Result<(), Refusal> {
        let expected = self.process(id, person)?;
        if expected == step && step.id() == said { Ok(()) } else { Err(unexpected(expected)) }
    }

    async fn complete(&self, id: &str, person: &OwnedUserId) -> Result<Json<LoginStep>, Refusal> {
        let login = login(self, person, None).await?;
        self.processes.end(id);
        Ok(Json(LoginStep::complete(id, login)))
    }

    /// What comes next where the connection does not stand yet, or not at all.
    async fn outcome(
        &self,
        id: &str,
        person: &OwnedUserId,
        state: ConnectionState,
    ) -> Result<Json<LoginStep>, Refusal> {
        let refused = match state {
            ConnectionState::Connected => return self.complete(id, person).await,
            ConnectionState::Connecting => {
                return Ok(Json(LoginStep::waiting(id, "Connecting to WhatsApp.")));
            }
            ConnectionState::Waiting { reason } => {
                let said = format!("WhatsApp cannot be reached ({reason}). Trying again.");
                return Ok(Json(LoginStep::waiting(id, &said)));
            }
            ConnectionState::Refused { reason } => format!(
                "WhatsApp refused ({reason}). Your consent is stored, and the bridge goes on \
                 trying; log out if you do not want that."
            ),
            ConnectionState::Replaced => REPLACED.to_owned(),
            ConnectionState::Lapsed => LAPSED.to_owned(),
            ConnectionState::Paused => NOT_ALLOWED.to_owned(),
        };
        self.processes.end(id);
        Err(Refusal::bad_state(refused))
    }
}
