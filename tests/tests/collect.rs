//! The way from an alarm to the next model, with the real programs: a camera raises an alarm, somebody marks it on its page, it is collected over the
//! network with its features, and a training learns from it.

#![allow(clippy::unwrap_used)]

#[path = "common/firmware.rs"]
mod firmware;
#[path = "common/models.rs"]
mod models;
#[path = "common/site.rs"]
mod site;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use site::{Pole, Site};
use system_tests::{numbers, refuse, run, succeed};
use trainer::dataset::{Dataset, Entry, Split, Writer};

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ask the page at a port of this machine; nothing when it is not there, or refuses.
fn ask(port: u16, request: &str, body: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let head = format!(
        "{request} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nX-Tadpole: 1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1.1 200"))?;
    serde_json::from_str(body).ok()
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Collect from all cameras of a site; what is told of the first.
fn collect(site: &Site, folder: &str) -> Value {
    let (from, path) = (site.to(), site.path());
    let output = run("tadpole-trainer", ["collect", "--from", &from, "--site", &path, folder, "--json"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    json["cameras"][0].clone()
}

/// A data set of the same contract to learn from.
fn data_set(root: &Path, collected: &Dataset) {
    let mut writer = Writer::create(root, collected.contract.clone()).unwrap();
    for i in 0..8 {
        let entry = Entry { video: format!("v{i}"), abnormal: i % 2 == 1, frames: None, events: vec![] };
        writer.add(Split::Train, entry, &numbers(i, 70 * collected.width())).unwrap();
    }
    writer.finish().unwrap();
}

/// Give a camera's firmware a page, and a second camera that raises an alarm soon and ends; the page's port.
fn with_page(pole: &Pole) -> u16 {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = std::fs::read_to_string(&pole.config).unwrap();
    let more = format!(
        "[[camera]]\nname = \"short\"\nsource = \"sim://?seed=1&seconds=12\"\n[page]\nlisten = \"127.0.0.1:{port}\"\n\
         [alarm]\nthreshold = 0.000001\nmin_length_s = 0\n"
    );
    std::fs::write(&pole.config, text + &more).unwrap();
    port
}

#[test]
fn a_marked_alarm_comes_back_and_is_learned_from() {
    let site = Site::new(&["pole-1"], "stage_s = 5");
    let port = with_page(&site.poles[0]);
    let _running = site.poles[0].start();
    let marks = site.folder.path().join("marks").display().to_string();
    assert_eq!(collect(&site, &marks)["new"], 0, "nobody has marked anything");

    let key = until("the alarm", || {
        let told = ask(port, "GET /api/alarms", "")?;
        let alarm = told["alarms"].as_array()?.iter().find(|alarm| alarm["camera"] == "short")?;
        Some(alarm["key"].as_str()?.to_owned())
    });
    let mark = |what: Value| {
        let body = json!({ "mark": what }).to_string();
        until("the mark", || ask(port, &format!("POST /api/alarms/{key}/mark"), &body));
    };
    // At once: its rows come later, and are collected then.
    mark("false".into());
    until("its features", || (collect(&site, &marks)["false"] == 1).then_some(()));
    let told = collect(&site, &marks);
    assert_eq!((&told["new"], &told["false"], &told["without_features"]), (&0.into(), &1.into(), &0.into()), "{told}");
    let dataset = Dataset::open(Path::new(&marks)).unwrap();
    let video = &dataset.videos(Split::Train).unwrap()[0];
    assert!(!video.entry.abnormal && (8..=19).contains(&video.header.rows), "{video:?}");

    mark(Value::Null);
    assert_eq!(collect(&site, &marks)["taken_back"], 1);
    mark("true".into());
    let told = collect(&site, &marks);
    assert_eq!((&told["new"], &told["false"], &told["true"]), (&1.into(), &0.into(), &1.into()), "{told}");
    let collected = Dataset::open(Path::new(&marks)).unwrap();
    assert_eq!(collected.videos(Split::Train).unwrap()[0].entry.events.len(), 1);

    let path = |name: &str| site.folder.path().join(name).display().to_string();
    let (data, out) = (path("data"), path("run"));
    data_set(Path::new(&data), &collected);
    let train = ["train", &data, "--model", "mil", "--steps", "2", "--pairs", "2", "--out", &out, "--add", &marks];
    succeed("tadpole-trainer", train);
    let run: Value = serde_json::from_slice(&std::fs::read(Path::new(&out).join("run.json")).unwrap()).unwrap();
    assert_eq!((&run["dataset"]["videos"], &run["dataset"]["added"]), (&9.into(), &json!([marks])));

    // Nobody of that name there.
    let from = site.to().replace("pole-1=", "pole-2=");
    let (path, more) = (site.path(), path("more"));
    let strange = ["collect", "--from", &from, "--site", &path, "--silence", "0", &more];
    refuse("tadpole-trainer", strange, 1, &["1 of 1 cameras"]);
}
