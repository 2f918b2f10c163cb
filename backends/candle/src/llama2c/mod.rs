//! Models of [llama2.c](https://github.com/karpathy/llama2.c), such as the TinyStories ones, as
//! Hugging Face directories.

mod checkpoint;
mod tokenizer;

use std::path::Path;

use detoxlm_core::Result;
use detoxlm_core::files::{create_new_directory, write_atomically};
use serde_json::{Value, json};

use crate::safetensors_file::{self, Entry};
use checkpoint::Llama2c;

const OPERATION: &str = "convert a llama2.c model";

/// Writes a llama2.c checkpoint (the legacy format: 28 bytes of header, then `f32` weights) and its
/// tokenizer as a new directory `out` that this backend and `transformers` read.
///
/// - llama2.c rotates neighbouring dimensions of a head (2i, 2i + 1) together, Hugging Face i and
///   i + half: rows of the query and key projections are reordered within each head accordingly.
/// - The tokenizer's greedy merging by score becomes byte-pair encoding: every pair of tokens that
///   joins to a token is a merge, those of higher score first.
/// - llama2.c trains on documents that begin with `<s>` and never writes `</s>`, so that a document
///   ends where the next begins. `eos_token_id` is therefore `[1, 2]`: `<s>` joins documents in
///   training, and either ends one in generation.
///
/// # Errors
/// When a file cannot be read, is not of this format, or the two do not belong together; when `out`
/// exists or cannot be written.
pub fn convert_llama2c(bin: &Path, tokenizer_bin: &Path, out: &Path) -> Result<()> {
    let model = Llama2c::open(bin)?;
    let tokenizer = tokenizer::convert(tokenizer_bin, model.header.vocabulary)?;
    create_new_directory(out, |directory| {
        for (name, content) in [
            ("config.json", config(&model)),
            ("generation_config.json", generation_config()),
            ("tokenizer.json", tokenizer),
            ("tokenizer_config.json", tokenizer_config()),
        ] {
            write_atomically(directory.join(name), format!("{content:#}\n"))?;
        }
        let tensors = model.tensors();
        let entries = tensors
            .iter()
            .map(|tensor| {
                let entry = Entry::Tensor { shape: &tensor.shape, values: &tensor.values };
                (tensor.name.clone(), entry)
            })
            .collect();
        safetensors_file::write(&directory.join("model.safetensors"), entries)
    })
}

fn config(model: &Llama2c) -> Value {
    let header = &model.header;
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": header.vocabulary,
        "hidden_size": header.width,
        "intermediate_size": header.inner_width,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "num_key_value_heads": header.kv_heads,
        "max_position_embeddings": header.context_length,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": header.tied,
        "bos_token_id": tokenizer::BOS,
        "eos_token_id": [tokenizer::BOS, tokenizer::EOS],
        "torch_dtype": "float32",
    })
}

fn generation_config() -> Value {
    json!({ "bos_token_id": tokenizer::BOS, "eos_token_id": [tokenizer::BOS, tokenizer::EOS] })
}

fn tokenizer_config() -> Value {
    let [unknown, bos, eos] = tokenizer::SPECIAL;
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": unknown,
        "bos_token": bos,
        "eos_token": eos,
        "clean_up_tokenization_spaces": false,
    })
}
