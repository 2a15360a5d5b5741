//! The face for people's managers and clients: the provisioning API, with the paths and shapes of
//! bridgev2's `/_matrix/provision/v3/` so that existing managers work.
//!
//! Every operation but the description itself is behind [`access`]. The description (OpenAPI) is
//! made from the handlers.

mod access;
mod account;
mod chats;
mod consent;
mod data;
mod login;
mod processes;
mod read;
mod refusal;
#[cfg(test)]
mod tests;
mod whoami;

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use ruma::OwnedServerName;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, SecurityRequirement,
    ServerBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{access::Access, processes::Processes, refusal::Refusal};
use crate::{
    domain::limits,
    port::{Failure, OpenId},
    runtime::{Logins, Ports},
};

/// Where the API lies.
const PREFIX: &str = "/_matrix/provision";
const SECURITY: &str = "matrix_auth";

/// Who is let in.
#[derive(Clone)]
pub struct ProvisioningRules {
    /// Our own homeserver's name.
    pub server_name: OwnedServerName,
    /// Whoever has it acts for anybody.
    pub shared_secret: Option<Arc<str>>,
}

impl fmt::Debug for ProvisioningRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProvisioningRules(…)")
    }
}

/// What the provisioning API needs. Cheap to clone.
#[derive(Clone)]
pub struct ProvisioningFace {
    ports: Ports,
    logins: Logins,
    access: Arc<Access>,
    processes: Arc<Processes>,
    server_name: OwnedServerName,
}

impl fmt::Debug for ProvisioningFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProvisioningFace(…)")
    }
}

impl ProvisioningFace {
    pub fn new(
        ports: &Ports,
        logins: &Logins,
        openid: Arc<dyn OpenId>,
        rules: ProvisioningRules,
    ) -> Self {
        let server_name = rules.server_name.clone();
        Self {
            access: Arc::new(Access::new(ports, openid, rules)),
            ports: ports.clone(),
            logins: logins.clone(),
            processes: Arc::default(),
            server_name,
        }
    }

    /// The API. What is not in its description does not exist.
    pub fn router(self) -> Router {
        let (operations, description) = operations().split_for_parts();
        let description = Json(description);
        let inner = operations
            .route_layer(from_fn_with_state(self.clone(), access::enter))
            .route("/v3/openapi.json", get(async || description))
            .method_not_allowed_fallback(async || Refusal::no_such_method())
            .fallback(async || Refusal::unrecognized())
            .layer(DefaultBodyLimit::max(limits::PROVISIONING_BODY_BYTES_MAX))
            .layer(from_fn(cross_origin))
            .with_state(self);
        Router::new().nest(PREFIX, inner)
    }
}

fn operations() -> OpenApiRouter<ProvisioningFace> {
    OpenApiRouter::with_openapi(frame())
        .routes(routes!(whoami::whoami))
        .routes(routes!(account::capabilities))
        .routes(routes!(account::login_flows))
        .routes(routes!(account::logins))
        .routes(routes!(account::logout))
        .routes(routes!(login::start))
        .routes(routes!(login::user_input))
        .routes(routes!(login::display_and_wait))
        .routes(routes!(login::cancel))
        .routes(routes!(chats::contacts))
        .routes(routes!(chats::resolve_identifier))
        .routes(routes!(chats::create_dm))
        .routes(routes!(consent::ledger))
        .routes(routes!(consent::act))
        .routes(routes!(data::export))
        .routes(routes!(data::erase))
}

/// All of the description that no operation says.
fn frame() -> OpenApi {
    let token = "The shared secret of the configuration, or `openid:` and an OpenID token that the \
                 person got from their homeserver. Either way `user_id` names the person.";
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(token)).build();
    let license = LicenseBuilder::new()
        .name(env!("CARGO_PKG_LICENSE"))
        .identifier(Some(env!("CARGO_PKG_LICENSE")))
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Causeway: provisioning")
                .description(Some(
                    "Connecting a Matrix person to WhatsApp, with their consent, and starting chats.",
                ))
                .license(Some(license))
                .version(env!("CARGO_PKG_VERSION"))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url(PREFIX).build()]))
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme(SECURITY, SecurityScheme::Http(bearer))
                .build(),
        ))
        .security(Some([SecurityRequirement::new(SECURITY, Vec::<String>::new())]))
        .build()
}

/// Managers are web pages of other places, and a token in a header is nothing that a browser adds by
/// itself: every page may ask.
async fn cross_origin(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::OK.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With, Content-Type, Authorization"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After"),
        // Who is connected to whom is nobody's to keep.
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Does something to its end, even if whoever asked for it goes away: half of it is worse than none.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::spawn(work).await {
        Ok(ended) => Ok(ended?),
        Err(_) => Err(Refusal::broken()),
    }
}

type Face = State<ProvisioningFace>;
