//! This backend as a [`TrainBackend`].

use detoxlm_core::training::{
    Method, TrainBackend, TrainSession, TrainerCapabilities, TrainingJob,
};
use detoxlm_core::{Digest, Info, Result};

use super::session::Session;
use crate::error::COMPONENT;
use crate::options::CandleOptions;

/// Fine-tunes models of the supported families on this machine's processor, in `f32`.
///
/// Same base, same batches, same bits, however many threads compute. Every parameter gets its
/// gradient through fused operations with a backward pass; one that none reaches is an error, not
/// a parameter that stays as it was.
#[derive(Debug)]
pub struct CandleTrainBackend {
    info: Info,
    capabilities: TrainerCapabilities,
    options: CandleOptions,
}

impl CandleTrainBackend {
    /// A backend that computes as `options` say.
    #[must_use]
    pub fn new(options: CandleOptions) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self {
            info: Info::new(COMPONENT, version, Digest::of(format!("{COMPONENT} {version}"))),
            capabilities: TrainerCapabilities::new(Method::NAMES),
            options,
        }
    }
}

impl TrainBackend for CandleTrainBackend {
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
