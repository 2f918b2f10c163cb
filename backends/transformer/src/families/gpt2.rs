//! GPT-2 (Radford et al. 2019): learned positions, layer norm, GELU, matrices stored (in, out).

use detoxlm_core::Result;
use serde::Deserialize;
use serde_json::Value;

use super::Config;
use crate::architecture::{
    Activation, Architecture, Block, FeedForward, ParameterList, Projections, WeightLayout,
};

/// The keys of `GPT2Config` that decide the computation; defaults are the class's.
#[derive(Deserialize)]
struct Gpt2Config {
    vocab_size: usize,
    n_positions: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_inner: Option<usize>,
    activation_function: Option<String>,
    layer_norm_epsilon: Option<f64>,
    tie_word_embeddings: Option<bool>,
}

pub(super) fn describe(config: &Config<'_>) -> Result<Architecture> {
    let read: Gpt2Config = config.0.parse_config()?;
    config.require("scale_attn_weights", &Value::Bool(true))?;
    config.require("scale_attn_by_inverse_layer_idx", &Value::Bool(false))?;
    config.require("add_cross_attention", &Value::Bool(false))?;
    let width = read.n_embd;
    let inner = read.n_inner.unwrap_or(4 * width);
    config.check_positive(&[
        ("vocab_size", read.vocab_size),
        ("n_positions", read.n_positions),
        ("n_embd", width),
        ("n_layer", read.n_layer),
        ("n_head", read.n_head),
        ("n_inner", inner),
    ])?;
    config.check_divides(("n_head", read.n_head), ("n_embd", width))?;
    let activation = activation(config, read.activation_function.as_deref())?;

    let layout = WeightLayout::InOut;
    let mut list = ParameterList::new(layout);
    let embedding = list.add("wte.weight", &[read.vocab_size, width]);
    let positions = list.add("wpe.weight", &[read.n_positions, width]);
    let blocks = (0..read.n_layer)
        .map(|index| Block {
            attention_norm: list.layer_norm(&format!("h.{index}.ln_1"), width),
            projections: Projections::Fused(list.affine(
                &format!("h.{index}.attn.c_attn"),
                width,
                3 * width,
                true,
            )),
            attention_output: list.affine(&format!("h.{index}.attn.c_proj"), width, width, true),
            feed_forward_norm: list.layer_norm(&format!("h.{index}.ln_2"), width),
            feed_forward: FeedForward::Plain {
                up: list.affine(&format!("h.{index}.mlp.c_fc"), width, inner, true),
                activation,
                down: list.affine(&format!("h.{index}.mlp.c_proj"), inner, width, true),
            },
        })
        .collect();
    let final_norm = list.layer_norm("ln_f", width);
    let tied = read.tie_word_embeddings.unwrap_or(true);
    let head = list.head(tied, embedding, [read.vocab_size, width]);
    Ok(Architecture {
        family: "gpt2",
        prefix: "transformer.",
        block_list: "h",
        ignored: &[".attn.bias", ".attn.masked_bias"],
        vocabulary: read.vocab_size,
        context_length: read.n_positions,
        width,
        heads: read.n_head,
        kv_heads: read.n_head,
        head_width: width / read.n_head,
        inner_width: inner,
        epsilon: read.layer_norm_epsilon.unwrap_or(1e-5),
        layout,
        rotary: None,
        parameters: list.finish(),
        embedding,
        position_embedding: Some(positions),
        blocks,
        final_norm,
        head,
    })
}

fn activation(config: &Config<'_>, name: Option<&str>) -> Result<Activation> {
    match name.unwrap_or("gelu_new") {
        "gelu_new" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        "gelu" => Ok(Activation::GeluErf),
        other => Err(config
            .refuse("activation_function", format!("\"{other}\" is not supported"))
            .with_remedy("supported: gelu_new, gelu_pytorch_tanh, gelu")),
    }
}
