use serde_json::{Value, json};

use super::{AdapterBase, Object, is_set, malformed, unsupported};
use crate::training::Lora;
use crate::{Error, ErrorKind, Result};

/// Keys of PEFT that change the computation in a way that is not built.
const REFUSED: [&str; 13] = [
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
];

/// PEFT's rank and alpha where its configuration does not say.
const PEFT_DEFAULT: f64 = 8.0;

/// LoRA as PEFT writes it down.
///
/// A tensor `base_model.model.MODULE.lora_A.weight` is (rank, in), `...lora_B.weight` is (out, rank),
/// whatever the layout of the base's own matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// Rank of the updates.
    pub rank: usize,
    /// Numerator of the scale.
    pub alpha: f64,
    /// Whether the denominator is the rank's root.
    pub rank_stabilized: bool,
    /// Dropped in training.
    pub dropout: f64,
    /// Ends of the names of the adapted modules, sorted.
    pub target_modules: Vec<String>,
    /// Whether the base stores its matrices (in, out). PEFT finds out for itself.
    pub is_transposed: bool,
    /// Ranks of modules that have another one.
    rank_pattern: Pattern,
    /// Alphas of modules that have another one.
    alpha_pattern: Pattern,
}

/// Values for the modules whose names are, or end in, these.
type Pattern = Vec<(String, f64)>;

impl LoraConfig {
    /// The configuration of a training.
    #[must_use]
    pub fn new(lora: &Lora, mut target_modules: Vec<String>, is_transposed: bool) -> Self {
        target_modules.sort();
        Self {
            rank: lora.rank,
            alpha: lora.alpha,
            rank_stabilized: lora.rank_stabilized,
            dropout: lora.dropout,
            target_modules,
            is_transposed,
            rank_pattern: Pattern::new(),
            alpha_pattern: Pattern::new(),
        }
    }

    /// The rank of a module's update, by its full name.
    ///
    /// # Errors
    /// When two patterns fit the module and differ.
    pub fn rank_of(&self, module: &str) -> Result<usize> {
        let rank = pick("rank_pattern", &self.rank_pattern, module)?;
        Ok(rank.map_or(self.rank, |rank| rank as usize))
    }

    /// What the update of a module, by its full name, is multiplied by.
    ///
    /// # Errors
    /// When two patterns fit the module and differ.
    pub fn scale_of(&self, module: &str) -> Result<f64> {
        let alpha = pick("alpha_pattern", &self.alpha_pattern, module)?.unwrap_or(self.alpha);
        Ok(Lora::scale(self.rank_of(module)?, alpha, self.rank_stabilized))
    }

    pub(super) fn read(config: &Object) -> Result<Self> {
        let mut given = REFUSED.iter().filter_map(|key| config.get_key_value(*key));
        if let Some((key, value)) = given.find(|(_, value)| is_set(value)) {
            return Err(unsupported(key, value));
        }
        if let Some(bias) = config.get("bias").filter(|bias| *bias != "none") {
            return Err(unsupported("bias", bias));
        }
        let number = |key: &'static str| match config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| malformed(key, "not a number")),
        };
        let rank = number("r")?.unwrap_or(PEFT_DEFAULT);
        if rank < 1.0 || rank.fract() != 0.0 {
            return Err(malformed("r", "not a whole number of 1 or more"));
        }
        let target_modules = match config.get("target_modules") {
            Some(Value::Array(names)) => {
                names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
            }
            // A regular expression, or nothing: the tensors' names say what is adapted.
            _ => Vec::new(),
        };
        let is_on = |key: &str| config.get(key).is_some_and(|value| value == true);
        Ok(Self {
            rank: rank as usize,
            alpha: number("lora_alpha")?.unwrap_or(PEFT_DEFAULT),
            rank_stabilized: is_on("use_rslora"),
            dropout: number("lora_dropout")?.unwrap_or(0.0),
            target_modules,
            is_transposed: is_on("fan_in_fan_out"),
            rank_pattern: pattern("rank_pattern", config)?,
            alpha_pattern: pattern("alpha_pattern", config)?,
        })
    }

    /// Without patterns: some of those who serve LoRA do not read them.
    pub(super) fn write(&self, base: &AdapterBase) -> Value {
        json!({
            "base_model_name_or_path": base.name,
            "bias": "none",
            "fan_in_fan_out": self.is_transposed,
            "inference_mode": true,
            "init_lora_weights": true,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.rank,
            "target_modules": self.target_modules,
            "task_type": "CAUSAL_LM",
            "use_dora": false,
            "use_rslora": self.rank_stabilized,
        })
    }
}

/// The value for a module, if any.
fn pick(key: &'static str, pattern: &Pattern, module: &str) -> Result<Option<f64>> {
    let fits = |name: &str| {
        module.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let mut values = pattern.iter().filter(|(name, _)| fits(name)).map(|(_, value)| *value);
    let first = values.next();
    // PEFT takes the one that stands first in the file, which JSON does not promise to keep.
    match values.find(|value| Some(*value) != first) {
        None => Ok(first),
        Some(_) => Err(Error::new(
            ErrorKind::InvalidInput,
            "adapter",
            "read the configuration",
            format!("two patterns fit {module} and differ"),
        )
        .with_key(key)),
    }
}

/// A pattern of plain names. PEFT allows regular expressions.
fn pattern(key: &'static str, config: &Object) -> Result<Pattern> {
    let values = match config.get(key) {
        None | Some(Value::Null) => return Ok(Pattern::new()),
        Some(Value::Object(values)) => values,
        Some(_) => return Err(malformed(key, "not an object")),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    values
        .iter()
        .map(|(name, value)| {
            if !name.bytes().all(is_plain) {
                return Err(unsupported(key, &Value::from(name.as_str()))
                    .with_remedy("only plain names of modules are read, no regular expressions"));
            }
            let value = value.as_f64().filter(|value| *value > 0.0);
            Ok((name.clone(), value.ok_or_else(|| malformed(key, "not numbers above 0"))?))
        })
        .collect()
}
