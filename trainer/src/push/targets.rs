//! Which cameras: what `push --to` or `collect --from` was given comes in, their names and addresses go out.
//!
//! A camera is `NAME` (its network knows it by its name), or `NAME=ADDRESS`, either with `:PORT`; `@FILE` is a list of them, one a
//! line, `#` begins a remark. The name is that of its certificate. Refused: names that are none, the same name twice, files that are
//! not there, nobody at all.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use runtime::{Error, Result};

use crate::site::client::PORT;

/// A camera to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name in its certificate.
    pub name: String,
    /// Host or address, and port, to connect to.
    pub address: String,
}

/// Read what `flag`, such as `--to`, was given.
///
/// # Errors
/// See the module's list of what is refused.
pub fn read(flag: &str, given: &[String]) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for text in given {
        match text.strip_prefix('@') {
            Some(file) => {
                let read = fs::read_to_string(file)
                    .map_err(|error| Error::unreadable(file, &error, "name a list of cameras, one a line"))?;
                for (n, line) in read.lines().enumerate() {
                    let line = line.split('#').next().unwrap_or_default().trim();
                    if !line.is_empty() {
                        targets.push(target(line, &format!("{}:{}", Path::new(file).display(), n + 1))?);
                    }
                }
            }
            None => targets.push(target(text.trim(), flag)?),
        }
    }
    let mut names = HashSet::new();
    if let Some(twice) = targets.iter().find(|target| !names.insert(target.name.as_str())) {
        return Err(Error::invalid(flag, format!("names {} twice", twice.name), "name every camera once"));
    }
    if targets.is_empty() {
        let remedy = format!("name some: `{flag} pole-12,pole-13` or `{flag} @site.txt`");
        return Err(Error::invalid(flag, "names no camera", remedy));
    }
    Ok(targets)
}

fn target(text: &str, place: &str) -> Result<Target> {
    let refused =
        || Error::invalid(place, format!("`{text}` is no camera"), "write NAME, NAME=ADDRESS or NAME=ADDRESS:PORT");
    let (name, address) =
        text.split_once('=').unwrap_or_else(|| (text.rsplit_once(':').map_or(text, |(n, _)| n), text));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) || address.is_empty() {
        return Err(refused());
    }
    // `[::1]:8443` has a port, `[::1]` has none.
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port > 0)),
        _ => (address, Some(PORT)),
    };
    let port: u16 = port.ok_or_else(refused)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'[' | b']' | b':');
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(refused());
    }
    Ok(Target { name: name.into(), address: format!("{host}:{port}") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read_one(text: &str) -> Result<(String, String)> {
        read("--to", &[text.into()]).map(|targets| (targets[0].name.clone(), targets[0].address.clone()))
    }

    #[test]
    fn names_addresses_and_ports() {
        for (text, name, address) in [
            ("pole-12", "pole-12", "pole-12:8443"),
            ("pole-12:9443", "pole-12", "pole-12:9443"),
            ("pole-12=10.0.0.7", "pole-12", "10.0.0.7:8443"),
            ("pole-12=[::1]", "pole-12", "[::1]:8443"),
            ("pole-12=[::1]:9443", "pole-12", "[::1]:9443"),
        ] {
            assert_eq!(read_one(text).unwrap(), (name.into(), address.into()), "{text}");
        }
    }

    #[test]
    fn lists_have_remarks_and_places() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "# the north\npole-1=10.0.0.1\n\npole-2 # by name\n").unwrap();
        let list = format!("@{}", file.path().display());
        let names: Vec<_> =
            read("--to", &[list.clone(), "pole-3".into()]).unwrap().into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["pole-1", "pole-2", "pole-3"]);
        assert!(read("--to", &[list.clone(), "pole-2".into()]).unwrap_err().to_string().contains("pole-2 twice"));
        fs::write(file.path(), "pole-1\npole 2\n").unwrap();
        assert!(read("--to", &[list]).unwrap_err().to_string().contains(":2: `pole 2` is no camera"));
    }

    #[test]
    fn what_is_no_camera() {
        for text in ["", "=10.0.0.1", "pole=", "pole:0", "pole:99999", "pole=a b", "po/le", "@/no/such/list"] {
            assert!(read_one(text).is_err(), "{text}");
        }
        assert!(read("--from", &[]).unwrap_err().to_string().contains("name some: `--from pole-12"));
    }
}
