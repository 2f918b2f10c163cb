use serde_json::{Value, json};

use super::{AdapterBase, Object, malformed};
use crate::Result;

/// A prefix as PEFT writes it down.
///
/// One tensor, `prompt_embeddings`, of (length, layers * 2 * kv_heads * head width): a layer's keys,
/// then its values, layer by layer. Keys of rotary models are stored as they stand in a cache:
/// nothing turns them again. The text's first position is `length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixConfig {
    /// Virtual tokens.
    pub length: usize,
    /// Layers of the base.
    pub layers: usize,
    /// Heads of keys and values in the base.
    pub kv_heads: usize,
    /// Columns of a token's keys in a layer.
    pub key_width: usize,
}

impl PrefixConfig {
    pub(super) fn read(config: &Object) -> Result<Self> {
        // What the base decides may be left out.
        let count = |key: &str| config.get(key).and_then(Value::as_u64).unwrap_or(0) as usize;
        let length = count("num_virtual_tokens");
        if length == 0 {
            return Err(malformed("num_virtual_tokens", "not a number of 1 or more"));
        }
        Ok(Self {
            length,
            layers: count("num_layers"),
            kv_heads: count("num_attention_heads"),
            key_width: count("token_dim"),
        })
    }

    pub(super) fn write(&self, base: &AdapterBase) -> Value {
        json!({
            "base_model_name_or_path": base.name,
            "encoder_hidden_size": self.key_width,
            "inference_mode": true,
            "num_attention_heads": self.kv_heads,
            "num_layers": self.layers,
            "num_transformer_submodules": 1,
            "num_virtual_tokens": self.length,
            "peft_type": "PREFIX_TUNING",
            // A projection that was trained with is folded into what is stored.
            "prefix_projection": false,
            "task_type": "CAUSAL_LM",
            "token_dim": self.key_width,
        })
    }
}
