//! What `tadpole calibrate` promises, held against what comes afterwards. Simulated cameras film normal traffic for hours; the rows that the
//! extractor makes of them are cut in two. The command sets the threshold in a config by the first part; the second is then judged by that
//! config, and its alarms are counted.
//!
//! Every step is done by the programs. So that hours cost seconds, pictures are small, and so is the extractor (`tests/board/small.onnx`), behind a
//! head as it ships, which 28 simulated roads have taught. Each camera has a config of its own, as on a board: cameras differ.
//! `TADPOLE_CALIBRATE_HOURS=PAST,FRESH` films each for longer, less than a day in all, `TADPOLE_CALIBRATE_CAMERAS=N` more of them, and
//! `TADPOLE_CALIBRATE_MODEL=shipped` takes the shipped model and pictures of full size: `cargo xtask soak --calibrate` does so.

#![allow(clippy::unwrap_used, clippy::maybe_infinite_iter, clippy::print_stdout)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use npyz::WriterBuilder as _;
use runtime::bundle::{Bundle, demo_keys};
use runtime::source::rows::load_npy;
use serde_json::Value;
use system_tests::{root, shipped, succeed};

/// How many cameras there are.
const CAMERAS: u64 = 2;
/// The first camera's seed, which draws its place, weather and traffic; the next has the next. Seeds that no model was trained, chosen or judged on.
const FIRST_SEED: u64 = 950_000;
/// Hours of each camera that the threshold comes from, and hours that it is held against.
const HOURS: &str = "4,6";
/// False alarms a day of one camera.
const RATE: f64 = 24.0;
/// What a row stands for, seconds.
const SEGMENT_S: f64 = 0.64;
/// Source frames of a segment.
const SEGMENT_FRAMES: u64 = 16;
/// Pictures for the small extractor, which takes 32 x 32.
const SMALL: &str = "128x72";
/// A count whose tail, under the rate at that end of the range, has less probability than this is too low or too high: 99 % in all.
const TAIL: f64 = 0.005;

