//! Training at a place as a [`TrainBackend`].

use detoxlm_core::training::{
    Method, TrainBackend, TrainSession, TrainerCapabilities, TrainingJob,
};
use detoxlm_core::{Digest, Info, Result};

use super::session::Session;
use crate::eager::place::Place;

/// Fine-tunes models of the supported families, one operation of the framework at a time.
///
/// Same base, same batches, same device, same bits; another device or framework, or on a processor another
/// number of threads, round differently. A parameter that no gradient reaches is an error, not a parameter
/// that stays as it was.
#[derive(Debug)]
pub struct EagerTrainBackend<P> {
    info: Info,
    capabilities: TrainerCapabilities,
    place: P,
}

impl<P: Place> EagerTrainBackend<P> {
    /// A backend of this version that computes there.
    #[must_use]
    pub fn new(place: P, version: &str) -> Self {
        let digest = Digest::of(format!("{} {version}", P::COMPONENT));
        Self {
            info: Info::new(P::COMPONENT, version, digest).with_compute(place.compute()),
            capabilities: TrainerCapabilities::new(Method::NAMES),
            place,
        }
    }
}

impl<P: Place> TrainBackend for EagerTrainBackend<P> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &TrainerCapabilities {
        &self.capabilities
    }

    fn open(&self, job: &TrainingJob) -> Result<Box<dyn TrainSession>> {
        self.capabilities.require(&job.method, &self.info)?;
        job.config.validate()?;
        job.method.validate()?;
        Ok(Box::new(Session::open(job, self.place.clone())?))
    }
}
