//! The onnxruntime engine: a library found at run time, with the provider that is asked for and no other.
//!
//! `libonnxruntime.so` (1.17 or newer: the C API of that version is what is called, and the libraries of NVIDIA's boards have it) is loaded
//! from the path in `ORT_DYLIB_PATH`, or from where the system's loader finds it. Where a provider cannot be had,
//! onnxruntime itself would go on with the CPU and say nothing; here that is an error.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;
use ort::ep;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use super::{Engine, EngineInfo, Input, Provider};
use crate::{Error, Result};

/// Where the library is when nothing else is said: wherever the loader looks.
const LIBRARY: &str = "libonnxruntime.so";
/// Names another one.
const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// A graph loaded into onnxruntime.
pub struct OrtEngine {
    info: EngineInfo,
    name: String,
    kind: TensorElementType,
    session: Session,
}

impl OrtEngine {
    /// Load an ONNX graph with one input of fixed shape and one float32 output, to run on `provider`. `cache` is a folder for
    /// what a provider compiles (TensorRT: minutes of work); `name` is for error messages.
    ///
    /// # Errors
    /// When the library or the provider cannot be had, or the graph cannot be loaded.
    pub fn load(onnx: &[u8], name: &str, provider: Provider, cache: Option<&Path>) -> Result<Self> {
        let session = builder(provider, cache)?.commit_from_memory(onnx).map_err(|error| {
            Error::corrupt(
                name,
                format!("onnxruntime cannot load this ONNX graph for {provider}: {error}"),
                "export it again with tadpole-trainer",
            )
        })?;
        let one = |outlets: &[Outlet]| match outlets {
            [outlet] => tensor(outlet),
            _ => None,
        };
        let of_form = one(session.inputs()).zip(one(session.outputs()));
        let Some(((kind, input_shape), (TensorElementType::Float32, output_shape))) = of_form else {
            return Err(Error::corrupt(
                name,
                "the graph has not one input of fixed shape and one float32 output",
                "export it again with tadpole-trainer",
            ));
        };
        let info = EngineInfo { engine: "onnxruntime", version: version(), provider, input_shape, output_shape };
        Ok(Self { info, name: name.into(), kind, session })
    }

    /// Whether sessions can be made for `provider` here.
    ///
    /// # Errors
    /// When not, with the reason.
    pub fn available(provider: Provider) -> Result<()> {
        builder(provider, None).map(|_| ())
    }

    fn failed(name: &str, problem: impl std::fmt::Display) -> Error {
        Error::failed(
            name,
            format!("onnxruntime failed: {problem}"),
            "see the journal; `tadpole model show` names the graph",
        )
    }
}

impl Engine for OrtEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(&mut self, input: Input<'_>, output: &mut [f32]) -> Result<()> {
        let Self { info, name, kind, session } = self;
        let failed = |problem: &dyn std::fmt::Display| Self::failed(name, problem);
        let shape = &info.input_shape[..];
        let results = match (input, kind) {
            (Input::U8(data), TensorElementType::Uint8) => {
                let tensor = TensorRef::from_array_view((shape, data)).map_err(|e| failed(&e))?;
                session.run(ort::inputs![tensor])
            }
            (Input::F32(data), TensorElementType::Float32) => {
                let tensor = TensorRef::from_array_view((shape, data)).map_err(|e| failed(&e))?;
                session.run(ort::inputs![tensor])
            }
            (_, kind) => return Err(failed(&format!("the graph takes {kind}"))),
        }
        .map_err(|e| failed(&e))?;
        let (_, values) = results[0].try_extract_tensor::<f32>().map_err(|e| failed(&e))?;
        if values.len() != output.len() {
            return Err(failed(&format!("{} outputs, {} wanted", values.len(), output.len())));
        }
        output.copy_from_slice(values);
        Ok(())
    }
}

/// A session to be, on one thread of the CPU, for `provider` alone.
fn builder(provider: Provider, cache: Option<&Path>) -> Result<SessionBuilder> {
    let refused = |error: &dyn std::fmt::Display| {
        Error::failed(
            format!("engine {provider}"),
            format!("cannot be had here: {error}"),
            "install its libraries, or set `engine = \"tract\"` or \"auto\" under [model] in the config",
        )
    };
    let builder = Session::builder(environment()?).map_err(|e| refused(&e))?;
    let builder = builder.with_intra_threads(1).map_err(|e| refused(&e))?;
    let gpu = match provider {
        Provider::Cpu => return Ok(builder),
        Provider::Cuda => ep::CUDA::default().build(),
        Provider::Tensorrt => {
            let tensorrt = ep::TensorRT::default();
            match cache {
                Some(folder) => {
                    let folder = folder.display().to_string();
                    tensorrt
                        .with_engine_cache(true)
                        .with_engine_cache_path(&folder)
                        .with_timing_cache(true)
                        .with_timing_cache_path(&folder)
                }
                None => tensorrt,
            }
            .build()
        }
    };
    let builder = builder.with_execution_providers([gpu.error_on_failure()]).map_err(|e| refused(&e))?;
    // What the provider cannot run would run on the CPU, silently.
    builder.with_config_entry("session.disable_cpu_ep_fallback", "1").map_err(|e| refused(&e))
}

/// The one environment of this process.
fn environment() -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<std::result::Result<Environment, String>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| {
        let path = std::env::var_os(LIBRARY_VARIABLE).map_or_else(|| PathBuf::from(LIBRARY), PathBuf::from);
        let builder = ort::init_from(&path).map_err(|e| e.to_string())?;
        builder.with_name("tadpole").with_telemetry(false).build().map_err(|e| e.to_string())
    });
    made.as_ref().map_err(|problem| {
        Error::failed(
            "onnxruntime",
            problem,
            format!(
                "install libonnxruntime 1.17 or newer, name it in {LIBRARY_VARIABLE}, or set `engine = \"tract\"` in the config"
            ),
        )
    })
}

/// Of the library, as far as it tells: its release, or the commit that it was built from.
fn version() -> String {
    let info = ort::info();
    let told = |key: &str| info.split_once(key).and_then(|(_, rest)| rest.split(',').next());
    told("git-branch=rel-").or_else(|| told("git-commit-id=")).unwrap_or(info).trim().into()
}

/// Element type and fixed shape.
fn tensor(outlet: &Outlet) -> Option<(TensorElementType, Vec<usize>)> {
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else { return None };
    let shape: Option<Vec<usize>> = shape.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    Some((*ty, shape?))
}
