//! What runs the graph: tract or ONNX Runtime.
#![cfg_attr(
    not(any(feature = "tract", feature = "onnxruntime")),
    allow(dead_code, reason = "without an engine nothing runs, and opening a classifier says so")
)]

#[cfg(feature = "onnxruntime")]
mod onnx_runtime;
mod signature;
#[cfg(feature = "tract")]
mod tract;

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use detoxlm_core::{Error, ErrorKind, Result};
use signature::{Input, Role};

use crate::batches::Grouping;
use crate::files::ModelFile;
use crate::windows::Window;
use crate::{COMPONENT, LIBRARY_VARIABLE};

/// Which engine runs the graphs of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Compiled in, pure Rust.
    Tract,
    /// Loaded at run time from this library.
    OnnxRuntime(PathBuf),
}

impl Engine {
    /// The engine of this process: ONNX Runtime where the environment names its library, else tract.
    pub(crate) fn of_process() -> Result<Self> {
        let library = std::env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty());
        Self::choose(library.map(PathBuf::from))
    }

    fn choose(library: Option<PathBuf>) -> Result<Self> {
        let absent = |message: String| {
            Error::new(ErrorKind::Unsupported, COMPONENT, "choose an engine", message)
        };
        match library {
            Some(library) if cfg!(feature = "onnxruntime") => Ok(Self::OnnxRuntime(library)),
            None if cfg!(feature = "tract") => Ok(Self::Tract),
            Some(library) => Err(absent(format!(
                "{LIBRARY_VARIABLE} names an ONNX Runtime, but this build lacks the feature \
                 `onnxruntime`"
            ))
            .with_path(library)
            .with_remedy(format!("build with `onnxruntime`, or unset {LIBRARY_VARIABLE}"))),
            None => Err(absent("this build lacks the feature `tract`, the built-in engine".into())
                .with_remedy(format!(
                    "build with `tract`, or with `onnxruntime` and set {LIBRARY_VARIABLE} to the \
                     path of libonnxruntime"
                ))),
        }
    }

    /// The name that enters digests: engines agree up to rounding only.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Tract => "tract",
            Self::OnnxRuntime(_) => "onnxruntime",
        }
    }

    /// Loads a graph; `threads` is how many one run may use, if the engine has threads of its own.
    pub(crate) fn load(
        &self,
        model: &ModelFile,
        #[cfg_attr(
            not(feature = "onnxruntime"),
            expect(unused_variables, reason = "tract computes on the caller's thread")
        )]
        threads: usize,
    ) -> Result<Graph> {
        let refuse = |kind, message: String| {
            Error::new(kind, COMPONENT, "load the graph", message).with_path(&model.path)
        };
        let loaded = guard(|| match self {
            #[cfg(feature = "tract")]
            Self::Tract => tract::load(model),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(library) => onnx_runtime::load(library, model, threads),
            #[cfg(not(all(feature = "tract", feature = "onnxruntime")))]
            absent => {
                let message = format!("this build has no {}", absent.name());
                Err(refuse(ErrorKind::Internal, message))
            }
        });
        loaded.unwrap_or_else(|message| {
            Err(refuse(ErrorKind::InvalidInput, message).with_remedy("export the model again"))
        })
    }
}

/// How far logits may lie apart, relative to those above 1, and still be the same up to rounding.
const SAME: f32 = 1e-4;

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
    fn run(&self, inputs: &[(Input, &[i64])], shape: [usize; 2]) -> Result<Logits, String>;
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

    /// Lowers the grouping to what leaves each window's logits alone. A graph may take a mask and yet
    /// read padding, and one with dynamic quantisation scales a row by its neighbours.
    ///
    /// # Errors
    /// The engine's message, when a window alone fails.
    pub(crate) fn check_grouping(
        &mut self,
        long: &Window,
        equal: &Window,
        short: &Window,
        pad_id: u32,
    ) -> Result<(), String> {
        for (grouping, other) in
            [(Grouping::SimilarLengths, short), (Grouping::EqualLengths, equal)]
        {
            if grouping != self.grouping {
                continue;
            }
            let alone = [self.run(&[long], pad_id)?.values, self.run(&[other], pad_id)?.values];
            let same = self.run(&[long, other], pad_id).is_ok_and(|together| {
                let near = |(a, b): (&f32, &f32)| (a - b).abs() <= SAME * a.abs().max(1.0);
                alone.iter().flatten().zip(&together.values).all(near)
            });
            if !same {
                self.grouping = self.grouping.lower();
            }
        }
        Ok(())
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
        let inputs: Vec<(Input, &[i64])> =
            self.inputs.iter().copied().zip(values.iter().map(Vec::as_slice)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_among_the_engines_that_there_are() {
        let named = Engine::choose(Some("lib.so".into()));
        if cfg!(feature = "onnxruntime") {
            assert_eq!(named.unwrap(), Engine::OnnxRuntime("lib.so".into()));
        } else {
            let error = named.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let text = error.to_string();
            assert!(text.contains(LIBRARY_VARIABLE) && text.contains("`onnxruntime`"), "{text}");
        }
        let built_in = Engine::choose(None);
        if cfg!(feature = "tract") {
            assert_eq!(built_in.unwrap(), Engine::Tract);
        } else {
            let text = built_in.unwrap_err().to_string();
            assert!(text.contains("`tract`") && text.contains(LIBRARY_VARIABLE), "{text}");
        }
    }

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guard(|| 1), Ok(1));
        let index = [0_u8; 3].len();
        let message = guard(|| [1, 2, 3][index..][0]).unwrap_err();
        assert!(message.contains("panicked") && message.contains("index"), "{message}");
    }

    #[cfg(feature = "onnxruntime")]
    #[test]
    fn a_library_that_cannot_be_loaded_is_named_with_its_variable() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("libonnxruntime.so");
        std::fs::write(&text, "not a library").unwrap();
        let model = ModelFile { path: "model.onnx".into(), bytes: None };
        for library in [directory.path().join("missing.so"), text] {
            let engine = Engine::OnnxRuntime(library.clone());
            let error = engine.load(&model, 1).unwrap_err();
            assert_eq!(error.path(), Some(library.as_path()));
            assert_eq!(error.key(), Some(LIBRARY_VARIABLE));
        }
    }
}
