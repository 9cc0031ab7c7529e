//! What a built program wants and holds, read from its ELF file: the newest glibc that it will not start without, and
//! whether the int8 kernels that its processor is fast with are in it.
//!
//! Refused: what is no 32-bit or 64-bit ELF file, and one whose symbols were stripped where symbols are asked for.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow, bail};
use object::read::elf::{Dyn as _, FileHeader, SectionTable};
use object::{Endianness, FileKind, elf};

/// tract's int8 kernel with dot products, for Cortex-A76 and later; its build leaves it out, silently, where the
/// assembler is older than binutils 2.30.
pub const DOT_PRODUCT_KERNEL: &str = "arm64simd_mmm_i32_8x8_dot";

/// A release of glibc, such as 2.31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(u32, u32);

impl Glibc {
    /// Debian 11, Raspberry Pi OS 11, JetPack 5.
    pub const DEBIAN_11: Self = Self(2, 31);
    /// What a firmware linked on Debian 12 wants, for `hypot`; Ubuntu 22.04, and so JetPack 6, has it too.
    pub const DEBIAN_12: Self = Self(2, 35);
}

impl FromStr for Glibc {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            // glibc 2.2.5 and its like are older than anything asked about.
            Some([major, minor] | [major, minor, _]) => Ok(Self(*major, *minor)),
            _ => Err(anyhow!("`{text}` is no glibc version; write one such as 2.31")),
        }
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What was read from a program.
pub struct Program {
    /// The newest glibc that it will not start without, and the functions that want it; `None`: it wants none.
    pub glibc: Option<(Glibc, Vec<String>)>,
    /// The libraries that it is linked to, such as `libc.so.6`.
    pub libraries: Vec<String>,
    /// Names of all that it defines.
    symbols: Vec<String>,
    name: String,
}

impl Program {
    /// Read the program at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let data = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let read = match FileKind::parse(&*data) {
            Ok(FileKind::Elf64) => read::<elf::FileHeader64<Endianness>>(&data),
            Ok(FileKind::Elf32) => read::<elf::FileHeader32<Endianness>>(&data),
            _ => bail!("{} is no ELF program", path.display()),
        };
        let (glibc, libraries, symbols) = read.with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Self { glibc, libraries, symbols, name: path.display().to_string() })
    }

    /// The symbols of the int8 kernel with dot products.
    ///
    /// # Errors
    /// When there are none, with the reason.
    pub fn dot_product_kernels(&self) -> Result<Vec<&str>> {
        if self.symbols.is_empty() {
            bail!("{} is stripped: its kernels have no names any more; read it before it is stripped", self.name);
        }
        let found: Vec<&str> =
            self.symbols.iter().map(String::as_str).filter(|name| name.contains(DOT_PRODUCT_KERNEL)).collect();
        if found.is_empty() {
            bail!(
                "{} holds no {DOT_PRODUCT_KERNEL}: int8 would be slow on Cortex-A76; build with binutils 2.30 or newer",
                self.name
            );
        }
        Ok(found)
    }

    /// That it starts with glibc `most`.
    ///
    /// # Errors
    /// When it does not, with the functions that keep it from doing so.
    pub fn starts_with(&self, most: Glibc) -> Result<()> {
        match &self.glibc {
            Some((wanted, by)) if *wanted > most => {
                bail!("{} wants glibc {wanted}, newer than {most}, for {}", self.name, by.join(", "))
            }
            _ => Ok(()),
        }
    }
}

type Read = (Option<(Glibc, Vec<String>)>, Vec<String>, Vec<String>);

fn read<Elf: FileHeader<Endian = Endianness>>(data: &[u8]) -> Result<Read> {
    let header = Elf::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let symbols = sections.symbols(endian, data, elf::SHT_SYMTAB)?;
    let mut names = Vec::new();
    for symbol in symbols.iter() {
        names.push(String::from_utf8_lossy(symbols.symbol_name(endian, symbol)?).into_owned());
    }
    Ok((glibc::<Elf>(&sections, endian, data)?, libraries::<Elf>(&sections, endian, data)?, names))
}

fn libraries<Elf: FileHeader<Endian = Endianness>>(
    sections: &SectionTable<'_, Elf>,
    endian: Endianness,
    data: &[u8],
) -> Result<Vec<String>> {
    let Some((entries, link)) = sections.dynamic(endian, data)? else { return Ok(Vec::new()) };
    let strings = sections.strings(endian, data, link)?;
    let mut libraries = Vec::new();
    for entry in entries.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED) {
        libraries.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
    }
    Ok(libraries)
}

/// The newest `GLIBC_x.y` among the versions that are needed. One that only weak references want does not count: the
/// program starts without it.
fn glibc<Elf: FileHeader<Endian = Endianness>>(
    sections: &SectionTable<'_, Elf>,
    endian: Endianness,
    data: &[u8],
) -> Result<Option<(Glibc, Vec<String>)>> {
    let Some((mut needs, link)) = sections.gnu_verneed(endian, data)? else { return Ok(None) };
    let strings = sections.strings(endian, data, link)?;
    let mut newest: Option<Glibc> = None;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            let name = String::from_utf8_lossy(version.name(endian, strings)?).into_owned();
            let weak = version.vna_flags.get(endian) & elf::VER_FLG_WEAK != 0;
            if let (Some(number), false) = (name.strip_prefix("GLIBC_"), weak) {
                newest = newest.max(number.parse().ok());
            }
        }
    }
    let Some(newest) = newest else { return Ok(None) };
    let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
    let Some(table) = sections.versions(endian, data)? else { return Ok(Some((newest, Vec::new()))) };
    let wanted = format!("GLIBC_{newest}");
    let mut by = Vec::new();
    for (index, symbol) in symbols.enumerate() {
        let version = table.version(table.version_index(endian, index))?;
        if version.is_some_and(|version| version.name() == wanted.as_bytes()) {
            by.push(String::from_utf8_lossy(symbols.symbol_name(endian, symbol)?).into_owned());
        }
    }
    Ok(Some((newest, by)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn glibc_versions_are_compared_as_numbers() {
        let of = |text: &str| text.parse::<Glibc>().unwrap();
        assert!(of("2.4") < of("2.31") && of("2.31") < of("2.34") && of("2.2.5") < of("2.17"));
        assert_eq!(of("2.31").to_string(), "2.31");
        assert!("PRIVATE".parse::<Glibc>().is_err() && "2".parse::<Glibc>().is_err());
    }

    #[test]
    fn this_very_program_wants_a_glibc_and_defines_its_functions() {
        let program = Program::read(&std::env::current_exe().unwrap()).unwrap();
        let (wanted, by) = program.glibc.as_ref().unwrap();
        assert!(*wanted >= "2.17".parse().unwrap() && !by.is_empty(), "{wanted} {by:?}");
        assert!(program.libraries.contains(&"libc.so.6".into()), "{:?}", program.libraries);
        program.starts_with(*wanted).unwrap();
        let refused = program.starts_with(Glibc(2, 0)).unwrap_err().to_string();
        assert!(refused.contains(&by[0]), "{refused}");
        let lacks = program.dot_product_kernels().unwrap_err().to_string();
        assert!(lacks.contains("binutils"), "{lacks}");
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(Program::read(Path::new(file!()).parent().unwrap()).is_err());
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(Program::read(&text).err().unwrap().to_string().contains("no ELF"));
    }
}
