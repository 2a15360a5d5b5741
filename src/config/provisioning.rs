//! `[provisioning]` and `[provisioning.servers]`.

use std::collections::BTreeMap;

use ruma::OwnedServerName;

use super::{
    reader::Reader,
    section::{Description, Section, section},
    setting::{HttpUrl, Secret, Setting},
};

section! {
    /// The HTTP API for people's managers and clients, below `/_matrix/provision/v3/` of the
    /// address `appservice.listen`. To offer it to people, let a reverse proxy pass on that path,
    /// and nothing else of that address. A proxy on the same machine should set `X-Forwarded-For`.
    Provisioning at "provisioning" {
        /// Whether there is such an API.
        enabled: bool = Default("true"),

        /// Secret. A manager that has it acts for whom it likes: keep it apart from people. Without
        /// it people come with OpenID tokens of their homeserver alone.
        shared_secret: Option<Secret> = OptionalSecret(r#""at-least-16-characters""#),
    }
}

/// Homeservers whose address is given here instead of found by their name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProvisioningServers(pub BTreeMap<OwnedServerName, HttpUrl>);

impl Section for ProvisioningServers {
    const DESCRIPTION: Description = Description {
        path: "provisioning.servers",
        about: &[
            " Where a homeserver is asked whose OpenID token one is. The own one is asked at",
            " `homeserver.url` (on Synapse that listener needs the resource `openid` or `federation`), any",
            " other one where its name leads, and never at an address that is not of the public internet.",
            " Name here a server for which that is wrong, or which has nothing but SRV records.",
        ],
        fields: &[],
        free: Some(&[r#""example.net" = "https://matrix.example.net""#]),
    };

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut servers = Self::default();
        for (key, value) in reader.entries() {
            let path = format!("\"{key}\"");
            let url = HttpUrl::parse(&value).map_err(|sentence| reader.mistake(&path, sentence));
            let Ok(server) = OwnedServerName::try_from(key.as_str()) else {
                reader.mistake(&path, "must be a Matrix server name like \"example.org\"");
                continue;
            };
            if let Ok(url) = url {
                servers.0.insert(server, url);
            }
        }
        Some(servers)
    }
}
