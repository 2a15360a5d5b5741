//! The log of the process. What must not be logged is kept out where it is made: types that hold
//! plaintext, phone numbers or secrets have no telling `Debug`. Nothing here filters contents.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{ParseError, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

/// Libraries that tell of every step: an operator who wants that names them in the filter.
const QUIET: &str = "matrix_sdk_crypto=warn,sqlx=warn";
/// The Signal library logs addresses and keys of peers; what it has to say, its errors say.
const SILENT: &str = "wacore_libsignal";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogFailure {
    #[error("the log filter is not valid")]
    Filter(#[from] ParseError),
    #[error("the process has a log already")]
    Twice(#[from] TryInitError),
}

/// Starts the log of the process on standard error: one line or, with `is_json`, one JSON object an
/// event. `filter` is in the syntax of `tracing`, like `info,causeway::interop=debug`.
pub fn start(filter: &str, is_json: bool) -> Result<(), LogFailure> {
    Ok(subscriber(filter, is_json, io::stderr().is_terminal(), io::stderr)?.try_init()?)
}

fn subscriber<W>(
    filter: &str,
    is_json: bool,
    is_colored: bool,
    writer: W,
) -> Result<impl SubscriberInitExt, ParseError>
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if is_json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(is_colored).boxed()
    };
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))?;
    let silence = filter_fn(|metadata| !metadata.target().starts_with(SILENT));
    // Filters of the whole: those of one layer remember the answer to a library that only asks
    // whether it would be heard, and swallow the next line for it.
    Ok(tracing_subscriber::registry().with(lines).with(filter).with(silence))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged_by(filter: &str, is_json: bool, act: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(filter, is_json, false, move || writer.clone()).unwrap();
        tracing::dispatcher::with_default(&subscriber.into(), act);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    fn logged(is_json: bool) -> String {
        logged_by("info", is_json, || {
            tracing::info!(room = 7, "seen");
            tracing::debug!("unseen");
        })
    }

    #[test]
    fn the_signal_library_is_never_heard_and_others_when_named() {
        let speak = || {
            tracing::error!(target: "wacore_libsignal", "33612345678");
            tracing::info!(target: "matrix_sdk_crypto", "step");
        };
        assert_eq!(logged_by("trace", false, speak), "");
        assert_eq!(logged_by("wacore_libsignal=trace", false, speak), "");
        assert!(logged_by("info,matrix_sdk_crypto=info", false, speak).contains("step"));
    }

    #[test]
    fn text_is_for_people() {
        let log = logged(false);
        assert!(log.contains(" INFO ") && log.contains("seen room=7"), "{log}");
        assert_eq!(log.lines().count(), 1);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let log = logged(true);
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!((&line["message"], &line["room"]), (&"seen".into(), &7.into()));
    }

    #[test]
    fn a_wrong_filter_is_named() {
        assert!(subscriber("causeway=loud", false, false, io::sink).is_err());
    }
}
