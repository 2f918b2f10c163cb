//! This backend under a name that configurations can use.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::training::LocalTrainer;
use detoxlm_core::{
    Compute, Framework, LoadOptions, ModelLoader, Registry, Result, Subject, Worker, local_subject,
};

use crate::ceilings::ceilings;
use crate::options::TchOptions;
use crate::{TchLm, TchTrainBackend};

/// Loads model directories as [`TchLm`]s.
#[derive(Debug)]
pub struct TchLoader {
    options: TchOptions,
    /// Reading weights takes its time, which async workers do not have.
    worker: Worker,
}

impl TchLoader {
    /// A loader of models that compute as `options` say, unless a load has options of its own.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(options: TchOptions) -> Result<Self> {
        Ok(Self { options, worker: Worker::spawn("tch-load")? })
    }
}

#[async_trait]
impl ModelLoader for TchLoader {
    async fn load(&self, directory: &Path, options: &LoadOptions) -> Result<Subject> {
        let path = directory.to_path_buf();
        let mut resources = self.options;
        resources.threads = options.threads.or(resources.threads);
        let adapter = options.adapter.clone();
        let load = move || {
            let base = TchLm::open(path, resources)?;
            match adapter {
                Some(adapter) => base.with_adapter(adapter),
                None => Ok(base),
            }
        };
        let model = self.worker.run(move |_| load()).await?;
        local_subject(Arc::new(model), directory, options)
    }
}

/// Adds the framework `tch`. A GPU that it is not asked for is looked for, and taken where there is one.
pub fn register(registry: &mut Registry) {
    registry.add_framework("tch", framework);
}

fn framework(compute: Compute) -> Result<Framework> {
    let options = TchOptions::default().with_compute(compute);
    let trainer = LocalTrainer::new(TchTrainBackend::new(options)?)?;
    let framework = Framework::new(Arc::new(TchLoader::new(options)?), Arc::new(trainer));
    Ok(framework.with_ceilings(ceilings))
}
