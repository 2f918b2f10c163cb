//! A model of this backend as a [`CausalLm`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use detoxlm_core::causal_lm::{
    CausalLm, CausalLmCapabilities, DecodeSession, HfTokenizer, TokenLikelihood, Tokenizer,
};
use detoxlm_core::{Error, ErrorKind, Info, ModelDirectory, Result};
use rayon::ThreadPool;

use crate::architecture::Architecture;
use crate::checkpoint::Checkpoint;
use crate::error::{COMPONENT, error};
use crate::families;
use crate::inference::{Engine, Session};
use crate::options::CandleOptions;

/// A language model on this machine's processor, in `f32`.
///
/// Weights are read once and laid out for multiplication; sequences share them. Logits are
/// batch-invariant: a row has the same bits in whatever company, on however many threads, and
/// whether its tokens came one by one or together.
pub struct CandleLm {
    info: Info,
    tokenizer: HfTokenizer,
    engine: Engine,
    pool: Arc<ThreadPool>,
}

impl CandleLm {
    /// Loads a directory in Hugging Face's layout: `config.json` of a supported family,
    /// `tokenizer.json`, and safetensors of `f32`, `f16` or `bf16`, in one file or in shards.
    ///
    /// # Errors
    /// When a file is missing or malformed, the family or an option of its configuration is not
    /// supported, or weights, configuration and tokenizer do not fit each other.
    pub fn open(directory: impl AsRef<Path>, options: CandleOptions) -> Result<Self> {
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
        Ok(Self { info, tokenizer, engine, pool })
    }
}

impl CausalLm for CandleLm {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> CausalLmCapabilities {
        let architecture = self.engine.architecture();
        CausalLmCapabilities::new(architecture.vocabulary, architecture.context_length)
            .with_batch_invariance(true)
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn decode_session(&self, rows: usize, capacity: usize) -> Result<Box<dyn DecodeSession + '_>> {
        Ok(Box::new(Session::new(&self.engine, &self.pool, rows, capacity)?))
    }

    fn token_likelihoods(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<TokenLikelihood>>> {
        self.pool.install(|| self.engine.token_likelihoods(sequences))
    }
}

impl fmt::Debug for CandleLm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CandleLm").field("info", &self.info).finish_non_exhaustive()
    }
}

/// The directory's tokenizer, if every id of it has an embedding.
pub(crate) fn fitting_tokenizer(
    directory: &ModelDirectory,
    architecture: &Architecture,
) -> Result<HfTokenizer> {
    let tokenizer = directory.tokenizer()?;
    if tokenizer.size() > architecture.vocabulary {
        return Err(too_many_tokens(directory, tokenizer.size(), architecture.vocabulary));
    }
    Ok(tokenizer)
}

fn too_many_tokens(directory: &ModelDirectory, tokens: usize, rows: usize) -> Error {
    error(
        ErrorKind::Incompatible,
        "load the model",
        format!(
            "its {tokens} tokens are more than the {rows} embeddings of the model ({}: `vocab_size`)",
            directory.path().join("config.json").display(),
        ),
    )
    .with_path(directory.path().join("tokenizer.json"))
    .with_remedy("use the tokenizer.json and the weights of the same model")
}
