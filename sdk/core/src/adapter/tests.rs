use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::files::{write_atomically, write_json};
use crate::training::{BottleneckActivation, Lora, Placement};
use crate::{Digest, Result};

fn base() -> AdapterBase {
    AdapterBase {
        name: "owner/model".into(),
        model_type: "gpt2".into(),
        class: "GPT2LMHeadModel".into(),
        width: 32,
        digest: Digest::of("model"),
    }
}

/// A directory with this configuration and no tensors.
fn open(config: &Value) -> Result<AdapterDirectory> {
    let root = tempfile::tempdir().unwrap();
    write_json(root.path().join("adapter_config.json"), config).unwrap();
    for weights in ["adapter_model.safetensors", "adapter.safetensors"] {
        write_atomically(root.path().join(weights), "").unwrap();
    }
    AdapterDirectory::open(root.path())
}

fn refused(config: &Value) -> String {
    open(config).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_again() {
    let lora = Lora { rank: 3, alpha: 5.0, rank_stabilized: true, ..Lora::default() };
    let targets = vec!["c_fc".to_owned(), "c_attn".to_owned()];
    let bottleneck = |placement| {
        AdapterConfig::Bottleneck(BottleneckConfig::new(placement, BottleneckActivation::Gelu, 5))
    };
    for config in [
        AdapterConfig::Lora(LoraConfig::new(&lora, targets, true)),
        AdapterConfig::Prefix(PrefixConfig { length: 5, layers: 2, kv_heads: 4, key_width: 32 }),
        bottleneck(Placement::Houlsby),
        bottleneck(Placement::Pfeiffer),
    ] {
        let root = tempfile::tempdir().unwrap();
        AdapterDirectory::write(root.path(), &config, &base()).unwrap();
        let error = AdapterDirectory::open(root.path()).unwrap_err();
        assert!(error.to_string().contains(config.weights_file()), "{error}");
        write_atomically(root.path().join(config.weights_file()), "").unwrap();
        assert!(AdapterDirectory::is_one(root.path()));
        let directory = AdapterDirectory::open(root.path()).unwrap();
        let mut written = config;
        if let AdapterConfig::Bottleneck(bottleneck) = &mut written {
            // The tensors say.
            bottleneck.width = None;
        }
        assert_eq!(*directory.config(), written);
        directory.check_base(&Digest::of("model")).unwrap();
        let error = directory.check_base(&Digest::of("another")).unwrap_err();
        assert!(error.to_string().contains("made for the model"), "{error}");
    }
}

/// Python reads the inner width from the factor: `int(width // factor)`, whose quotient it rounds after
/// it has taken the remainder away.
#[test]
fn a_reduction_factor_gives_its_width_back() {
    for model_width in [32_usize, 192, 768, 1600] {
        for width in 1..=model_width {
            let mut config =
                BottleneckConfig::new(Placement::Houlsby, BottleneckActivation::Relu, width);
            config.width = Some(width);
            let written = config.write(&AdapterBase { width: model_width, ..base() });
            let factor = written["config"]["reduction_factor"].as_f64().unwrap();
            let wide = model_width as f64;
            assert_eq!(
                ((wide - wide % factor) / factor).round() as usize,
                width,
                "{model_width}, {factor}"
            );
        }
    }
}

#[test]
fn peft_files_with_the_least_in_them_are_read_as_peft_reads_them() {
    let directory = open(&json!({"peft_type": "LORA", "r": 4})).unwrap();
    let AdapterConfig::Lora(lora) = directory.config() else { panic!("not LoRA") };
    assert_eq!(lora.scale_of("transformer.h.0.attn.c_attn").unwrap(), 2.0);
    let error = directory.check_base(&Digest::of("any"));
    assert!(error.is_ok(), "made elsewhere, it does not say what for");
    let prefix = json!({"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 5});
    assert!(matches!(open(&prefix).unwrap().config(), AdapterConfig::Prefix(p) if p.length == 5));
    let named = json!({"name": "x", "config": "seq_bn"});
    let AdapterConfig::Bottleneck(config) = open(&named).unwrap().config().clone() else {
        panic!("not a bottleneck")
    };
    assert!(config.reads_stream && !config.after_attention && config.after_feed_forward);
}

#[test]
fn patterns_give_modules_their_own_rank_and_scale() {
    let config = |alphas: Value| {
        let directory = open(&json!({
            "peft_type": "LORA", "r": 4, "lora_alpha": 8,
            "rank_pattern": {"c_attn": 2}, "alpha_pattern": alphas,
        }));
        directory.map(|directory| match directory.config() {
            AdapterConfig::Lora(lora) => lora.clone(),
            _ => panic!("not LoRA"),
        })
    };
    let lora = config(json!({"h.1.attn.c_attn": 6, "c_fc": 12})).unwrap();
    assert_eq!(lora.rank_of("transformer.h.1.attn.c_attn").unwrap(), 2);
    assert_eq!(lora.rank_of("transformer.h.1.mlp.c_fc").unwrap(), 4);
    assert_eq!(lora.scale_of("transformer.h.1.attn.c_attn").unwrap(), 3.0);
    assert_eq!(lora.scale_of("transformer.h.0.attn.c_attn").unwrap(), 4.0);
    assert_eq!(lora.scale_of("transformer.h.0.mlp.c_fc").unwrap(), 3.0);
    assert_eq!(lora.scale_of("transformer.h.0.mlp.xc_fc").unwrap(), 2.0);
    let overlapping = config(json!({"h.1.attn.c_attn": 6, "c_attn": 12})).unwrap();
    let error = overlapping.scale_of("transformer.h.1.attn.c_attn").unwrap_err();
    assert!(error.to_string().contains("two patterns fit"), "{error}");
    assert!(overlapping.scale_of("transformer.h.0.attn.c_attn").is_ok());
    let error = config(json!({"h\\.[01]": 6})).unwrap_err();
    assert!(error.to_string().contains("no regular expressions"), "{error}");
}

#[test]
fn what_is_not_built_is_refused_by_its_key() {
    let with = |mut config: Value, key: &str, value: Value| {
        config[key] = value;
        refused(&config)
    };
    let lora = json!({"peft_type": "LORA", "r": 4, "use_dora": false, "modules_to_save": null});
    open(&lora).unwrap();
    for (key, value) in [
        ("use_dora", json!(true)),
        ("bias", json!("all")),
        ("modules_to_save", json!(["wte"])),
        ("layer_replication", json!([[0, 1]])),
        ("r", json!(0)),
        ("lora_alpha", json!("8")),
        ("peft_type", json!("IA3")),
    ] {
        let message = with(lora.clone(), key, value);
        assert!(message.contains(&format!("`{key}`")), "{message}");
        assert!(message.contains("adapter_config.json"), "{message}");
    }
    let inner = json!({
        "mh_adapter": true, "output_adapter": true, "non_linearity": "swish", "scaling": 1.0,
        "stochastic_depth": 0.0, "ln_before": false, "leave_out": [],
    });
    open(&json!({"name": "x", "config": inner})).unwrap();
    for (key, value) in [
        ("ln_before", json!(true)),
        ("scaling", json!("learned")),
        ("non_linearity", json!("leakyrelu")),
        ("original_ln_after", json!(false)),
        ("architecture", json!("lora")),
        ("stochastic_depth", json!(0.5)),
    ] {
        let mut inner = inner.clone();
        inner[key] = value;
        let message = refused(&json!({"name": "x", "config": inner}));
        assert!(message.contains(&format!("`config.{key}`")), "{message}");
    }
    assert!(refused(&json!({"r": 4})).contains("neither PEFT's nor AdapterHub's"));
    assert!(refused(&json!({"peft_type": "PREFIX_TUNING"})).contains("num_virtual_tokens"));
    let missing = AdapterDirectory::open(Path::new("no/such/place")).unwrap_err();
    assert!(missing.to_string().contains("no such directory"), "{missing}");
}

/// Before AdapterHub wrote versions, "gelu" was its approximation.
#[test]
fn gelu_is_what_its_version_calls_so() {
    let mut config = json!({"name": "x", "config": {"non_linearity": "gelu"}});
    let activation = |config: &Value| match open(config).unwrap().config() {
        AdapterConfig::Bottleneck(bottleneck) => bottleneck.activation,
        _ => panic!("not a bottleneck"),
    };
    assert_eq!(activation(&config), BottleneckActivation::GeluNew);
    config["version"] = json!("adapters.1.3.0");
    assert_eq!(activation(&config), BottleneckActivation::Gelu);
}
