//! The most memory that this process held.

/// Forgets the peak so far, where the system can; then [`peak`] is that of what follows.
#[cfg(target_os = "linux")]
pub(super) fn forget() -> bool {
    // See proc_pid_clear_refs(5): 5 resets the peak resident set size to the current one.
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The peak since it was last forgotten, in bytes.
#[cfg(target_os = "linux")]
pub(super) fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn forget() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn peak() -> Option<u64> {
    None
}
