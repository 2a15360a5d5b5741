//! Faults of downloads that a test orders. It must not know how they are carried out.

use std::{
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{faults::TooManyFaults, limits::FAULTS_MAX};

/// What goes wrong with a download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaFault {
    /// One bit in the middle of the file is another.
    Tampered,
    /// The whole length is announced, and the connection is lost after half of it.
    Truncated,
    /// This status and no file: 404, 410, 503.
    Status(u16),
    /// The file comes, but no faster than this.
    BytesPerSecond(NonZeroU32),
    /// A redirect to this address.
    Redirect(String),
    /// Announces so many bytes more, or fewer, than the file has. If fewer, the rest is not sent.
    LengthOffBy(i64),
}

/// An order of such faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaFaultOrder {
    /// What goes wrong.
    pub what: MediaFault,
    /// Which file is struck; without one, whichever is fetched next.
    #[serde(default)]
    pub direct_path: Option<String>,
    /// How many downloads.
    #[serde(default = "once")]
    pub count: u32,
}

fn once() -> u32 {
    1
}

/// The orders that wait.
#[derive(Debug, Default)]
pub(crate) struct MediaFaults {
    pending: Mutex<Vec<MediaFaultOrder>>,
}

/// The part of a direct path that names the file.
fn file_of(direct_path: &str) -> &str {
    direct_path.split('?').next().unwrap_or_default()
}

impl MediaFaults {
    fn pending(&self) -> MutexGuard<'_, Vec<MediaFaultOrder>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an order.
    pub(crate) fn order(&self, order: MediaFaultOrder) -> Result<(), TooManyFaults> {
        let mut pending = self.pending();
        if pending.len() >= FAULTS_MAX {
            return Err(TooManyFaults);
        }
        if order.count > 0 {
            pending.push(order);
        }
        Ok(())
    }

    /// Takes one time of the first fault that strikes this file.
    pub(crate) fn take(&self, path: &str) -> Option<MediaFault> {
        let mut pending = self.pending();
        let strikes = |order: &MediaFaultOrder| {
            order.direct_path.as_deref().is_none_or(|struck| file_of(struck) == file_of(path))
        };
        let index = pending.iter().position(strikes)?;
        let fault = pending[index].what.clone();
        pending[index].count -= 1;
        if pending[index].count == 0 {
            pending.remove(index);
        }
        Some(fault)
    }

    /// Forgets what waits.
    pub(crate) fn clear(&self) {
        self.pending().clear();
    }

    /// What waits, for people to read.
    pub(crate) fn describe(&self) -> Vec<String> {
        self.pending().iter().map(|order| format!("{:?} × {}", order.what, order.count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(direct_path: Option<&str>, count: u32) -> MediaFaultOrder {
        let direct_path = direct_path.map(str::to_owned);
        MediaFaultOrder { what: MediaFault::Tampered, direct_path, count }
    }

    #[test]
    fn a_fault_strikes_its_file_as_often_as_ordered() {
        let faults = MediaFaults::default();
        faults.order(order(Some("/v/t1/a?oh=1"), 2)).unwrap();
        assert_eq!(faults.take("/v/t1/b"), None);
        assert_eq!(faults.take("/v/t1/a"), Some(MediaFault::Tampered));
        assert_eq!(faults.take("/v/t1/a"), Some(MediaFault::Tampered));
        assert_eq!(faults.take("/v/t1/a"), None);
    }

    #[test]
    fn without_a_file_the_next_download_is_struck() {
        let faults = MediaFaults::default();
        faults.order(order(None, 1)).unwrap();
        assert_eq!(faults.describe(), ["Tampered × 1"]);
        assert_eq!(faults.take("/v/t1/a"), Some(MediaFault::Tampered));
        assert_eq!(faults.take("/v/t1/a"), None);
    }

    #[test]
    fn it_takes_as_many_as_the_limit_and_not_one_more() {
        let faults = MediaFaults::default();
        for _ in 0..FAULTS_MAX {
            faults.order(order(None, 1)).unwrap();
        }
        assert_eq!(faults.order(order(None, 1)), Err(TooManyFaults));
        faults.clear();
        assert_eq!(faults.order(order(None, 1)), Ok(()));
    }

    #[test]
    fn orders_are_written_as_the_control_face_takes_them() {
        let read = |text| serde_json::from_str::<MediaFaultOrder>(text).unwrap().what;
        assert_eq!(read(r#"{"what": "truncated"}"#), MediaFault::Truncated);
        assert_eq!(read(r#"{"what": {"status": 410}, "count": 3}"#), MediaFault::Status(410));
        assert_eq!(read(r#"{"what": {"length_off_by": -1}}"#), MediaFault::LengthOffBy(-1));
    }
}
