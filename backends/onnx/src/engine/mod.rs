//! What runs the graph: tract or ONNX Runtime.

#[cfg(feature = "onnxruntime")]
mod onnx_runtime;
mod signature;
#[cfg(feature = "tract")]
mod tract;

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use detoxlm_core::{Error, ErrorKind, Result};
use signature::{Element, Input, Integer, Port, Role};

use crate::batches::Grouping;
use crate::windows::Window;
use crate::{COMPONENT, LIBRARY_VARIABLE};

/// Which engine runs the graphs of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Compiled in, pure Rust.
    #[cfg(feature = "tract")]
    Tract,
    /// Loaded at run time from this library.
    #[cfg(feature = "onnxruntime")]
    OnnxRuntime(PathBuf),
}

impl Engine {
    /// The engine of this process: ONNX Runtime where the environment names its library, else tract.
    pub(crate) fn of_process() -> Result<Self> {
        let library = std::env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty());
        Self::choose(library.map(PathBuf::from))
    }

    fn choose(library: Option<PathBuf>) -> Result<Self> {
        let refuse = |message: String| {
            Error::new(ErrorKind::Unsupported, COMPONENT, "choose an engine", message)
        };
        match library {
            #[cfg(feature = "onnxruntime")]
            Some(library) => Ok(Self::OnnxRuntime(library)),
            #[cfg(not(feature = "onnxruntime"))]
            Some(library) => Err(refuse(format!(
                "{LIBRARY_VARIABLE} names an ONNX Runtime, but this build has no feature \
                 `onnxruntime`"
            ))
            .with_path(library)
            .with_remedy(format!(
                "build with the feature `onnxruntime`, or unset {LIBRARY_VARIABLE}"
            ))),
            #[cfg(feature = "tract")]
            None => Ok(Self::Tract),
            #[cfg(not(feature = "tract"))]
            None => Err(refuse("this build has no feature `tract`, the built-in engine".into())
                .with_remedy(format!(
                    "build with the feature `tract`, or with `onnxruntime` and set \
                     {LIBRARY_VARIABLE} to the path of libonnxruntime"
                ))),
        }
    }

    /// The name that enters digests: engines agree up to rounding only.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            #[cfg(feature = "tract")]
            Self::Tract => "tract",
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(_) => "onnxruntime",
        }
    }

    /// Loads a graph.
    pub(crate) fn load(&self, model: &Path, threads: usize) -> Result<Graph> {
        let loaded = guard(|| match self {
            #[cfg(feature = "tract")]
            Self::Tract => tract::load(model),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(library) => onnx_runtime::load(library, model, threads),
        });
        // Only ONNX Runtime has threads of its own.
        let _ = threads;
        loaded.unwrap_or_else(|message| {
            Err(Error::new(ErrorKind::InvalidInput, COMPONENT, "load the graph", message)
                .with_path(model)
                .with_remedy("export the model again"))
        })
    }
}

/// A loaded graph and how to call it.
#[derive(Debug)]
pub(crate) struct Graph {
    inputs: Vec<Input>,
    grouping: Grouping,
    runner: Box<dyn Runner>,
}

/// Runs a loaded graph, from several threads at once.
trait Runner: Debug + Send + Sync {
    /// The logits of a batch, given the values of the inputs in the graph's order, each of shape
    /// (rows, width); the message of the engine's error otherwise.
    fn run(&self, inputs: &[(&Input, &[i64])], shape: [usize; 2]) -> Result<Logits, String>;
}

/// The output of a run: `rows` by `columns` values.
#[derive(Debug)]
pub(crate) struct Logits {
    pub(crate) columns: usize,
    pub(crate) values: Vec<f32>,
}

impl Graph {
    /// Which windows may go through it together.
    pub(crate) const fn grouping(&self) -> Grouping {
        self.grouping
    }

    /// The logits of windows, one row each, padded to the longest.
    ///
    /// # Errors
    /// The engine's message.
    pub(crate) fn run(&self, windows: &[&Window], pad_id: u32) -> Result<Logits, String> {
        let width = windows.iter().map(|window| window.ids.len()).max().unwrap_or(0);
        let fill = |row: &dyn Fn(&Window) -> Vec<i64>, padding: i64| -> Vec<i64> {
            let mut values = Vec::with_capacity(windows.len() * width);
            for (at, window) in windows.iter().enumerate() {
                values.extend(row(window));
                values.resize((at + 1) * width, padding);
            }
            values
        };
        let values: Vec<Vec<i64>> = self
            .inputs
            .iter()
            .map(|input| match input.role {
                Role::InputIds => fill(&|w| widen(&w.ids), i64::from(pad_id)),
                Role::AttentionMask => fill(&|w| vec![1; w.ids.len()], 0),
                Role::TokenTypeIds => fill(&|w| widen(&w.type_ids), 0),
            })
            .collect();
        let inputs: Vec<(&Input, &[i64])> =
            self.inputs.iter().zip(values.iter().map(Vec::as_slice)).collect();
        let logits = guard(|| self.runner.run(&inputs, [windows.len(), width])).flatten()?;
        if logits.values.len() != windows.len() * logits.columns {
            return Err(format!(
                "{} values for {} texts of {} labels",
                logits.values.len(),
                windows.len(),
                logits.columns
            ));
        }
        Ok(logits)
    }
}

fn widen(ids: &[u32]) -> Vec<i64> {
    ids.iter().map(|&id| i64::from(id)).collect()
}

/// Engines panic where a graph or an id is not what they expect (tract indexes an embedding without
/// a check); a library must not take its host down with it.
pub(crate) fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let payload: &(dyn Any + Send) = &*payload;
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        format!("the engine panicked: {}", message.unwrap_or("without a message"))
    })
}
