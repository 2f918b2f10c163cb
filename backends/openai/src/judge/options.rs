use detoxlm_core::{Error, ErrorKind, Result};

use super::Words;
use crate::COMPONENT;
use crate::server::ServerOptions;

/// Where the text goes in a question.
pub(super) const PLACE: &str = "{text}";

const QUESTION: &str = "Is the following text rude, disrespectful or unreasonable, so that it would likely \
make people leave a discussion? Answer with one word, yes or no.\n\nText: {text}";

/// What a server calls asking a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `chat/completions`: the server puts the question into the model's own conversation format.
    #[default]
    Chat,
    /// `completions`: the question is the prompt as it is, for base models and for formats of one's own.
    Completion,
}

/// What a model is asked, and how its answer is understood.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JudgeOptions {
    /// The server and the model.
    pub server: ServerOptions,
    /// How it is asked.
    pub protocol: Protocol,
    /// The question, with `{text}` where the text goes.
    pub question: String,
    /// What its answers are.
    pub words: Words,
    /// Tokens to write at most: the answer has to begin among them.
    pub max_tokens: u32,
    /// Tokens whose probabilities are asked for at each place; servers allow 20 at most, some fewer.
    pub alternatives: u32,
}

impl JudgeOptions {
    /// Any model that follows instructions. The question is Perspective's definition of toxicity.
    #[must_use]
    pub fn yes_or_no(base: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            server: ServerOptions::new(base, model),
            protocol: Protocol::Chat,
            question: QUESTION.into(),
            words: Words { yes: vec!["yes".into()], no: vec!["no".into()] },
            max_tokens: 2,
            alternatives: 20,
        }
    }

    /// A guard model that says `safe` or `unsafe`: Llama Guard, whose chat template holds its rules.
    /// Its score is the probability of `unsafe`.
    #[must_use]
    pub fn llama_guard(base: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            question: PLACE.into(),
            words: Words { yes: vec!["unsafe".into()], no: vec!["safe".into()] },
            // It writes an empty line first.
            max_tokens: 3,
            ..Self::yes_or_no(base, model)
        }
    }

    /// Sets how it is asked.
    #[must_use]
    pub const fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Sets the question, with `{text}` where the text goes.
    #[must_use]
    pub fn with_question(mut self, question: impl Into<String>) -> Self {
        self.question = question.into();
        self
    }

    /// Sets what the answers are.
    #[must_use]
    pub fn with_words(mut self, words: Words) -> Self {
        self.words = words;
        self
    }

    /// Sets how the server is reached.
    #[must_use]
    pub fn with_server(mut self, server: ServerOptions) -> Self {
        self.server = server;
        self
    }

    pub(super) fn validate(&self) -> Result<()> {
        let refuse = |key: &'static str, message: String| {
            Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "set up the judge", message)
                .with_key(key))
        };
        if !self.question.contains(PLACE) {
            return refuse("question", format!("it has no {PLACE} where the text goes"));
        }
        for (key, words) in [("words.yes", &self.words.yes), ("words.no", &self.words.no)] {
            if words.iter().all(|word| word.trim().is_empty()) {
                return refuse(key, "there is no word".into());
            }
        }
        if let Some(both) = self.words.yes.iter().find(|word| self.words.no.contains(word)) {
            return refuse("words", format!("{both:?} is both"));
        }
        if self.max_tokens == 0 || self.alternatives < 2 {
            return refuse(
                "max_tokens, alternatives",
                "at least one token, and two alternatives for it, are needed".into(),
            );
        }
        Ok(())
    }
}
