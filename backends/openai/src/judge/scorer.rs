use async_trait::async_trait;
use detoxlm_core::remote::{Outcome, Secret};
use detoxlm_core::{
    Attribute, DigestBuilder, Info, Result, Sample, ScorerCapabilities, Scores, ToxicityScorer,
    Unscored, Verdict,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::{Alternatives, ChatAnswer, CompletionAnswer};
use super::options::{JudgeOptions, PLACE, Protocol};
use crate::COMPONENT;
use crate::blank::with_blanks;
use crate::server::Server;

const BATCH: usize = 16;

/// A language model that is asked whether a text is toxic; TOXICITY is the probability of yes.
///
/// # Contract
/// Beside [`ToxicityScorer`]'s, the rule of [`detoxlm_core::remote`]: each text is a request, and only
/// what may pass is asked again. A text that the model does not answer with one of its words, or that
/// the server refuses for good, is [`Unscored::Abstained`].
#[derive(Debug)]
pub struct Judge {
    info: Info,
    capabilities: ScorerCapabilities,
    server: Server,
    options: JudgeOptions,
}

impl Judge {
    /// Asks with a key, or without one where the server needs none.
    ///
    /// # Errors
    /// When an option is impossible; it is named.
    pub fn new(key: Option<Secret>, options: &JudgeOptions) -> Result<Self> {
        options.validate()?;
        let path = match options.protocol {
            Protocol::Chat => "chat/completions",
            Protocol::Completion => "completions",
        };
        let server = Server::open(key, &options.server, path)?;
        let JudgeOptions { question, words, max_tokens, alternatives, .. } = options;
        let mut digest = DigestBuilder::new();
        digest.update(COMPONENT).update(server.endpoint()).update(&options.server.model);
        digest.update(question).update(format!("{words:?} {max_tokens} {alternatives}"));
        Ok(Self {
            info: Info::new("judge", options.server.model.clone(), digest.finish()),
            capabilities: ScorerCapabilities::new([Attribute::TOXICITY])
                .with_batch(BATCH)
                .with_concurrency(2),
            server,
            options: options.clone(),
        })
    }

    fn request(&self, text: &str) -> Value {
        let JudgeOptions { server, question, max_tokens, alternatives, .. } = &self.options;
        let question = question.replace(PLACE, text);
        match self.options.protocol {
            Protocol::Chat => json!({
                "model": server.model,
                "messages": [{"role": "user", "content": question}],
                "max_tokens": max_tokens,
                "temperature": 0,
                "logprobs": true,
                "top_logprobs": alternatives,
            }),
            Protocol::Completion => json!({
                "model": server.model,
                "prompt": question,
                "max_tokens": max_tokens,
                "temperature": 0,
                "logprobs": alternatives,
            }),
        }
    }

    async fn ask<A: DeserializeOwned + Send>(
        &self,
        requests: &[Value],
        places: fn(A) -> Vec<Alternatives>,
    ) -> Result<Vec<Verdict>> {
        let outcomes = self.server.ask_each::<_, A>(requests).await?;
        let verdict = |outcome| match outcome {
            Outcome::Answered(Ok(answer)) => self.verdict(&places(answer)),
            Outcome::Answered(Err(why)) => Verdict::Unscored(Unscored::Abstained(why)),
            Outcome::GaveUp(why) => Verdict::Unscored(Unscored::Failed(why)),
        };
        Ok(outcomes.into_iter().map(verdict).collect())
    }

    fn verdict(&self, places: &[Alternatives]) -> Verdict {
        let abstained = |why: &str| Verdict::Unscored(Unscored::Abstained(why.to_owned()));
        if places.is_empty() {
            return abstained("the server sends no log-probabilities");
        }
        let scores = self.options.words.value(places).map(|value| {
            Scores::new([(Attribute::TOXICITY, value as f32)]).map_err(|error| error.to_string())
        });
        match scores {
            Ok(Ok(scores)) => scores.into(),
            Ok(Err(why)) | Err(why) => abstained(&why),
        }
    }
}

#[async_trait]
impl ToxicityScorer for Judge {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let asked = samples.iter().filter(|sample| !sample.is_blank());
        let requests: Vec<_> = asked.map(|sample| self.request(&sample.text)).collect();
        let verdicts = match self.options.protocol {
            Protocol::Chat => self.ask(&requests, |answer: ChatAnswer| answer.places()).await?,
            Protocol::Completion => self.ask(&requests, CompletionAnswer::places).await?,
        };
        Ok(with_blanks(samples, verdicts.into_iter()))
    }
}
