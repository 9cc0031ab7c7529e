//! The page as browsers and programs meet it: over HTTP on loopback, before a board that the test fills. The browser itself is tried in the
//! package `system-tests`.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::board::Point;
use super::desk::{Ear, Mute, Parts};
use super::frames::Tap;
use super::marks::Marks;
use super::*;
use crate::health::{Health, SystemClock};
use crate::output::event::tests::{ended, started};
use crate::output::gpio::{GpioRelay, MemoryPin, Polarity};
use crate::output::{AlarmEvent, Outputs};
use crate::pipeline::watch::{Shared, lock};
use crate::source::mask::{PrivacyMask, Shapes};
use crate::source::open::{Opened, open};
use crate::source::{Frame, Source};

/// Alarms that are silenced, as far as the page knows.
#[derive(Clone, Default)]
struct Quiet(Arc<Mutex<Duration>>);

impl Mute for Quiet {
    fn mute(&self, time: Duration) {
        *self.0.lock().unwrap() = time;
    }

    fn left(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

/// A page of one camera, `north`, that is not served yet.
struct Parted {
    desk: Arc<Desk>,
    board: Arc<Board>,
    outputs: Shared<Outputs>,
    pin: MemoryPin,
    mask: PrivacyMask,
    source: Box<dyn Source>,
    folder: tempfile::TempDir,
}

/// A page that is served, of one camera that the test plays.
struct Played {
    address: SocketAddr,
    board: Arc<Board>,
    outputs: Shared<Outputs>,
    pin: MemoryPin,
    mask: PrivacyMask,
    source: Box<dyn Source>,
    folder: tempfile::TempDir,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Parted {
    fn new(password: Option<&str>) -> Self {
        let (clock, folder, pin) = (SystemClock::start(), tempfile::tempdir().unwrap(), MemoryPin::new());
        let (ear, alarms) = Ear::new(Box::new(clock));
        let mut outputs = Outputs::default();
        outputs.push(GpioRelay::new(pin.clone(), Polarity::ActiveHigh).unwrap());
        outputs.push(ear);
        let (outputs, board) = (Arc::new(Mutex::new(outputs)), Arc::new(Board::new(1)));
        let mask = PrivacyMask::new(Shapes::default());
        let source = mask.over(open("sim://?seed=1&seconds=60&light=day").unwrap());
        let Opened::Frames(source) = Tap::on(source, board.frames(0).unwrap()) else { panic!("rows") };
        let desk = Arc::new(Desk::new(Parts {
            cameras: vec!["north".into()],
            masks: vec![mask.clone()],
            healths: vec![Arc::new(Mutex::new(Health::new("north", false, Duration::ZERO)))],
            board: Arc::clone(&board),
            clock: Box::new(clock),
            outputs: Arc::clone(&outputs),
            alarms,
            model: Box::new(Default::default),
            shed: Shared::default(),
            sensors: Default::default(),
            store: None,
            password: password.map(str::to_owned),
            marks: Some(Marks::new(folder.path())),
            config: Some(folder.path().join("config.toml")),
            mute: Some(Box::new(Quiet::default())),
            outbox: None,
            recorder: None,
        }));
        Self { desk, board, outputs, pin, mask, source, folder }
    }
}

impl Played {
    fn new(password: Option<&str>) -> Self {
        let Parted { desk, board, outputs, pin, mask, source, folder } = Parted::new(password);
        let ended = Arc::new(AtomicBool::new(false));
        let (say, hear) = sync_channel(1);
        let stop = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let told = |address| say.send(address).unwrap();
            serve((Ipv4Addr::LOCALHOST, 0).into(), &desk, &told, &|| stop.load(Ordering::Relaxed))
        });
        let address = hear.recv_timeout(Duration::from_secs(20)).unwrap();
        Self { address, board, outputs, pin, mask, source, folder, ended, thread: Some(thread) }
    }

    /// The camera has scored another segment.
    fn segment(&self, number: u64, score: f32) {
        let at = Duration::from_millis(640 * number);
        let point = Point { number, at, start_s: 0.0, end_s: 0.64, score, held: false };
        let mut panel = self.board.panel(0).unwrap();
        panel.add(point, Some((&[200; 4 * 4 * 3], 4, 4)), &[score; 3]);
        panel.threshold = Some(0.5);
    }

    fn tell(&self, event: &AlarmEvent) {
        assert!(lock(&self.outputs).alarm(event).is_empty());
    }

    /// Send a request with these header lines, and read the answer's status, headers and body.
    fn send(&self, line: &str, headers: &[&str], body: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|header| header.starts_with("Host:")) {
            request += &format!("Host: {}\r\n", self.address);
        }
        headers.iter().for_each(|header| request += &format!("{header}\r\n"));
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), answer[end + 4..].to_vec())
    }

    fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.send(&format!("GET {path}"), &[], "");
        assert_eq!(status, 200, "{path}");
        serde_json::from_slice(&body).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let headers = ["Content-Type: application/json", "X-Tadpole: 1"];
        let (status, _, body) = self.send(&format!("POST {path}"), &headers, &body.to_string());
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[allow(clippy::unused_self)]
    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        for _ in 0..200 {
            if done() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("never: {what}");
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let served = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            served.unwrap().unwrap();
        }
    }
}

