//! A toxicity classifier, trained from rows with values and written as ONNX.

mod average;
mod batches;
mod directory;
mod distil;
mod examples;
mod fit;
mod heads;
mod initial;
mod loss;
mod material;
mod network;
mod onnx;
mod rounded;
#[cfg(test)]
mod tests;
mod trained;
mod trainee;
mod vectors;
mod vocabulary;

use std::sync::Arc;

use detoxlm_core::distillation::{DistillationJob, DistillationOutcome};
use detoxlm_core::{Digest, Info, Observer, Result, Worker};

use crate::options::CandleOptions;

/// Trains small text classifiers on this machine's processor and writes them as ONNX.
///
/// A classifier reads byte-level BPE tokens: token vectors, convolutions of several widths over them,
/// the maximum and the mean of each channel, one hidden layer, a logit for each attribute. Vectors
/// begin as factors of the tokens' mutual information; training minimises the cross-entropy with the
/// rows' values as they are, and what a row does not judge counts for nothing. The directory that is
/// written (`model.onnx`, `tokenizer.json`, `config.json`, `scorer.json`) is what ONNX scorers open;
/// `expected.json` beside them holds what the trained network makes of a few texts.
///
/// All rows are held in memory, as text and as tokens.
///
/// # Contract
/// - Same rows, same configuration, same seed: the same bytes, however many threads compute, on one
///   kind of processor.
/// - The output directory appears whole or not at all. After an interruption at any moment the same
///   job goes on from its last checkpoint, and ends in the same bytes.
/// - A work directory of another job is refused, naming what differs; a complete job is not done
///   again.
/// - Dropping the future stops the work after the current step.
#[derive(Debug)]
pub struct CandleDistiller {
    info: Info,
    options: CandleOptions,
    worker: Worker,
}

impl CandleDistiller {
    /// A trainer on a thread of its own.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(options: CandleOptions) -> Result<Self> {
        const NAME: &str = "candle-classifier";
        let version = env!("CARGO_PKG_VERSION");
        let info = Info::new(NAME, version, Digest::of(format!("{NAME} {version}")));
        Ok(Self { info, options, worker: Worker::spawn("detoxlm-distil")? })
    }

    /// Who this trainer is.
    #[must_use]
    pub const fn info(&self) -> &Info {
        &self.info
    }

    /// Trains, or goes on training.
    ///
    /// # Errors
    /// When the job is impossible, a row is malformed, another process holds the work directory or it
    /// belongs to another job, the training diverges, or a file cannot be written.
    pub async fn distil(
        &self,
        job: &DistillationJob,
        observer: Arc<dyn Observer>,
    ) -> Result<DistillationOutcome> {
        job.validate()?;
        let pool = self.options.pool()?;
        let (info, job) = (self.info.clone(), job.clone());
        self.worker
            .run(move |cancellation| {
                pool.install(|| distil::distil(&info, &job, cancellation, &*observer))
            })
            .await
    }
}
