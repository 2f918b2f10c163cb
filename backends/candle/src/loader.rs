//! This backend under a name that configurations can use.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::training::LocalTrainer;
use detoxlm_core::{
    Compute, Framework, LoadOptions, ModelLoader, Registry, Result, Subject, Worker, local_subject,
};

use crate::ceilings::ceilings;
use crate::options::CandleOptions;
use crate::{CandleLm, CandleTrainBackend};

/// Loads model directories as [`CandleLm`]s.
#[derive(Debug)]
pub struct CandleLoader {
    options: CandleOptions,
    /// Reading weights takes its time, which async workers do not have.
    worker: Worker,
}

impl CandleLoader {
    /// A loader of models that compute as `options` say, unless a load has options of its own.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(options: CandleOptions) -> Result<Self> {
        Ok(Self { options, worker: Worker::spawn("candle-load")? })
    }
}

#[async_trait]
impl ModelLoader for CandleLoader {
    async fn load(&self, directory: &Path, options: &LoadOptions) -> Result<Subject> {
        let path = directory.to_path_buf();
        let mut resources = self.options;
        resources.threads = options.threads.or(resources.threads);
        let adapter = options.adapter.clone();
        let load = move || {
            let base = CandleLm::open(path, resources)?;
            match adapter {
                Some(adapter) => base.with_adapter(adapter),
                None => Ok(base),
            }
        };
        let model = self.worker.run(move |_| load()).await?;
        local_subject(Arc::new(model), directory, options)
    }
}

/// Adds the framework `candle`, on every core. A GPU that it is not asked for is looked for where the program
/// was built with one, and taken where there is one.
pub fn register(registry: &mut Registry) {
    registry.add_framework("candle", framework);
}

fn framework(compute: Compute) -> Result<Framework> {
    let options = CandleOptions::default().with_compute(compute);
    let trainer = LocalTrainer::new(CandleTrainBackend::new(options)?)?;
    let framework = Framework::new(Arc::new(CandleLoader::new(options)?), Arc::new(trainer));
    Ok(framework.with_ceilings(|compute| ceilings(CandleOptions::default().with_compute(compute))))
}
