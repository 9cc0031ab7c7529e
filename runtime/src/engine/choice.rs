//! Which engine runs a graph: a choice and a graph come in, a loaded engine goes out. Never another than was asked for:
//! `auto` says in the log what it settles on, and why not on something faster (at level debug where there is no GPU at all); any other
//! choice is kept or is an error.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::tract::TractEngine;
use super::{Engine, Provider};
use crate::Result;
use firmware_config::config::EngineChoice;

/// Loads graphs on the engine that was chosen. Cameras that watch by the same graph in tract share its weights.
#[derive(Clone)]
#[cfg_attr(not(feature = "onnxruntime"), expect(dead_code, reason = "tract neither compiles for minutes nor caches"))]
pub struct Engines {
    choice: EngineChoice,
    /// For what a GPU's compiler makes.
    cache: Option<PathBuf>,
    /// Whether tract may score until a GPU's compiler is done. Not for recordings, whose scores would depend on how
    /// long that takes.
    meanwhile: bool,
    /// What tract has loaded, by the graph's SHA-256.
    loaded: Arc<Mutex<Vec<(Hash, TractEngine)>>>,
    /// That there is no GPU was told: cameras and graphs share one line.
    told: Arc<AtomicBool>,
}

type Hash = [u8; 32];

impl Engines {
    /// For recordings, and wherever the same scores are wanted each time.
    pub fn new(choice: EngineChoice) -> Self {
        Self { choice, cache: None, meanwhile: false, loaded: Arc::default(), told: Arc::default() }
    }

    /// For live cameras; `cache` is a folder for what a GPU's compiler makes.
    pub fn live(choice: EngineChoice, cache: PathBuf) -> Self {
        Self { choice, cache: Some(cache), meanwhile: true, loaded: Arc::default(), told: Arc::default() }
    }

    /// Load a graph with one input of fixed shape and one float32 output. `name` is for error messages.
    ///
    /// # Errors
    /// When the engine cannot be had, or the graph cannot be loaded.
    pub fn load(&self, graph: &[u8], name: &str) -> Result<Box<dyn Engine>> {
        let engine = match self.choice {
            EngineChoice::Tract => self.tract(graph, name)?,
            EngineChoice::Onnxruntime => self.onnxruntime(graph, name, Provider::Cpu)?,
            EngineChoice::Cuda => self.onnxruntime(graph, name, Provider::Cuda)?,
            EngineChoice::Tensorrt => self.onnxruntime(graph, name, Provider::Tensorrt)?,
            EngineChoice::Auto => self.fastest(graph, name)?,
        };
        log::info!("{name} runs on {}", engine.info());
        Ok(engine)
    }

    fn fastest(&self, graph: &[u8], name: &str) -> Result<Box<dyn Engine>> {
        let (mut found, mut refused) = (None, Vec::new());
        for provider in [Provider::Tensorrt, Provider::Cuda] {
            match self.onnxruntime(graph, name, provider) {
                Ok(engine) => {
                    found = Some(engine);
                    break;
                }
                Err(error) => refused.push(format!("{name} does not run on {provider}: {error}")),
            }
        }
        // Where there is a GPU, what is wrong with it may be mended.
        let level = if found.is_some() { log::Level::Info } else { log::Level::Debug };
        refused.iter().for_each(|why| log::log!(level, "{why}"));
        if let Some(engine) = found {
            return Ok(engine);
        }
        if !self.told.swap(true, Ordering::Relaxed) {
            log::info!("engine = \"auto\": no GPU can be used, so the CPU is; why not is logged at level debug");
        }
        self.tract(graph, name)
    }

    fn tract(&self, graph: &[u8], name: &str) -> Result<Box<dyn Engine>> {
        let hash: Hash = Sha256::digest(graph).into();
        // Held while loading: of two cameras that start together, one loads and the other shares.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, engine)) = loaded.iter().find(|(known, _)| *known == hash) {
            return Ok(Box::new(engine.another()?));
        }
        let engine = TractEngine::load(graph, name)?;
        let first = engine.another()?;
        loaded.push((hash, engine));
        Ok(Box::new(first))
    }

    #[cfg(feature = "onnxruntime")]
    fn onnxruntime(&self, graph: &[u8], name: &str, provider: Provider) -> Result<Box<dyn Engine>> {
        use super::onnxruntime::OrtEngine;
        use super::successor::Successor;

        // One folder a graph; what onnxruntime puts into it carries TensorRT's version and the GPU's in its name.
        let cache = self.cache.as_ref().map(|folder| folder.join(&hex::encode(Sha256::digest(graph))[..16]));
        if provider != Provider::Tensorrt || !self.meanwhile {
            return Ok(Box::new(OrtEngine::load(graph, name, provider, cache.as_deref())?));
        }
        OrtEngine::available(provider)?;
        let present = self.tract(graph, name)?;
        log::info!("{name}: TensorRT compiles it, which takes minutes unless it did before; tract scores meanwhile");
        let (graph, name) = (graph.to_vec(), name.to_owned());
        Ok(Box::new(Successor::new(present, move || {
            Ok(Box::new(OrtEngine::load(&graph, &name, provider, cache.as_deref())?))
        })))
    }

    #[cfg(not(feature = "onnxruntime"))]
    fn onnxruntime(&self, _: &[u8], _: &str, provider: Provider) -> Result<Box<dyn Engine>> {
        Err(crate::Error::failed(
            format!("engine {provider} of onnxruntime"),
            "is not in this build",
            "build with `--features onnxruntime`, or set `engine = \"tract\"` or \"auto\" under [model] in the config",
        ))
    }
}

impl Default for Engines {
    fn default() -> Self {
        Self::new(EngineChoice::Tract)
    }
}
