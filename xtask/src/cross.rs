//! The firmware's binary for the processors that it runs on: cargo with Debian's cross compiler as the plain linker, or
//! with zig where an older glibc than the compiler's is wanted.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::elf::Glibc;
use crate::run::{command, run, target, there};
use crate::setup;

/// A kind of processor that the firmware is built for.
pub struct Processor {
    /// Rust's name, which is also that of the folder under `target/`.
    pub triple: &'static str,
    /// The GNU tools' names begin so, where this machine's own are for another processor.
    prefix: &'static str,
    /// Debian's packages with those tools and the C library.
    packages: &'static str,
    /// Whether some of its kind have int8 dot products, whose kernel must not be missing.
    pub has_dot_products: bool,
}

/// What tells builds the date that they are to carry.
const DATE: &str = "SOURCE_DATE_EPOCH";

/// 64-bit Raspberry Pi and Jetson.
pub const AARCH64: Processor = Processor {
    triple: "aarch64-unknown-linux-gnu",
    prefix: "aarch64-linux-gnu-",
    packages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    has_dot_products: true,
};

/// All of them.
const PROCESSORS: [Processor; 2] = [
    AARCH64,
    Processor {
        triple: "x86_64-unknown-linux-gnu",
        prefix: "x86_64-linux-gnu-",
        packages: "gcc-x86-64-linux-gnu libc6-dev-amd64-cross",
        has_dot_products: false,
    },
];

/// How to build.
#[derive(Clone, Copy)]
pub struct Build<'a> {
    /// A profile of cargo's: `release`, `dev`.
    pub profile: &'a str,
    /// Features of the package `runtime`.
    pub features: &'a [String],
    /// The newest glibc that the binary may want; by zig where that is installed.
    pub glibc: Option<Glibc>,
}

impl Processor {
    /// The processor named `triple`; this machine's own when none is named.
    pub fn named(triple: Option<&str>) -> Result<Self> {
        let known = PROCESSORS.map(|processor| processor.triple).join(", ");
        let own = PROCESSORS.into_iter().find(|processor| match triple {
            Some(triple) => processor.triple == triple,
            None => processor.is_own(),
        });
        match (own, triple) {
            (Some(processor), _) => Ok(processor),
            (None, Some(triple)) => bail!("the firmware is not built for {triple}; name one of {known}"),
            (None, None) => bail!("name the board's processor: --target with one of {known}"),
        }
    }

    fn is_own(&self) -> bool {
        self.triple.starts_with(std::env::consts::ARCH)
    }

    /// A GNU tool for this processor, such as `strip`.
    pub fn tool(&self, name: &str) -> String {
        if self.is_own() { name.into() } else { format!("{}{name}", self.prefix) }
    }

    /// Install what building needs, or name it.
    pub fn tools(&self) -> Result<()> {
        if !self.is_own() {
            setup::for_cross(&[(&self.tool("gcc"), self.packages)], self.triple)?;
        }
        setup::libclang()
    }

    /// Install or name what building needs, build the firmware, and say where it lies; its symbols are in it.
    pub fn build(&self, how: Build<'_>) -> Result<PathBuf> {
        self.tools()?;
        let gcc = self.tool("gcc");
        let zig = match how.glibc {
            Some(most) if there("cargo-zigbuild", "--version") => Some(most),
            Some(most) => {
                eprintln!(
                    "cargo-zigbuild is not on the PATH (docs/guide/flash.md has how it comes there): linking against this \
                     machine's own C library, which may be newer than {most}"
                );
                None
            }
            None => None,
        };
        let mut build = command("cargo");
        // Objects made against different C libraries never meet.
        let folder = zig.map_or_else(target, |most| target().join(format!("glibc-{most}")));
        match zig {
            Some(most) => _ = build.args(["zigbuild", "--target", &format!("{}.{most}", self.triple)]),
            None => _ = self.linked_by(&mut build, &gcc).args(["build", "--target", self.triple]),
        }
        build.args(["--package", "runtime", "--bin", "tadpole", "--profile", how.profile]);
        build.arg("--target-dir").arg(&folder);
        if !how.features.is_empty() {
            build.args(["--features", &how.features.join(",")]);
        }
        // What is released carries the date of its last commit, whoever builds it and when.
        if how.profile != "dev" && std::env::var_os(DATE).is_none() {
            build.envs(commit_date().map(|date| (DATE, date)));
        }
        run(&mut build)?;
        Ok(self.built(&folder, how.profile))
    }

    /// The plain linker, the compiler of tract's kernels, and where bindgen finds the kernel's headers.
    fn linked_by<'a>(&self, build: &'a mut Command, gcc: &str) -> &'a mut Command {
        if self.is_own() {
            return build;
        }
        let name = self.triple.replace('-', "_");
        let headers = format!("-I/usr/{}/include", self.prefix.trim_end_matches('-'));
        build
            .env(format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()), gcc)
            .env(format!("CC_{name}"), gcc)
            .env(format!("BINDGEN_EXTRA_CLANG_ARGS_{name}"), headers)
    }

    fn built(&self, folder: &Path, profile: &str) -> PathBuf {
        let profile = if profile == "dev" { "debug" } else { profile };
        folder.join(self.triple).join(profile).join("tadpole")
    }
}

/// Seconds since 1970 of the last commit; none where there is no repository.
fn commit_date() -> Option<String> {
    let out = command("git").args(["log", "-1", "--format=%ct"]).output().ok().filter(|out| out.status.success())?;
    Some(String::from_utf8(out.stdout).ok()?.trim().to_owned()).filter(|date| !date.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn processors_are_known_by_name_and_this_machine_is_one() {
        assert!(Processor::named(Some("aarch64-unknown-linux-gnu")).unwrap().has_dot_products);
        let refused = Processor::named(Some("riscv64gc-unknown-linux-gnu")).err().unwrap().to_string();
        assert!(refused.contains("riscv64gc") && refused.contains(AARCH64.triple), "{refused}");
        assert_eq!(Processor::named(None).unwrap().tool("strip"), "strip");
    }

    #[test]
    fn a_profile_of_cargos_has_its_folder() {
        let built = |profile| AARCH64.built(Path::new("t"), profile);
        assert_eq!(built("dev"), Path::new("t/aarch64-unknown-linux-gnu/debug/tadpole"));
        assert_eq!(built("release"), Path::new("t/aarch64-unknown-linux-gnu/release/tadpole"));
    }
}
