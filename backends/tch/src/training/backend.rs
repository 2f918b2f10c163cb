//! This backend as a [`TrainBackend`].

use detoxlm_core::training::{
    Method, TrainBackend, TrainSession, TrainerCapabilities, TrainingJob,
};
use detoxlm_core::{Digest, Info, Result};

use super::session::Session;
use crate::error::COMPONENT;
use crate::options::TchOptions;
use crate::place::Place;

/// Fine-tunes models of the supported families through libtorch.
///
/// Same base, same batches, same device, same bits; another device, another number of threads or
/// candle's backend round differently. A parameter that no gradient reaches is an error, not a
/// parameter that stays as it was.
#[derive(Debug)]
pub struct TchTrainBackend {
    info: Info,
    capabilities: TrainerCapabilities,
    place: Place,
}

impl TchTrainBackend {
    /// A backend that computes as `options` say.
    ///
    /// # Errors
    /// When the device is not there.
    pub fn new(options: TchOptions) -> Result<Self> {
        let place = Place::find(options)?;
        let version = env!("CARGO_PKG_VERSION");
        let digest = Digest::of(format!("{COMPONENT} {version}"));
        Ok(Self {
            info: Info::new(COMPONENT, version, digest).with_compute(place.compute),
            capabilities: TrainerCapabilities::new(Method::NAMES),
            place,
        })
    }
}

impl TrainBackend for TchTrainBackend {
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
        Ok(Box::new(Session::open(job, self.place)?))
    }
}
