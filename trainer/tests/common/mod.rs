//! A small made-up data set that can be learned: abnormal videos hold a burst in which one feature jumps.

// Each test uses some of it.
#![allow(dead_code)]

use std::path::Path;

use firmware_config::FeatureContract;
use trainer::dataset::{Dataset, Entry, Split, Writer};
use trainer::model::{Model, ModelConfig};
use trainer::train::{Preset, Settings};

/// Width of its rows.
pub const WIDTH: usize = 12;

/// A number in -1..1 from an index (a fixed hash: the data never changes).
fn noise(i: u64) -> f32 {
    let mut x = i.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
}

/// Write and open it: 24 training and 12 test videos of 40 rows.
pub fn separable(root: &Path) -> Dataset {
    let mut writer = Writer::create(root, FeatureContract::external(WIDTH as u32)).unwrap();
    for (split, count) in [(Split::Train, 24), (Split::Test, 12)] {
        for i in 0..count {
            let abnormal = i % 2 == 1;
            let (burst, rows) = (10 + i..20 + i, 40);
            let mut data = Vec::new();
            for row in 0..rows {
                for d in 0..WIDTH {
                    let base = noise(((i * 1000 + row) * 100 + d) as u64 + split as u64 * 10_000_000);
                    data.push(base + if abnormal && burst.contains(&row) && d < 3 { 4.0 } else { 0.0 });
                }
            }
            // Four frames a row; events are 1-based and inclusive.
            let events = if abnormal && split == Split::Test {
                vec![(burst.start as u64 * 4 + 1, burst.end.min(rows) as u64 * 4)]
            } else {
                vec![]
            };
            let entry = Entry { video: format!("video{i}"), abnormal, frames: Some(4 * rows as u64), events };
            writer.add(split, entry, &data).unwrap();
        }
    }
    writer.finish().unwrap();
    Dataset::open(root).unwrap()
}

/// A model's edge preset, shrunk.
pub fn tiny(model: Model, steps: u64) -> Settings {
    let mut settings = Preset::Edge.settings(model.config());
    match &mut settings.model {
        ModelConfig::DeNet(denet) => (denet.width, denet.segments) = (Some(16), 16),
        ModelConfig::Mil(mil) => mil.segments = 16,
        ModelConfig::Mtn(mtn) => (mtn.width, mtn.segments) = (Some(16), 16),
        ModelConfig::LaNet(lanet) => (lanet.width, lanet.segments) = (Some(16), 16),
    }
    settings.window_rows_min = 8;
    settings.pairs = 8;
    settings.learning_rate = 3e-3;
    settings.steps = steps;
    settings.assess_every = 5;
    settings.validation_share = 0.2;
    settings
}
