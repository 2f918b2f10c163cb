//! A model of this backend as a [`CausalLm`].

use std::path::Path;

use detoxlm_core::causal_lm::{
    CausalLm, CausalLmCapabilities, DecodeSession, TokenLikelihood, TokenSequence, Tokenizer,
};
use detoxlm_core::{Info, Result};
use detoxlm_transformer::eager::EagerLm;

use crate::eager::CandlePlace;
use crate::inference::ProcessorLm;
use crate::options::{CandleOptions, Where};

/// A language model on candle.
///
/// Weights are read once; sequences share them. On the processor they are laid out for multiplication, and
/// logits are batch-invariant: a row has the same bits in whatever company, on however many threads, and
/// whether its tokens came one by one or together. On a GPU they are not.
#[derive(Debug)]
pub struct CandleLm(Model);

#[derive(Debug)]
enum Model {
    Processor(Box<ProcessorLm>),
    Gpu(Box<EagerLm<CandlePlace>>),
}

impl CandleLm {
    /// Loads a directory in Hugging Face's layout: `config.json` of a supported family,
    /// `tokenizer.json`, and safetensors of `f32`, `f16` or `bf16`, in one file or in shards.
    ///
    /// # Errors
    /// When a file is missing or malformed, the family or an option of its configuration is not
    /// supported, weights, configuration and tokenizer do not fit each other, or the device is not there
    /// or does not compute in these numbers.
    pub fn open(directory: impl AsRef<Path>, options: CandleOptions) -> Result<Self> {
        Ok(match options.find()? {
            Where::Processor => Self::processor(ProcessorLm::open(directory, options)?),
            Where::Gpu(place) => {
                Self::gpu(EagerLm::open(directory, place, env!("CARGO_PKG_VERSION"))?)
            }
        })
    }

    /// The same base model with the adapter in a directory, made by us, by PEFT (LoRA, prefix) or by
    /// AdapterHub's `adapters` (bottleneck). The base's weights are shared, not copied; an adapter
    /// that this model was loaded with is left out.
    ///
    /// # Errors
    /// When a file is missing or malformed, or the adapter was made for another model, or has tensors
    /// whose names or shapes do not fit this one; they are named.
    pub fn with_adapter(&self, directory: impl AsRef<Path>) -> Result<Self> {
        Ok(match &self.0 {
            Model::Processor(model) => Self::processor(model.with_adapter(directory)?),
            Model::Gpu(model) => Self::gpu(model.with_adapter(directory)?),
        })
    }

    fn processor(model: ProcessorLm) -> Self {
        Self(Model::Processor(Box::new(model)))
    }

    fn gpu(model: EagerLm<CandlePlace>) -> Self {
        Self(Model::Gpu(Box::new(model)))
    }

    fn model(&self) -> &dyn CausalLm {
        match &self.0 {
            Model::Processor(model) => model.as_ref(),
            Model::Gpu(model) => model.as_ref(),
        }
    }
}

impl CausalLm for CandleLm {
    fn info(&self) -> &Info {
        self.model().info()
    }

    fn capabilities(&self) -> CausalLmCapabilities {
        self.model().capabilities()
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.model().tokenizer()
    }

    fn decode_session(&self, rows: usize, capacity: usize) -> Result<Box<dyn DecodeSession + '_>> {
        self.model().decode_session(rows, capacity)
    }

    fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        self.model().token_likelihoods(sequences)
    }
}
