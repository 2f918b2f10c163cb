//! The suites that every implementation of the core's traits passes.
#![cfg(feature = "libtorch")]

mod common;

use common::{MODELS, adapters, fixture, open, options};
use detoxlm_core::training::{Bottleneck, Lora, Method, Prefix};
use detoxlm_core::{Device, ErrorKind, LoadOptions, Registry};
use detoxlm_tch::register_with;

fn registry() -> Registry {
    let mut registry = Registry::new();
    register_with(&mut registry, options()).unwrap();
    registry
}

#[test]
fn models_keep_their_contract() {
    for name in MODELS {
        let checked = detoxlm_conformance::causal_lm(&open(&fixture(name)));
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

#[test]
fn models_with_adapters_keep_it_too() {
    for name in ["lora-llama3", "prefix-llama3", "bottleneck-llama3-single", "prefix-gpt2"] {
        let base = if name.ends_with("gpt2") { "gpt2" } else { "llama3" };
        let model = open(&fixture(base)).with_adapter(adapters().join(name)).unwrap();
        let checked = detoxlm_conformance::causal_lm(&model);
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loader_and_what_it_loads_keep_their_contracts() {
    let registry = registry();
    let loader = &registry.framework("tch").unwrap().loader;
    for name in ["gpt2", "llama3"] {
        let directory = tempfile::tempdir().unwrap();
        detoxlm_conformance::model_loader(loader.as_ref(), &fixture(name), directory.path())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_device_that_it_cannot_use_is_refused() {
    let registry = registry();
    let loader = &registry.framework("tch").unwrap().loader;
    for (device, kind) in
        [(Device::Metal(0), ErrorKind::Unsupported), (Device::Cuda(99), ErrorKind::NotFound)]
    {
        let options = LoadOptions::default().with_device(device);
        let error = loader.load(&fixture("gpt2"), &options).await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (kind, Some("device")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trainer_keeps_its_contract_with_every_method() {
    let registry = registry();
    let trainer = &registry.framework("tch").unwrap().trainer;
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
            let checked =
                detoxlm_conformance::trainer(trainer.as_ref(), method, &base, directory.path())
                    .await;
            assert!(checked.is_ok(), "{name}, {method:?}: {checked:?}");
        }
    }
}
