//! A model on the processor as a [`CausalLm`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use detoxlm_core::adapter::AdapterDirectory;
use detoxlm_core::causal_lm::{
    CausalLm, CausalLmCapabilities, DecodeSession, HfTokenizer, TokenLikelihood, TokenSequence,
    Tokenizer,
};
use detoxlm_core::{DigestBuilder, Info, ModelDirectory, Result};
use detoxlm_transformer::material::fitting_tokenizer;
use rayon::ThreadPool;

use super::{Engine, Session};
use crate::adapters;
use crate::checkpoint::Checkpoint;
use crate::error::COMPONENT;
use crate::families;
use crate::options::CandleOptions;

/// A language model on this machine's processor, in `f32`.
///
/// Weights are read once and laid out for multiplication; sequences share them. Logits are
/// batch-invariant: a row has the same bits in whatever company, on however many threads, and
/// whether its tokens came one by one or together.
pub(crate) struct ProcessorLm {
    info: Info,
    tokenizer: HfTokenizer,
    engine: Engine,
    pool: Arc<ThreadPool>,
    /// Who the model is without an adapter.
    base: Info,
}

impl ProcessorLm {
    pub(crate) fn open(directory: impl AsRef<Path>, options: CandleOptions) -> Result<Self> {
        let directory = ModelDirectory::open(directory)?;
        let architecture = families::describe(&directory)?;
        let tokenizer = fitting_tokenizer(&directory, &architecture)?;
        let checkpoint = Checkpoint::open(&directory, &architecture)?;
        let pool = options.pool()?;
        let engine = pool.install(|| Engine::load(architecture, &checkpoint))?;
        let info = Info::new(
            format!("{COMPONENT}:{}", ModelDirectory::name_of(directory.path())),
            env!("CARGO_PKG_VERSION"),
            directory.digest()?,
        );
        Ok(Self { base: info.clone(), info, tokenizer, engine, pool })
    }

    pub(crate) fn with_adapter(&self, directory: impl AsRef<Path>) -> Result<Self> {
        let directory = AdapterDirectory::open(directory)?;
        directory.check_base(&self.base.digest)?;
        let added = adapters::open(self.engine.architecture(), &directory)?;
        let engine = self.pool.install(|| self.engine.adapted(&added))?;
        let mut digest = DigestBuilder::new();
        digest.update(self.base.digest.as_str()).update(directory.digest()?.as_str());
        let info = Info::new(
            format!("{}+{}", self.base.name, ModelDirectory::name_of(directory.path())),
            env!("CARGO_PKG_VERSION"),
            digest.finish(),
        );
        let (tokenizer, pool) = (self.tokenizer.clone(), Arc::clone(&self.pool));
        Ok(Self { info, tokenizer, engine, pool, base: self.base.clone() })
    }
}

impl CausalLm for ProcessorLm {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> CausalLmCapabilities {
        let architecture = self.engine.architecture();
        CausalLmCapabilities::new(architecture.vocabulary, self.engine.context_length())
            .with_batch_invariance(true)
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn decode_session(&self, rows: usize, capacity: usize) -> Result<Box<dyn DecodeSession + '_>> {
        Ok(Box::new(Session::new(&self.engine, &self.pool, rows, capacity)?))
    }

    fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        self.pool.install(|| self.engine.token_likelihoods(sequences))
    }
}

impl fmt::Debug for ProcessorLm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessorLm").field("info", &self.info).finish_non_exhaustive()
    }
}
