//! The live page in a browser, before the demo: the score moves, an alarm comes with the pictures that raised it, is marked, and a mask that is drawn is
//! seen in the picture. A headless Chromium is driven by its DevTools protocol, over two pipes; without one the test skips, loudly.
//!
//! With `TADPOLE_SCREENSHOTS=FOLDER` it leaves pictures there, which are looked at and kept in docs/.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use system_tests::{program, root};

const PHONE: (u32, u32) = (390, 844);
const DESKTOP: (u32, u32) = (1280, 800);

/// A program that is killed at the end whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The demo with its page, and where that is.
fn demo() -> (Running, String) {
    let mut demo = Command::new(program("tadpole"));
    demo.current_dir(root()).args(["demo", "--seconds", "150", "--port", "0", "--json"]);
    let mut child = demo.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = lines.find_map(|line| Some(line.unwrap().split_once("page: ")?.1.trim().to_owned())).unwrap();
    // Whoever says more is heard, or would wait.
    std::thread::spawn(move || lines.for_each(drop));
    (Running(child), url)
}

/// A Chromium to drive.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&named).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}

/// A browser with one page.
struct Browser {
    _child: Running,
    commands: File,
    answers: BufReader<File>,
    session: Option<String>,
    count: u64,
    /// What its scripts failed in, and what its policy refused.
    faults: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Browser {
    fn start(chromium: &std::path::Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").args([path("in"), path("out")]).status().unwrap().success());
        // It reads commands from descriptor 3 and answers on 4, each ended by a zero byte.
        let script = r#"exec "$0" --headless=new --no-sandbox --disable-gpu --remote-debugging-pipe --user-data-dir="$1/profile" about:blank 3<"$1/in" 4>"$1/out""#;
        let child =
            Command::new("sh").args(["-c", script]).arg(chromium).arg(folder.path()).stderr(Stdio::null()).spawn();
        let child = Running(child.unwrap());
        let commands = File::options().write(true).open(path("in")).unwrap();
        let answers = BufReader::new(File::open(path("out")).unwrap());
        let mut browser =
            Self { _child: child, commands, answers, session: None, count: 0, faults: Vec::new(), _folder: folder };
        let begun = Instant::now();
        let target = loop {
            let targets = browser.call("Target.getTargets", json!({}));
            let page =
                targets["targetInfos"].as_array().unwrap().iter().find(|target| target["type"] == "page").cloned();
            if let Some(page) = page {
                break page["targetId"].clone();
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no page");
            std::thread::sleep(Duration::from_millis(100));
        };
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.count += 1;
        let mut command = json!({ "id": self.count, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let mut message = Vec::new();
            self.answers.read_until(0, &mut message).unwrap();
            assert!(message.pop().is_some(), "the browser has ended");
            let message: Value = serde_json::from_slice(&message).unwrap();
            let security = message["params"]["entry"]["source"] == "security";
            if message["method"] == "Runtime.exceptionThrown" || security {
                self.faults.push(message["params"].to_string());
            }
            if message["id"] == self.count {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    fn size(&mut self, (width, height): (u32, u32), dark: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'", 20);
    }

    /// The value of a script.
    fn eval(&mut self, script: &str) -> Value {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        self.call("Runtime.evaluate", params)["result"]["value"].clone()
    }

    /// Wait until a script says true.
    fn until(&mut self, script: &str, seconds: u64) {
        let begun = Instant::now();
        while self.eval(script) != true {
            assert!(begun.elapsed() < Duration::from_secs(seconds), "never: {script}; {:?}", self.faults);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn click(&mut self, selector: &str) {
        self.eval(&format!("document.querySelector('{selector}').click()"));
    }

    /// Press the mouse at a share of an element's width and height.
    fn press(&mut self, selector: &str, x: f64, y: f64) {
        let script = format!(
            "(() => {{ const box = document.querySelector('{selector}').getBoundingClientRect(); \
             return [box.left + {x} * box.width, box.top + {y} * box.height]; }})()"
        );
        let at = self.eval(&script);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Leave a picture of the whole page where one is wanted.
    fn shoot(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("TADPOLE_SCREENSHOTS").map(PathBuf::from) else { return };
        let size = self.eval("[innerWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]");
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let taken = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true, "clip": clip }));
        let png = BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }
}

/// The colour of the demo's snapshot at a quarter of its width and height, as the page gets it.
const QUARTER: &str = "(async () => { \
    const file = await (await fetch('/api/cameras/demo/snapshot.jpg')).blob(); \
    const picture = await createImageBitmap(file); \
    const canvas = new OffscreenCanvas(picture.width, picture.height); \
    const pen = canvas.getContext('2d'); pen.drawImage(picture, 0, 0); \
    return Math.max(...pen.getImageData(picture.width / 4, picture.height / 4, 1, 1).data.slice(0, 3)); })()";

#[test]
fn the_demo_is_watched_its_alarm_marked_and_a_mask_drawn() {
    let Some(chromium) = chromium() else {
        eprintln!("SKIPPED: no Chromium; install Debian's package `chromium`");
        return;
    };
    let (_demo, url) = demo();
    let mut browser = Browser::start(&chromium);
    browser.size(PHONE, true);
    browser.open(&url);

    // The score moves, and there is a picture.
    browser.until("/^[01]\\.\\d\\d+$/.test(document.querySelector('.score b')?.textContent)", 30);
    browser
        .eval("scores = new Set(); setInterval(() => scores.add(document.querySelector('.score b').textContent), 100)");
    browser.until("scores.size > 3", 60);
    browser.until("document.querySelector('.picture').naturalWidth > 100", 20);
    browser.until("document.querySelector('#state').textContent === 'all well'", 20);

    // An alarm, with what raised it.
    browser.until("document.querySelector('.alarm .thumb')?.naturalWidth > 0", 120);
    browser.eval("document.querySelector('.alarm details').open = true");
    browser.until("document.querySelectorAll('.segments figure').length > 6", 20);
    browser.until("[...document.querySelectorAll('.segments img')].every((image) => image.naturalWidth > 0)", 10);
    browser.until("document.querySelector('.segments figure.over') !== null", 10);
    browser.shoot("page-phone");
    browser.click(".alarm .false");
    browser.until("document.querySelector('.alarm .mark').textContent === 'false'", 10);
    let told = browser.eval("fetch('/api/alarms').then((reply) => reply.json())");
    assert_eq!(told["alarms"][0]["mark"], "false", "{told}");

    // A mask.
    browser.open(&format!("{url}masks?camera=demo"));
    browser.until("document.querySelector('#picture').naturalWidth > 100", 20);
    let before = browser.eval(QUARTER).as_f64().unwrap();
    for (x, y) in [(0.02, 0.02), (0.5, 0.02), (0.5, 0.5), (0.02, 0.5), (0.02, 0.02)] {
        browser.press("#drawing", x, y);
    }
    browser.until("document.querySelectorAll('.shapes .mask').length === 1", 5);
    browser.until("document.querySelector('#toml').textContent.includes('mask = [')", 5);
    browser.click("#save");
    browser.until("document.querySelector('#said').textContent.includes('holds')", 10);
    let after = browser.eval(QUARTER).as_f64().unwrap();
    assert!(after < 10.0 && before > after + 8.0, "the mask is not in the picture: {before}, {after}");
    browser.shoot("masks-phone");

    browser.size(DESKTOP, false);
    browser.open(&url);
    browser.until("document.querySelectorAll('.camera .shapes .mask').length === 1", 20);
    browser.until("document.querySelector('.picture').naturalWidth > 100 && document.querySelector('.alarm .thumb').naturalWidth > 0", 20);
    browser.shoot("page-desktop");
    assert_eq!(browser.faults, Vec::<String>::new());
}
