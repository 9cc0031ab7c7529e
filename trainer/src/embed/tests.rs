//! A data set, captions and an encoder, made up: the encoder looks a vector up for each token, and nothing more.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;
use firmware_config::FeatureContract;

use super::*;
use crate::dataset::{Entry, Split, Writer};
use crate::onnx::{ElementType, GraphBuilder};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: EmbedArgs,
}

/// Vectors of the tokens `[UNK]`, a, car, dog, stops. The first is the padding's too, which must not count.
const TABLE: [f32; 15] = [9., 9., 9., 1., 0., 0., 0., 2., 0., 0., 0., 4., 3., 0., 4.];

fn files(root: &Path) {
    let tokenizer = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1, "car": 2, "dog": 3, "stops": 4}}}"#;
    std::fs::write(root.join("tokenizer.json"), tokenizer).unwrap();
    let mut g = GraphBuilder::new("encoder", "a table");
    let ids = g.input("input_ids", ElementType::I64, &[1, 16]);
    let mask = g.input("attention_mask", ElementType::I64, &[1, 16]);
    let table = g.f32s("table", &[5, 3], &TABLE);
    let rows = g.node("Gather", &[&table, &ids], vec![]);
    // Without effect, so that the mask is used.
    let mask = g.cast(&mask, ElementType::F32);
    let mask = g.unsqueeze(&mask, &[2]);
    let zero = g.scalar(0.0);
    let nothing = g.mul(&mask, &zero);
    let out = g.add(&rows, &nothing);
    g.output("last_hidden_state", &out, ElementType::F32, &[1, 16, 3]);
    std::fs::write(root.join("encoder.onnx"), g.finish().unwrap()).unwrap();
    let captions = r#"{"drive": {"duration": 8.0, "timestamps": [[0, 4], [4, 6]], "sentences": ["A car", "stops"]},
        "elsewhere": {"duration": 8.0, "timestamps": [[0, 4]], "sentences": ["dog"]}}"#;
    std::fs::write(root.join("captions.json"), captions).unwrap();
    let mut writer = Writer::create(&root.join("data"), FeatureContract::external(2)).unwrap();
    for (video, abnormal) in [("drive", true), ("quiet", false)] {
        let entry = Entry { video: video.into(), abnormal, frames: Some(128), events: vec![] };
        writer.add(Split::Train, entry, &[1., 2., 3., 4., 5., 6., 7., 8.]).unwrap();
    }
    writer.finish().unwrap();
}

fn embed(root: &Path, flags: &[&str]) -> Result<()> {
    let path = |name: &str| root.join(name).into_os_string();
    let mut words: Vec<OsString> = vec!["embed".into(), path("captions.json"), path("data")];
    words.extend([
        OsString::from("--encoder"),
        path("encoder.onnx"),
        OsString::from("--tokenizer"),
        path("tokenizer.json"),
    ]);
    words.extend(flags.iter().map(OsString::from));
    run(&Line::try_parse_from(words).unwrap().args)
}

#[test]
fn captions_become_vectors_beside_the_rows_of_their_time() {
    let root = tempfile::tempdir().unwrap();
    files(root.path());
    embed(root.path(), &[]).unwrap();
    let plain = Dataset::open(&root.path().join("data")).unwrap();
    assert_eq!(plain.width(), 2, "text is there for those who ask");
    let both = plain.with_text().unwrap();
    assert_eq!(both.width(), 5);
    let rows = |video: usize| both.videos(Split::Train).unwrap()[video].read().unwrap().data;
    // The mean of (1, 0, 0) and (0, 2, 0), of length 1; then (3, 0, 4) of length 1; then nothing. Written as float16.
    let [car, drove] = [0.447_265_63, 0.894_531_25];
    let stops = [0.600_097_66, 0.0, 0.799_804_7];
    let expected = [
        [1., 2., car, drove, 0.],
        [3., 4., car, drove, 0.],
        [5., 6., stops[0], stops[1], stops[2]],
        [7., 8., 0., 0., 0.],
    ];
    assert_eq!(rows(0), expected.concat());
    assert_eq!(rows(1)[..5], [1., 2., 0., 0., 0.], "nothing was said of it");
    assert!(both.contract.name.starts_with("external+text-"), "{}", both.contract.name);
    let error = embed(root.path(), &[]).unwrap_err();
    assert!(error.to_string().contains("holds text already"), "{error}");
}

#[test]
fn text_of_other_encoders_and_other_rows_is_not_taken() {
    let root = tempfile::tempdir().unwrap();
    files(root.path());
    let data = Dataset::open(&root.path().join("data")).unwrap();
    let error = data.with_text().unwrap_err();
    assert!(error.to_string().contains("text.json: cannot be read") && error.to_string().contains("embed"), "{error}");
    embed(root.path(), &[]).unwrap();
    // The same text by another encoder is another contract.
    let mut table = std::fs::read(root.path().join("encoder.onnx")).unwrap();
    let at = table.windows(4).position(|bytes| bytes == 9.0_f32.to_le_bytes()).unwrap();
    table[at] ^= 1;
    std::fs::write(root.path().join("encoder.onnx"), table).unwrap();
    let other = root.path().join("other");
    embed(root.path(), &["--out", other.to_str().unwrap()]).unwrap();
    let mut elsewhere = data.clone();
    elsewhere.text_root.clone_from(&other);
    assert_ne!(data.with_text().unwrap().contract, elsewhere.with_text().unwrap().contract);
    crate::dataset::write::write_rows(&other.join("train/quiet.npy"), 3, &[0.0; 9]).unwrap();
    let error = elsewhere.with_text().unwrap_err();
    assert!(error.to_string().contains("quiet.npy: has 3 rows of width 3, not 4 of 3"), "{error}");
}

#[test]
fn what_is_no_encoder_and_no_tokenizer_is_named() {
    let root = tempfile::tempdir().unwrap();
    files(root.path());
    for (file, text, problem) in [
        ("tokenizer.json", "{}", "tokenizer.json: is no tokenizer"),
        ("encoder.onnx", "not a graph", "encoder.onnx"),
        (
            "captions.json",
            r#"{"b": {"duration": 1, "timestamps": [], "sentences": []}}"#,
            "has no video of which there are captions",
        ),
    ] {
        let good = std::fs::read(root.path().join(file)).unwrap();
        std::fs::write(root.path().join(file), text).unwrap();
        let error = embed(root.path(), &[]).unwrap_err();
        assert!(error.to_string().contains(problem), "{problem:?} is not in: {error}");
        std::fs::write(root.path().join(file), good).unwrap();
    }
    assert!(!root.path().join("data/text/text.json").exists());
    embed(root.path(), &[]).unwrap();
}
