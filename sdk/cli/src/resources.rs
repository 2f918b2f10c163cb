//! How much of the machine a local model takes: what a registry's loader cannot be told.

use std::path::Path;
use std::sync::Arc;

use detoxlm::{Error, ErrorKind, Generator, Result};

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
    /// The generator of a model directory.
    ///
    /// # Errors
    /// When the model cannot be loaded, or resources are given to a framework that takes none.
    pub(crate) async fn load(
        self,
        framework: &str,
        directory: &Path,
        session: &Session,
    ) -> Result<Arc<dyn Generator>> {
        if self.rows.is_none() && self.threads.is_none() {
            let loader = &session.registry.framework(framework)?.loader;
            return Ok(loader.load(directory, session.observer()).await?.generator);
        }
        #[cfg(feature = "candle")]
        if framework == "candle" {
            return self.load_candle(directory, session).await;
        }
        // A name that is not known is told as such.
        session.registry.framework(framework)?;
        Err(Error::new(
            ErrorKind::Unsupported,
            "command line",
            "set --rows or --threads",
            "this framework decides them itself",
        )
        .with_key(framework.to_owned()))
    }

    #[cfg(feature = "candle")]
    async fn load_candle(self, directory: &Path, session: &Session) -> Result<Arc<dyn Generator>> {
        use detoxlm::candle::{CandleLm, CandleOptions};
        use detoxlm::{LocalGenerator, Worker};

        let options = self
            .threads
            .map_or_else(CandleOptions::default, |n| CandleOptions::default().with_threads(n));
        let directory = directory.to_path_buf();
        let worker = Worker::spawn("load")?;
        let model = worker.run(move |_| CandleLm::open(directory, options)).await?;
        let rows = self.rows.unwrap_or(LocalGenerator::DEFAULT_ROWS);
        let generator = LocalGenerator::new(Arc::new(model))?;
        Ok(Arc::new(generator.with_rows(rows).with_observer(session.observer())))
    }
}
