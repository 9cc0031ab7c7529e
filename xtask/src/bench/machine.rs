//! The machine that figures were measured on, in one line, without anything that names its owner.

/// Processor, cores, architecture and system.
pub fn describe() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = processor(&info).unwrap_or("unknown processor");
    format!("{processor}, {cores} cores, {} {}", std::env::consts::ARCH, std::env::consts::OS)
}

/// The processor's name out of `/proc/cpuinfo`: `model name` on x86 and `Model` on boards such as a Raspberry Pi.
fn processor(info: &str) -> Option<&str> {
    let value = |key: &str| {
        let mut pairs = info.lines().filter_map(|line| line.split_once(':'));
        pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    value("model name").or_else(|| value("Model")).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_named_where_the_system_does() {
        let x86 = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Xeon: the 2nd\nflags\t\t: fpu\n";
        assert_eq!(processor(x86), Some("Xeon: the 2nd"));
        let board = "processor\t: 0\nCPU part\t: 0xd0b\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n";
        assert_eq!(processor(board), Some("Raspberry Pi 5 Model B Rev 1.0"));
        assert_eq!(processor("processor: 0\n"), None);
    }
}
