//! Where another homeserver is (server-server API, server discovery), without its SRV records: a
//! server that has only those must be named in the configuration.

use ruma::{OwnedServerName, ServerName};
use serde::Deserialize;
use url::Url;

use super::{guard::Asker, read};
use crate::port::Failure;

/// Where a homeserver listens that says nothing else.
const PORT: u16 = 8448;

/// The file in which a server says where it is.
#[derive(Deserialize)]
struct WellKnown {
    #[serde(rename = "m.server")]
    server: OwnedServerName,
}

/// The base of a homeserver's federation API.
pub(super) async fn base_url(asker: &Asker, server: &ServerName) -> Result<Url, Failure> {
    if says_where(server) {
        return direct(server);
    }
    match delegated(asker, server).await {
        Some(elsewhere) => direct(&elsewhere),
        None => direct(server),
    }
}

/// Whether the name itself is an address, so that nobody is asked for another one.
fn says_where(server: &ServerName) -> bool {
    server.is_ip_literal() || server.port().is_some()
}

fn direct(server: &ServerName) -> Result<Url, Failure> {
    let address = format!("https://{}:{}/", server.host(), server.port().unwrap_or(PORT));
    Url::parse(&address)
        .map_err(|error| Failure::never("a homeserver's name is no address").because(error))
}

/// What the server's own file says; anything that goes wrong is the same as no file.
async fn delegated(asker: &Asker, server: &ServerName) -> Option<OwnedServerName> {
    let url = Url::parse(&format!("https://{}/.well-known/matrix/server", server.host())).ok()?;
    let answer = read(asker.get_following(url).ok()?).await.ok()?;
    answer.status.is_success().then(|| named(&answer.body))?
}

fn named(file: &[u8]) -> Option<OwnedServerName> {
    let WellKnown { server } = serde_json::from_slice(file).ok()?;
    Some(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(server: &str, asks_first: bool, expected: &str) {
        let server = ServerName::parse(server).unwrap();
        assert_eq!(!says_where(&server), asks_first, "{server}");
        assert_eq!(direct(&server).unwrap().as_str(), expected, "{server}");
    }

    #[test]
    fn a_name_is_an_address_or_asked_for_one() {
        check("example.org", true, "https://example.org:8448/");
        check("example.org:443", false, "https://example.org/");
        check("example.org:8000", false, "https://example.org:8000/");
        check("1.2.3.4", false, "https://1.2.3.4:8448/");
        check("[2600::1]:1", false, "https://[2600::1]:1/");
    }

    #[test]
    fn a_file_names_one_server() {
        let name = |file: &str| named(file.as_bytes()).map(|name| name.to_string());
        assert_eq!(
            name(r#"{"m.server": "m.example.org:443"}"#).as_deref(),
            Some("m.example.org:443")
        );
        for other in
            ["", "{}", r#"{"m.server": 1}"#, r#"{"m.server": "a/b"}"#, r#"{"m.server": ""}"#]
        {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
