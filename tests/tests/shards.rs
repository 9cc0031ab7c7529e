//! `extract --shard`: several jobs into one folder give what one gives, byte for byte, whoever ends last and however often they run.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use system_tests::{program, refuse, root, shipped, succeed};

/// Every file under a folder, by its path in there.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn shards_together_give_what_one_run_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (split, videos) in [("train", "abcd"), ("test", "ef")] {
        std::fs::create_dir_all(folder.path().join("videos").join(split)).unwrap();
        let mut list = String::from("video,label,frames,events\n");
        for (i, video) in videos.chars().enumerate() {
            writeln!(list, "{video},{},100,", i % 2).unwrap();
            let seconds = 3 + i;
            let uri = format!("sim://?seed={}&seconds={seconds}\n", u32::from(video));
            std::fs::write(path(&format!("videos/{split}/{video}.sim")), uri).unwrap();
        }
        std::fs::write(path(&format!("videos/{split}.csv")), list).unwrap();
    }
    let bundle = runtime::bundle::Bundle::open(shipped(), &runtime::bundle::demo_keys()).unwrap();
    std::fs::write(path("e.onnx"), bundle.require_extractor().unwrap()).unwrap();
    std::fs::write(path("e.contract.json"), serde_json::to_string(&bundle.manifest.contract).unwrap()).unwrap();
    let (videos, extractor) = (path("videos"), path("e.onnx"));
    let extract = |dir: &str, more: &[&str]| {
        let args = ["extract", &videos, "--extractor", &extractor, dir, "--threads", "1"];
        succeed("tadpole-trainer", args.iter().chain(more))
    };
    extract(&path("one"), &[]);
    let one = files(&folder.path().join("one"));
    assert_eq!(one.len(), 6 + 4, "rows, two lists, the contract and whose folder it is: {:?}", one.keys());

    // One after the other: no data set before the last, and a second run of a shard changes nothing.
    let turns = path("turns");
    for shard in ["2/3", "0/3", "0/3"] {
        extract(&turns, &["--shard", shard]);
        let there = files(Path::new(&turns));
        assert!(!there.keys().any(|name| name.ends_with(".csv") || name == "contract.json"), "{:?}", there.keys());
        assert!(there.iter().all(|(name, bytes)| one[name] == *bytes));
    }
    extract(&turns, &["--shard", "1/3"]);
    assert!(files(Path::new(&turns)) == one);
    extract(&turns, &["--shard", "1/3"]);
    assert!(files(Path::new(&turns)) == one, "run again, it changes nothing");

    // All at once, two of them for the same shard, by the script that Slurm is given.
    let together = path("together");
    let programs = program("tadpole-trainer").parent().unwrap().display().to_string();
    let search = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let jobs: Vec<_> = ["0", "1", "2", "1"]
        .into_iter()
        .map(|index| {
            Command::new("sh")
                .arg(root().join("deploy/cluster/extract.sbatch"))
                .env("PATH", &search)
                .env("SHARDS", "3")
                .env("SLURM_ARRAY_TASK_ID", index)
                .env("VIDEOS", &videos)
                .env("EXTRACTOR", &extractor)
                .env("FEATURES", &together)
                .env_remove("SLURM_CPUS_PER_TASK")
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut job in jobs {
        assert!(job.wait().unwrap().success());
    }
    assert!(files(Path::new(&together)) == one);

    let wrong = ["extract", &videos, "--extractor", &extractor, &turns, "--shard", "3/3"];
    let refused = Command::new(program("tadpole-trainer")).args(wrong).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && told.contains("the last of 3 is 2/3"), "{told}");
    // Features of another extractor do not get into the folder.
    let mut contract: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path("e.contract.json")).unwrap()).unwrap();
    contract["name"] = "another".into();
    std::fs::write(path("e.contract.json"), contract.to_string()).unwrap();
    let other = ["extract", &videos, "--extractor", &extractor, &turns, "--shard", "0/3"];
    refuse("tadpole-trainer", other, 2, &["another extractor"]);
}

#[test]
fn the_guide_shows_the_cluster_files_as_they_are() {
    let guide = std::fs::read_to_string(root().join("docs/guide/clusters.md")).unwrap();
    for file in ["extract.sbatch", "extract.yaml", "Dockerfile"] {
        let text = std::fs::read_to_string(root().join("deploy/cluster").join(file)).unwrap();
        assert!(guide.contains(&text), "docs/guide/clusters.md does not show deploy/cluster/{file} as it is");
    }
    // As many indices as shards, or some recordings are nobody's.
    let job = std::fs::read_to_string(root().join("deploy/cluster/extract.yaml")).unwrap();
    assert!(job.contains("completions: 16\n") && job.contains("$JOB_COMPLETION_INDEX/16"), "{job}");
    let job = std::fs::read_to_string(root().join("deploy/cluster/extract.sbatch")).unwrap();
    assert!(job.contains("--array=0-15\n") && job.contains("SHARDS:-16"), "{job}");
}
