//! Model families: each turns its `config.json` into an [`Architecture`].
//!
//! To add one, describe its blocks in a file of its own and name it in `FAMILIES`.

mod gpt2;
mod llama;
mod rope;

use detoxlm_core::{Error, ErrorKind, ModelDirectory, Result};
use serde_json::Value;

use crate::architecture::Architecture;
use crate::error::error;

type Describe = fn(&Config<'_>) -> Result<Architecture>;

/// `model_type` and what reads its configuration.
const FAMILIES: [(&str, Describe); 3] =
    [("gpt2", gpt2::describe), ("llama", llama::llama), ("qwen2", llama::qwen2)];

/// What the configuration of a model directory describes.
///
/// # Errors
/// When the family is not known, or a setting asks for what is not built; it is named.
pub fn describe(directory: &ModelDirectory) -> Result<Architecture> {
    let model_type = directory.model_type()?;
    let Some((_, describe)) = FAMILIES.iter().find(|(name, _)| *name == model_type) else {
        let supported = FAMILIES.map(|(name, _)| name).join(", ");
        return Err(Config(directory)
            .refuse("model_type", format!("\"{model_type}\" is not a family this backend knows"))
            .with_remedy(format!("supported: {supported}")));
    };
    describe(&Config(directory))
}

/// A configuration, with errors that name the file and the key.
struct Config<'a>(&'a ModelDirectory);

impl Config<'_> {
    /// An error about a setting whose meaning we know and cannot serve.
    fn refuse(&self, key: &'static str, message: String) -> Error {
        error(ErrorKind::Unsupported, "read the configuration", message)
            .with_path(self.0.path().join("config.json"))
            .with_key(key)
    }

    /// Fails unless `key` is missing, null or `expected`: what another value asks for is not built.
    fn require(&self, key: &'static str, expected: &Value) -> Result<()> {
        match self.0.config().get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(value) if value == expected => Ok(()),
            Some(value) => {
                Err(self.refuse(key, format!("{value} is not supported, only {expected}")))
            }
        }
    }

    /// Fails unless every one of these sizes is positive.
    fn check_positive(&self, sizes: &[(&'static str, usize)]) -> Result<()> {
        match sizes.iter().find(|(_, size)| *size == 0) {
            Some((key, _)) => Err(self.refuse(key, "must be at least 1".into())),
            None => Ok(()),
        }
    }

    /// Fails unless `of` is a multiple of `divisor`.
    fn check_divides(
        &self,
        (key, divisor): (&'static str, usize),
        (of_key, of): (&'static str, usize),
    ) -> Result<()> {
        if of.is_multiple_of(divisor) {
            return Ok(());
        }
        Err(self.refuse(key, format!("{divisor} does not divide `{of_key}`, which is {of}")))
    }
}
