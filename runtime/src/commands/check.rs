//! `tadpole check`: is this file what it should be, and will it do? A config, a config blob, a bundle or feature rows
//! come in; one line of praise goes out, or the errors.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use firmware_config::config::{CONFIG_BYTES_MAX, Config, GpioKind};
use firmware_config::manifest::Manifest;
use firmware_config::v4l::V4lUri;
use firmware_config::wire;
use runtime::alarm::schedule::Schedule;
use runtime::bundle::{Bundle, SignatureStatus, demo_key, read};
use runtime::source::npy::RowReader;
use runtime::store::{Store, Trust, is_store};
use runtime::{Error, ErrorKind, Result};

/// Say whether a file will do, before a camera depends on it.
///
/// What the file is is seen from its content:
///
/// A config, as people write it (TOML) or as a board carries it (a blob): every setting is checked, and the model that
/// it names is opened with its trusted keys if it is on this machine.
///
/// A bundle (`.tadpole`): every byte is checked against its manifest, and the signature is reported. Whether to trust
/// the key that made it is for a config to say.
///
/// Feature rows (`.npy`): shape, type and every number.
///
/// Exit code 0: it will do. 2: it will not, and the error says why and what to do.
#[derive(Args)]
pub struct CheckArgs {
    /// The file to check.
    file: PathBuf,
}

/// Check the file and print what was found.
pub fn run(args: &CheckArgs) -> Result<()> {
    println!("OK: {}", check(&args.file)?);
    Ok(())
}

/// Read a config in either form: TOML or blob.
///
/// # Errors
/// Of kind `InvalidInput` for settings that will not do, `Corrupt` for a damaged blob.
pub fn read_config(path: &Path) -> Result<Config> {
    let subject = path.display().to_string();
    let mut bytes = Vec::new();
    // A blob's frame is a little larger than its payload; one byte more shows that the file is too large.
    let bytes_max = CONFIG_BYTES_MAX + 64;
    open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() > bytes_max {
        return Err(Error::invalid(
            subject,
            format!("is larger than the {CONFIG_BYTES_MAX} bytes that a config may have"),
            "name a config",
        ));
    }
    if wire::is_config_blob(&bytes) {
        return wire::decode(&bytes)
            .map_err(|error| Error::corrupt(subject, error.to_string(), "write the blob again from its TOML"));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Error::invalid(subject, "is neither text nor a config blob", "name a config"));
    };
    Config::from_toml(&text).map_err(|error| match error.problems.as_slice() {
        [one] => {
            let place = one.place.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
            let key = if one.key.is_empty() { String::new() } else { format!("`{}` ", one.key) };
            Error::invalid(subject + &place, key + &one.problem, &one.remedy)
        }
        all => {
            let problem = format!("{} settings will not do", all.len());
            Error::invalid(subject, problem, format!("correct each of them:\n{error}"))
        }
    })
}

/// What the file is, in a line; its errors otherwise.
fn check(path: &Path) -> Result<String> {
    let mut start = Vec::new();
    open(path)?.take(512).read_to_end(&mut start).map_err(|error| unreadable(path, &error))?;
    let name = path.display();
    if start.is_empty() {
        return Err(Error::corrupt(name.to_string(), "is empty", "copy or write it again"));
    }
    if start.starts_with(b"\x93NUMPY") || path.extension().is_some_and(|ending| ending == "npy") {
        return check_rows(path);
    }
    if read::looks_like_bundle(&start) || path.extension().is_some_and(|ending| ending == "tadpole") {
        return check_bundle(path);
    }
    if wire::is_config_blob(&start)
        || std::str::from_utf8(&start).is_ok()
        || path.extension().is_some_and(|e| e == "toml")
    {
        return check_config(path);
    }
    Err(Error::invalid(
        name.to_string(),
        "is no config, no bundle and no feature rows",
        "name a `.toml`, a config blob, a `.tadpole` or a `.npy`",
    ))
}

fn check_rows(path: &Path) -> Result<String> {
    let mut rows = RowReader::open(path)?;
    let mut row = Vec::new();
    while rows.next_row(&mut row)? {}
    Ok(format!("{}, feature rows: {} segments of {} numbers", path.display(), rows.rows(), rows.width()))
}

fn check_bundle(path: &Path) -> Result<String> {
    let found = Bundle::inspect(path)?;
    let name = path.display();
    let key = match found.signature {
        SignatureStatus::Fits(key) => key,
        SignatureStatus::Wrong(_) | SignatureStatus::Unreadable(_) => {
            return Err(Error::new(
                ErrorKind::Untrusted,
                name.to_string(),
                "its signature does not fit its manifest",
                "do not run it: get it again from whoever signed it",
            ));
        }
    };
    let whose = if demo_key::is_demo_key(key) {
        "the demo key, for `demo` and `replay` alone".into()
    } else {
        format!("key {key}")
    };
    let Manifest { name: model, release, .. } = &found.manifest;
    Ok(format!("{name}, a bundle: {model} release {release}, id {}, signed with {whose}", found.id))
}

