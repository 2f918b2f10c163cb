use std::ffi::OsString;
use std::path::{Path, PathBuf};

use detoxlm::training::{Decay, TrainingConfig, TrainingJob, TrainingOutcome};
use detoxlm::{PipelineConfig, Result};
use serde_json::json;

use crate::compute::ComputeArguments;
use crate::method::MethodArguments;
use crate::model::ModelArgument;
use crate::session::{Report, Session};
use crate::spool::Spooled;
use crate::text::{table, thousands};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,
    /// JSONL with a field `text`; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    corpus: Vec<PathBuf>,
    /// Where the trained model, or the adapter, goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where metrics and checkpoints go [default: OUT.train]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Held-out text of the same form, for the perplexity; may be given several times
    #[arg(long, value_name = "FILE")]
    validation: Vec<PathBuf>,
    /// Decides the order of the texts
    #[arg(long, value_name = "N", default_value_t = PipelineConfig::default().seed)]
    seed: u64,
    #[command(flatten)]
    method: MethodArguments,
    #[command(flatten)]
    schedule: Schedule,
    #[command(flatten)]
    compute: ComputeArguments,
}

/// The course of the learning rate after the warm-up.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DecayName {
    /// Stays at the peak
    Constant,
    /// Falls in a straight line to 0
    Linear,
    /// Falls along half a cosine to 0
    Cosine,
}

/// Arguments that change a [`TrainingConfig`]; its defaults are SGEAT's.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Training")]
struct Schedule {
    /// Passes over the corpus [default: 1]
    #[arg(long, value_name = "N")]
    epochs: Option<f64>,
    /// Stop after N steps, whatever --epochs says
    #[arg(long, value_name = "N")]
    max_steps: Option<u64>,
    /// Sequences of a pass [default: 8]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Passes whose gradients are added up before a step [default: 1]
    #[arg(long, value_name = "N")]
    accumulation: Option<usize>,
    /// Tokens of a sequence [default: the model's context, at most 1024]
    #[arg(long, value_name = "N")]
    sequence_length: Option<usize>,
    /// The highest learning rate [default: 2e-5]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Steps over which the learning rate rises from 0 [default: 0]
    #[arg(long, value_name = "STEPS")]
    warmup: Option<u64>,
    /// The course of the learning rate [default: constant]
    #[arg(long, value_name = "NAME")]
    decay: Option<DecayName>,
    /// Decay of matrices [default: 0.1]
    #[arg(long, value_name = "X")]
    weight_decay: Option<f64>,
    /// Scale gradients down to this global norm; 0 for never [default: 1]
    #[arg(long, value_name = "NORM")]
    clip: Option<f64>,
    /// Compute activations again in the backward pass: less memory, more time
    #[arg(long)]
    gradient_checkpointing: bool,
    /// Write a checkpoint every N steps [default: 100]
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<u64>,
    /// Keep N checkpoints [default: 2]
    #[arg(long, value_name = "N")]
    keep_checkpoints: Option<usize>,
    /// Also write TensorBoard's event files, into tensorboard/ of the work directory
    #[arg(long)]
    tensorboard: bool,
    /// Measure the validation perplexity every N steps [default: 100]
    #[arg(long, value_name = "N")]
    validate_every: Option<u64>,
}

fn set<T>(target: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *target = value;
    }
}

impl Schedule {
    fn config(&self) -> TrainingConfig {
        let mut config = TrainingConfig {
            max_steps: self.max_steps,
            sequence_length: self.sequence_length,
            gradient_checkpointing: self.gradient_checkpointing,
            tensorboard: self.tensorboard,
            ..TrainingConfig::default()
        };
        set(&mut config.epochs, self.epochs);
        set(&mut config.batch_size, self.batch_size);
        set(&mut config.accumulation, self.accumulation);
        set(&mut config.learning_rate.peak, self.lr);
        set(&mut config.learning_rate.warmup_steps, self.warmup);
        let decay = self.decay.map(|decay| match decay {
            DecayName::Constant => Decay::Constant,
            DecayName::Linear => Decay::Linear,
            DecayName::Cosine => Decay::Cosine,
        });
        set(&mut config.learning_rate.decay, decay);
        set(&mut config.optimizer.weight_decay, self.weight_decay);
        set(&mut config.optimizer.max_grad_norm, self.clip);
        set(&mut config.checkpoint_every, self.checkpoint_every);
        set(&mut config.keep_checkpoints, self.keep_checkpoints);
        set(&mut config.validate_every, self.validate_every);
        config
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let inputs: Vec<&Path> =
        arguments.corpus.iter().chain(&arguments.validation).map(PathBuf::as_path).collect();
    session.check_streams(&inputs, &[])?;
    let config = arguments.schedule.config();
    config.validate()?;
    let method = arguments.method.method()?;
    let trainer = arguments.compute.framework(&session.registry)?.trainer;
    let corpus = spool(&arguments.corpus)?;
    let validation = spool(&arguments.validation)?;
    let job = TrainingJob {
        base: arguments.model.directory(session).await?,
        corpus: paths(&corpus),
        validation: paths(&validation),
        method,
        config,
        seed: arguments.seed,
        work: arguments.work.clone().unwrap_or_else(|| beside(&arguments.out, ".train")),
        output: arguments.out.clone(),
    };
    let outcome = trainer.train(&job, session.observer()).await?;
    let json = json!({"work": job.work, "training": outcome});
    Ok(Report::new(json, describe(&outcome)))
}

/// Files that can be read again, standard input among them.
pub(super) fn spool(files: &[PathBuf]) -> Result<Vec<Spooled>> {
    files.iter().map(|file| Spooled::new(file)).collect()
}

/// Where they can be read.
pub(super) fn paths(files: &[Spooled]) -> Vec<PathBuf> {
    files.iter().map(|file| file.path().to_path_buf()).collect()
}

/// `OUT.train`, or with another ending, whether or not `OUT` was written with a slash at its end.
pub(super) fn beside(out: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(out.components().as_path());
    name.push(ending);
    PathBuf::from(name)
}

/// A training in a table.
pub(super) fn describe(outcome: &TrainingOutcome) -> String {
    table(&[
        ("model", outcome.model.display().to_string()),
        ("steps", thousands(outcome.steps)),
        ("tokens", thousands(outcome.tokens)),
        (
            "parameters",
            format!(
                "{} of {} trained",
                thousands(outcome.trainable_parameters),
                thousands(outcome.total_parameters)
            ),
        ),
        ("final loss", format!("{:.4}", outcome.final_loss)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_directory_stands_beside_the_output() {
        assert_eq!(beside(Path::new("models/kind"), ".train"), Path::new("models/kind.train"));
        assert_eq!(beside(Path::new("models/kind/"), ".train"), Path::new("models/kind.train"));
    }
}
