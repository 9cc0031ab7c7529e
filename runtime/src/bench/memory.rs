//! What this process holds, as Linux tells it. Other systems tell nothing, which is `None`.

/// Memory of a process, in megabytes of 10^6 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub resident_mb: f64,
    /// The most that was ever resident (`VmHWM`).
    pub peak_mb: f64,
}

impl Memory {
    /// Of this process, now.
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    /// Out of the text of `/proc/PID/status`.
    fn parse(status: &str) -> Option<Self> {
        Some(Self { resident_mb: megabytes(status, "VmRSS")?, peak_mb: megabytes(status, "VmHWM")? })
    }
}

/// A line such as `VmRSS:     5120 kB`, whose kB are of 1024 bytes.
fn megabytes(status: &str, key: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kibibytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_by_its_keys() {
        let status = "Name:\ttadpole\nVmPeak:\t  99 kB\nVmHWM:\t   62500 kB\nVmRSS:\t   46875 kB\nThreads:\t1\n";
        assert_eq!(Memory::parse(status), Some(Memory { resident_mb: 48.0, peak_mb: 64.0 }));
    }

    #[test]
    fn what_is_not_told_is_none() {
        assert_eq!(Memory::parse("Name:\tkthreadd\n"), None);
        assert_eq!(Memory::parse("VmHWM:\t1 kB\nVmRSS:\tmuch kB\n"), None);
        assert_eq!(Memory::parse("VmHWM:\t1 kB\nVmRSSmall:\t1 kB\n"), None);
    }
}
