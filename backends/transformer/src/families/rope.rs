//! The rotary embedding's settings, as `transformers` wrote them before and since its version 5.

use detoxlm_core::{ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;

use super::Config;
use crate::error::error;
use crate::rotary::{Rotary, RotaryScaling};

/// `rope_theta` of configurations that do not say, in every family here.
const DEFAULT_BASE: f64 = 10_000.0;

/// `rope_scaling` (version 4, beside `rope_theta`) or `rope_parameters` (version 5, around it).
#[derive(Default, Deserialize)]
struct RopeConfig {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<usize>,
    partial_rotary_factor: Option<f64>,
}

pub(super) fn read(config: &Config<'_>) -> Result<Rotary> {
    let map = config.0.config();
    let (key, value) = ["rope_parameters", "rope_scaling"]
        .into_iter()
        .find_map(|key| map.get(key).filter(|value| !value.is_null()).map(|value| (key, value)))
        .unwrap_or(("rope_scaling", &Value::Null));
    let wrong = |key, message: String| {
        error(ErrorKind::InvalidInput, "read the configuration", message)
            .with_path(config.0.path().join("config.json"))
            .with_key(key)
    };
    // Version 4 wrote both names into one map when it read an old file.
    let mut value = value.clone();
    if let Value::Object(map) = &mut value
        && map.contains_key("rope_type")
    {
        map.remove("type");
    }
    let read = Option::<RopeConfig>::deserialize(&value)
        .map_err(|e| wrong(key, e.to_string()).with_source(e))?
        .unwrap_or_default();
    let base = match (read.rope_theta, map.get("rope_theta")) {
        (Some(base), _) => base,
        (None, None | Some(Value::Null)) => DEFAULT_BASE,
        (None, Some(value)) => {
            value.as_f64().ok_or_else(|| wrong("rope_theta", format!("{value} is not a number")))?
        }
    };
    if !(base > 0.0 && base.is_finite()) {
        return Err(wrong("rope_theta", format!("{base} is not a base of more than 0")));
    }
    if read.partial_rotary_factor.is_some_and(|factor| factor != 1.0) {
        return Err(config.refuse(key, "`partial_rotary_factor` is not supported".into()));
    }
    let number = |value: Option<f64>, name: &str| match value {
        Some(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err(wrong(key, format!("`{name}` must be a number of more than 0"))),
    };
    let scaling = match read.rope_type.as_deref() {
        None | Some("default") => RotaryScaling::None,
        Some("linear") => RotaryScaling::Linear { factor: number(read.factor, "factor")? },
        Some("llama3") => RotaryScaling::Llama3 {
            factor: number(read.factor, "factor")?,
            low_frequency_factor: number(read.low_freq_factor, "low_freq_factor")?,
            high_frequency_factor: number(read.high_freq_factor, "high_freq_factor")?,
            original_context: read.original_max_position_embeddings.ok_or_else(|| {
                wrong(key, "`original_max_position_embeddings` is missing".into())
            })?,
        },
        Some(other) => {
            return Err(config
                .refuse(key, format!("the rope type \"{other}\" is not supported"))
                .with_remedy("supported: default, linear, llama3"));
        }
    };
    Ok(Rotary { base, scaling })
}
