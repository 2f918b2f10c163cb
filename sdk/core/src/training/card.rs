//! The `README.md` of what a training made, as the Hugging Face Hub shows it.

use std::fmt::Write as _;

use crate::training::{Decay, Method, TrainingConfig, TrainingOutcome};

/// What a card says.
#[derive(Debug)]
pub(crate) struct Card<'a> {
    /// What people call the base model.
    pub(crate) base: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) config: &'a TrainingConfig,
    pub(crate) outcome: &'a TrainingOutcome,
    pub(crate) seed: u64,
    /// What it was trained on: a sentence or a list.
    pub(crate) data: String,
    /// What was measured of it: tables, with their own headings, or that nothing was.
    pub(crate) figures: String,
    /// What its figures do not say.
    pub(crate) limits: String,
}

impl Card<'_> {
    /// The card as Markdown, with the front matter that the Hub reads.
    pub(crate) fn to_markdown(&self) -> String {
        let Self { base, method, data, figures, limits, .. } = self;
        let what = match method {
            Method::Full {} => "a fine-tuned copy of",
            Method::Bottleneck(_) => "bottleneck adapters for",
            Method::Lora(_) => "a LoRA adapter for",
            Method::Prefix(_) => "a prefix for",
        };
        let mut card = format!(
            "---\nbase_model: {base}\nlibrary_name: {}\npipeline_tag: text-generation\ntags:\n- detoxlm\n\
             - {}\n---\n\n# {base}, fine-tuned with detoxlm\n\nThis is {what} `{base}`.\n",
            library(method),
            method.name(),
        );
        let _ = write!(card, "\n## How it was made\n\n{data}\n\n{}", self.training());
        let _ = write!(card, "\n## What was measured\n\n{figures}\n");
        let _ = write!(card, "\n## Limits\n\n{limits}\n\n## How to load it\n\n{}", loading(method));
        card
    }

    fn training(&self) -> String {
        let Self { method, config, outcome, seed, .. } = self;
        let rate = &config.learning_rate;
        let decay = match rate.decay {
            Decay::Constant => "constant",
            Decay::Linear => "falling in a straight line",
            Decay::Cosine => "falling along a cosine",
        };
        // A method is plain data.
        let settings = serde_json::to_string(method).unwrap_or_default();
        format!(
            "| | |\n|---|---|\n\
             | method | `{settings}` |\n\
             | trained parameters | {} of {} |\n\
             | steps, tokens | {}, {} |\n\
             | batch | {} sequences, accumulated {} times |\n\
             | learning rate | {}, {decay}, after {} steps of warm-up |\n\
             | last loss | {:.4} nats per token |\n\
             | seed | {seed} |\n",
            outcome.trainable_parameters,
            outcome.total_parameters,
            outcome.steps,
            outcome.tokens,
            config.batch_size,
            config.accumulation,
            rate.peak,
            rate.warmup_steps,
            outcome.final_loss,
        )
    }
}

/// The Python library that reads it.
const fn library(method: &Method) -> &'static str {
    match method {
        Method::Full {} => "transformers",
        Method::Bottleneck(_) => "adapters",
        Method::Lora(_) | Method::Prefix(_) => "peft",
    }
}

const fn loading(method: &Method) -> &'static str {
    match method {
        Method::Full {} => {
            "`detoxlm generate --model DIR`, or in Python:\n\n```python\n\
             from transformers import AutoModelForCausalLM\n\
             model = AutoModelForCausalLM.from_pretrained(\"DIR\")\n```\n"
        }
        Method::Lora(_) => {
            "`detoxlm generate --model BASE --adapter DIR`; `detoxlm merge` folds it into its base. In \
             Python:\n\n```python\n\
             from peft import PeftModel\n\
             from transformers import AutoModelForCausalLM\n\
             base = AutoModelForCausalLM.from_pretrained(\"BASE\")\n\
             model = PeftModel.from_pretrained(base, \"DIR\")\n```\n"
        }
        Method::Prefix(_) => {
            "`detoxlm generate --model BASE --adapter DIR`, or in Python, where batches must not be \
             padded on the left:\n\n```python\n\
             from peft import PeftModel\n\
             from transformers import AutoModelForCausalLM\n\
             base = AutoModelForCausalLM.from_pretrained(\"BASE\")\n\
             model = PeftModel.from_pretrained(base, \"DIR\")\n```\n"
        }
        Method::Bottleneck(_) => {
            "`detoxlm generate --model BASE --adapter DIR`, or in Python:\n\n```python\n\
             import adapters\n\
             from transformers import AutoModelForCausalLM\n\
             model = AutoModelForCausalLM.from_pretrained(\"BASE\")\n\
             adapters.init(model)\n\
             model.load_adapter(\"DIR\", set_active=True, use_safetensors=True)\n```\n"
        }
    }
}
