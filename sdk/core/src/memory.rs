//! How much memory there is.

/// Bytes that can still be had: of the machine's memory, or of what the control group of this process leaves,
/// where that is less. Nothing where the system does not say.
#[must_use]
pub fn available() -> Option<u64> {
    [of_machine("MemAvailable"), of_group().map(|(limit, used)| limit.saturating_sub(used))]
        .into_iter()
        .flatten()
        .min()
}

/// Bytes of memory: the machine's, or what the control group of this process may have, where that is less.
/// Nothing where the system does not say.
#[must_use]
pub fn total() -> Option<u64> {
    [of_machine("MemTotal"), of_group().map(|(limit, _)| limit)].into_iter().flatten().min()
}

/// A field of the system's account, in bytes; see proc_meminfo(5).
fn of_machine(name: &str) -> Option<u64> {
    let account = read("/proc/meminfo")?;
    let field = account.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    field.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The limit of the control group, if it has one, and what is used of it; see cgroups(7), version 2, as a
/// container sees its own.
fn of_group() -> Option<(u64, u64)> {
    let number = |name: &str| read(&format!("/sys/fs/cgroup/{name}"))?.trim().parse().ok();
    Some((number("memory.max")?, number("memory.current")?))
}

#[cfg(target_os = "linux")]
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn read(_: &str) -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn there_is_memory_and_some_of_it_is_left() {
        let (total, available) = (total().unwrap(), available().unwrap());
        assert!((1 << 26..1 << 50).contains(&total), "{total}");
        assert!(available > 0 && available <= total, "{available} of {total}");
    }
}
