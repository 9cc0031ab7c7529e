//! A sentence encoder: sentences in, one vector of length 1 each out, as sentence-transformers computes them.
//!
//! The tokenizer is a `tokenizer.json`; the network an ONNX graph with the inputs `input_ids`, `attention_mask` and perhaps
//! `token_type_ids`, int64 `[batch, tokens]`, run by tract. Its output is `[batch, tokens, D]`, of which the mean over a sentence's
//! tokens is taken, or `[batch, D]`. Sentences of more than [`TOKENS_MAX`] tokens lose their ends; shorter ones are padded to the next
//! of [`LENGTHS`], which the mask hides, so that a graph is prepared for five lengths and not for each.

use std::path::Path;
use std::sync::Arc;

use indicatif::ProgressBar;
use rayon::prelude::*;
use runtime::health::supervision::panics;
use runtime::{Error, Result};
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};
use tract_onnx::prelude::*;

use crate::dataset::text::TextContract;

/// Tokens of a sentence, at most.
pub const TOKENS_MAX: usize = 256;

/// Lengths that sentences are padded to.
const LENGTHS: [usize; 5] = [16, 32, 64, 128, TOKENS_MAX];

/// What to do about a graph that is no sentence encoder.
const REMEDY: &str = "export a sentence encoder to ONNX with the inputs input_ids, attention_mask and token_type_ids";

/// A loaded encoder.
pub struct Encoder {
    tokenizer: Tokenizer,
    onnx: Vec<u8>,
    name: String,
    tokenizer_name: String,
    tokenizer_sha256: String,
}

/// What a graph's input takes.
#[derive(Clone, Copy, Debug)]
enum Role {
    Ids,
    Mask,
    Types,
}

impl Encoder {
    /// Read an ONNX file and its tokenizer.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn open(onnx: &Path, tokenizer: &Path) -> Result<Self> {
        let bytes = |path: &Path| {
            std::fs::read(path).map_err(|error| Error::unreadable(path.display().to_string(), &error, "check the path"))
        };
        let (name, tokenizer_name) = (onnx.display().to_string(), tokenizer.display().to_string());
        let (onnx, json) = (bytes(onnx)?, bytes(tokenizer)?);
        let bad = |error: &dyn std::fmt::Display| {
            Error::corrupt(&tokenizer_name, format!("is no tokenizer: {error}"), "name the encoder's tokenizer.json")
        };
        let mut tokenizer = Tokenizer::from_bytes(&json).map_err(|error| bad(&error))?;
        tokenizer.with_padding(None);
        let truncation = TruncationParams { max_length: TOKENS_MAX, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| bad(&error))?;
        let tokenizer_sha256 = hex::encode(Sha256::digest(&json));
        Ok(Self { tokenizer, onnx, name, tokenizer_name, tokenizer_sha256 })
    }

    /// What its vectors of width `width` are.
    pub fn contract(&self, width: usize) -> TextContract {
        TextContract {
            width: width as u32,
            encoder_sha256: hex::encode(Sha256::digest(&self.onnx)),
            tokenizer_sha256: self.tokenizer_sha256.clone(),
            tokens_max: TOKENS_MAX as u32,
        }
    }

    /// A vector for each sentence, all of one width.
    ///
    /// # Errors
    /// When the graph is no sentence encoder, or fails.
    pub fn encode(&self, sentences: &[&str], bar: &ProgressBar) -> Result<Vec<Vec<f32>>> {
        let tokens = sentences.iter().map(|sentence| self.tokens(sentence)).collect::<Result<Vec<_>>>()?;
        let mut vectors = vec![Vec::new(); sentences.len()];
        for length in LENGTHS {
            let is_of_length = |i: &usize| LENGTHS.iter().find(|&&l| tokens[*i].ids.len() <= l) == Some(&length);
            let inside: Vec<usize> = (0..sentences.len()).filter(is_of_length).collect();
            if inside.is_empty() {
                continue;
            }
            let graph = panics::caught(&self.name, || Graph::load(&self.onnx, &self.name, length))?;
            let made = inside.par_iter().map(|&i| -> Result<Vec<f32>> {
                let vector = panics::caught(&self.name, || graph.run(&tokens[i]))?;
                bar.inc(1);
                Ok(vector)
            });
            for (i, vector) in inside.iter().zip(made.collect::<Result<Vec<_>>>()?) {
                vectors[*i] = vector;
            }
        }
        Ok(vectors)
    }

    fn tokens(&self, sentence: &str) -> Result<Tokens> {
        let encoding = self.tokenizer.encode(sentence, true).map_err(|error| {
            Error::failed(&self.tokenizer_name, format!("cannot read {sentence:?}: {error}"), "name another tokenizer")
        })?;
        if encoding.get_ids().is_empty() {
            let problem = format!("makes nothing of {sentence:?}");
            return Err(Error::invalid(
                &self.tokenizer_name,
                problem,
                "correct the caption, or name another tokenizer",
            ));
        }
        let numbers = |values: &[u32]| values.iter().map(|&value| i64::from(value)).collect();
        Ok(Tokens { ids: numbers(encoding.get_ids()), types: numbers(encoding.get_type_ids()) })
    }
}

