//! The suites that every implementation of the core's traits passes.

mod common;

use common::open;
use detoxlm_candle::register;
use detoxlm_core::training::{Bottleneck, Lora, Method, Prefix};
use detoxlm_core::{Compute, Device, ErrorKind, Precision, Registry};
use detoxlm_test_models::{MODELS, fixture};

fn registry() -> Registry {
    let mut registry = Registry::new();
    register(&mut registry);
    registry
}

#[test]
fn models_keep_their_contract() {
    for name in MODELS {
        let checked = detoxlm_conformance::causal_lm(&open(&fixture(name)));
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loader_and_what_it_loads_keep_their_contracts() {
    let registry = registry();
    let loader = &registry.framework("candle").unwrap().loader;
    for name in ["gpt2", "llama3"] {
        let directory = tempfile::tempdir().unwrap();
        detoxlm_conformance::model_loader(loader.as_ref(), &fixture(name), directory.path())
            .await
            .unwrap();
    }
}

#[test]
fn what_it_cannot_compute_on_is_refused() {
    let registry = registry();
    let on = |compute| registry.framework_on("candle", compute);
    let error = on(Compute::default().with_device(Device::Cuda(0))).unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Unsupported, Some("device")));
    assert!(error.to_string().contains("cuda:0"), "{error}");
    let error = on(Compute::default().with_precision(Precision::Bf16)).unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Unsupported, Some("precision")));
    let framework = on(Compute::default().with_device(Device::Cpu)).unwrap();
    assert_eq!(framework.trainer.info().compute, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trainer_keeps_its_contract_with_every_method() {
    let registry = registry();
    let trainer = &registry.framework("candle").unwrap().trainer;
    let methods = [
        Method::Full {},
        Method::Bottleneck(Bottleneck::default()),
        // What is dropped is dropped again after an interruption.
        Method::Lora(Lora { dropout: 0.1, ..Lora::default() }),
        Method::Prefix(Prefix { length: 4, projection_width: Some(5) }),
    ];
    for name in ["gpt2", "llama3"] {
        for method in &methods {
            let directory = tempfile::tempdir().unwrap();
            let base = fixture(name);
            detoxlm_conformance::trainer(trainer.as_ref(), method, &base, directory.path())
                .await
                .unwrap();
        }
    }
}