#[test]
fn the_rate_on_fresh_footage_of_simulated_cameras_lies_in_the_promised_range() {
    let hours = std::env::var("TADPOLE_CALIBRATE_HOURS").unwrap_or_else(|_| HOURS.into());
    let (past, fresh) = hours.split_once(',').unwrap();
    let segments = |hours: &str| (hours.parse::<f64>().unwrap() * 3600.0 / SEGMENT_S).round() as usize;
    let (past, fresh) = (segments(past), segments(fresh));
    let folder = tempfile::tempdir().unwrap();
    let model = match std::env::var("TADPOLE_CALIBRATE_MODEL").as_deref() {
        Ok("shipped") => Model::shipped(folder.path()),
        _ => Model::small(folder.path()),
    };
    let cameras = std::env::var("TADPOLE_CALIBRATE_CAMERAS").map_or(CAMERAS, |cameras| cameras.parse().unwrap());
    let cameras = film(folder.path(), &model, cameras, past, fresh);
    let held: Vec<Held> = std::thread::scope(|scope| {
        let all: Vec<_> = cameras
            .iter()
            .map(|camera| {
                let (folder, model) = (folder.path(), &model);
                scope.spawn(move || hold(folder, model, camera, past, fresh))
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    // And of all of them together, which tells more.
    let count: u64 = held.iter().map(|one| one.count).sum();
    let (low, high): (f64, f64) = (held.iter().map(|one| one.low).sum(), held.iter().map(|one| one.high).sum());
    let counts = counts_of(low, high);
    println!("all: {count} alarms, of {low:.1} to {high:.1} expected; {counts:?} may be");
    assert!(counts.contains(&count), "{count} alarms, not {counts:?}");
}

/// What became of a promise.
struct Held {
    /// Alarms on fresh footage.
    count: u64,
    /// As many as were to be expected by the lower end of the range, at least,
    low: f64,
    /// and by the upper end, at most.
    high: f64,
}

/// Calibrate a config of one camera by its past, and hold that against what came then.
fn hold(folder: &Path, model: &Model, camera: &Camera, past: usize, fresh: usize) -> Held {
    let config = configure(folder, model, camera);
    let rate = RATE.to_string();
    let calibrate = ["calibrate", &camera.past, "--false-alarms-per-day", &rate, "--config", &config, "--json"];
    let found = json(&succeed("tadpole", calibrate));
    let number = |key: &str| found[key].as_f64().unwrap_or_else(|| panic!("no {key}: {found}"));
    let (threshold, low, high) = (number("threshold"), number("low"), number("high"));
    assert_eq!(found["segments"], past as u64, "all of it: {found}");
    assert!(0.0 < low && low < RATE && RATE < high, "{found}");
    let count = alarms(model, &config, camera, fresh, threshold);
    let days = fresh as f64 * SEGMENT_S / 86_400.0;
    let counts = counts_of(low * days, high * days);
    let told = format!(
        "{}: {count} alarms in {:.1} h of fresh footage, {:.1} a day; promised {low:.1} to {high:.1}, by which {counts:?} may be; {found}",
        camera.name,
        days * 24.0,
        count as f64 / days,
    );
    println!("{told}");
    assert!(counts.contains(&count), "{told}");
    Held { count, low: low * days, high: high * days }
}

/// A bundle, its extractor, and the size of the pictures that it gets.
struct Model {
    bundle: PathBuf,
    extractor: PathBuf,
    size: &'static str,
}

impl Model {
    /// A small one, made here.
    fn small(folder: &Path) -> Self {
        let path = |name: &str| folder.join(name).display().to_string();
        let extractor = root().join("tests/board/small.onnx");
        let key = root().join("models/demo-signing-key.pem").display().to_string();
        let (graph, roads, rows, run) = (extractor.display().to_string(), path("roads"), path("learnt"), path("run"));
        let bundle = folder.join("small.tadpole");
        let line = |line: &str, more: &[&str]| {
            succeed("tadpole-trainer", line.split(' ').chain(more.iter().copied()));
        };
        line("simulate --videos 28 --seed 5 --min-seconds 42 --max-seconds 45 --size", &[SMALL, &roads]);
        line("extract --extractor", &[&graph, &roads, &rows]);
        let taught = "train --steps 120 --pairs 4 --learning-rate 3e-4 --seed 1 --validation-share 0 --out";
        line(taught, &[&run, &rows]);
        line("export --extractor", &[&graph, "--sign", &key, "--out", &path("small.tadpole"), &run]);
        Self { bundle, extractor, size: SMALL }
    }

    /// The one that ships.
    fn shipped(folder: &Path) -> Self {
        let bundle = Bundle::open(shipped(), &demo_keys()).unwrap();
        let extractor = folder.join("shipped.onnx");
        fs::write(&extractor, bundle.require_extractor().unwrap()).unwrap();
        let contract = serde_json::to_vec(&bundle.manifest.contract).unwrap();
        fs::write(folder.join("shipped.contract.json"), contract).unwrap();
        Self { bundle: shipped(), extractor, size: "640x360" }
    }
}

/// Recorded rows of a camera: URIs.
struct Camera {
    name: String,
    past: String,
    fresh: String,
}

/// Film each camera without a break, extract, and cut in two.
fn film(folder: &Path, model: &Model, cameras: u64, past: usize, fresh: usize) -> Vec<Camera> {
    let videos = folder.join("videos");
    fs::create_dir_all(videos.join("train")).unwrap();
    let mut list = String::from("video,label,frames,events\n");
    // And half a segment, so that the last whole one is so beyond doubt.
    let frames = (past + fresh) as u64 * SEGMENT_FRAMES + SEGMENT_FRAMES / 2;
    for n in 0..cameras {
        writeln!(list, "camera-{n},0,{frames},").unwrap();
        let (seed, seconds) = (FIRST_SEED + n, frames as f64 / 25.0);
        let uri = format!("sim://?seed={seed}&seconds={seconds}&incident=none&size={}\n", model.size);
        fs::write(videos.join(format!("train/camera-{n}.sim")), uri).unwrap();
    }
    fs::write(videos.join("train.csv"), list).unwrap();
    let rows = folder.join("rows");
    let (from, graph, to) =
        (videos.display().to_string(), model.extractor.display().to_string(), rows.display().to_string());
    succeed("tadpole-trainer", ["extract", &from, "--extractor", &graph, &to]);

    // What a data set has beside its rows, they have here.
    fs::copy(rows.join("contract.json"), folder.join("contract.json")).unwrap();
    for part in ["past", "fresh"] {
        fs::create_dir(folder.join(part)).unwrap();
    }
    let camera = |n: u64| {
        let name = format!("camera-{n}");
        let all = load_npy(&rows.join(format!("train/{name}.npy"))).unwrap();
        assert_eq!((all.rows, all.crops), (past + fresh, 1), "{name}");
        let write = |part: &str, values: &[f32]| {
            let file = folder.join(part).join(format!("{name}.npy"));
            write_npy(&file, values, all.width);
            format!("features://{}", file.display())
        };
        let (before, after) = all.data.split_at(past * all.width);
        Camera { past: write("past", before), fresh: write("fresh", after), name }
    };
    (0..cameras).map(camera).collect()
}

fn write_npy(file: &Path, values: &[f32], width: usize) {
    let shape = [(values.len() / width) as u64, width as u64];
    let out = std::io::BufWriter::new(fs::File::create(file).unwrap());
    let mut writer = npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape).writer(out).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
}

/// A config of a camera, without a threshold; its path.
fn configure(folder: &Path, model: &Model, camera: &Camera) -> String {
    let bundle = model.bundle.display().to_string();
    let shown = json(&succeed("tadpole", ["model", "show", "--json", &bundle]));
    let key = shown["signature"]["key"].as_str().unwrap();
    let Camera { name, fresh, .. } = camera;
    let text = format!(
        "[[camera]]\nname = \"{name}\"\nsource = \"{fresh}\"\n[model]\nbundle = \"{bundle}\"\ntrusted_keys = [\"{key}\"]\n\
         engine = \"tract\"\n"
    );
    let config = folder.join(format!("{name}.toml"));
    fs::write(&config, text).unwrap();
    config.display().to_string()
}

/// Alarms that the config, as it stands now, raises on a camera's fresh footage.
fn alarms(model: &Model, config: &str, camera: &Camera, segments: usize, threshold: f64) -> u64 {
    let bundle = model.bundle.display().to_string();
    let args = ["replay", &camera.fresh, "--model", &bundle, "--config", config, "--json"];
    let report = json(&succeed("tadpole", args));
    let name = &camera.name;
    assert_eq!(report["segments"], segments as u64, "{name}");
    let used = report["threshold"].as_f64().unwrap();
    assert!((used - threshold).abs() <= 1e-6 * threshold, "{name}: {used} and not {threshold}");
    report["alarms"].as_array().unwrap().len() as u64
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not one JSON object ({error}): {text}"))
}

/// Probability of at most `count` alarms where `mean` of them are expected, independent of each other (Poisson).
fn at_most(count: u64, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for k in 1..=count {
        term *= mean / k as f64;
        sum += term;
    }
    sum
}

/// Counts that do not speak against a mean from `low` to `high`: those whose exact two-sided 99 % interval (Garwood, Biometrika 28, 1936)
/// reaches into it.
fn counts_of(low: f64, high: f64) -> std::ops::RangeInclusive<u64> {
    let first = (0..).find(|count| at_most(*count, low) >= TAIL).unwrap_or(0);
    let beyond = (first..).find(|count| 1.0 - at_most(*count, high) < TAIL).unwrap_or(first);
    first..=beyond
}

#[test]
fn a_count_is_held_against_both_ends_of_a_range() {
    assert!((at_most(2, 5.0) - 0.124_652).abs() < 1e-6 && (at_most(0, 3.0) - 0.049_787).abs() < 1e-6);
    assert_eq!(counts_of(6.5, 20.5), 1..=33);
    assert_eq!(counts_of(5.0, 30.0), 0..=45);
    assert_eq!(counts_of(60.0, 160.0).start(), &41);
}
