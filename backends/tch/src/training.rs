//! This backend as a [`TrainBackend`].

use detoxlm_core::training::{TrainBackend, TrainSession, TrainerCapabilities, TrainingJob};
use detoxlm_core::{Info, Result};
use detoxlm_transformer::eager::EagerTrainBackend;

use crate::options::TchOptions;
use crate::place::TchPlace;

/// Fine-tunes models of the supported families through libtorch.
///
/// Same base, same batches, same device, same bits; another device, another number of threads or
/// candle's backend round differently. A parameter that no gradient reaches is an error, not a
/// parameter that stays as it was.
#[derive(Debug)]
pub struct TchTrainBackend(EagerTrainBackend<TchPlace>);

impl TchTrainBackend {
    /// A backend that computes as `options` say.
    ///
    /// # Errors
    /// When the device is not there.
    pub fn new(options: TchOptions) -> Result<Self> {
        let place = TchPlace::find(options)?;
        Ok(Self(EagerTrainBackend::new(place, env!("CARGO_PKG_VERSION"))))
    }
}

impl TrainBackend for TchTrainBackend {
    fn info(&self) -> &Info {
        self.0.info()
    }

    fn capabilities(&self) -> &TrainerCapabilities {
        self.0.capabilities()
    }

    fn open(&self, job: &TrainingJob) -> Result<Box<dyn TrainSession>> {
        self.0.open(job)
    }
}
