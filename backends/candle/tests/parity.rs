//! The same numbers as `transformers`, on the same weights.

mod common;

use std::path::Path;

use common::{copy_of, open, rewrite};
use detoxlm_candle::convert_llama2c;
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_test_models::{TOLERANCE, assert_close, expected, fixture, greedy, step};

fn assert_parity(directory: &Path, name: &str) {
    let expected = expected(name);
    let model = open(directory);
    for sequence in &expected.sequences {
        let ids = &sequence.ids;
        let mut session = model.decode_session(1, ids.len()).unwrap();
        let row = session.admit().unwrap();
        let logits = step(session.as_mut(), row, ids);
        assert_close(&logits, &sequence.logits, TOLERANCE, name);
        assert_eq!(greedy(&model, ids, sequence.greedy.len(), None), sequence.greedy, "{name}");
    }
    let tokenizer = model.tokenizer();
    assert_eq!(tokenizer.encode(&expected.text).unwrap(), expected.text_ids, "{name}");
    assert_eq!(tokenizer.decode(&expected.text_ids).unwrap(), expected.text, "{name}");

    let ids = [&[tokenizer.bos()], expected.text_ids.as_slice()].concat();
    let likelihoods = model.token_likelihoods(&[(&ids).into()]).unwrap().remove(0);
    let log_probs: Vec<_> = likelihoods.iter().map(|token| token.log_prob).collect();
    assert_close(&log_probs, &expected.token_log_probs, TOLERANCE, name);
    let mean =
        log_probs.iter().map(|&log_prob| f64::from(log_prob)).sum::<f64>() / log_probs.len() as f64;
    assert!(((-mean).exp() / expected.perplexity - 1.0).abs() < 1e-3, "{name}");
}

#[test]
fn gpt2() {
    assert_parity(&fixture("gpt2"), "gpt2");
    assert!(!open(&fixture("gpt2")).tokenizer().prepends_bos());
}

#[test]
fn gpt2_saved_without_its_prefix_and_with_old_buffers() {
    let copy = copy_of("gpt2");
    rewrite(&copy.path().join("model.safetensors"), |tensors| {
        for tensor in tensors.iter_mut() {
            tensor.name = tensor.name.trim_start_matches("transformer.").to_owned();
        }
        tensors.push(common::Tensor {
            name: "h.0.attn.bias".into(),
            dtype: safetensors::Dtype::U8,
            shape: vec![1, 1, 2, 2],
            bytes: vec![1, 0, 1, 1],
        });
    });
    assert_parity(copy.path(), "gpt2");
}

#[test]
fn llama_with_grouped_queries_an_untied_head_and_llama3_scaling() {
    assert_parity(&fixture("llama3"), "llama3");
    assert!(open(&fixture("llama3")).tokenizer().prepends_bos());
}

#[test]
fn llama_in_half_precision_with_linear_scaling() {
    assert_parity(&fixture("llama-linear-f16"), "llama-linear-f16");
}

#[test]
fn qwen2_in_bfloat16_shards() {
    assert_parity(&fixture("qwen2-bf16-sharded"), "qwen2-bf16-sharded");
}

#[test]
fn a_converted_llama2c_model() {
    let source = fixture("stories260K");
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("stories260K");
    convert_llama2c(&source.join("stories260K.bin"), &source.join("tok512.bin"), &directory)
        .unwrap();
    assert_parity(&directory, "stories260K");
}
