//! How much memory another process has, as Linux counts it.

use std::fs;

use anyhow::{Context, Result};

/// Bytes of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    /// The most since the process started, or since [`forget_peak`].
    pub(crate) peak: u64,
}

pub(crate) fn of(process: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let bytes = |field: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        Ok(kibibytes.with_context(|| format!("no {field} of a process"))?.parse::<u64>()? * 1024)
    };
    Ok(Memory { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

/// Lets the peak begin anew.
pub(crate) fn forget_peak(process: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{process}/clear_refs"), "5")?)
}
