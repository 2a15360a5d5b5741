//! Whom a person's OpenID token names, as their own homeserver says it (client-server API, OpenID;
//! server-server API, `openid/userinfo`).

use async_trait::async_trait;
use ruma::{OwnedUserId, ServerName};

use super::Failure;

/// Asks homeservers, ours and others, whose token it is.
#[async_trait]
pub trait OpenId: Send + Sync {
    /// The person whom the server names for the token; `None` if the server does not know it (any
    /// more). A server names its own people alone: anything else is a failure.
    async fn userinfo(
        &self,
        server: &ServerName,
        token: &str,
    ) -> Result<Option<OwnedUserId>, Failure>;
}
