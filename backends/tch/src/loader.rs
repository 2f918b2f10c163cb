//! This backend under a name that configurations can use.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_core::training::LocalTrainer;
use detoxlm_core::{
    Device, Framework, LoadOptions, LocalGenerator, LocalLikelihood, ModelDirectory, ModelLoader,
    Registry, Result, Subject, Worker,
};

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
        if options.device != Device::Auto {
            resources.device = options.device;
        }
        let adapter = options.adapter.clone();
        let load = move || {
            let base = TchLm::open(path, resources)?;
            match adapter {
                Some(adapter) => base.with_adapter(adapter),
                None => Ok(base),
            }
        };
        let model = self.worker.run(move |_| load()).await?;
        let model: Arc<dyn CausalLm> = Arc::new(model);
        let generator = LocalGenerator::new(Arc::clone(&model))?.with_options(options);
        Ok(Subject {
            name: ModelDirectory::name_of(options.adapter.as_deref().unwrap_or(directory)),
            generator: Arc::new(generator),
            likelihood: Some(Arc::new(LocalLikelihood::new(model)?)),
        })
    }
}

/// Adds the framework `tch`, on a GPU where there is one, in `f32`.
///
/// # Errors
/// When the system refuses a thread.
pub fn register(registry: &mut Registry) -> Result<()> {
    register_with(registry, TchOptions::default())
}

/// The same, computing as `options` say.
///
/// # Errors
/// When the system refuses a thread.
pub fn register_with(registry: &mut Registry, options: TchOptions) -> Result<()> {
    let framework = Framework {
        loader: Arc::new(TchLoader::new(options)?),
        trainer: Arc::new(LocalTrainer::new(TchTrainBackend::new(options))?),
    };
    registry.add_framework("tch", framework);
    Ok(())
}
