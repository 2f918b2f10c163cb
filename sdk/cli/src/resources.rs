//! How much of the machine a local model takes.

use std::path::Path;
use std::sync::Arc;

use detoxlm::causal_lm::Likelihood;
use detoxlm::{Error, ErrorKind, Framework, LoadOptions, Result, Subject};

use crate::model::{self, AdaptedModelArgument};
use crate::session::Session;

/// Arguments that change speed and memory, and no text.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Resources")]
pub(crate) struct ResourceArguments {
    /// Sequences that are decoded at once; memory grows with it [default: 64]
    #[arg(long, value_name = "N", value_parser = crate::text::at_least_one)]
    rows: Option<usize>,
    /// Threads that compute [default: one for each core]
    #[arg(long, value_name = "N", value_parser = crate::text::at_least_one)]
    threads: Option<usize>,
}

impl ResourceArguments {
    /// Says so in what a model is loaded with.
    pub(crate) const fn apply(self, options: &mut LoadOptions) {
        options.rows = self.rows;
        options.threads = self.threads;
    }

    /// Loads a model, fetching it where it is not here, and its adapter.
    ///
    /// # Errors
    /// When the model or the adapter cannot be loaded.
    pub(crate) async fn load(
        self,
        framework: &Framework,
        model: &AdaptedModelArgument,
        session: &Session,
    ) -> Result<Subject> {
        let directory = model.model.directory(session).await?;
        let mut options = LoadOptions::default().with_observer(session.observer());
        self.apply(&mut options);
        options.adapter = model.adapter.clone();
        framework.loader.load(&directory, &options).await
    }

    /// Loads a model that rates what another one wrote.
    ///
    /// # Errors
    /// Those of [`judge`].
    pub(crate) async fn judge(
        self,
        framework: &Framework,
        reference: &Path,
        session: &Session,
    ) -> Result<Arc<dyn Likelihood>> {
        let mut options = LoadOptions::default();
        options.threads = self.threads;
        judge(framework, &options, (reference, Path::new("")), session).await
    }
}

/// Loads a model that rates what another one wrote, named in a folder.
///
/// # Errors
/// When the model cannot be loaded or gives no log-probabilities.
pub(crate) async fn judge(
    framework: &Framework,
    options: &LoadOptions,
    (reference, folder): (&Path, &Path),
    session: &Session,
) -> Result<Arc<dyn Likelihood>> {
    let directory = model::directory(reference, folder, session).await?;
    framework.loader.load(&directory, options).await?.likelihood.ok_or_else(|| {
        let message = "it gives no log-probabilities";
        Error::new(ErrorKind::Unsupported, "command line", "load a judging model", message)
            .with_path(reference)
    })
}