/// A sentence's tokens.
#[derive(Clone, Debug)]
struct Tokens {
    ids: Vec<i64>,
    types: Vec<i64>,
}

/// The graph, prepared for sentences of one length.
struct Graph {
    plan: Arc<TypedSimplePlan>,
    roles: Vec<Role>,
    length: usize,
    name: String,
}

impl Graph {
    fn load(onnx: &[u8], name: &str, length: usize) -> Result<Self> {
        let bad = |error: &dyn std::fmt::Display| {
            Error::corrupt(name, format!("tract cannot use this ONNX graph: {error:#}"), REMEDY)
        };
        // What exporters write of inner shapes speaks of symbols; here every length is known.
        let reader = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
        let mut model = reader.model_for_read(&mut &*onnx).map_err(|error| bad(&error))?;
        let mut roles = Vec::new();
        for (place, outlet) in model.inputs.clone().into_iter().enumerate() {
            let input = &model.node(outlet.node).name;
            roles.push(match input.as_str() {
                "input_ids" => Role::Ids,
                "attention_mask" => Role::Mask,
                "token_type_ids" => Role::Types,
                other => return Err(Error::corrupt(name, format!("has the input {other:?}"), REMEDY)),
            });
            let fact = InferenceFact::dt_shape(i64::datum_type(), [1, length]);
            model.set_input_fact(place, fact).map_err(|error| bad(&error))?;
        }
        // Some have both: the pooled one is what their authors mean by a sentence's vector.
        let outputs = model.outputs.clone();
        let pooled = outputs.iter().find(|outlet| model.outlet_label(**outlet) == Some("sentence_embedding"));
        let Some(output) = pooled.or(outputs.first()).copied() else {
            return Err(Error::corrupt(name, "has no output", REMEDY));
        };
        model.select_output_outlets(&[output]).map_err(|error| bad(&error))?;
        let plan = model
            .into_typed()
            .and_then(TypedModel::into_optimized)
            .and_then(IntoRunnable::into_runnable)
            .map_err(|error| bad(&error))?;
        Ok(Self { plan, roles, length, name: name.into() })
    }

    /// A sentence's vector, of length 1.
    fn run(&self, tokens: &Tokens) -> Result<Vec<f32>> {
        let failed =
            |error: &dyn std::fmt::Display| Error::failed(&self.name, format!("tract failed: {error:#}"), REMEDY);
        let count = tokens.ids.len();
        let mut inputs = TVec::new();
        for role in &self.roles {
            let mut row = match role {
                Role::Ids => tokens.ids.clone(),
                Role::Mask => vec![1; count],
                Role::Types => tokens.types.clone(),
            };
            row.resize(self.length, 0);
            inputs.push(Tensor::from_shape(&[1, self.length], &row).map_err(|error| failed(&error))?.into_tvalue());
        }
        let output = self.plan.run(inputs).map_err(|error| failed(&error))?;
        let shape = output[0].shape().to_vec();
        let view = output[0].try_as_plain_ram().map_err(|error| failed(&error))?;
        let values = view.as_slice::<f32>().map_err(|error| failed(&error))?;
        let vector = match shape[..] {
            [1, width] => unit(values[..width].to_vec()),
            [1, length, width] if length == self.length => unit(mean(&values[..count * width], width)),
            _ => return Err(Error::corrupt(&self.name, format!("gives {shape:?} for {} tokens", self.length), REMEDY)),
        };
        if vector.iter().all(|value| value.is_finite()) { Ok(vector) } else { Err(failed(&"its output is not finite")) }
    }
}

/// The mean of rows.
fn mean(rows: &[f32], width: usize) -> Vec<f32> {
    let count = (rows.len() / width) as f32;
    let mut out = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        out.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / count);
    }
    out
}

/// A vector of length 1 in its direction.
fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|value| *value /= length);
    vector
}