fn check_config(path: &Path) -> Result<String> {
    let config = read_config(path)?;
    let names: Vec<_> = config.cameras.iter().map(|camera| camera.name.as_str()).collect();
    let mut line = format!("{}, a config: {} ({})", path.display(), cameras(names.len()), names.join(", "));
    if !cfg!(feature = "v4l") && config.cameras.iter().any(|camera| camera.source.starts_with(V4lUri::SCHEME)) {
        line += "; this build reads no v4l:// cameras (cargo feature `v4l`)";
    }
    if !cfg!(feature = "rppal") && config.output.gpio.as_ref().is_some_and(|gpio| gpio.kind == GpioKind::Rppal) {
        line += "; this build drives no rppal lines (cargo feature `rppal`)";
    }
    if let Some(schedule) = &config.schedule {
        Schedule::new(schedule)?;
        let _ = write!(line, "; schedule in {}", schedule.time_zone);
    }
    line += &check_control(&config, path)?;
    line += &check_fleet(&config, path)?;
    let bundle = path.parent().unwrap_or(Path::new(".")).join(&config.model.bundle);
    if is_store(&bundle) {
        let store = Store::new(&bundle);
        let _ = match store.state()?.current {
            Some(current) => {
                let trust = Trust { keys: config.trusted(), engine: config.model.engine };
                let Manifest { name, release, .. } = store.load(&current, &trust)?.manifest;
                write!(line, "; model {name} release {release} of the store {}, trusted", bundle.display())
            }
            None => write!(line, "; the store {} holds no model on this machine", bundle.display()),
        };
    } else if fs::exists(&bundle).unwrap_or(false) {
        let model = Bundle::open(&bundle, &config.trusted())?;
        model.require_extractor()?;
        let _ = write!(line, "; model {} release {}, trusted", model.manifest.name, model.manifest.release);
    } else {
        let _ = write!(line, "; the model {} is not on this machine and was not checked", bundle.display());
    }
    Ok(line)
}

/// The certificates of the control service, if they are on this machine.
#[cfg(feature = "control")]
fn check_control(config: &Config, path: &Path) -> Result<String> {
    let Some(control) = &config.control else { return Ok(String::new()) };
    let tls = path.parent().unwrap_or(Path::new(".")).join(&control.tls);
    if !tls.is_dir() {
        return Ok(format!("; the certificates in {} are not on this machine and were not checked", tls.display()));
    }
    runtime::control::identity::check(&tls)?;
    Ok(format!("; control service on {}", control.listen))
}

#[cfg(not(feature = "control"))]
fn check_control(config: &Config, _: &Path) -> Result<String> {
    let asked = config.control.is_some();
    Ok(if asked { "; this build serves no [control] (cargo feature `control`)".into() } else { String::new() })
}

/// Tokens, passwords and authorities, if they are on this machine.
#[cfg(feature = "fleet")]
fn check_fleet(config: &Config, path: &Path) -> Result<String> {
    let absent = runtime::fleet::check(config, |file| path.parent().unwrap_or(Path::new(".")).join(file))?;
    let told = absent.iter().map(|file| format!("; {} is not on this machine and was not checked", file.display()));
    Ok(told.collect())
}

#[cfg(not(feature = "fleet"))]
fn check_fleet(config: &Config, _: &Path) -> Result<String> {
    let asked = config.hawkbit.is_some() || config.output.mqtt.is_some() || config.output.webhook.is_some();
    let told = "; this build has no [hawkbit], [output.mqtt] and [output.webhook] (cargo feature `fleet`)";
    Ok(if asked { told.into() } else { String::new() })
}

fn cameras(count: usize) -> String {
    if count == 1 { "1 camera".into() } else { format!("{count} cameras") }
}

fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(Error::invalid(path.display().to_string(), "is a folder", "name a file"));
    }
    Ok(file)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::unreadable(path.display().to_string(), error, "check the name and its rights")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

    fn told(name: &str, content: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let told = check(&path).map_or_else(|error| format!("{:?} {error}", error.kind), |line| format!("OK {line}"));
        told.replace(&format!("{}/", folder.path().display()), "")
    }

    fn config(source: &str) -> String {
        format!(
            "[[camera]]\nname = \"n\"\nsource = \"{source}\"\n[model]\nbundle = \"m.tadpole\"\ntrusted_keys = [\"{KEY}\"]\n"
        )
    }

    #[test]
    fn each_kind_is_seen_from_its_content() {
        let good = config("sim://");
        let blob = wire::encode(&Config::from_toml(&good).unwrap()).unwrap();
        let mut damaged = blob.clone();
        damaged[20] ^= 1;
        let mut ustar = vec![0; 512];
        ustar[257..262].copy_from_slice(b"ustar");
        let all = [
            told("a", good.as_bytes()),
            told("a", &blob),
            told("a", &damaged),
            told("a.toml", config("http://x").as_bytes()),
            told("a.toml", b"[model"),
            told("a", &[0xff; 100]),
            told("a", b""),
            told("a", &ustar),
            told("a.tadpole", b"short"),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
            OK a, a config: 1 camera (n); the model m.tadpole is not on this machine and was not checked
            OK a, a config: 1 camera (n); the model m.tadpole is not on this machine and was not checked
            Corrupt a: it is no config blob: its checksum is wrong: the bytes were damaged; write the blob again from its TOML
            InvalidInput a.toml:3:10: `camera[0].source` has the unknown scheme `http`; write one of `file:///path/video.mp4`, `v4l:///dev/video0`, `rtsp://host/stream`, `tcp://host:port`, `sim://?seed=1`, `features:///path/rows.npy`
            InvalidInput a.toml:1:7: this is not TOML: unclosed table, expected `]`; correct the line; deploy/tadpole.example.toml shows the form
            InvalidInput a: is no config, no bundle and no feature rows; name a `.toml`, a config blob, a `.tadpole` or a `.npy`
            Corrupt a: is empty; copy or write it again
            Corrupt a: is not a bundle: it does not begin with a plain `manifest`; copy or export the bundle again
            Corrupt a.tadpole: is cut short: it ends within its first header, or is no bundle; copy or export the bundle again
            ");
    }

    #[test]
    fn a_config_with_several_problems_tells_them_all() {
        insta::assert_snapshot!(told("a", b"[model]\nbundle = \"\"\ntrusted_keys = []\n"), @r"
            InvalidInput a: 3 settings will not do; correct each of them:
            `camera` is missing: there is no camera to watch; add a `[[camera]]` with a `name` and a `source`
            line 2, column 10: `model.bundle` is not a path; write the path of a file
            line 3, column 16: `model.trusted_keys` is empty: no bundle could ever be run; paste the line that `tadpole-trainer keygen` printed
            ");
    }

    #[cfg(feature = "fleet")]
    #[test]
    fn the_secrets_and_authorities_that_a_config_names_are_read() {
        let more = "[output.mqtt]\nbroker = \"mqtts://b:8883\"\ntopic = \"t\"\nuser = \"u\"\npassword_file = \"p\"\nca = \"c\"\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, config("sim://") + more).unwrap();
        let line = check(&path).unwrap();
        assert!(line.contains("/p is not on this machine") && line.contains("/c is not on this machine"), "{line}");
        fs::write(folder.path().join("c"), "no certificate").unwrap();
        assert!(check(&path).unwrap_err().to_string().contains("holds no certificate"));
        fs::remove_file(folder.path().join("c")).unwrap();
        fs::write(folder.path().join("p"), "two\nlines").unwrap();
        assert!(check(&path).unwrap_err().to_string().contains("no secret of one line"));
        fs::write(folder.path().join("p"), "word\n").unwrap();
        assert!(!check(&path).unwrap().contains("/p is"));
    }

    #[cfg(feature = "fleet")]
    #[test]
    fn the_webhooks_secret_and_authority_are_read_and_told_of_by_file_and_key() {
        let more =
            "[output.webhook]\nurl = \"https://h/in\"\nsecret_file = \"s\"\nca = \"c\"\n[outbox]\npath = \"o\"\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, config("sim://") + more).unwrap();
        let line = check(&path).unwrap();
        assert!(line.contains("/s is not on this machine") && line.contains("/c is not on this machine"), "{line}");
        for (file, content, problem) in [
            ("s", "two\nlines of a secret", "/s: `output.webhook.secret_file` holds no secret of one line"),
            ("s", "short", "/s: `output.webhook.secret_file` holds no secret of at least 16 bytes"),
            ("c", "no certificate", "/c: `output.webhook.ca` holds no certificate"),
        ] {
            fs::write(folder.path().join(file), content).unwrap();
            let told = check(&path).unwrap_err().to_string();
            assert!(told.contains(problem), "{told}");
            fs::remove_file(folder.path().join(file)).unwrap();
        }
        fs::write(folder.path().join("s"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let line = check(&path).unwrap();
        assert!(!line.contains("/s is") && line.contains("/c is"), "{line}");
    }

    #[test]
    fn the_model_that_a_config_names_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("m.tadpole"), b"no bundle").unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, config("sim://")).unwrap();
        assert_eq!(check(&path).unwrap_err().kind, ErrorKind::Corrupt);
    }
}
