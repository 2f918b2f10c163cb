//! Model directories that do not fit together are refused, by name.

mod common;

use std::fs;
use std::path::Path;

use common::{configure, copy_of, open, rewrite};
use detoxlm_candle::{CandleLm, CandleOptions};
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_core::{Error, ErrorKind};
use safetensors::Dtype;
use serde_json::{Value, json};

fn refusal(directory: &Path) -> Error {
    CandleLm::open(directory, CandleOptions::default().with_threads(1)).unwrap_err()
}

#[track_caller]
fn assert_names(error: &Error, kind: ErrorKind, parts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn an_unknown_family_lists_the_known_ones() {
    let copy = copy_of("gpt2");
    configure(copy.path(), "model_type", json!("mamba"));
    assert_names(
        &refusal(copy.path()),
        ErrorKind::Unsupported,
        &["config.json", "`model_type`", "\"mamba\"", "supported: gpt2, llama, qwen2"],
    );
}

#[test]
fn options_that_are_not_built_are_refused_by_their_key() {
    let cases: [(&str, &str, Value, &str); 12] = [
        ("gpt2", "activation_function", json!("quick_gelu"), "\"quick_gelu\""),
        ("gpt2", "scale_attn_weights", json!(false), "false is not supported, only true"),
        ("gpt2", "scale_attn_by_inverse_layer_idx", json!(true), "only false"),
        ("gpt2", "n_head", json!(5), "5 does not divide `n_embd`, which is 32"),
        ("gpt2", "n_layer", json!(0), "must be at least 1"),
        ("llama3", "rope_parameters", json!({ "rope_type": "yarn" }), "supported: default, linear"),
        ("llama3", "rope_parameters", json!({ "rope_type": "linear" }), "`factor` must be"),
        ("llama3", "hidden_act", json!("gelu"), "only \"silu\""),
        ("llama3", "num_key_value_heads", json!(3), "3 does not divide `num_attention_heads`"),
        ("llama3", "head_dim", json!(7), "7 is not a positive even width"),
        ("qwen2-bf16-sharded", "use_sliding_window", json!(true), "only false"),
        ("qwen2-bf16-sharded", "layer_types", json!(["sliding_attention"]), "sliding_attention"),
    ];
    for (name, key, value, message) in cases {
        let copy = copy_of(name);
        configure(copy.path(), key, value);
        let error = refusal(copy.path()).to_string();
        assert!(error.contains("config.json"), "{error}");
        assert!(error.contains(&format!("`{key}`")) && error.contains(message), "{error}");
    }
}

#[test]
fn settings_in_the_words_of_transformers_4_are_understood() {
    let copy = copy_of("llama3");
    let prompt = [0, 20, 30];
    let logits = |directory: &Path| {
        let model = open(directory);
        let mut session = model.decode_session(1, 8).unwrap();
        let row = session.admit().unwrap();
        detoxlm_test_models::step(session.as_mut(), row, &prompt)
    };
    let before = logits(copy.path());
    let mut scaling: Value =
        serde_json::from_str(&fs::read_to_string(copy.path().join("config.json")).unwrap())
            .unwrap();
    let mut scaling = scaling["rope_parameters"].take();
    let base = scaling.as_object_mut().unwrap().remove("rope_theta").unwrap();
    configure(copy.path(), "rope_parameters", Value::Null);
    assert_ne!(logits(copy.path()), before);
    configure(copy.path(), "rope_theta", base);
    configure(copy.path(), "rope_scaling", scaling);
    assert_eq!(logits(copy.path()), before);
}

#[test]
fn a_truncated_file_is_named() {
    let copy = copy_of("gpt2");
    let file = copy.path().join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    for length in [bytes.len() - 1, 100, 3, 0] {
        fs::write(&file, &bytes[..length]).unwrap();
        assert_names(
            &refusal(copy.path()),
            ErrorKind::InvalidInput,
            &["model.safetensors", "not as long as its header says", "download the file again"],
        );
    }
}

#[test]
fn tensors_of_the_wrong_shape_or_type_missing_or_left_over_are_named() {
    let name = "transformer.h.1.mlp.c_fc.weight";
    let spoil = |change: &dyn Fn(&mut Vec<common::Tensor>)| {
        let copy = copy_of("gpt2");
        rewrite(&copy.path().join("model.safetensors"), |tensors| change(tensors));
        refusal(copy.path())
    };
    let find =
        |tensors: &[common::Tensor]| tensors.iter().position(|tensor| tensor.name == name).unwrap();

    let error = spoil(&|tensors| {
        let at = find(tensors);
        tensors[at].shape.reverse();
    });
    let shapes = "its shape is [128, 32], but config.json makes it [32, 128]";
    assert_names(&error, ErrorKind::Incompatible, &["model.safetensors", name, shapes]);

    let error = spoil(&|tensors| {
        let at = find(tensors);
        tensors.remove(at);
    });
    assert_names(&error, ErrorKind::InvalidInput, &["model.safetensors", name, "no such tensor"]);

    let error = spoil(&|tensors| {
        let at = find(tensors);
        tensors[at].dtype = Dtype::I32;
    });
    assert_names(&error, ErrorKind::Unsupported, &["model.safetensors", name, "I32", "BF16"]);

    let error = spoil(&|tensors| {
        let at = find(tensors);
        tensors[at].name = "transformer.h.2.mlp.c_fc.weight".into();
    });
    assert_names(
        &error,
        ErrorKind::Incompatible,
        &["model.safetensors", "`transformer.h.2.mlp.c_fc.weight`", "no part of the gpt2 model"],
    );
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let copy = copy_of("qwen2-bf16-sharded");
    let shard = |number| copy.path().join(format!("model-0000{number}-of-00002.safetensors"));
    let first = common::tensors(&fs::read(shard(1)).unwrap()).remove(0);
    let name = first.name.clone();
    rewrite(&shard(2), |tensors| tensors.push(first));
    assert_names(
        &refusal(copy.path()),
        ErrorKind::InvalidInput,
        &["model-00002-of-00002", &name, "also in", "model-00001-of-00002"],
    );
}

#[test]
fn a_vocabulary_too_big_for_the_model_names_both_and_the_files() {
    let copy = copy_of("gpt2");
    configure(copy.path(), "vocab_size", json!(299));
    assert_names(
        &refusal(copy.path()),
        ErrorKind::Incompatible,
        &["tokenizer.json", "its 300 tokens", "the 299 embeddings", "config.json"],
    );
}

#[test]
fn a_missing_directory_is_not_found() {
    assert_eq!(refusal(Path::new("no-such-model")).kind(), ErrorKind::NotFound);
}

#[test]
fn who_it_is_depends_on_the_weights() {
    let copy = copy_of("gpt2");
    let model = open(copy.path());
    assert!(model.info().name.starts_with("candle:"), "{}", model.info());
    rewrite(&copy.path().join("model.safetensors"), |tensors| tensors[0].bytes[0] ^= 1);
    assert_ne!(open(copy.path()).info().digest, model.info().digest);
}
