//! The contract beside an extractor: `FILE.contract.json` next to `FILE.onnx`, bound to it by SHA-256.

use std::path::{Path, PathBuf};

use firmware_config::{ClipContract, FeatureContract};
use runtime::{Error, Result};
use sha2::{Digest, Sha256};

use super::graph::{SIDE, TICKS};

/// Time constant of the background that is subtracted from rows: as long as the head's window, 41 s.
const BACKGROUND_SEGMENTS: u32 = 64;

/// How the runtime cuts clips for `graph`, one of this module's graphs.
pub fn clip_contract(graph: &[u8]) -> ClipContract {
    ClipContract {
        width: SIDE as u32,
        height: SIDE as u32,
        rate_hz: 25,
        clip_ticks: 16,
        ticks: TICKS.to_vec(),
        extractor_sha256: hex::encode(Sha256::digest(graph)),
    }
}

/// The contract of the finished extractor `graph`, whose rows have `width` numbers.
pub fn feature_contract(graph: &[u8], width: usize) -> FeatureContract {
    FeatureContract {
        name: "lite0-160".into(),
        feature_width: width as u32,
        background_segments: BACKGROUND_SEGMENTS,
        input: Some(clip_contract(graph)),
    }
}

/// Where the contract of the extractor at `onnx` lies: its name with `.contract.json` for `.onnx`.
pub fn contract_path(onnx: &Path) -> PathBuf {
    onnx.with_extension("contract.json")
}

/// Writes the contract beside the extractor at `onnx`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_contract(onnx: &Path, contract: &FeatureContract) -> Result<()> {
    let path = contract_path(onnx);
    let cannot = |e: &dyn std::fmt::Display| {
        let subject = path.display().to_string();
        Error::failed(subject, format!("cannot be written: {e}"), "check permissions and space")
    };
    let json = serde_json::to_string_pretty(contract).map_err(|e| cannot(&e))?;
    std::fs::write(&path, json + "\n").map_err(|e| cannot(&e))
}

/// Reads the contract beside the extractor at `onnx`, whose bytes are `graph`.
///
/// # Errors
/// When it is absent, is no contract, or belongs to other bytes.
pub fn read_contract(onnx: &Path, graph: &[u8]) -> Result<FeatureContract> {
    let path = contract_path(onnx);
    let subject = path.display().to_string();
    let remedy = "keep the extractor and the contract that `tadpole-trainer extractor` wrote together";
    let json = std::fs::read_to_string(&path).map_err(|e| Error::unreadable(&subject, &e, remedy))?;
    let contract: FeatureContract = serde_json::from_str(&json)
        .map_err(|e| Error::corrupt(&subject, format!("is no feature contract: {e}"), remedy))?;
    let clip = contract
        .input
        .as_ref()
        .ok_or_else(|| Error::invalid(&subject, "does not say what the extractor sees", remedy))?;
    let found = hex::encode(Sha256::digest(graph));
    if !clip.extractor_sha256.eq_ignore_ascii_case(&found) {
        return Err(Error::invalid(
            &subject,
            format!("is not of {}: it names SHA-256 {}, the file has {found}", onnx.display(), clip.extractor_sha256),
            remedy,
        ));
    }
    Ok(contract)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_belongs_to_its_extractor() {
        let folder = tempfile::tempdir().unwrap();
        let onnx = folder.path().join("lite0-160.onnx");
        let contract = feature_contract(b"graph", 256);
        write_contract(&onnx, &contract).unwrap();
        assert!(folder.path().join("lite0-160.contract.json").is_file());
        assert_eq!(read_contract(&onnx, b"graph").unwrap(), contract);
        let error = read_contract(&onnx, b"other").unwrap_err().to_string();
        assert!(error.contains("SHA-256"), "{error}");
        assert!(read_contract(&folder.path().join("b.onnx"), b"graph").is_err());
    }
}
