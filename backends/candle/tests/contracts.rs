//! The suites that every implementation of the core's traits passes.

mod common;

use common::{MODELS, fixture, open};
use detoxlm_candle::register;
use detoxlm_core::Registry;
use detoxlm_core::training::Method;

fn registry() -> Registry {
    let mut registry = Registry::new();
    register(&mut registry).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn the_trainer_keeps_its_contract() {
    let registry = registry();
    let trainer = &registry.framework("candle").unwrap().trainer;
    for name in ["gpt2", "llama3"] {
        let directory = tempfile::tempdir().unwrap();
        let base = fixture(name);
        detoxlm_conformance::trainer(trainer.as_ref(), &Method::Full {}, &base, directory.path())
            .await
            .unwrap();
    }
}
