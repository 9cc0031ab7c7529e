//! The power of a real firmware goes (`kill -9`) at any time while models are pushed to it: whatever it was doing, the next start runs a model
//! that every check is passed by. `TADPOLE_KILLS` says how often; `cargo xtask soak --kill` has it killed a thousand times.

#![allow(clippy::unwrap_used)]

#[path = "common/firmware.rs"]
mod firmware;
#[path = "common/models.rs"]
mod models;
#[path = "common/site.rs"]
mod site;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use models::{Kind, release};
use site::Site;
use system_tests::succeed;
use trainer::site::client::Package;

/// The longest life after the model was loaded.
const LIFE_MAX: Duration = Duration::from_millis(1800);

#[test]
fn a_firmware_that_is_killed_at_any_time_starts_with_a_valid_model() {
    let kills: u32 = std::env::var("TADPOLE_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let site = Site::new(&["pole-1"], "stage_s = 5\ndrift = 1.0");
    let pole = &site.poles[0];
    let packages: Vec<_> =
        [2, 3].map(|number| Package::read(release(site.folder.path(), number, Kind::Good, 1).as_ref()).unwrap()).into();
    let done = AtomicBool::new(false);
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    std::thread::scope(|scope| {
        // Somebody pushes all the time, and is never discouraged.
        scope.spawn(|| {
            for package in packages.iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let client = site.client(pole);
                let sent = client.upload(package, |_| !done.load(Ordering::Relaxed));
                if sent.is_ok_and(|arrived| arrived.whole) {
                    let _ = client.activate(&package.id);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        for kill in 0..kills {
            let firmware = pole.start();
            // Golden section steps: evenly spread, whatever their number.
            std::thread::sleep(LIFE_MAX.mul_f64((f64::from(kill) * 0.618_034).fract()));
            firmware.kill();
            let config = pole.config.display().to_string();
            let checked = succeed("tadpole", ["check", &config]);
            assert!(checked.contains("trusted"), "{checked}");
            let list = succeed("tadpole", ["model", "list", "--json", "--config", &config]);
            let list: serde_json::Value = serde_json::from_str(&list).unwrap();
            let stage = list["trial"]["stage"].as_str().unwrap_or("no trial");
            let state = format!("current {}, {stage}", list["current"]["release"]);
            *found.entry(state).or_default() += 1;
        }
        done.store(true, Ordering::Relaxed);
    });
    drop(pole.start());
    println!("{kills} kills, {kills} starts with a valid model; found: {found:?}");
}
