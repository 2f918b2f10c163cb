//! One file for each subcommand: its arguments, what it asks of the SDK, what it tells the user.

mod audit;
mod bench;
mod compare;
#[cfg(feature = "candle")]
mod convert_llama2c;
#[cfg(feature = "candle")]
mod distill_scorer;
mod doctor;
mod evaluate;
mod fit_calibration;
mod generate;
#[cfg(feature = "candle")]
mod merge;
mod plan;
#[cfg(feature = "plugins")]
mod plugin;
#[cfg(feature = "defaults")]
mod quickstart;
mod rate;
#[cfg(feature = "perspective")]
mod record;
mod run;
mod score;
mod select;
#[cfg(feature = "serve")]
mod serve;
mod study;
mod train;

use detoxlm::Result;

use crate::session::{Report, Session};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Detoxify the embedded model and show what changed, in minutes; resumable
    #[cfg(feature = "defaults")]
    Quickstart(quickstart::Arguments),
    /// Detoxify a model: self-generate, score, select, fine-tune, evaluate; resumable
    Run(run::Arguments),
    /// Compare corpora, methods and models, and draw the paper's tables; resumable
    Study(study::Arguments),
    /// Continue prompts
    Generate(generate::Arguments),
    /// Rate texts
    Score(score::Arguments),
    /// Rate texts for programs that call Perspective API, over HTTP
    #[cfg(feature = "serve")]
    Serve(serve::Arguments),
    /// Keep Perspective API's answers, or another service's, in a file while they last; resumable
    #[cfg(feature = "perspective")]
    Record(record::Arguments),
    /// Keep the least toxic part of rated texts
    Select(select::Arguments),
    /// Fine-tune a model on a corpus; resumable
    Train(train::Arguments),
    /// Measure a model; resumable
    Evaluate(evaluate::Arguments),
    /// Say how many prompts an interval of a given width needs
    Plan(plan::Arguments),
    /// Put several runs or evaluations into one report
    Compare(compare::Arguments),
    /// Let people rate what models wrote, and tell how far they agree
    #[command(subcommand)]
    Rate(rate::RateCommand),
    /// Measure a scorer: how good it is, how calibrated, and whom it wrongs
    Audit(audit::Arguments),
    /// Fit a map from a scorer's scale to another's
    FitCalibration(fit_calibration::Arguments),
    /// Fold a LoRA adapter into its model
    #[cfg(feature = "candle")]
    Merge(merge::Arguments),
    /// Train a toxicity classifier from recorded scores or labels; resumable
    #[cfg(feature = "candle")]
    DistillScorer(distill_scorer::Arguments),
    /// Look at, try, check, measure or pack a plugin: a scoring filter in WebAssembly
    #[cfg(feature = "plugins")]
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Time a model, a scorer and training here, and say how near to the machine's ceilings they come
    Bench(bench::Arguments),
    /// Say what this program can do on this machine, and what to do about what it cannot
    Doctor(doctor::Arguments),
    /// Make a model directory of a llama2.c checkpoint
    #[cfg(feature = "candle")]
    ConvertLlama2c(convert_llama2c::Arguments),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// What the SDK answers.
    pub(crate) async fn run(&self, session: &Session) -> Result<Report> {
        match self {
            #[cfg(feature = "defaults")]
            Self::Quickstart(arguments) => quickstart::run(arguments, session).await,
            Self::Run(arguments) => run::run(arguments, session).await,
            Self::Study(arguments) => study::run(arguments, session).await,
            Self::Generate(arguments) => generate::run(arguments, session).await,
            Self::Score(arguments) => score::run(arguments, session).await,
            #[cfg(feature = "serve")]
            Self::Serve(arguments) => serve::run(arguments, session).await,
            #[cfg(feature = "perspective")]
            Self::Record(arguments) => record::run(arguments, session).await,
            Self::Select(arguments) => select::run(arguments, session).await,
            Self::Train(arguments) => train::run(arguments, session).await,
            Self::Evaluate(arguments) => evaluate::run(arguments, session).await,
            Self::Plan(arguments) => plan::run(arguments, session),
            Self::Compare(arguments) => compare::run(arguments, session),
            Self::Rate(command) => rate::run(command, session).await,
            Self::Audit(arguments) => audit::run(arguments, session).await,
            Self::FitCalibration(arguments) => fit_calibration::run(arguments, session).await,
            #[cfg(feature = "candle")]
            Self::Merge(arguments) => merge::run(arguments, session).await,
            #[cfg(feature = "candle")]
            Self::DistillScorer(arguments) => distill_scorer::run(arguments, session).await,
            #[cfg(feature = "plugins")]
            Self::Plugin(command) => plugin::run(command, session).await,
            Self::Bench(arguments) => bench::run(arguments, session).await,
            Self::Doctor(arguments) => doctor::run(arguments, session).await,
            #[cfg(feature = "candle")]
            Self::ConvertLlama2c(arguments) => convert_llama2c::run(arguments),
        }
    }

    /// Whether an interruption is how the command ends, and its own to handle.
    pub(crate) const fn runs_until_stopped(&self) -> bool {
        #[cfg(feature = "serve")]
        if let Self::Serve(_) = self {
            return true;
        }
        false
    }

    /// Whether the same command goes on where an interruption left it.
    pub(crate) const fn is_resumable(&self) -> bool {
        match self {
            Self::Run(_) | Self::Study(_) | Self::Train(_) | Self::Evaluate(_) => true,
            #[cfg(feature = "candle")]
            Self::DistillScorer(_) => true,
            #[cfg(feature = "defaults")]
            Self::Quickstart(_) => true,
            #[cfg(feature = "perspective")]
            Self::Record(_) => true,
            _ => false,
        }
    }
}
