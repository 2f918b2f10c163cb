use std::collections::BTreeMap;

use async_trait::async_trait;
use detoxlm_core::remote::{Outcome, Secret};
use detoxlm_core::{
    DigestBuilder, Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Unscored, Verdict,
};
use serde::{Deserialize, Serialize};

use super::Categories;
use crate::COMPONENT;
use crate::blank::with_blanks;
use crate::server::{Server, ServerOptions};

/// The model that OpenAI recommends for text and images.
const MODEL: &str = "omni-moderation-latest";
const BATCH: usize = 16;

/// How a moderation endpoint is asked, and how it is understood.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModerationOptions {
    /// The server.
    pub server: ServerOptions,
    /// Which categories are which attribute.
    pub categories: Categories,
}

impl ModerationOptions {
    /// The endpoint below a base such as `https://api.openai.com/v1`, with `omni-moderation-latest`.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        Self { server: ServerOptions::new(base, MODEL), categories: Categories::default() }
    }

    /// Sets the model's name.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.server.model = model.into();
        self
    }

    /// Sets which categories are which attribute.
    #[must_use]
    pub fn with_categories(mut self, categories: Categories) -> Self {
        self.categories = categories;
        self
    }

    /// Sets how the server is reached.
    #[must_use]
    pub fn with_server(mut self, server: ServerOptions) -> Self {
        self.server = server;
        self
    }
}

/// A moderation endpoint as a scorer. It sends [`Sample::text`] alone.
///
/// # Contract
/// Beside [`ToxicityScorer`]'s, the rule of [`detoxlm_core::remote`]: each text is a request, and only
/// what may pass is asked again. A text that the service refuses for good is
/// [`Unscored::Abstained`] with its message.
#[derive(Debug)]
pub struct Moderation {
    info: Info,
    capabilities: ScorerCapabilities,
    server: Server,
    model: String,
    categories: Categories,
}

impl Moderation {
    /// Asks with a key, or without one where the server needs none.
    ///
    /// # Errors
    /// When an option is impossible.
    pub fn new(key: Option<Secret>, options: &ModerationOptions) -> Result<Self> {
        let server = Server::open(key, &options.server, "moderations")?;
        let model = options.server.model.clone();
        let categories = options.categories.clone();
        let mut digest = DigestBuilder::new();
        digest.update(COMPONENT).update(server.endpoint()).update(&model);
        digest.update(format!("{categories:?}"));
        Ok(Self {
            info: Info::new("moderation", model.clone(), digest.finish()),
            capabilities: ScorerCapabilities::new(categories.attributes())
                .with_batch(BATCH)
                .with_concurrency(2),
            server,
            model,
            categories,
        })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Rated>,
}

#[derive(Deserialize)]
struct Rated {
    category_scores: BTreeMap<String, Option<f32>>,
}

#[async_trait]
impl ToxicityScorer for Moderation {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let asked = samples.iter().filter(|sample| !sample.is_blank());
        let requests: Vec<_> =
            asked.map(|sample| Request { model: &self.model, input: &sample.text }).collect();
        let outcomes = self.server.ask_each(&requests).await?;
        let verdicts = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Answered(Ok(Answer { results })) => match results.first() {
                Some(rated) => self.categories.verdict(&rated.category_scores),
                None => Verdict::Unscored(Unscored::Abstained("the answer has no result".into())),
            },
            Outcome::Answered(Err(why)) => Verdict::Unscored(Unscored::Abstained(why)),
            Outcome::GaveUp(why) => Verdict::Unscored(Unscored::Failed(why)),
        });
        Ok(with_blanks(samples, verdicts))
    }
}
