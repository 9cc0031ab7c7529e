//! Made-up data sets.

use std::path::Path;

use system_tests::numbers;
use trainer::dataset::{Entry, Split, Writer};

/// A data set of made-up rows, half of it labelled abnormal.
pub fn data_set(root: &Path, width: usize) {
    let contract = firmware_config::FeatureContract::external(width as u32);
    let mut writer = Writer::create(root, contract).unwrap();
    for i in 0..12u64 {
        let mut rows = numbers(i, 70 * width);
        if i % 2 == 1 {
            rows[30 * width..36 * width].iter_mut().for_each(|x| *x += 3.0);
        }
        let entry = Entry { video: format!("v{i}"), abnormal: i % 2 == 1, frames: Some(1120), events: vec![] };
        writer.add(Split::Train, entry, &rows).unwrap();
    }
    writer.finish().unwrap();
}
