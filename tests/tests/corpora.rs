//! The fuzz corpora, replayed through what the targets do, by the ordinary compiler. Seeds are made by
//! `TADPOLE_WRITE_CORPORA=1 cargo test -p system-tests --test corpora`; an input that broke something is added by hand, and stays. `fuzz/found` holds
//! what a fuzzer came upon in quarters of an hour: for each target the smallest inputs of a set that reaches all that was reached.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[allow(clippy::expect_used, clippy::unwrap_used)]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::io::Read as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use firmware_config::config::Config;
use firmware_config::wire;
use runtime::ErrorKind;
use runtime::bundle::Bundle;
use runtime::engine::tract::TractEngine;
use sha2::{Digest as _, Sha256};
use trainer::onnx::builder::{ElementType, GraphBuilder};

/// The inputs of a target.
fn corpus(target: &str) -> PathBuf {
    system_tests::root().join("fuzz/corpus").join(target)
}

fn replay(target: &str, seeds: Vec<(&str, Vec<u8>)>, run: fn(&[u8])) {
    let folder = corpus(target);
    if std::env::var_os("TADPOLE_WRITE_CORPORA").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in seeds {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds nothing", folder.display());
    for file in files {
        println!("{}", file.display());
        run(&std::fs::read(file).unwrap());
    }
    let found = system_tests::root().join("fuzz/found").join(format!("{target}.tar"));
    let mut found = tar::Archive::new(std::fs::File::open(found).unwrap());
    for input in found.entries().unwrap() {
        let (mut input, mut bytes) = (input.unwrap(), Vec::new());
        println!("{target}.tar: {}", input.path().unwrap().display());
        input.read_to_end(&mut bytes).unwrap();
        run(&bytes);
    }
}

const SMALL: &str = "[[camera]]\nname = \"north\"\nsource = \"sim://?seed=1\"\n[model]\nbundle = \"m.tadpole\"\n\
    trusted_keys = [\"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c\"]\n";

/// Everything that a config can say.
fn large() -> String {
    let more = "[alarm]\nthreshold = 0.5\nrelease_ratio = 0.8\nmin_length_s = 1.0\ncool_down_s = 30\n\
        [output.gpio]\nkind = \"cdev\"\nchip = \"gpiochip0\"\nline = 17\n[output.journal]\npath = \"events.jsonl\"\n\
        [output.mqtt]\nbroker = \"mqtts://b:8883\"\ntopic = \"t/p\"\nuser = \"u\"\npassword_file = \"p\"\nca = \"c\"\n\
        [control]\nlisten = \"0.0.0.0:8443\"\n[hawkbit]\nserver = \"https://h:1\"\ndevice = \"d\"\ntoken_file = \"t\"\n\
        [trial]\nstage_s = 5\nsegment_ms = 640\nmemory_mb = 1\nresident_mb = 1\ndrift = 1\n";
    let newer = "[alarm.calibration]\nfalse_alarms_per_day = 1\nlow = 0.5\nhigh = 2\nsegments = 9\nmodel = \"m\"\ndate = \"2026-11-22\"\n\
        [schedule]\ntime_zone = \"UTC\"\n[[schedule.period]]\nmode = \"quiet\"\ndays = [\"mon-fri\", \"sun\"]\nfrom = \"22:00\"\nto = \"06:00\"\n\
        [output.webhook]\nurl = \"https://w/in\"\nsecret_file = \"s\"\nca = \"c\"\n[outbox]\npath = \"o\"\nevents_max = 16\n\
        [recorder]\npath = \"r\"\npre_roll_s = 1\npost_roll_s = 1\nquota_mb = 10\nmax_age_days = 1\nfree_mb = 0\n\
        [page]\nlisten = \"0.0.0.0:8480\"\npassword_file = \"p\"\n\
        [log]\nlevel = \"warn\"\nformat = \"json\"\n[log.levels]\n\"a::b\" = \"trace\"\n";
    let masked = SMALL.replace(
        "[model]",
        "mask = [[[0, 0], [0.5, 0], [0, 1]]]\nregion = [[[0, 0], [1, 0], [1, 1], [0, 1]]]\n[model]",
    );
    let discovery = more.replace("topic = \"t/p\"", "topic = \"t/p\"\ndiscovery = \"homeassistant\"");
    format!("{masked}{discovery}{newer}")
}

#[test]
fn config_toml() {
    let seeds = vec![
        ("small.toml", SMALL.into()),
        ("large.toml", large().into()),
        ("unknown-key.toml", SMALL.replace("name", "nmae").into()),
    ];
    replay("config_toml", seeds, targets::config_toml);
}

#[test]
fn config_blob() {
    let blob = |text: &str| wire::encode(&Config::from_toml(text).unwrap()).unwrap();
    let (small, large) = (blob(SMALL), blob(&large()));
    // Behind the header and before the checksum: the payload alone is what mutations should meet.
    let payload = |blob: &[u8]| blob[14..blob.len() - 4].to_vec();
    let seeds = vec![
        ("small-payload", payload(&small)),
        ("large-payload", payload(&large)),
        ("small", small),
        ("large", large),
    ];
    replay("config_blob", seeds, targets::config_blob);
}

#[test]
fn manifest() {
    let bytes = targets::signed(b"graph");
    let trusted = firmware_config::TrustedKeys::only((&targets::key()).into());
    let bundle = Bundle::from_reader("seed", &bytes[..], bytes.len() as u64, &trusted).unwrap();
    let whole = bundle.manifest.encode().unwrap();
    let seeds = vec![("payload", whole[14..whole.len() - 4].to_vec()), ("whole", whole)];
    replay("manifest", seeds, targets::manifest);
}

#[test]
fn bundle_tar() {
    let whole = targets::signed(b"graph");
    let mut more = whole.clone();
    more.extend([0; 512]);
    let seeds = vec![("cut", whole[..1000].to_vec()), ("more", more), ("whole", whole)];
    replay("bundle_tar", seeds, targets::bundle_tar);
}

#[test]
fn http_body() {
    let bundle = targets::signed(b"graph");
    let digest = BASE64_STANDARD.encode(Sha256::digest(&bundle));
    let hash = hex::encode(Sha256::digest(&bundle));
    let id = "0".repeat(64);
    let head = |line: &str, more: &str| format!("{line} HTTP/1.1\r\nhost: p\r\n{more}\r\n").into_bytes();
    let put = |first: usize, last: usize| {
        let (length, total) = (last + 1 - first, bundle.len());
        let more = format!(
            "content-length: {length}\r\nrepr-digest: sha-256=:{digest}:\r\ncontent-range: bytes {first}-{last}/{total}\r\n"
        );
        let mut request = head(&format!("PUT /v1/models/{id}"), &more);
        request.extend_from_slice(&bundle[first..=last]);
        request
    };
    let last = bundle.len() - 1;
    let seeds = vec![
        ("status", head("GET /v1/status", "")),
        ("models", head("GET /v1/models", "")),
        ("arrived", head(&format!("HEAD /v1/models/{id}?sha256={hash}"), "")),
        ("activate", head(&format!("POST /v1/models/{id}/activate"), "content-length: 0\r\n")),
        ("rollback", head("POST /v1/models/rollback", "content-length: 2\r\n").into_iter().chain(*b"{}").collect()),
        ("put-whole", put(0, last)),
        ("put-two-pieces", [put(0, 999), put(1000, last)].concat()),
        ("put-hole", [put(0, 999), put(2000, last)].concat()),
        ("chunked", {
            let more = format!("transfer-encoding: chunked\r\nrepr-digest: sha-256=:{digest}:\r\n");
            let mut request = head(&format!("PUT /v1/models/{id}"), &more);
            request.extend_from_slice(b"5\r\nhello\r\n0\r\n\r\n");
            request
        }),
    ];
    replay("http_body", seeds, targets::http_body);
}

#[test]
fn onnx() {
    let seeds = vec![("float.onnx", float_head()), ("int8.onnx", int8_head())];
    replay("onnx", seeds, targets::onnx);
}

/// What mutations found: tract panics, and whoever loads a graph hears of an error.
#[test]
fn a_graph_that_tract_panics_about_is_an_error() {
    for name in ["panics-unknown-output.onnx", "panics-zero-point.onnx"] {
        let graph = std::fs::read(corpus("onnx").join(name)).unwrap();
        let error = TractEngine::load(&graph, "head").err().unwrap();
        assert_eq!(error.kind, ErrorKind::Panicked, "{name}: {error}");
    }
}

/// Rows `[1, 4, 3]` to scores `[1, 4]`: enough operators for a fuzzer to break.
fn float_head() -> Vec<u8> {
    let mut graph = GraphBuilder::new("head", "");
    let x = graph.input("rows", ElementType::F32, &[1, 4, 3]);
    let w = graph.f32s("w", &[3, 2], &[0.1, -0.2, 0.3, -0.4, 0.5, -0.6]);
    let bias = graph.f32s("b", &[2], &[0.1, 0.2]);
    let hidden = graph.linear(&x, &w, Some(&bias));
    let hidden = graph.relu(&hidden);
    let out = graph.f32s("v", &[2, 1], &[1.0, -1.0]);
    let score = graph.matmul(&hidden, &out);
    let score = graph.sigmoid(&score);
    let shape = graph.i64s("shape", &[1, 4]);
    let score = graph.node("Reshape", &[&score, &shape], Vec::new());
    graph.output("scores", &score, ElementType::F32, &[1, 4]);
    graph.finish().unwrap()
}

/// The same shapes through 8-bit products, as the exporter writes them.
fn int8_head() -> Vec<u8> {
    let mut graph = GraphBuilder::new("head", "");
    let x = graph.input("rows", ElementType::F32, &[1, 4, 3]);
    let scale = graph.scalar(0.01);
    let rows = graph.quantize_i8(&x, &scale);
    let w = graph.i8s("w", &[3, 1], &[10, -20, 30]);
    let product = graph.matmul_integer(&rows, &w);
    let product = graph.cast(&product, ElementType::F32);
    let score = graph.mul(&product, &scale);
    let score = graph.transpose(&score, &[0, 2, 1]);
    let shape = graph.i64s("shape", &[1, 4]);
    let score = graph.node("Reshape", &[&score, &shape], Vec::new());
    graph.output("scores", &score, ElementType::F32, &[1, 4]);
    graph.finish().unwrap()
}
