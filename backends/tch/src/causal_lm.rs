//! A model of this backend as a [`CausalLm`].

use std::fmt;
use std::path::Path;

use detoxlm_core::adapter::AdapterDirectory;
use detoxlm_core::causal_lm::{
    CausalLm, CausalLmCapabilities, DecodeSession, HfTokenizer, TokenLikelihood, TokenSequence,
    Tokenizer,
};
use detoxlm_core::{DigestBuilder, Info, ModelDirectory, Result};
use detoxlm_transformer::checkpoint::Checkpoint;
use detoxlm_transformer::material::fitting_tokenizer;
use detoxlm_transformer::{adapters, families};

use crate::error::COMPONENT;
use crate::inference::{Engine, Session};
use crate::options::TchOptions;
use crate::place::Place;

/// A language model on libtorch.
///
/// Weights are read onto the device once; sequences share them. Logits are not batch-invariant: libtorch
/// picks its kernels by the shape of what they are given, and the last bits of a row depend on its
/// company.
pub struct TchLm {
    info: Info,
    tokenizer: HfTokenizer,
    engine: Engine,
    /// Who the model is without an adapter.
    base: Info,
}

impl TchLm {
    /// Loads a directory in Hugging Face's layout: `config.json` of a supported family,
    /// `tokenizer.json`, and safetensors of `f32`, `f16` or `bf16`, in one file or in shards.
    ///
    /// # Errors
    /// When a file is missing or malformed, the family or an option of its configuration is not
    /// supported, weights, configuration and tokenizer do not fit each other, or the device is not there
    /// or has too little memory.
    pub fn open(directory: impl AsRef<Path>, options: TchOptions) -> Result<Self> {
        let directory = ModelDirectory::open(directory)?;
        let architecture = families::describe(&directory)?;
        let tokenizer = fitting_tokenizer(&directory, &architecture)?;
        let checkpoint = Checkpoint::open(&directory, &architecture)?;
        let place = Place::find(options)?;
        let engine = Engine::load(architecture, &checkpoint, place)?;
        let info = Info::new(
            format!("{COMPONENT}:{}", ModelDirectory::name_of(directory.path())),
            env!("CARGO_PKG_VERSION"),
            directory.digest()?,
        )
        .with_compute(place.compute);
        Ok(Self { base: info.clone(), info, tokenizer, engine })
    }

    /// The same base model with the adapter in a directory, made by us, by PEFT (LoRA, prefix) or by
    /// AdapterHub's `adapters` (bottleneck). The base's weights are shared, not copied; an adapter
    /// that this model was loaded with is left out.
    ///
    /// # Errors
    /// When a file is missing or malformed, or the adapter was made for another model, or has tensors
    /// whose names or shapes do not fit this one; they are named.
    pub fn with_adapter(&self, directory: impl AsRef<Path>) -> Result<Self> {
        let directory = AdapterDirectory::open(directory)?;
        directory.check_base(&self.base.digest)?;
        let added = adapters::open(self.engine.architecture(), &directory)?;
        let mut digest = DigestBuilder::new();
        digest.update(self.base.digest.as_str()).update(directory.digest()?.as_str());
        let info = Info::new(
            format!("{}+{}", self.base.name, ModelDirectory::name_of(directory.path())),
            env!("CARGO_PKG_VERSION"),
            digest.finish(),
        )
        .with_compute(self.engine.place().compute);
        let (tokenizer, engine) = (self.tokenizer.clone(), self.engine.adapted(&added)?);
        Ok(Self { info, tokenizer, engine, base: self.base.clone() })
    }
}

impl CausalLm for TchLm {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> CausalLmCapabilities {
        let architecture = self.engine.architecture();
        CausalLmCapabilities::new(architecture.vocabulary, self.engine.context_length())
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn decode_session(&self, rows: usize, capacity: usize) -> Result<Box<dyn DecodeSession + '_>> {
        Ok(Box::new(Session::new(&self.engine, rows, capacity)?))
    }

    fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        self.engine.token_likelihoods(sequences)
    }
}

impl fmt::Debug for TchLm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TchLm").field("info", &self.info).finish_non_exhaustive()
    }
}
