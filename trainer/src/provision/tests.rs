use std::process::Command;

use runtime::ErrorKind;
use runtime::store::seed;

use super::*;

const DEMO_KEY: &str = "b2f859ce8a949a8e946996737c5ed64186d9bb53312bc49410cbd98e2f6f8991";
const OTHER_KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
const START: usize = 1 << 20;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/roadside-lite0.tadpole")
}

fn config(key: &str, bundle: &str, more: &str) -> String {
    format!(
        "[[camera]]\nname = \"north\"\nsource = \"sim://?seed=1\"\n[model]\nbundle = \"{bundle}\"\ntrusted_keys = [\"{key}\"]\n{more}"
    )
}

/// An image with nothing but a table and a data partition; `None` where there is no mke2fs.
fn image(folder: &Path, facts: &str) -> Option<PathBuf> {
    let data = folder.join("data");
    for below in ["etc", "lib", "ssh"] {
        fs::create_dir_all(data.join(below)).unwrap();
    }
    fs::write(data.join("image"), facts).unwrap();
    let part = folder.join("part");
    let mut make = Command::new("mke2fs");
    make.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").args(["-q", "-t", "ext4", "-L", "tadpole-data", "-d"]);
    let Ok(out) = make.arg(&data).arg(&part).arg("32M").output() else {
        eprintln!("there is no mke2fs (Debian's e2fsprogs): images were not tried");
        return None;
    };
    assert!(out.status.success(), "{out:?}");
    let mut bytes = vec![0; START];
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes[446 + 2 * 16 + 4] = 0x83;
    bytes[446 + 2 * 16 + 8..][..4].copy_from_slice(&(START as u32 / 512).to_le_bytes());
    bytes.extend(fs::read(&part).unwrap());
    let path = folder.join("card.img");
    fs::write(&path, bytes).unwrap();
    Some(path)
}

fn args(folder: &Path, image: &Path, text: &str) -> ProvisionArgs {
    let config = folder.join("pole-12.toml");
    fs::write(&config, text).unwrap();
    ProvisionArgs {
        image: Some(image.into()),
        device: None,
        config,
        bundle: shipped(),
        name: None,
        authorized_keys: None,
        page_password: None,
        site: None,
    }
}

const FACTS: &str = r#"{"board":"qemu","firmware":"0.1.0","form":1}"#;
const MODEL: &str = "/var/lib/tadpole/model.tadpole";

#[test]
fn an_image_gets_all_that_makes_a_board_of_it_and_may_get_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(image) = image(folder.path(), FACTS) else { return };
    let text = config(DEMO_KEY, MODEL, "");
    let mut args = args(folder.path(), &image, &text);
    run(&args).unwrap();
    let card = Card::open(&image).unwrap();
    assert_eq!(card.read("name").unwrap().unwrap(), b"pole-12\n");
    assert_eq!(wire::decode(&card.read("etc/config").unwrap().unwrap()).unwrap(), Config::from_toml(&text).unwrap());
    assert_eq!(card.read("lib/model.tadpole").unwrap().unwrap(), fs::read(shipped()).unwrap());
    assert_eq!(card.read(KEYS).unwrap(), None);

    let keys = folder.path().join("id.pub");
    fs::write(&keys, "ssh-ed25519 AAAA me\n").unwrap();
    args.name = Some("pole-13".into());
    args.authorized_keys = Some(keys);
    run(&args).unwrap();
    assert_eq!(card.read("name").unwrap().unwrap(), b"pole-13\n");
    assert_eq!(card.read(KEYS).unwrap().unwrap(), b"ssh-ed25519 AAAA me\n");
    let Card::Inside(_, start) = card else { panic!("an image is not mounted") };
    assert_eq!(start, START as u64);
}

#[test]
fn a_board_with_a_store_and_a_control_service_gets_its_first_bundle_and_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let Some(image) = image(folder.path(), FACTS) else { return };
    let site = folder.path().join("site");
    Authority::create(&site).unwrap();
    let mut args = args(folder.path(), &image, &config(DEMO_KEY, "/var/lib/tadpole/store", "[control]\n"));
    args.site = Some(site.clone());
    run(&args).unwrap();
    let card = Card::open(&image).unwrap();
    let first = seed::path(Path::new("lib/store")).display().to_string();
    assert_eq!(card.read(&first).unwrap().unwrap(), fs::read(shipped()).unwrap());
    let there = || authority::DEVICE_FILES.map(|file| card.read(&format!("{TLS}/{file}")).unwrap().unwrap());
    let ours = authority::DEVICE_FILES.map(|file| fs::read(site.join("devices/pole-12").join(file)).unwrap());
    assert_eq!(there(), ours);
    run(&args).unwrap();
    assert_eq!(there(), ours, "it keeps its certificate");
    let text = config(DEMO_KEY, MODEL, "[control]\ntls = \"/var/lib/tadpole/tls\"\n");
    fs::write(&args.config, text).unwrap();
    assert!(run(&args).unwrap_err().to_string().contains("control.tls"));
}

