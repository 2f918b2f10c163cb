//! This backend as a [`TrainBackend`].

use detoxlm_core::training::{
    Method, TrainBackend, TrainSession, TrainerCapabilities, TrainingJob,
};
use detoxlm_core::{Digest, Info, Result};
use detoxlm_transformer::eager::EagerTrainBackend;

use super::session::Session;
use crate::eager::CandlePlace;
use crate::error::COMPONENT;
use crate::options::{CandleOptions, Where};

/// Fine-tunes models of the supported families.
///
/// On the processor, in `f32`: same base, same batches, same bits, however many threads compute; on a GPU, the
/// same bits on the same device. Every parameter gets its gradient; one that none reaches is an error, not a
/// parameter that stays as it was.
#[derive(Debug)]
pub struct CandleTrainBackend(Place);

#[derive(Debug)]
enum Place {
    Processor(ProcessorTrainBackend),
    Gpu(EagerTrainBackend<CandlePlace>),
}

#[derive(Debug)]
struct ProcessorTrainBackend {
    info: Info,
    capabilities: TrainerCapabilities,
    options: CandleOptions,
}

impl CandleTrainBackend {
    /// A backend that computes as `options` say.
    ///
    /// # Errors
    /// When the device is not there, or does not compute in these numbers.
    pub fn new(options: CandleOptions) -> Result<Self> {
        let version = env!("CARGO_PKG_VERSION");
        Ok(Self(match options.find()? {
            Where::Gpu(place) => Place::Gpu(EagerTrainBackend::new(place, version)),
            Where::Processor => Place::Processor(ProcessorTrainBackend {
                info: Info::new(COMPONENT, version, Digest::of(format!("{COMPONENT} {version}"))),
                capabilities: TrainerCapabilities::new(Method::NAMES),
                options,
            }),
        }))
    }

    fn backend(&self) -> &dyn TrainBackend {
        match &self.0 {
            Place::Processor(backend) => backend,
            Place::Gpu(backend) => backend,
        }
    }
}

impl TrainBackend for CandleTrainBackend {
    fn info(&self) -> &Info {
        self.backend().info()
    }

    fn capabilities(&self) -> &TrainerCapabilities {
        self.backend().capabilities()
    }

    fn open(&self, job: &TrainingJob) -> Result<Box<dyn TrainSession>> {
        self.backend().open(job)
    }
}

impl TrainBackend for ProcessorTrainBackend {
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
        let pool = self.options.pool()?;
        Ok(Box::new(Session::open(job, pool)?))
    }
}