#[test]
fn files_are_served_with_a_policy_and_others_are_not_there() {
    let page = Played::new(None);
    let (status, head, body) = page.send("GET /", &[], "");
    assert_eq!(status, 200);
    assert!(head.contains("content-security-policy: default-src 'none'") && head.contains("text/html"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("page.js"));
    assert_eq!(page.send("GET /../etc/passwd", &[], "").0, 404);
    assert_eq!(page.send("POST /", &["X-Tadpole: 1"], "").0, 405);
    let (status, head, _) = page.send("GET /api/nothing", &[], "");
    assert!(status == 404 && head.contains("application/problem+json"), "{head}");
}

#[test]
fn pages_of_others_and_names_of_others_are_refused() {
    let page = Played::new(None);
    assert_eq!(page.send("GET /api/cameras", &["Host: evil.example:8480"], "").0, 403);
    assert_eq!(page.send("POST /api/test-alarm", &[], "").0, 403, "a form can send this");
    let origin = ["X-Tadpole: 1", "Origin: http://evil.example"];
    assert_eq!(page.send("POST /api/test-alarm", &origin, "").0, 403);
    assert!(!page.pin.level_is_high());
}

#[test]
fn whoever_is_not_signed_in_sees_nothing_but_the_door() {
    let page = Played::new(Some("wide verge 12"));
    for path in ["/api/cameras", "/api/cameras/north/snapshot.jpg", "/events", "/metrics", "/page.js"] {
        assert_eq!(page.send(&format!("GET {path}"), &[], "").0, 401, "{path}");
    }
    let (status, head, _) = page.send("GET /", &[], "");
    assert!(status == 303 && head.contains("location: /login"), "{head}");
    assert_eq!(page.send("GET /login", &[], "").0, 200);
    assert_eq!(page.post("/api/enter", &json!({ "password": "wide verge 13" })).0, 403);
    assert_eq!(page.post("/api/test-alarm", &json!({})).0, 401);
    let headers = ["Content-Type: application/json", "X-Tadpole: 1"];
    let (status, head, _) = page.send("POST /api/enter", &headers, r#"{"password":"wide verge 12"}"#);
    assert_eq!(status, 200, "{head}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{cookie}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(page.send("GET /api/cameras", &[&cookie], "").0, 200);
    assert_eq!(page.send("GET /metrics", &["Authorization: Basic eDp3aWRlIHZlcmdlIDEy"], "").0, 200, "x:wide verge 12");
    page.send("POST /api/leave", &[&cookie, "X-Tadpole: 1"], "");
    assert_eq!(page.send("GET /api/cameras", &[&cookie], "").0, 401);
}

#[test]
fn whoever_has_a_certificate_is_asked_for_no_password_but_pages_of_others_are_kept_out() {
    let pages = for_known(&Parted::new(Some("wide verge 12")).desk);
    let ask = |request: axum::http::request::Builder| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let request = request.header("host", "pole-12:8443").body(axum::body::Body::empty()).unwrap();
        let response = runtime.block_on(pages(request));
        (response.status().as_u16(), response.headers().contains_key("content-security-policy"))
    };
    let (get, post) = (axum::http::Request::get, axum::http::Request::post);
    assert_eq!(ask(get("/api/cameras")), (200, true));
    assert_eq!(ask(post("/api/leave").header("x-tadpole", "1").header("origin", "https://pole-12:8443")), (200, true));
    assert_eq!(ask(post("/api/leave").header("x-tadpole", "1").header("origin", "https://evil.example")), (403, true));
    assert_eq!(ask(post("/api/leave")), (403, true));
}

#[test]
fn an_alarm_comes_with_the_segments_that_raised_it_and_is_marked() {
    let page = Played::new(None);
    (10..=20).for_each(|number| page.segment(number, 0.05 * number as f32));
    page.tell(&started("north", 1));
    page.until("the alarm", || page.get("/api/alarms")["alarms"][0]["segments"] == 7);
    page.segment(21, 0.2);
    page.tell(&AlarmEvent { segment: 21, ..ended("north", 1) });
    page.until("its end", || page.get("/api/alarms")["alarms"][0]["segments"] == 8);
    let sheet = page.get("/api/alarms/1/contact-sheet");
    let raised: Vec<_> = sheet["segments"].as_array().unwrap().iter().filter(|cell| cell["raised"] == true).collect();
    assert_eq!((raised.len(), &raised[0]["number"], &sheet["threshold"]), (1, &20.into(), &0.5.into()));
    assert!(raised[0]["image"].as_str().unwrap().starts_with("data:image/jpeg;base64,"));

    let (status, told) = page.post("/api/alarms/1/mark", &json!({ "mark": "false" }));
    assert_eq!((status, &told["mark"]), (200, &"false".into()));
    let kept = || -> Value {
        let lines = std::fs::read_to_string(page.folder.path().join(marks::FILE)).unwrap();
        serde_json::from_str(lines.lines().last().unwrap()).unwrap()
    };
    page.until("its rows", || !kept()["rows"].is_null());
    let kept = kept();
    assert_eq!(
        (&kept["mark"], &kept["rows"]["segments"], &kept["camera"]),
        (&"false".into(), &12.into(), &"north".into())
    );
    assert_eq!(page.post("/api/alarms/1/mark", &json!({ "mark": "perhaps" })).0, 400);
    assert_eq!(page.post("/api/alarms/2/mark", &json!({ "mark": null })).0, 404);
}

#[test]
fn a_mark_that_is_faster_than_its_rows_is_kept_again_with_them() {
    let page = Played::new(None);
    (10..=20).for_each(|number| page.segment(number, 0.5));
    page.tell(&started("north", 1));
    page.until("the alarm", || page.get("/api/alarms")["alarms"][0]["segments"] == 7);
    assert_eq!(page.post("/api/alarms/1/mark", &json!({ "mark": "true" })).0, 200);
    let kept = || -> Vec<Value> {
        let lines = std::fs::read_to_string(page.folder.path().join(marks::FILE)).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert!(kept().len() == 1 && kept()[0]["rows"].is_null());
    (21..=60).for_each(|number| page.segment(number, 0.5));
    page.until("its rows", || kept().len() == 2);
    let kept = kept();
    assert_eq!((&kept[1]["mark"], &kept[1]["rows"]["segments"]), (&"true".into(), &51.into()));
    assert_eq!(kept[0]["event"], kept[1]["event"]);
}

#[test]
fn events_tell_what_happens_and_end_when_nobody_listens() {
    let page = Played::new(None);
    let mut stream = TcpStream::connect(page.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", page.address).as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut hear = |name: &str| -> Value {
        let event = format!("event: {name}");
        lines.find(|line| line.as_ref().unwrap().ends_with(&event)).unwrap().unwrap();
        serde_json::from_str(lines.next().unwrap().unwrap().strip_prefix("data: ").unwrap()).unwrap()
    };
    assert!(hear("time")["now_s"].is_number());
    assert_eq!(hear("health")["state"], "ok");
    page.segment(5, 0.75);
    let told = hear("score");
    assert_eq!((&told["camera"], &told["score"], &told["threshold"]), (&"north".into(), &0.75.into(), &0.5.into()));
    page.tell(&started("north", 1));
    assert_eq!(hear("alarm")["ended_at_s"], Value::Null);
}

#[test]
fn a_mask_that_is_drawn_hides_what_it_covers_at_once_and_is_saved() {
    let mut page = Played::new(None);
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let config = page.folder.path().join("config.toml");
    let text = format!(
        "# ours\n[[camera]]\nname = \"north\"\nsource = \"sim://?seed=1\"\n[model]\nbundle = \"/b\"\ntrusted_keys = [\"{key}\"]\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut frame = Frame::default();
    let mut see = |page: &mut Played| {
        let (line, ready) = ("GET /api/cameras/north/snapshot.jpg", AtomicBool::new(false));
        let picture = std::thread::scope(|scope| {
            let (address, ready) = (page.address, &ready);
            let asking = scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let request = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
                stream.write_all(request.as_bytes()).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                ready.store(true, Ordering::SeqCst);
                answer
            });
            while !ready.load(Ordering::SeqCst) {
                page.source.advance().unwrap();
                page.source.read(&mut frame).unwrap();
                std::thread::sleep(Duration::from_millis(10));
            }
            asking.join().unwrap()
        });
        let begin = picture.windows(2).position(|two| two == [0xff, 0xd8]).unwrap();
        image::load_from_memory(&picture[begin..]).unwrap().to_luma8()
    };
    let before = see(&mut page);
    let bright = |picture: &image::GrayImage| picture.get_pixel(picture.width() / 4, picture.height() / 4).0[0];
    assert!(bright(&before) > 40, "the sky is not black: {}", bright(&before));
    let half = json!([[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]);
    let (status, told) = page.post("/api/cameras/north/masks", &json!({ "mask": half, "region": [] }));
    assert_eq!((status, &told["saved"]), (200, &true.into()), "{told}");
    assert_eq!(page.mask.shapes().mask.len(), 1);
    let after = see(&mut page);
    assert!(bright(&after) < 8, "{}", bright(&after));
    assert!(std::fs::read_to_string(&config).unwrap().starts_with("# ours\n"));
    assert!(std::fs::read_to_string(&config).unwrap().contains("mask = ["));
    assert_eq!(page.get("/api/cameras")["cameras"][0]["masks"].as_array().unwrap().len(), 1);
    assert_eq!(page.post("/api/cameras/north/masks", &json!({ "mask": [[[0, 0]]], "region": [] })).0, 400);
}

#[test]
fn the_relay_is_tried_and_alarms_are_silenced() {
    let page = Played::new(None);
    assert_eq!(page.post("/api/test-alarm", &json!({})).0, 202);
    assert!(page.pin.level_is_high());
    assert_eq!(page.post("/api/test-alarm", &json!({})).0, 409, "one at a time");
    page.until("the end of the test", || !page.pin.level_is_high());
    page.until("its entry", || page.get("/api/alarms")["alarms"][0]["test"] == true);
    assert_eq!(page.post("/api/mute", &json!({ "minutes": 30 })).1["muted_s"], 1800);
    assert_eq!(page.post("/api/mute", &json!({ "minutes": 100_000 })).0, 400);
    assert_eq!(page.post("/api/mute", &json!({ "minutes": 0 })).1["muted_s"], 0);
}

#[test]
fn the_reference_names_exactly_the_requests_that_there_are() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/page.md");
    let text = std::fs::read_to_string(file).unwrap();
    let told: HashSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .filter(|request| request.starts_with("GET /") || request.starts_with("POST /"))
        .map(str::to_owned)
        .collect();
    let given: HashSet<String> =
        routes::table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(told, given);
}
