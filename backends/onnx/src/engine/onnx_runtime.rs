//! ONNX Runtime: a shared library that is loaded at run time, with threads of its own.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use detoxlm_core::{Error, ErrorKind, Result};
use ort::environment::Environment;
use ort::error::ErrorCode;
use ort::logging::LogLevel;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};

use super::signature::{self, Element, Input, Integer, Port};
use super::{Graph, Logits, Runner};
use crate::files::ModelFile;
use crate::{COMPONENT, LIBRARY_VARIABLE};

/// The library of this process. `ort` keeps the first one that it loads and would not say that it
/// ignores another, hence its path.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

#[derive(Debug)]
struct OnnxRuntimeRunner {
    /// ONNX Runtime's `Run` is not thread-safe in all its parts; `ort` asks for exclusive access. One
    /// run has all of its threads.
    session: Mutex<Session>,
    output: String,
}

/// Loads the library, once, and a graph.
pub(super) fn load(library: &Path, file: &ModelFile, threads: usize) -> Result<Graph> {
    let model = file.path.as_path();
    let environment = environment(library)?;
    let session = open(&environment, file, threads).map_err(|e| {
        let (kind, remedy) = match e.code() {
            ErrorCode::NotImplemented => {
                (ErrorKind::Unsupported, "use a newer ONNX Runtime, or export for an older opset")
            }
            _ => (ErrorKind::InvalidInput, "the file may be cut short: copy or export it again"),
        };
        Error::new(kind, COMPONENT, "load the graph", format!("ONNX Runtime: {e}"))
            .with_path(model)
            .with_remedy(remedy)
            .with_source(e)
    })?;
    let ports = |outlets: &[Outlet]| outlets.iter().map(port).collect::<Vec<_>>();
    let inputs = signature::inputs(&ports(session.inputs()), model)?;
    let outputs = ports(session.outputs());
    let output = outputs[signature::output(&outputs, model)?].name.clone();
    let grouping = signature::grouping(&inputs);
    Ok(Graph {
        inputs,
        grouping,
        runner: Box::new(OnnxRuntimeRunner { session: Mutex::new(session), output }),
    })
}

fn environment(library: &Path) -> Result<Environment> {
    let refuse = |kind, message: String| {
        Error::new(kind, COMPONENT, "load ONNX Runtime", message)
            .with_path(library)
            .with_key(LIBRARY_VARIABLE)
            .with_remedy(format!(
                "set {LIBRARY_VARIABLE} to the path of a libonnxruntime of version 1.{} or later",
                ort::MINOR_VERSION
            ))
    };
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, environment)) = &*loaded {
        if path == library {
            return Ok(environment.clone());
        }
        return Err(refuse(
            ErrorKind::InvalidConfig,
            format!("this process already runs {}", path.display()),
        ));
    }
    if !library.is_file() {
        return Err(refuse(ErrorKind::NotFound, "no such file".into()));
    }
    // `ort` looks for a relative path beside the program first.
    let absolute = std::path::absolute(library)
        .map_err(|e| Error::io(COMPONENT, "load ONNX Runtime", library, e))?;
    let builder = ort::init_from(absolute)
        .map_err(|e| refuse(ErrorKind::Incompatible, e.to_string()).with_source(e))?;
    let environment = builder
        .build()
        .map_err(|e| refuse(ErrorKind::Incompatible, e.to_string()).with_source(e))?;
    *loaded = Some((library.to_path_buf(), environment.clone()));
    Ok(environment)
}

fn open(environment: &Environment, file: &ModelFile, threads: usize) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?
        .with_intra_threads(threads)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        // Errors come back as values; a library does not print them as well.
        .with_log_level(LogLevel::Fatal)?;
    match file.bytes {
        Some(bytes) => builder.commit_from_memory(bytes),
        None => builder.commit_from_file(&file.path),
    }
}

fn port(outlet: &Outlet) -> Port {
    let (element, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let element = match ty {
                TensorElementType::Int64 => Element::Integer(Integer::I64),
                TensorElementType::Int32 => Element::Integer(Integer::I32),
                TensorElementType::Float32 => Element::Float,
                other => Element::Other(format!("{other:?}")),
            };
            (element, Some(shape.iter().map(|&d| usize::try_from(d).ok()).collect()))
        }
        other => (Element::Other(format!("{other:?}")), None),
    };
    Port { name: outlet.name().to_owned(), element, shape }
}

impl Runner for OnnxRuntimeRunner {
    fn run(&self, inputs: &[(Input, &[i64])], shape: [usize; 2]) -> Result<Logits, String> {
        self.compute(inputs, shape).map_err(|e| format!("ONNX Runtime: {e}"))
    }
}

impl OnnxRuntimeRunner {
    fn compute(&self, inputs: &[(Input, &[i64])], shape: [usize; 2]) -> ort::Result<Logits> {
        let inputs = inputs
            .iter()
            .map(|&(input, values)| Ok((input.role.name(), tensor(input, values, shape)?)))
            .collect::<ort::Result<Vec<_>>>()?;
        // A panic while it is held leaves nothing half-done on our side of it.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(inputs)?;
        let Some(logits) = outputs.get(&self.output) else {
            return Ok(Logits { columns: 0, values: Vec::new() });
        };
        let (shape, values) = logits.try_extract_tensor::<f32>()?;
        let columns = shape.last().and_then(|&d| usize::try_from(d).ok()).unwrap_or(0);
        Ok(Logits { columns, values: values.to_vec() })
    }
}

fn tensor(
    input: Input,
    values: &[i64],
    shape: [usize; 2],
) -> ort::Result<SessionInputValue<'static>> {
    Ok(match input.integer {
        Integer::I64 => Tensor::from_array((shape, values.to_vec()))?.into(),
        Integer::I32 => {
            // Ids came from `u32`s of a vocabulary: one beyond `i32` is beyond any embedding too.
            let narrow: Vec<i32> =
                values.iter().map(|&v| i32::try_from(v).unwrap_or(i32::MAX)).collect();
            Tensor::from_array((shape, narrow))?.into()
        }
    })
}
