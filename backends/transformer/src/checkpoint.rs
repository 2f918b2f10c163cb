//! The parameters of an architecture, found in a checkpoint.

use detoxlm_core::{Error, ErrorKind, ModelDirectory, Result};

use crate::architecture::{Architecture, HEAD, Parameter};
use crate::error::error;
use crate::weights::Weights;

/// A model directory whose configuration, tensor names and tokenizer fit each other.
#[derive(Debug)]
pub struct Checkpoint {
    weights: Weights,
    /// As stored, in the order of the architecture's parameters.
    names: Vec<String>,
}

impl Checkpoint {
    /// Opens the weights of a directory that is to hold `architecture`.
    ///
    /// # Errors
    /// When a file is malformed, or holds a tensor that the architecture has no place for: leaving
    /// it out would silently be another model.
    pub fn open(directory: &ModelDirectory, architecture: &Architecture) -> Result<Self> {
        let weights = Weights::open(directory.weights())?;
        // Saved from the bare transformer, names lack the prefix of the one with a head.
        let first = &architecture.parameters[architecture.embedding.0].name;
        let prefix = if weights.contains(first) { "" } else { architecture.prefix };
        let names = architecture.names(prefix);
        for (name, path) in weights.names() {
            let ignored = architecture.ignored.iter().any(|end| name.ends_with(end))
                || (architecture.is_tied() && name == HEAD);
            if !ignored && !names.iter().any(|known| known == name) {
                return Err(unexpected(architecture, name).with_path(path));
            }
        }
        Ok(Self { weights, names })
    }

    /// The parameter's name in the files.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A parameter as `f32`, row-major.
    ///
    /// # Errors
    /// When it is missing, of another shape, or not of floating-point numbers.
    pub fn read(&self, architecture: &Architecture, parameter: Parameter) -> Result<Vec<f32>> {
        self.weights.read(&self.names[parameter.0], &architecture.parameters[parameter.0].shape)
    }
}

fn unexpected(architecture: &Architecture, name: &str) -> Error {
    error(
        ErrorKind::Incompatible,
        "read the weights",
        format!("no part of the {} model that config.json describes", architecture.family),
    )
    .with_key(name.to_owned())
    .with_remedy("use the weights and the configuration of the same model")
}
