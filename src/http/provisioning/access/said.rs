//! What the headers of a request say of who asks, and from where.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{HeaderMap, header};

use crate::domain::address::customer;

/// The token of the `Authorization` header, if there is one in it.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// Where a request comes from. A proxy of the same machine says for whom it asks; what others say of
/// themselves is their word alone.
pub(super) fn address(peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
    let peer = peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    if !customer(peer).is_loopback() && !peer.is_loopback() {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let nearest = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next());
    nearest.and_then(|address| address.trim().parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_of_the_same_machine_speaks_for_others() {
        let of = |peer: Option<&str>, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            address(peer.map(|peer| peer.parse().unwrap()), &headers).to_string()
        };
        assert_eq!(of(Some("127.0.0.1"), &["9.9.9.9, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(of(Some("::1"), &["9.9.9.9", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(of(Some("127.0.0.1"), &[]), "127.0.0.1");
        assert_eq!(of(Some("127.0.0.1"), &["nobody"]), "127.0.0.1");
        assert_eq!(of(Some("5.6.7.8"), &["1.2.3.4"]), "5.6.7.8");
        assert_eq!(of(None, &["1.2.3.4"]), "0.0.0.0");
    }

    #[test]
    fn a_header_holds_one_token() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(of("bearer openid:abc").as_deref(), Some("openid:abc"));
        for other in ["Bearer", "Bearer ", "abc", "Basic abc", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
