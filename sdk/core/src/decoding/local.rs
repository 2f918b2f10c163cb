use std::sync::Arc;
use std::thread;

use async_trait::async_trait;

use crate::causal_lm::CausalLm;
use crate::decoding::batch::generate;
use crate::decoding::rows::Rows;
use crate::worker::Worker;
use crate::{
    Error, Generation, GenerationRequest, Generator, GeneratorCapabilities, Info, LoadOptions,
    Observer, Result, Silent,
};

/// Makes a [`Generator`] of any [`CausalLm`].
///
/// Sequences are decoded in one batch that is refilled as they finish; the samples of a prompt share
/// its prefill.
#[derive(Debug)]
pub struct LocalGenerator {
    model: Arc<dyn CausalLm>,
    capabilities: GeneratorCapabilities,
    observer: Arc<dyn Observer>,
    worker: Worker,
    rows: Arc<Rows>,
    threads: usize,
}

impl LocalGenerator {
    /// How many sequences are decoded at once, unless [`with_rows`](Self::with_rows) says otherwise:
    /// enough to amortise reading the weights on a CPU.
    pub const DEFAULT_ROWS: usize = 64;

    /// A generator on a thread of its own.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(model: Arc<dyn CausalLm>) -> Result<Self> {
        let worker = Worker::spawn("detoxlm-generate")?;
        let generator = Self {
            model,
            capabilities: GeneratorCapabilities::new(),
            observer: Arc::new(Silent),
            worker,
            rows: Arc::new(Rows::new(0)),
            threads: thread::available_parallelism().map_or(1, usize::from),
        };
        Ok(generator.with_rows(Self::DEFAULT_ROWS))
    }

    /// Sets how many sequences are decoded at once (at least 1). Memory grows with it, and text does
    /// not depend on it if the model is batch-invariant. Where the memory has no room for them, fewer are,
    /// which the observer is warned of.
    #[must_use]
    pub fn with_rows(mut self, rows: usize) -> Self {
        let model = self.model.capabilities();
        let rows = rows.max(1);
        self.rows = Arc::new(Rows::new(rows));
        self.capabilities = GeneratorCapabilities::new()
            .with_context_length(model.context_length)
            .with_batch(rows)
            .with_batch_invariance(model.batch_invariant);
        self
    }

    /// Sets on how many threads tokens are drawn (at least 1; one for each core by default). It changes no
    /// text.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Takes over what of a loader's options concerns decoding: rows, threads and observer.
    #[must_use]
    pub fn with_options(self, options: &LoadOptions) -> Self {
        let threads = options.threads.unwrap_or(self.threads);
        self.with_rows(options.rows.unwrap_or(Self::DEFAULT_ROWS))
            .with_threads(threads)
            .with_observer(Arc::clone(&options.observer))
    }

    /// Tells `observer` about generated tokens.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }
}

#[async_trait]
impl Generator for LocalGenerator {
    fn info(&self) -> &Info {
        self.model.info()
    }

    fn capabilities(&self) -> &GeneratorCapabilities {
        &self.capabilities
    }

    async fn generate(&self, requests: &[GenerationRequest]) -> Result<Vec<Vec<Generation>>> {
        let model = Arc::clone(&self.model);
        let observer = Arc::clone(&self.observer);
        let requests = requests.to_vec();
        let (rows, threads) = (Arc::clone(&self.rows), self.threads);
        self.worker
            .run(move |cancellation| {
                generate(&*model, &requests, &rows, threads, cancellation, &*observer)
            })
            .await
    }
}

/// The tokens that a prompt stands for: its text, after the beginning-of-sequence token where the
/// model has one; that token alone for an empty prompt.
pub(super) fn prompt_tokens(model: &dyn CausalLm, prompt: &str) -> Result<Vec<u32>, Error> {
    let tokenizer = model.tokenizer();
    let mut tokens = Vec::new();
    if prompt.is_empty() || tokenizer.prepends_bos() {
        tokens.push(tokenizer.bos());
    }
    if !prompt.is_empty() {
        tokens.extend(tokenizer.encode(prompt)?);
    }
    Ok(tokens)
}
