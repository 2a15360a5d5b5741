//! Making our users and their devices exist.

use http::StatusCode;
use ruma::{
    UserId,
    api::{
        AppserviceUserIdentity,
        client::{
            account::register::{self, LoginType},
            device::{delete_device, update_device},
            profile::{get_profile_field, set_profile_field},
        },
    },
    profile::{ProfileFieldName, ProfileFieldValue},
};

use super::MatrixHomeserver;
use crate::{domain::bridged::ActAs, port::Failure};

/// What people see in the list of a ghost's devices.
const DEVICE_DISPLAY_NAME: &str = "Causeway";

impl MatrixHomeserver {
    /// Makes the user and its device exist (MSC4190). Safe to repeat.
    pub(in crate::matrix) async fn ensure_device(&self, who: &ActAs) -> Result<(), Failure> {
        self.register(who).await?;
        let user = self.names.user_id(who);
        let mut request = update_device::v3::Request::new(self.device.clone());
        request.display_name = Some(DEVICE_DISPLAY_NAME.to_owned());
        // Not as the device: it may not exist yet.
        let identity = AppserviceUserIdentity::new(&user);
        self.api.call("making a device", identity, request).await?;
        Ok(())
    }

    /// Removes the user's device with all its keys.
    pub(in crate::matrix) async fn delete_device(&self, who: &ActAs) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let request = delete_device::v3::Request::new(self.device.clone());
        let identity = AppserviceUserIdentity::new(&user);
        match self.api.call("deleting a device", identity, request).await {
            Err(failure) if !failure.is(StatusCode::NOT_FOUND, "M_NOT_FOUND") => {
                Err(failure.into())
            }
            _ => Ok(()),
        }
    }

    async fn register(&self, who: &ActAs) -> Result<(), Failure> {
        let mut request = register::v3::Request::new();
        request.username = Some(self.names.localpart(who));
        request.login_type = Some(LoginType::ApplicationService);
        // Without this Synapse refuses, yet makes the user (appservice facts, 1).
        request.inhibit_login = true;
        let identity = AppserviceUserIdentity::default();
        match self.api.call("registering a user", identity, request).await {
            Err(failure) if !failure.is(StatusCode::BAD_REQUEST, "M_USER_IN_USE") => {
                Err(failure.into())
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn fetch_display_name(
        &self,
        person: &UserId,
    ) -> Result<Option<String>, Failure> {
        let field = ProfileFieldName::DisplayName;
        let request = get_profile_field::v3::Request::new(person.to_owned(), field);
        let bot = self.names.user_id(&ActAs::Bot);
        match self.api.call("reading a profile", self.identity(&bot), request).await {
            Ok(response) => Ok(match response.value {
                Some(ProfileFieldValue::DisplayName(name)) => Some(name),
                _ => None,
            }),
            // Nobody of that name, or a profile that is not for everybody.
            Err(failure)
                if failure.is(StatusCode::NOT_FOUND, "M_NOT_FOUND")
                    || failure.is(StatusCode::FORBIDDEN, "M_FORBIDDEN") =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn set_display_name(&self, who: &ActAs, name: &str) -> Result<(), Failure> {
        let user = self.names.user_id(who);
        let value = ProfileFieldValue::DisplayName(name.to_owned());
        let request = set_profile_field::v3::Request::new(user.clone(), value);
        self.api.call("setting a display name", self.identity(&user), request).await?;
        Ok(())
    }
}
