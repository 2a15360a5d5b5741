//! Logging in, step by step: the consent text, the person's answer, the network's.

#![expect(unused_qualifications, reason = "of the code that utoipa makes for parameters")]

use std::collections::BTreeMap;

use axum::{Extension, Json, extract::State};
use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Face, ProvisioningFace,
    access::{As, Person},
    account::{Done, FLOW, LAPSED, REPLACED, login},
    processes::Step,
    read::{InBody, InPath, InQuery},
    refusal::{Conflict, NotFound, Refusal, Refused, TooLarge},
    to_its_end,
};
use crate::{
    domain::{
        bridged::Login,
        consent::{consent_text, login::LoginState},
    },
    runtime::{ConnectionState, ReconnectOutcome, StartOutcome},
};

/// The field of the person's answer, and the answer that is consent.
const AGREE: &str = "agree";
const DISAGREE: &str = "do not agree";

/// A step of a login.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginStep {
    /// Names this login in the next request.
    login_id: String,
    #[serde(rename = "type")]
    kind: StepType,
    step_id: &'static str,
    /// For the person to read.
    instructions: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_input: Option<UserInput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_and_wait: Option<DisplayAndWait>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<Complete>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StepType {
    UserInput,
    DisplayAndWait,
    Complete,
}

/// What the person is asked.
#[derive(Serialize, ToSchema)]
struct UserInput {
    fields: Vec<InputField>,
}

#[derive(Serialize, ToSchema)]
struct InputField {
    #[serde(rename = "type")]
    kind: FieldType,
    id: &'static str,
    name: &'static str,
    description: &'static str,
    options: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FieldType {
    Select,
}

/// What is shown while the person waits.
#[derive(Serialize, ToSchema)]
struct DisplayAndWait {
    #[serde(rename = "type")]
    kind: DisplayType,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DisplayType {
    Nothing,
}

/// The login stands.
#[derive(Serialize, ToSchema)]
struct Complete {
    user_login_id: String,
}

impl LoginStep {
    fn new(id: &str, step: Step, kind: StepType, instructions: impl Into<String>) -> Self {
        Self {
            login_id: id.to_owned(),
            kind,
            step_id: step.id(),
            instructions: instructions.into(),
            user_input: None,
            display_and_wait: None,
            complete: None,
        }
    }

    fn consent(id: &str, person: &UserId) -> Self {
        let field = InputField {
            kind: FieldType::Select,
            id: AGREE,
            name: "Your answer",
            description: "Nothing is sent to WhatsApp before you agree.",
            // The first is what a careless click chooses.
            options: vec![DISAGREE, AGREE],
        };
        let text = consent_text(person.as_str());
        let step = Self::new(id, Step::Consent, StepType::UserInput, text);
        Self { user_input: Some(UserInput { fields: vec![field] }), ..step }
    }

    fn waiting(id: &str, instructions: &str) -> Self {
        let step = Self::new(id, Step::Connection, StepType::DisplayAndWait, instructions);
        Self { display_and_wait: Some(DisplayAndWait { kind: DisplayType::Nothing }), ..step }
    }

    fn complete(id: &str, login: Login) -> Self {
        let said = "You are connected to WhatsApp.";
        let step = Self::new(id, Step::Connection, StepType::Complete, said);
        Self { complete: Some(Complete { user_login_id: login.id.0 }), ..step }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Again {
    /// The login to connect again, instead of a new one.
    login_id: Option<String>,
}

/// Begins a login: the first step holds the consent text.
#[utoipa::path(
    post, path = "/v3/login/start/{flowID}", operation_id = "startLogin", tag = "auth",
    params(
        ("flowID" = String, Path, description = "The way to log in.", example = "consent"), Again, As,
    ),
    responses(
        (status = 200, description = "What comes next.", body = LoginStep),
        Refused, NotFound, Conflict,
    )
)]
pub(super) async fn start(
    State(face): Face,
    Extension(person): Person,
    InPath(flow): InPath<String>,
    InQuery(Again { login_id }): InQuery<Again>,
) -> Result<Json<LoginStep>, Refusal> {
    if flow != FLOW {
        return Err(Refusal::not_found("There is no such way to log in."));
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
    params(
        ("loginProcessID" = String, Path, description = "The `login_id` of the step before."),
        ("stepID" = String, Path, description = "The `step_id` of the step before."), As,
    ),
    request_body(
        content = BTreeMap<String, String>, description = "The fields of the step, with answers.",
        example = json!({"agree": "agree"}),
    ),
    responses(
        (status = 200, description = "What comes next.", body = LoginStep),
        Refused, NotFound, Conflict, TooLarge,
    )
)]
pub(super) async fn user_input(
    State(face): Face,
    Extension(person): Person,
    InPath((id, step)): InPath<(String, String)>,
    InBody(input): InBody<BTreeMap<String, String>>,
) -> Result<Json<LoginStep>, Refusal> {
    face.expects(&id, &person, &step, Step::Consent)?;
    match input.get(AGREE).map(|answer| answer.trim()) {
        None => return Err(Refusal::missing(AGREE)),
        Some(AGREE) => {}
        Some(_) => {
            let must = "must be `agree` to connect; nothing has changed";
            return Err(Refusal::invalid(AGREE, must));
        }
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
    params(
        ("loginProcessID" = String, Path, description = "The `login_id` of the step before."),
        ("stepID" = String, Path, description = "The `step_id` of the step before."), As,
    ),
    responses(
        (status = 200, description = "What comes next.", body = LoginStep),
        Refused, NotFound, Conflict,
    )
)]
pub(super) async fn display_and_wait(
    State(face): Face,
    Extension(person): Person,
    InPath((id, step)): InPath<(String, String)>,
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
    params(("loginProcessID" = String, Path, description = "The `login_id` of the step before."), As),
    responses((status = 200, description = "It is forgotten.", body = Done), Refused, NotFound)
)]
pub(super) async fn cancel(
    State(face): Face,
    Extension(person): Person,
    InPath(id): InPath<String>,
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
    fn now(&self) -> crate::domain::bridged::Timestamp {
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
            ConnectionState::Paused => {
                "You may not use this bridge at the moment: ask its operator.".to_owned()
            }
        };
        self.processes.end(id);
        Err(Refusal::bad_state(refused))
    }
}
