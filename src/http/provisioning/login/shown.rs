//! A step of a login as it is shown: the shapes of bridgev2, and what they say.

use ruma::UserId;
use serde::Serialize;
use utoipa::ToSchema;

use super::AGREE;
use crate::{
    domain::{bridged::Login, consent::consent_text},
    http::provisioning::processes::Step,
};

/// The answer that is no consent.
const DISAGREE: &str = "do not agree";

/// A step of a login.
#[derive(Serialize, ToSchema)]
pub(in crate::http::provisioning) struct LoginStep {
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

    pub(super) fn consent(id: &str, person: &UserId) -> Self {
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

    pub(super) fn waiting(id: &str, instructions: &str) -> Self {
        let step = Self::new(id, Step::Connection, StepType::DisplayAndWait, instructions);
        Self { display_and_wait: Some(DisplayAndWait { kind: DisplayType::Nothing }), ..step }
    }

    pub(super) fn complete(id: &str, login: Login) -> Self {
        let said = "You are connected to WhatsApp.";
        let step = Self::new(id, Step::Connection, StepType::Complete, said);
        Self { complete: Some(Complete { user_login_id: login.id.0 }), ..step }
    }
}
