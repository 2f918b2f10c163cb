//! Adapters: what is loaded in addition to a base model, in the formats in which others read it.
//!
//! | method | written for, and read from | weights |
//! | --- | --- | --- |
//! | LoRA | PEFT, `transformers`, vLLM, SGLang | `adapter_model.safetensors` |
//! | prefix | PEFT | `adapter_model.safetensors` |
//! | bottleneck | AdapterHub's `adapters` | `adapter.safetensors` |

mod base;
mod bottleneck;
mod directory;
mod lora;
mod prefix;
#[cfg(test)]
mod tests;

pub use base::AdapterBase;
pub use bottleneck::BottleneckConfig;
pub use directory::{AdapterConfig, AdapterDirectory};
pub use lora::LoraConfig;
pub use prefix::PrefixConfig;

use serde_json::{Map, Value};

use crate::{Error, ErrorKind};

/// `adapter_config.json`.
type Object = Map<String, Value>;

/// An error about a key whose meaning we know and cannot serve.
fn unsupported(key: impl Into<String>, value: &Value) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "adapter",
        "read the configuration",
        format!("{value} asks for something that is not built"),
    )
    .with_key(key.into())
}

/// An error about a key that is missing or of the wrong type.
fn malformed(key: &'static str, expected: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "adapter", "read the configuration", expected).with_key(key)
}

/// Whether a key is there and switches something on.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}
