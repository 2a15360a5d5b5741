//! The adapter against a scripted server: what it does when the other side misbehaves. How it gets
//! on with a whole network is shown in `tests/it`.

mod connection;
mod handshake;
mod http;
mod media;
mod server;
mod stanzas;

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{Interop, NetworkProfile, Patience, TokenKey};
use crate::{
    domain::{
        bridged::Timestamp,
        ids::{LoginId, RemoteUser},
    },
    port::{
        Clock, Entropy,
        network::{Credentials, Introduction, LoginKeys},
    },
    signal::{OurIdentity, SignedPreKey},
};

const NOW_S: u64 = 1_750_000_000;
const PERSON: &str = "@alice:example.org";
const US: &str = "12-10501234567@interop";
const BOB: &str = "33612345678@s.whatsapp.net";

struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        i64::try_from(NOW_S).unwrap() * 1_000
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}

struct Seeded(Mutex<StdRng>);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

/// Short enough for a test, long enough for a busy machine.
fn patience() -> Patience {
    Patience {
        connect: Duration::from_secs(5),
        request: Duration::from_secs(5),
        keepalive: Duration::from_mins(1),
        silence: Duration::from_mins(1),
    }
}

/// One key for all tests: making an RSA key takes a while.
fn token_key() -> TokenKey {
    static STORED: OnceLock<Vec<u8>> = OnceLock::new();
    let stored =
        STORED.get_or_init(|| TokenKey::generate().unwrap().to_pkcs8_der().unwrap().to_vec());
    TokenKey::from_pkcs8_der(stored).unwrap()
}

fn interop(profile: NetworkProfile) -> Interop {
    let entropy = Arc::new(Seeded(Mutex::new(rng())));
    Interop::new(profile, token_key(), Arc::new(Still), entropy).unwrap()
}

fn credentials() -> Credentials {
    let identity = OurIdentity::generate(&mut rng());
    Credentials {
        login: LoginId("l1".to_owned()),
        person: PERSON.try_into().unwrap(),
        network_id: Some(RemoteUser(US.to_owned())),
        keys: LoginKeys {
            noise: [7; 32],
            signed_prekey: SignedPreKey::generate(1, &identity, 0, &mut rng()).unwrap(),
            identity,
        },
        introduction: Introduction { display_name: Some("Ana".to_owned()), read_receipts: true },
    }
}
