//! A model of this backend as a [`CausalLm`].

use std::path::Path;

use detoxlm_core::causal_lm::{
    CausalLm, CausalLmCapabilities, DecodeSession, TokenLikelihood, TokenSequence, Tokenizer,
};
use detoxlm_core::{Info, Result};
use detoxlm_transformer::eager::EagerLm;

use crate::options::TchOptions;
use crate::place::TchPlace;

/// A language model on libtorch.
///
/// Weights are read onto the device once; sequences share them. Logits are not batch-invariant: libtorch
/// picks its kernels by the shape of what they are given, and the last bits of a row depend on its
/// company.
#[derive(Debug)]
pub struct TchLm(EagerLm<TchPlace>);

impl TchLm {
    /// Loads a directory in Hugging Face's layout: `config.json` of a supported family,
    /// `tokenizer.json`, and safetensors of `f32`, `f16` or `bf16`, in one file or in shards.
    ///
    /// # Errors
    /// When a file is missing or malformed, the family or an option of its configuration is not
    /// supported, weights, configuration and tokenizer do not fit each other, or the device is not there
    /// or has too little memory.
    pub fn open(directory: impl AsRef<Path>, options: TchOptions) -> Result<Self> {
        let place = TchPlace::find(options)?;
        EagerLm::open(directory, place, env!("CARGO_PKG_VERSION")).map(Self)
    }

    /// The same base model with the adapter in a directory, made by us, by PEFT (LoRA, prefix) or by
    /// AdapterHub's `adapters` (bottleneck). The base's weights are shared, not copied; an adapter
    /// that this model was loaded with is left out.
    ///
    /// # Errors
    /// When a file is missing or malformed, or the adapter was made for another model, or has tensors
    /// whose names or shapes do not fit this one; they are named.
    pub fn with_adapter(&self, directory: impl AsRef<Path>) -> Result<Self> {
        self.0.with_adapter(directory).map(Self)
    }
}

impl CausalLm for TchLm {
    fn info(&self) -> &Info {
        self.0.info()
    }

    fn capabilities(&self) -> CausalLmCapabilities {
        self.0.capabilities()
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.0.tokenizer()
    }

    fn decode_session(&self, rows: usize, capacity: usize) -> Result<Box<dyn DecodeSession + '_>> {
        self.0.decode_session(rows, capacity)
    }

    fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        self.0.token_likelihoods(sequences)
    }
}
