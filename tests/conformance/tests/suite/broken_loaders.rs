use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_conformance::model_loader;
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_core::testing::{BigramLm, BigramLoader};
use detoxlm_core::{Error, ErrorKind, LoadOptions, LocalLikelihood, ModelLoader, Result, Subject};

use crate::assert_breaks;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    MakesUpAModel,
    DoesNotSayWhere,
    ToldNobody,
    RatesByAnotherModel,
    LeavesOutTheAdapter,
}

#[derive(Debug)]
struct Broken(Fault);

#[async_trait]
impl ModelLoader for Broken {
    async fn load(&self, directory: &Path, options: &LoadOptions) -> Result<Subject> {
        let mut options = options.clone();
        match self.0 {
            Fault::ToldNobody => options.observer = LoadOptions::default().observer,
            Fault::LeavesOutTheAdapter => options.adapter = None,
            _ => {}
        }
        if self.0 == Fault::MakesUpAModel && !directory.join("bigram.f32").is_file() {
            BigramLm::new(2).save(directory)?;
        }
        let mut subject = BigramLoader.load(directory, &options).await.map_err(|error| {
            if self.0 == Fault::DoesNotSayWhere {
                return Error::new(ErrorKind::NotFound, "broken", "load", "no model");
            }
            error
        })?;
        if self.0 == Fault::RatesByAnotherModel {
            let other: Arc<dyn CausalLm> = Arc::new(BigramLm::new(3));
            subject.likelihood = Some(Arc::new(LocalLikelihood::new(other)?));
        }
        Ok(subject)
    }
}

#[tokio::test]
async fn every_fault_breaks_its_sentence() {
    for (fault, sentence) in [
        (Fault::MakesUpAModel, "is an error that says what is missing"),
        (Fault::DoesNotSayWhere, "is an error that says what is missing"),
        (Fault::ToldNobody, "hears of the tokens"),
        (Fault::LeavesOutTheAdapter, "`options.adapter` is loaded"),
        (Fault::RatesByAnotherModel, "share the weights in memory"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("base");
        BigramLm::new(1).save(&model).unwrap();
        let work = root.path().join("work");
        assert_breaks(model_loader(&Broken(fault), &model, &work).await, sentence);
    }
}