#[test]
fn what_does_not_fit_is_refused_and_the_image_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let Some(image) = image(folder.path(), FACTS) else { return };
    let before = fs::read(&image).unwrap();
    let told = |text: &str| run(&args(folder.path(), &image, text)).unwrap_err();
    let stranger = told(&config(OTHER_KEY, MODEL, ""));
    assert_eq!(stranger.kind, ErrorKind::Untrusted);
    assert!(stranger.to_string().contains("not among the trusted keys"), "{stranger}");
    for (text, word) in [
        (config(DEMO_KEY, "model.tadpole", ""), "`model.bundle`"),
        (config(DEMO_KEY, "/var/lib/tadpole/../x", ""), "`model.bundle`"),
        (config(DEMO_KEY, "/var/lib/tadpole/a b", ""), "`model.bundle`"),
        (config(DEMO_KEY, MODEL, "[output.journal]\npath = \"/tmp/events\"\n"), "`output.journal.path`"),
        (config(DEMO_KEY, MODEL, &format!("[output.journal]\npath = \"{MODEL}\"\n")), "output.journal.path"),
        (config(DEMO_KEY, MODEL, "[output.gpio]\nkind = \"rppal\"\nline = 17\n"), "rpi4"),
        (config(DEMO_KEY, MODEL, "engine = \"cuda\"\n"), "NVIDIA"),
        (config(DEMO_KEY, MODEL, "nonsense = 1\n"), "nonsense"),
    ] {
        let error = told(&text);
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        assert!(error.to_string().contains(word), "{error}");
    }
    assert!(fs::read(&image).unwrap() == before);
}

#[test]
fn an_image_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (facts, word) in [
        (r#"{"board":"qemu","firmware":"0.1.0","form":2}"#, "form 2"),
        (r#"{"board":"qemu","firmware":"0.0.1","form":1}"#, "needs firmware"),
        ("{", "damaged"),
    ] {
        let Some(image) = image(folder.path(), facts) else { return };
        let error = run(&args(folder.path(), &image, &config(DEMO_KEY, MODEL, ""))).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    let nothing = folder.path().join("nothing.img");
    fs::write(&nothing, vec![0; 1 << 20]).unwrap();
    let error = run(&args(folder.path(), &nothing, &config(DEMO_KEY, MODEL, ""))).unwrap_err();
    assert!(error.to_string().contains("tadpole-data"), "{error}");
    // A folder where no data partition is mounted.
    let error = run(&args(folder.path(), folder.path(), &config(DEMO_KEY, MODEL, ""))).unwrap_err();
    assert!(error.to_string().contains("no file `image`"), "{error}");
}

#[test]
fn names_are_those_of_a_network() {
    for good in ["pole-12", "a", "9", &"x".repeat(63)] {
        fit::check_name(good).unwrap();
    }
    for bad in ["", "-a", "a-", "Pole", "a.b", "a b", "a_b", "ä", &"x".repeat(64)] {
        assert_eq!(fit::check_name(bad).unwrap_err().kind, ErrorKind::InvalidInput, "{bad}");
    }
}

#[test]
fn a_private_key_goes_on_no_card() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("id");
    fs::write(&path, "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
    assert!(read_keys(&path).unwrap_err().problem.contains("private key"));
    fs::write(&path, "hello\n").unwrap();
    assert!(read_keys(&path).unwrap_err().problem.contains("no public SSH key"));
}

#[test]
fn the_page_gets_the_password_that_the_config_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "wide verge 12\n").unwrap();
    let read = |more: &str| {
        let text = config(DEMO_KEY, "/var/lib/tadpole/model.tadpole", more);
        read_password(&path, &Config::from_toml(&text).unwrap())
    };
    let page = "[page]\nlisten = \"0.0.0.0:8480\"\npassword_file = \"/etc/tadpole/page-password\"\n";
    assert_eq!(read(page).unwrap(), b"wide verge 12\n");
    assert_eq!(read("[page]\n").unwrap_err().kind, ErrorKind::InvalidInput);
    fs::write(&path, "short\n").unwrap();
    assert!(read(page).unwrap_err().to_string().contains("at least 8 bytes"));
}
