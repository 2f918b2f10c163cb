//! This backend under a name that configurations can use.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::training::LocalTrainer;
use detoxlm_core::{
    Compute, Device, Error, ErrorKind, Framework, LoadOptions, ModelLoader, Precision, Registry,
    Result, Subject, Worker, local_subject,
};

use crate::ceilings::ceilings;
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
pub fn register(registry: &mut Registry) {
    registry.add_framework("candle", framework);
}

fn framework(compute: Compute) -> Result<Framework> {
    check(compute)?;
    let options = CandleOptions::default();
    let trainer = LocalTrainer::new(CandleTrainBackend::new(options))?;
    let framework = Framework::new(Arc::new(CandleLoader::new(options)?), Arc::new(trainer));
    Ok(framework.with_ceilings(|_| ceilings(CandleOptions::default())))
}

/// There is one device and one precision, so that files need not say on which they were made.
fn check(compute: Compute) -> Result<()> {
    let refuse = |message: String| -> Error {
        error(ErrorKind::Unsupported, "choose how to compute", message)
    };
    if !matches!(compute.device, Device::Auto | Device::Cpu) {
        return Err(refuse(format!("it does not compute on {}", compute.device))
            .with_key("device")
            .with_remedy("choose cpu, or the backend tch for an NVIDIA GPU"));
    }
    if compute.precision != Precision::F32 {
        return Err(refuse(format!("it does not compute in {}", compute.precision))
            .with_key("precision")
            .with_remedy("choose f32, or the backend tch for bf16"));
    }
    Ok(())
}
