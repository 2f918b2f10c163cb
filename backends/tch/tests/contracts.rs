//! The suites that every implementation of the core's traits passes.
#![cfg(feature = "libtorch")]

mod common;

use common::{compute, open};
use detoxlm_core::training::{Bottleneck, Lora, Method, Prefix};
use detoxlm_core::{
    Compute, Device, ErrorKind, Framework, LoadOptions, Precision, Registry, Result,
};
use detoxlm_test_models::{MODELS, adapters, fixture};

fn framework_on(compute: Compute) -> Result<Framework> {
    let mut registry = Registry::new();
    detoxlm_tch::register(&mut registry);
    registry.framework_on("tch", compute)
}

fn framework() -> Framework {
    framework_on(compute()).unwrap()
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
    let loader = framework().loader;
    for name in ["gpt2", "llama3"] {
        let directory = tempfile::tempdir().unwrap();
        detoxlm_conformance::model_loader(loader.as_ref(), &fixture(name), directory.path())
            .await
            .unwrap();
    }
}

/// What files are made on decides their last bits: whoever goes on with them asks.
#[tokio::test]
async fn models_and_trainers_say_on_what_they_compute() {
    let half = framework_on(compute().with_precision(Precision::Bf16)).unwrap();
    let said = half.trainer.info().compute.unwrap();
    assert_eq!(said.precision, Precision::Bf16);
    let adapter = LoadOptions::default().with_adapter(adapters().join("prefix-gpt2"));
    for options in [LoadOptions::default(), adapter] {
        let subject = half.loader.load(&fixture("gpt2"), &options).await.unwrap();
        assert_eq!(subject.generator.info().compute, Some(said));
    }
    let automatic = framework_on(Compute::default()).unwrap().trainer.info().compute.unwrap();
    assert_ne!(automatic.device, Device::Auto);
}

#[test]
fn a_device_that_it_cannot_use_is_refused() {
    for (device, kind) in
        [(Device::Metal(0), ErrorKind::Unsupported), (Device::Cuda(99), ErrorKind::NotFound)]
    {
        let error = framework_on(Compute::default().with_device(device)).unwrap_err();
        assert_eq!((error.kind(), error.key()), (kind, Some("device")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trainer_keeps_its_contract_with_every_method() {
    let trainer = framework().trainer;
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
