//! `[homeserver]`.

use ruma::OwnedServerName;

use super::{section::section, setting::HttpUrl};

section! {
    /// The homeserver that this bridge is registered with.
    Homeserver at "homeserver" {
        /// Where the bridge reaches the homeserver's client-server API.
        url: HttpUrl = Required(r#""http://127.0.0.1:8008""#),

        /// The name in the ids of its users: `example.org` in `@alice:example.org`.
        server_name: OwnedServerName = Required(r#""example.org""#),
    }
}
