//! A model at a place as a [`CausalLm`].

use std::fmt;
use std::path::Path;

use detoxlm_core::adapter::AdapterDirectory;
use detoxlm_core::causal_lm::{
    CausalLm, CausalLmCapabilities, DecodeSession, HfTokenizer, TokenLikelihood, TokenSequence,
    Tokenizer,
};
use detoxlm_core::{DigestBuilder, Info, ModelDirectory, Result};

use super::inference::{Engine, Session};
use super::place::Place;
use crate::checkpoint::Checkpoint;
use crate::material::fitting_tokenizer;
use crate::{adapters, families};

/// A language model on a framework's own operations.
///
/// Weights are read onto the device once; sequences share them. Logits are not batch-invariant: frameworks
/// pick their kernels by the shape of what they are given, and the last bits of a row depend on its company.
pub struct EagerLm<P: Place> {
    info: Info,
    tokenizer: HfTokenizer,
    engine: Engine<P>,
    /// Who the model is without an adapter.
    base: Info,
}

impl<P: Place> EagerLm<P> {
    /// Loads a directory in Hugging Face's layout: `config.json` of a supported family,
    /// `tokenizer.json`, and safetensors of `f32`, `f16` or `bf16`, in one file or in shards. `version` is
    /// the backend's.
    ///
    /// # Errors
    /// When a file is missing or malformed, the family or an option of its configuration is not
    /// supported, weights, configuration and tokenizer do not fit each other, or the device has too little
    /// memory.
    pub fn open(directory: impl AsRef<Path>, place: P, version: &str) -> Result<Self> {
        let directory = ModelDirectory::open(directory)?;
        let architecture = families::describe(&directory)?;
        let tokenizer = fitting_tokenizer(&directory, &architecture)?;
        let checkpoint = Checkpoint::open(&directory, &architecture)?;
        let info = Info::new(
            format!("{}:{}", P::COMPONENT, ModelDirectory::name_of(directory.path())),
            version,
            directory.digest()?,
        )
        .with_compute(place.compute());
        let engine = Engine::load(architecture, &checkpoint, place)?;
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
            &self.base.version,
            digest.finish(),
        )
        .with_compute(self.engine.place().compute());
        let (tokenizer, engine) = (self.tokenizer.clone(), self.engine.adapted(&added)?);
        Ok(Self { info, tokenizer, engine, base: self.base.clone() })
    }
}

impl<P: Place> CausalLm for EagerLm<P> {
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

impl<P: Place> fmt::Debug for EagerLm<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EagerLm").field("info", &self.info).finish_non_exhaustive()
    }
}
