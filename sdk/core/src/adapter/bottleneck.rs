use serde_json::{Map, Value, json};

use super::{AdapterBase, Object, is_set, malformed, unsupported};
use crate::Result;
use crate::training::{BottleneckActivation, Placement};

/// The name that AdapterHub gives an adapter inside a model.
const NAME: &str = "detox";

/// Keys of AdapterHub that add parameters or change the formula in a way that is not built.
const REFUSED: [&str; 9] = [
    "architecture",
    "cross_adapter",
    "inv_adapter",
    "is_parallel",
    "ln_after",
    "ln_before",
    "phm_layer",
    "stochastic_depth",
    "use_gating",
];

/// Bottleneck adapters as AdapterHub's `adapters` writes them down.
///
/// Tensors are called `PREFIX.LAYER.SITE.adapters.NAME.` and `adapter_down.0.weight` (inner, width),
/// `adapter_down.0.bias`, `adapter_up.weight` (width, inner), `adapter_up.bias`; a site is
/// `attention_adapters` or `output_adapters`. With `A(h) = scaling (up f(down h))`, a sublayer that
/// computes `s` from the residual stream `x` leaves `x + s + A(s)`, or `x + s + A(x + s)` where
/// `reads_stream`.
#[derive(Clone, Debug, PartialEq)]
pub struct BottleneckConfig {
    /// The adapter's name in its tensors' names.
    pub name: String,
    /// Whether there is one after attention.
    pub after_attention: bool,
    /// Whether there is one after the feed-forward network.
    pub after_feed_forward: bool,
    /// Whether it reads the residual stream with the sublayer's output, not that output alone.
    pub reads_stream: bool,
    /// Between the projections.
    pub activation: BottleneckActivation,
    /// Factor of its result.
    pub scaling: f64,
    /// Layers without one.
    pub leave_out: Vec<usize>,
    /// Inner width, where it is known before the tensors are read.
    pub width: Option<usize>,
}

impl BottleneckConfig {
    /// The configuration of a training with this inner width.
    #[must_use]
    pub fn new(placement: Placement, activation: BottleneckActivation, width: usize) -> Self {
        let is_houlsby = placement == Placement::Houlsby;
        Self {
            name: NAME.to_owned(),
            after_attention: is_houlsby,
            after_feed_forward: true,
            reads_stream: !is_houlsby,
            activation,
            scaling: 1.0,
            leave_out: Vec::new(),
            width: Some(width),
        }
    }

    pub(super) fn read(top: &Object) -> Result<Self> {
        let name = top.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| malformed("name", "no name of the adapter"))?.to_owned();
        let preset;
        let config = match top.get("config") {
            Some(Value::Object(config)) => config,
            Some(Value::String(name)) => {
                preset = named(name)?;
                &preset
            }
            _ => return Err(malformed("config", "neither an object nor the name of one")),
        };
        for key in REFUSED {
            let is_on = |value: &Value| is_set(value) && value.as_f64() != Some(0.0);
            if let Some(value) = config.get(key).filter(|value| is_on(value)) {
                return Err(unsupported(format!("config.{key}"), value));
            }
        }
        for key in ["original_ln_after", "residual_before_ln"] {
            if let Some(value) = config.get(key).filter(|value| **value != true) {
                return Err(unsupported(format!("config.{key}"), value));
            }
        }
        let is_on = |key: &str| config.get(key).is_some_and(|value| *value == true);
        let scaling = config.get("scaling").cloned().unwrap_or(json!(1.0));
        let leave_out = config.get("leave_out").and_then(Value::as_array);
        Ok(Self {
            name,
            after_attention: is_on("mh_adapter"),
            after_feed_forward: is_on("output_adapter"),
            reads_stream: is_on("original_ln_before"),
            activation: activation(config, top.contains_key("version"))?,
            scaling: scaling.as_f64().ok_or_else(|| unsupported("config.scaling", &scaling))?,
            leave_out: leave_out
                .map(|layers| layers.iter().filter_map(Value::as_u64).map(|l| l as usize).collect())
                .unwrap_or_default(),
            width: None,
        })
    }

    pub(super) fn write(&self, base: &AdapterBase) -> Value {
        json!({
            "config": {
                "adapter_residual_before_ln": false,
                "cross_adapter": false,
                "dropout": 0.0,
                "init_weights": "bert",
                "inv_adapter": null,
                "inv_adapter_reduction_factor": null,
                "is_parallel": false,
                "leave_out": self.leave_out,
                "ln_after": false,
                "ln_before": false,
                "mh_adapter": self.after_attention,
                "non_linearity": non_linearity(self.activation),
                "original_ln_after": true,
                "original_ln_before": self.reads_stream,
                "output_adapter": self.after_feed_forward,
                "phm_layer": false,
                "reduction_factor": reduction_factor(base.width, self.width.unwrap_or(1)),
                "residual_before_ln": true,
                // A whole number is refused there.
                "scaling": self.scaling,
                "stochastic_depth": 0.0,
                "use_gating": false,
            },
            "hidden_size": base.width,
            "model_class": base.class,
            "model_name": base.name,
            "model_type": base.model_type,
            "name": self.name,
            // Without it "gelu" would be read as its approximation.
            "version": "adapters.1.3.0",
        })
    }
}

/// A configuration that AdapterHub knows by name.
fn named(name: &str) -> Result<Object> {
    let (placement, activation) = match name {
        "double_seq_bn" | "houlsby" => (Placement::Houlsby, "swish"),
        "seq_bn" | "pfeiffer" => (Placement::Pfeiffer, "relu"),
        _ => return Err(unsupported("config", &Value::from(name))),
    };
    let is_houlsby = placement == Placement::Houlsby;
    Ok(Map::from_iter([
        ("mh_adapter".to_owned(), is_houlsby.into()),
        ("output_adapter".to_owned(), true.into()),
        ("original_ln_before".to_owned(), (!is_houlsby).into()),
        ("non_linearity".to_owned(), activation.into()),
    ]))
}

fn activation(config: &Object, has_version: bool) -> Result<BottleneckActivation> {
    let value = config.get("non_linearity").cloned().unwrap_or_default();
    match value.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("relu") => Ok(BottleneckActivation::Relu),
        Some("swish" | "silu") => Ok(BottleneckActivation::Swish),
        // Before files had a version, the approximation had this name.
        Some("gelu") if has_version => Ok(BottleneckActivation::Gelu),
        Some("gelu" | "gelu_new") => Ok(BottleneckActivation::GeluNew),
        _ => Err(unsupported("config.non_linearity", &value)
            .with_remedy("supported: relu, swish, gelu, gelu_new")),
    }
}

const fn non_linearity(activation: BottleneckActivation) -> &'static str {
    match activation {
        BottleneckActivation::Relu => "relu",
        BottleneckActivation::Swish => "swish",
        BottleneckActivation::Gelu => "gelu",
        BottleneckActivation::GeluNew => "gelu_new",
    }
}

/// A factor from which AdapterHub's rounded-down division makes this inner width again.
fn reduction_factor(model_width: usize, width: usize) -> Value {
    if model_width.is_multiple_of(width) {
        Value::from(model_width / width)
    } else {
        Value::from(model_width as f64 / (width as f64 + 0.5))
    }
}
