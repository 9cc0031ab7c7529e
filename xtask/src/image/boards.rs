//! What differs from board to board: packages, features of the firmware, and what is in the boot partition.

use clap::ValueEnum;
use serde_json::json;

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum Board {
    /// The emulator's board `virt`.
    Qemu,
    /// Raspberry Pi 4.
    Rpi4,
    /// Raspberry Pi 3.
    Rpi3,
    /// NVIDIA Jetson, on top of JetPack.
    Jetson,
}

/// What every kernel is told: where its root is, never to write to it, and to start anew rather than to stand still.
pub const COMMAND_LINE: &str = "root=LABEL=tadpole-root ro rootwait net.ifnames=0 panic=10";

/// The form of the data partition that this makes; `tadpole-trainer provision` refuses another.
const DATA_FORM: u32 = 1;

/// What each system is made of beside Debian's essential packages. Libraries come with what needs them.
const EVERYWHERE: [&str; 18] = [
    "systemd-sysv",
    "systemd-resolved",
    "systemd-timesyncd",
    "udev",
    "dbus",
    "kmod",
    "linux-image-arm64",
    "initramfs-tools",
    "zstd",
    "e2fsprogs",
    "dosfstools",
    "openssh-server",
    "iproute2",
    "procps",
    "netbase",
    "ca-certificates",
    "libgcc-s1",
    "less",
];

impl Board {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Rpi4 => "rpi4",
            Self::Rpi3 => "rpi3",
            Self::Jetson => "jetson",
        }
    }

    /// Boots by the firmware in a FAT partition.
    pub fn is_pi(self) -> bool {
        matches!(self, Self::Rpi3 | Self::Rpi4)
    }

    /// Features of the firmware beside the default ones.
    pub fn features(self) -> &'static [&'static str] {
        match self {
            Self::Qemu => &[],
            Self::Rpi3 | Self::Rpi4 => &["rppal"],
            Self::Jetson => &["onnxruntime"],
        }
    }

    /// Debian's packages.
    pub fn packages(self) -> Vec<&'static str> {
        // The emulated board reads no network cameras, and ffmpeg is as large as all the rest.
        let own: &[&str] = if self.is_pi() { &["raspi-firmware", "ffmpeg"] } else { &[] };
        EVERYWHERE.iter().chain(own).copied().collect()
    }

    /// The parts of Debian's archive that they are in: a Pi's firmware is not free.
    pub fn components(self) -> &'static str {
        if self.is_pi() { "main non-free-firmware" } else { "main" }
    }
}

/// What a data partition says of its image, for `tadpole-trainer provision`.
pub fn facts(board: Board, firmware: &str) -> String {
    json!({ "form": DATA_FORM, "board": board.name(), "firmware": firmware }).to_string()
}

/// A Pi's `config.txt`: which kernel, and how.
pub fn pi_config() -> &'static str {
    "arm_64bit=1\nenable_uart=1\nupstream_kernel=1\nkernel=vmlinuz\ninitramfs initrd.img\n"
}

/// A Pi's `cmdline.txt`: one line.
pub fn pi_command_line() -> String {
    format!("console=tty0 console=ttyS1,115200 {COMMAND_LINE}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_get_what_they_boot_with() {
        assert!(Board::Rpi4.packages().contains(&"raspi-firmware") && Board::Rpi4.components().contains("non-free"));
        assert!(!Board::Qemu.packages().contains(&"ffmpeg") && Board::Qemu.components() == "main");
        for board in Board::value_variants() {
            let value = board.to_possible_value();
            assert_eq!(value.map(|value| value.get_name().to_owned()).as_deref(), Some(board.name()));
        }
    }

    #[test]
    fn the_root_is_never_written_to() {
        assert!(pi_command_line().ends_with("panic=10\n") && pi_command_line().lines().count() == 1);
        assert!(COMMAND_LINE.split(' ').any(|word| word == "ro") && !COMMAND_LINE.split(' ').any(|word| word == "rw"));
        let table = include_str!("../../../deploy/image/root/etc/fstab");
        let root = table.lines().find(|line| line.split_whitespace().nth(1) == Some("/"));
        assert!(
            root.is_some_and(|line| line.contains("LABEL=tadpole-root") && line.contains("ro,noatime")),
            "{root:?}"
        );
    }

    #[test]
    fn facts_are_what_provision_reads() {
        assert_eq!(facts(Board::Rpi3, "0.1.0"), r#"{"board":"rpi3","firmware":"0.1.0","form":1}"#);
    }
}
