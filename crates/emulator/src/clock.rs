//! The one place where the emulator reads the time. It must not know what the time is used for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the place the rule points to")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970")
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).expect("the year is below 500 million")
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> u64 {
    since_epoch().as_secs()
}
