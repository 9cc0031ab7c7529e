//! A model that takes captions in learns from a data set with text, is judged with it, and not with another encoder's.

#![allow(clippy::unwrap_used)]

mod common;

use trainer::dataset::text::TextContract;
use trainer::dataset::write::write_rows;
use trainer::dataset::{Dataset, Split};
use trainer::evaluate::command::judge_run;
use trainer::model::{Fusion, Model, TextConfig};
use trainer::train::{Device, train};

/// Text that says when something happens, and otherwise the row's number.
fn say(dataset: &Dataset, encoder: &str) {
    let contract = TextContract {
        width: 8,
        encoder_sha256: encoder.into(),
        tokenizer_sha256: "tokenizer".into(),
        tokens_max: 256,
    };
    for (split, video) in dataset.all() {
        let happens = |row: usize| video.entry.abnormal && (15..30).contains(&row);
        let row = |row| [f32::from(u8::from(happens(row))), 1.0, row as f32 / 40.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let rows: Vec<f32> = (0..video.header.rows).flat_map(row).collect();
        let path = dataset.root.join("text").join(split.name()).join(format!("{}.npy", video.entry.video));
        write_rows(&path, 8, &rows).unwrap();
    }
    contract.write(&dataset.root.join("text")).unwrap();
}

#[test]
fn a_model_with_text_is_trained_and_judged_with_the_same_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let plain = common::separable(&folder.path().join("data"));
    say(&plain, "one");
    let said = plain.with_text().unwrap();
    assert_eq!(said.videos(Split::Train).unwrap()[0].read().unwrap().header.width, common::WIDTH + 8);

    for fusion in [Fusion::Concat, Fusion::Add] {
        let out = folder.path().join(format!("{fusion:?}"));
        let mut settings = common::tiny(Model::Mtn, 60);
        assert!(settings.model.set_text(TextConfig { width: 8, fusion }));
        let error = train(&plain, &settings, 1, Device::Cpu, &out, false).unwrap_err();
        assert!(error.to_string().contains("is read without text"), "{error}");
        let run = train(&said, &settings, 1, Device::Cpu, &out, false).unwrap().run;
        assert_eq!(run.file.contract, said.contract);
        // The data set is handed over as it is: text is put beside it for whom it is.
        let judged = judge_run(&out, &plain, false, 25.0).unwrap();
        assert!(judged.offline.figures.video_auc.unwrap() > 0.9, "{fusion:?}: {:?}", judged.offline.figures);
    }
    say(&plain, "another");
    let error = judge_run(&folder.path().join("Add"), &plain, false, 25.0).unwrap_err();
    assert!(error.to_string().contains("has features of another contract"), "{error}");
    assert!(!Model::DeNet.config().set_text(TextConfig { width: 8, fusion: Fusion::Add }));
}
