//! Bad input ends with exit code 2 (1 where the work failed), one line that names the file or key and the remedy, and
//! no panic.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use npyz::WriterBuilder as _;
use system_tests::{refuse, run, shipped};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

fn there(program: &str) -> bool {
    let found = Command::new(program).arg("-version").output().is_ok_and(|out| out.status.success());
    if !found {
        eprintln!("SKIPPED: no {program}; run `cargo xtask setup`");
    }
    found
}

#[test]
fn recordings_that_are_none() {
    let desk = Desk::new();
    if !there("ffmpeg") {
        return;
    }
    let missing = desk.path("gone.mp4").display().to_string();
    refuse("tadpole", ["replay", &missing], 2, &["gone.mp4"]);
    refuse("tadpole", ["replay", &desk.put("empty.mp4", b"")], 2, &["empty.mp4"]);
    refuse("tadpole", ["replay", &desk.put("letter.mp4", b"Dear Sir or Madam, this is no video.")], 2, &["letter.mp4"]);
    refuse("tadpole", ["replay", desk.0.path().to_str().unwrap()], 2, &[desk.0.path().to_str().unwrap()]);
    refuse("tadpole", ["replay", "sim://?seed=1&colour=red"], 2, &["colour"]);
    refuse("tadpole", ["replay", "gopher://x"], 2, &["gopher"]);

    let video = desk.path("whole.mp4").display().to_string();
    let made = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=320x240:rate=25",
            "-t",
            "4",
            &video,
        ])
        .status()
        .unwrap();
    assert!(made.success());
    let whole = std::fs::read(&video).unwrap();
    let cut = desk.put("cut.mp4", &whole[..whole.len() / 2]);
    let output = run("tadpole", ["replay", &cut]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains("panicked"), "{told}");
    assert_ne!(output.status.code(), Some(0), "half an MP4 has no index: {told}");
    assert!(told.contains("cut.mp4"), "{told}");
}

#[test]
fn bundles_cut_anywhere() {
    let desk = Desk::new();
    let whole = std::fs::read(shipped()).unwrap();
    for i in 0..50 {
        let cut = desk.put("cut.tadpole", &whole[..whole.len() * i / 50]);
        refuse("tadpole", ["model", "show", &cut], 2, &["cut.tadpole"]);
    }
    let cut = desk.put("cut.tadpole", &whole[..whole.len() / 2]);
    refuse("tadpole", ["replay", "sim://?seed=1&seconds=10", "--model", &cut], 2, &["cut.tadpole"]);
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let flipped = desk.put("flipped.tadpole", &flipped);
    refuse("tadpole", ["replay", "sim://?seed=1&seconds=10", "--model", &flipped], 2, &["flipped.tadpole"]);
}

fn npy(shape: &[u64], values: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = npyz::WriteOptions::<f32>::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    file.extend(values.iter().copied()).unwrap();
    file.finish().unwrap();
    bytes
}

#[test]
fn feature_files() {
    let desk = Desk::new();
    let mut spoilt = vec![0.5; 40];
    spoilt[23] = f32::NAN;
    for (name, bytes, parts) in [
        ("nan.npy", npy(&[4, 10], &spoilt), vec!["nan.npy", "row 3"]),
        ("none.npy", npy(&[0, 10], &[]), vec!["none.npy"]),
        ("text.npy", b"not an array".to_vec(), vec!["text.npy"]),
        ("cut.npy", npy(&[4, 10], &spoilt)[..150].to_vec(), vec!["cut.npy"]),
    ] {
        let file = desk.put(name, &bytes);
        refuse("tadpole", ["check", &file], 2, &parts);
    }
    // Fit to be read, but of another width than the model's.
    let other = desk.put("other.npy", &npy(&[4, 10], &[0.5; 40]));
    refuse("tadpole", ["replay", &format!("features://{other}")], 2, &["other.npy", "10"]);

    // The same in a data set.
    let list = b"video,label,frames,events\na,0,,\nb,1,,\n";
    desk.put("set/train.csv", list);
    desk.put("set/train/a.npy", &npy(&[4, 10], &[0.5; 40]));
    desk.put("set/train/b.npy", &npy(&[4, 10], &spoilt));
    let (set, out) = (desk.path("set").display().to_string(), desk.path("run").display().to_string());
    refuse("tadpole-trainer", ["train", &set, "--out", &out, "--steps", "1"], 2, &["b.npy"]);
    desk.put("set/train/b.npy", &npy(&[4, 9], &[0.5; 36]));
    refuse("tadpole-trainer", ["train", &set, "--out", &out, "--steps", "1"], 2, &["b.npy", "9"]);
    desk.put("set/train/b.npy", &npy(&[0, 10], &[]));
    refuse("tadpole-trainer", ["train", &set, "--out", &out, "--steps", "1"], 2, &["b.npy"]);
    desk.put("set/train.csv", b"video,label,frames,events\na,0,,\n");
    refuse("tadpole-trainer", ["train", &set, "--out", &out, "--steps", "1"], 2, &["train.csv"]);
}

#[test]
fn configs() {
    let desk = Desk::new();
    let good = std::fs::read_to_string(system_tests::root().join("deploy/tadpole.example.toml")).unwrap();
    for (what, bad, parts) in [
        ("unknown.toml", good.replacen("name =", "nmae =", 1), vec!["nmae"]),
        ("type.toml", good.replacen("min_length_s = 1.28", "min_length_s = \"long\"", 1), vec!["min_length_s"]),
        ("value.toml", good.replacen("\n[alarm]\n", "\n[alarm]\nthreshold = 7.0\n", 1), vec!["threshold"]),
        ("scheme.toml", good.replacen("\"rtsp://", "\"gopher://", 1), vec!["gopher"]),
    ] {
        assert_ne!(bad, good, "{what}: the example has nothing to spoil");
        let file = desk.put(what, bad.as_bytes());
        refuse("tadpole", ["check", &file], 2, &parts);
        refuse("tadpole", ["run", "--config", &file], 2, &parts);
    }
    refuse("tadpole", ["run", "--config", Path::new("/no/such.toml").to_str().unwrap()], 2, &["such.toml"]);
}

#[test]
fn nothing_unsigned_is_run() {
    let desk = Desk::new();
    let bundle = shipped().display().to_string();
    let stranger = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let config = format!(
        "[[camera]]\nname = \"a\"\nsource = \"sim://?seed=1&seconds=10\"\n[model]\nbundle = \"{bundle}\"\n\
         trusted_keys = [\"{stranger}\"]\n"
    );
    let file = desk.put("stranger.toml", config.as_bytes());
    refuse("tadpole", ["run", "--config", &file], 2, &["roadside-lite0.tadpole"]);
}
