use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use detoxlm_conformance::trainer;
use detoxlm_core::testing::{BigramLm, BigramTrainBackend};
use detoxlm_core::training::{
    LocalTrainer, Method, Trainer, TrainerCapabilities, TrainingJob, TrainingOutcome,
};
use detoxlm_core::{Error, ErrorKind, Event, Info, Observer, Result};

use crate::assert_breaks;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    BeginsAnew,
    CallsDivergenceInternal,
    CannotBeStopped,
    MakesItsOutputFirst,
    NamesNoDifference,
    StepsWhereItIsAwaited,
    TakesAnyJob,
    TrainsAgain,
    WritesItsCallsIntoTheModel,
}

#[derive(Debug)]
struct Broken {
    inner: Arc<LocalTrainer>,
    fault: Fault,
    calls: AtomicU64,
}

#[async_trait]
impl Trainer for Broken {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &TrainerCapabilities {
        self.inner.capabilities()
    }

    async fn train(
        &self,
        job: &TrainingJob,
        observer: Arc<dyn Observer>,
    ) -> Result<TrainingOutcome> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let is_complete = job.work.join("outcome.json").is_file();
        match self.fault {
            Fault::BeginsAnew if !is_complete && job.work.exists() => {
                fs::remove_dir_all(&job.work).unwrap();
            }
            Fault::MakesItsOutputFirst => fs::create_dir_all(&job.output).unwrap(),
            Fault::StepsWhereItIsAwaited => {
                observer.observe(&Event::TrainingStep { step: 1, loss: 1.0, tokens: 1 });
            }
            Fault::TakesAnyJob => drop(fs::remove_file(job.work.join("job.json"))),
            Fault::TrainsAgain if is_complete => {
                fs::remove_dir_all(&job.work).unwrap();
            }
            _ => {}
        }
        let (inner, own) = (Arc::clone(&self.inner), job.clone());
        let training = async move { inner.train(&own, observer).await };
        let outcome = if self.fault == Fault::CannotBeStopped {
            tokio::spawn(training).await.unwrap()
        } else {
            training.await
        };
        let outcome = outcome.map_err(|error| match (self.fault, error.kind()) {
            (Fault::CallsDivergenceInternal, ErrorKind::Diverged) => {
                Error::new(ErrorKind::Internal, "broken", "train", error.to_string())
            }
            (Fault::NamesNoDifference, ErrorKind::Incompatible) => {
                Error::new(ErrorKind::Incompatible, "broken", "train", "another job")
            }
            _ => error,
        })?;
        if self.fault == Fault::WritesItsCallsIntoTheModel && !is_complete {
            fs::write(job.output.join("calls"), call.to_string()).unwrap();
        }
        Ok(outcome)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_breaks_its_sentence() {
    for (fault, sentence) in [
        (Fault::BeginsAnew, "the same job goes on from the last one"),
        (Fault::CallsDivergenceInternal, "that is not finite stops the training"),
        (Fault::CannotBeStopped, "stops it after the current step"),
        (Fault::MakesItsOutputFirst, "appears whole or not at all"),
        (Fault::NamesNoDifference, "naming what differs"),
        (Fault::StepsWhereItIsAwaited, "on threads that the implementation owns"),
        (Fault::TakesAnyJob, "of another job is refused"),
        (Fault::TrainsAgain, "is not trained again"),
        (Fault::WritesItsCallsIntoTheModel, "ends in the same bytes"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().join("base");
        BigramLm::new(1).save(&base).unwrap();
        let inner = Arc::new(LocalTrainer::new(BigramTrainBackend::new()).unwrap());
        let broken = Broken { inner, fault, calls: AtomicU64::new(0) };
        let work = root.path().join("work");
        println!("{fault:?}");
        assert_breaks(trainer(&broken, &Method::Full {}, &base, &work).await, sentence);
    }
}
