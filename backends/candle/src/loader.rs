//! This backend under a name that configurations can use.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::training::LocalTrainer;
use detoxlm_core::{
    Device, ErrorKind, Framework, LoadOptions, ModelLoader, Registry, Result, Subject, Worker,
    local_subject,
};

use crate::error::error;
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
    /// A loader of models that compute as `options` say.
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
        let resources = match options.threads {
            Some(threads) => self.options.with_threads(threads),
            None => self.options,
        };
        if !matches!(options.device, Device::Auto | Device::Cpu) {
            return Err(error(
                ErrorKind::Unsupported,
                "load the model",
                format!("it does not compute on {}", options.device),
            )
            .with_key("device")
            .with_remedy("choose cpu, or the framework tch for a GPU"));
        }
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

/// Adds the framework `candle`, on every core.
///
/// # Errors
/// When the system refuses a thread.
pub fn register(registry: &mut Registry) -> Result<()> {
    let options = CandleOptions::default();
    let framework = Framework {
        loader: Arc::new(CandleLoader::new(options)?),
        trainer: Arc::new(LocalTrainer::new(CandleTrainBackend::new(options))?),
    };
    registry.add_framework("candle", framework);
    Ok(())
}
