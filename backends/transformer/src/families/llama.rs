//! Llama (Touvron et al. 2023) and Qwen2 (Yang et al. 2024), which differs by its biases: rotary
//! positions, RMS norm, SwiGLU, matrices stored (out, in).

use detoxlm_core::Result;
use serde::Deserialize;
use serde_json::Value;

use super::{Config, rope};
use crate::architecture::{
    Architecture, Block, FeedForward, ParameterList, Projections, WeightLayout,
};

/// The keys of `LlamaConfig` and `Qwen2Config` that decide the computation; defaults are theirs.
#[derive(Deserialize)]
struct LlamaConfig {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: usize,
    rms_norm_eps: Option<f64>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
}

/// Which linear layers have a bias.
struct Biases {
    projections: bool,
    attention_output: bool,
    feed_forward: bool,
}

pub(super) fn llama(config: &Config<'_>) -> Result<Architecture> {
    config.require("pretraining_tp", &Value::from(1))?;
    let read: LlamaConfig = config.0.parse_config()?;
    let attention = read.attention_bias.unwrap_or(false);
    let biases = Biases {
        projections: attention,
        attention_output: attention,
        feed_forward: read.mlp_bias.unwrap_or(false),
    };
    describe(config, "llama", &read, &biases)
}

pub(super) fn qwen2(config: &Config<'_>) -> Result<Architecture> {
    config.require("use_sliding_window", &Value::Bool(false))?;
    let read: LlamaConfig = config.0.parse_config()?;
    let biases = Biases { projections: true, attention_output: false, feed_forward: false };
    describe(config, "qwen2", &read, &biases)
}

fn describe(
    config: &Config<'_>,
    family: &'static str,
    read: &LlamaConfig,
    biases: &Biases,
) -> Result<Architecture> {
    config.require("hidden_act", &Value::from("silu"))?;
    if let Some(Value::Array(types)) = config.0.config().get("layer_types")
        && let Some(other) = types.iter().find(|kind| kind.as_str() != Some("full_attention"))
    {
        return Err(config.refuse("layer_types", format!("{other} layers are not supported")));
    }
    let (width, inner, heads) =
        (read.hidden_size, read.intermediate_size, read.num_attention_heads);
    let kv_heads = read.num_key_value_heads.unwrap_or(heads);
    config.check_positive(&[
        ("vocab_size", read.vocab_size),
        ("hidden_size", width),
        ("intermediate_size", inner),
        ("num_hidden_layers", read.num_hidden_layers),
        ("num_attention_heads", heads),
        ("num_key_value_heads", kv_heads),
        ("max_position_embeddings", read.max_position_embeddings),
    ])?;
    let head_width = match read.head_dim {
        Some(width) => width,
        None => {
            config.check_divides(("num_attention_heads", heads), ("hidden_size", width))?;
            width / heads
        }
    };
    config.check_divides(("num_key_value_heads", kv_heads), ("num_attention_heads", heads))?;
    if head_width == 0 || head_width % 2 == 1 {
        return Err(config.refuse("head_dim", format!("{head_width} is not a positive even width")));
    }

    let layout = WeightLayout::OutIn;
    let mut list = ParameterList::new(layout);
    let embedding = list.add("embed_tokens.weight", &[read.vocab_size, width]);
    let blocks = (0..read.num_hidden_layers)
        .map(|index| {
            let name = |part: &str| format!("layers.{index}.{part}");
            let (queries, keys) = (heads * head_width, kv_heads * head_width);
            Block {
                attention_norm: list.rms_norm(&name("input_layernorm"), width),
                projections: Projections::Separate {
                    query: list.affine(
                        &name("self_attn.q_proj"),
                        width,
                        queries,
                        biases.projections,
                    ),
                    key: list.affine(&name("self_attn.k_proj"), width, keys, biases.projections),
                    value: list.affine(&name("self_attn.v_proj"), width, keys, biases.projections),
                },
                attention_output: list.affine(
                    &name("self_attn.o_proj"),
                    queries,
                    width,
                    biases.attention_output,
                ),
                feed_forward_norm: list.rms_norm(&name("post_attention_layernorm"), width),
                feed_forward: FeedForward::SwiGlu {
                    gate: list.affine(&name("mlp.gate_proj"), width, inner, biases.feed_forward),
                    up: list.affine(&name("mlp.up_proj"), width, inner, biases.feed_forward),
                    down: list.affine(&name("mlp.down_proj"), inner, width, biases.feed_forward),
                },
            }
        })
        .collect();
    let final_norm = list.rms_norm("norm", width);
    let tied = read.tie_word_embeddings.unwrap_or(false);
    let head = list.head(tied, embedding, [read.vocab_size, width]);
    Ok(Architecture {
        family,
        prefix: "model.",
        block_list: "layers",
        ignored: &[".rotary_emb.inv_freq"],
        vocabulary: read.vocab_size,
        context_length: read.max_position_embeddings,
        width,
        heads,
        kv_heads,
        head_width,
        inner_width: inner,
        epsilon: read.rms_norm_eps.unwrap_or(1e-6),
        layout,
        rotary: Some(rope::read(config)?),
        parameters: list.finish(),
        embedding,
        position_embedding: None,
        blocks,
        final_norm,
        head,
    })
}
