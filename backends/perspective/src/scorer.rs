use std::fmt;

use async_trait::async_trait;
use detoxlm_core::remote::{Asker, Attempt, Outcome, Secret};
use detoxlm_core::{
    Attribute, DigestBuilder, Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Unscored,
    Verdict,
};

use crate::client::Client;
use crate::options::{LongTexts, PerspectiveOptions, Question};
use crate::protocol::{AnalyzeRequest, AnalyzeResponse, cut_to_limit, fits};
use crate::record::Record;
use crate::reply::Reply;
use crate::{COMPONENT, KEY_VARIABLE};

/// Texts of one call: enough that one text that fails is told from a service that is away.
const BATCH: usize = 16;

/// Perspective API, or a service that copies its protocol, asked as texts come.
///
/// It scores [`Sample::text`] alone; the prompt is not sent.
///
/// # Contract
/// Beside [`ToxicityScorer`]'s:
/// - A text is one request; nothing else of the call goes with it, and a text that is asked again is
///   asked again alone ([`detoxlm_core::remote`] has the rule). No request is sent for blank text, nor
///   for a text over the limit that is not to be cut.
/// - A refusal that names what is wrong with the text is its reason: `COMMENT_EMPTY` is
///   [`Unscored::Blank`], `COMMENT_TOO_LONG` [`Unscored::TooLong`], `LANGUAGE_*`
///   [`Unscored::Language`], others [`Unscored::Abstained`] with the service's message. None is asked
///   again.
/// - A text whose tries are used up, while others were answered, is [`Unscored::Failed`]: core's
///   `Cached` and a record keep no such thing, so that it is asked again another time. Where the
///   service is away the call is an error of kind
///   [`Unavailable`](detoxlm_core::ErrorKind::Unavailable).
/// - HTTP 401, 403 and 410, and a key that is refused, end the call
///   ([`Denied`](detoxlm_core::ErrorKind::Denied)); so do a redirect, which is never followed, and an
///   address where nothing is.
/// - An attribute that an answer lacks is missing from the scores, which
///   [`capabilities`](ToxicityScorer::capabilities) list as asked for.
/// - The rate and the number of requests at once hold for all calls of one scorer: share it, since a
///   key has one quota.
pub struct Perspective {
    info: Info,
    capabilities: ScorerCapabilities,
    client: Client,
    asker: Asker,
    question: Question,
    do_not_store: bool,
}

/// What is known of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Its scores, or why it has none.
    pub verdict: Verdict,
    /// The service's whole answer, with the scores of the text's parts
    /// ([`AttributeScores::parts_of`](crate::protocol::AttributeScores::parts_of)); none where it gave
    /// no scores.
    pub response: Option<AnalyzeResponse>,
}

impl Perspective {
    /// Asks with a key, or without one where the endpoint needs none.
    ///
    /// # Errors
    /// When an option is impossible, or the endpoint is Perspective API's own and there is no key.
    pub fn new(key: Option<Secret>, options: &PerspectiveOptions) -> Result<Self> {
        let question = options.question()?;
        let client = Client::new(key, options)?;
        let asker = Asker::new(
            COMPONENT,
            options.concurrency,
            options.requests_per_second,
            options.patience,
        )?;
        let mut digest = DigestBuilder::new();
        digest.update(COMPONENT).update(client.endpoint());
        question.add_to(&mut digest);
        Ok(Self {
            info: Info::new(COMPONENT, "v1alpha1", digest.finish()),
            capabilities: ScorerCapabilities::new(question.attributes.iter().cloned())
                .with_batch(BATCH)
                .with_concurrency(2),
            client,
            asker,
            question,
            do_not_store: options.do_not_store,
        })
    }

    /// Asks with the key in the environment variable `PERSPECTIVE_API_KEY`, if it is set.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the variable holds no key.
    pub fn from_environment(options: &PerspectiveOptions) -> Result<Self> {
        Self::new(Secret::from_environment(KEY_VARIABLE)?, options)
    }

    /// Where it asks.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.client.endpoint()
    }

    /// What it asks of every text.
    #[must_use]
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// Scores texts, with all that the service says of them.
    ///
    /// # Errors
    /// As [`score`](ToxicityScorer::score).
    pub async fn analyze(&self, texts: &[&str]) -> Result<Vec<Analysis>> {
        let unscored = |why| Analysis { verdict: Verdict::Unscored(why), response: None };
        let outcomes = self.ask(texts, None).await?;
        let analyses = outcomes.into_iter().map(|settled| match settled {
            Settled::Reply(reply) => Analysis {
                verdict: reply.verdict(&self.question.attributes),
                response: reply.response(),
            },
            Settled::Unscored(why) => unscored(why),
        });
        Ok(analyses.collect())
    }

    /// Settles every text; each reply is in the record, if there is one, before the next is awaited.
    pub(crate) async fn ask(
        &self,
        texts: &[&str],
        record: Option<&Record>,
    ) -> Result<Vec<Settled>> {
        let plans: Vec<_> = texts.iter().map(|text| self.question.plan(text)).collect();
        let asked: Vec<(&str, AnalyzeRequest)> = texts
            .iter()
            .zip(&plans)
            .filter_map(|(text, plan)| Some((*text, self.request(plan.as_ref().ok()?))))
            .collect();
        let outcomes = self
            .asker
            .ask_each(asked.len(), |index| {
                let (text, request) = &asked[index];
                async move {
                    let attempt = self.client.ask(request).await;
                    let (Attempt::Done(reply), Some(record)) = (&attempt, record) else {
                        return attempt;
                    };
                    match record.keep(text, self, reply).await {
                        Ok(()) => attempt,
                        Err(error) => Attempt::Fatal(error),
                    }
                }
            })
            .await?;
        let mut outcomes = outcomes.into_iter();
        let settled = plans.into_iter().filter_map(|plan| match plan {
            Err(why) => Some(Settled::Unscored(why)),
            Ok(_) => outcomes.next().map(|outcome| match outcome {
                Outcome::Answered(reply) => Settled::Reply(reply),
                Outcome::GaveUp(why) => Settled::Unscored(Unscored::Failed(why)),
            }),
        });
        Ok(settled.collect())
    }

    fn request(&self, text: &str) -> AnalyzeRequest {
        AnalyzeRequest { do_not_store: Some(self.do_not_store), ..self.question.request(text) }
    }
}

/// A text that need not be asked about again in this call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Settled {
    Reply(Reply),
    Unscored(Unscored),
}

impl Settled {
    pub(crate) fn verdict(&self, attributes: &[Attribute]) -> Verdict {
        match self {
            Self::Reply(reply) => reply.verdict(attributes),
            Self::Unscored(why) => Verdict::Unscored(why.clone()),
        }
    }
}

impl Question {
    /// The part of a text that is asked about, or why it is not asked about.
    pub(crate) fn plan<'t>(&self, text: &'t str) -> std::result::Result<&'t str, Unscored> {
        if text.trim().is_empty() {
            return Err(Unscored::Blank);
        }
        match self.long_texts {
            LongTexts::Refuse if !fits(text) => Err(Unscored::TooLong),
            LongTexts::Refuse => Ok(text),
            LongTexts::Cut => match cut_to_limit(text) {
                // The service calls it empty too.
                blank if blank.trim().is_empty() => Err(Unscored::Blank),
                cut => Ok(cut),
            },
        }
    }

    /// The request for a text, but for what changes no score.
    pub(crate) fn request(&self, text: &str) -> AnalyzeRequest {
        AnalyzeRequest {
            languages: self.languages.clone(),
            span_annotations: self.span_annotations.then_some(true),
            ..AnalyzeRequest::new(text, &self.attributes)
        }
    }

    pub(crate) fn add_to(&self, digest: &mut DigestBuilder) {
        digest.update((self.attributes.len() as u64).to_le_bytes());
        for attribute in &self.attributes {
            digest.update(attribute.as_str());
        }
        for language in &self.languages {
            digest.update(language);
        }
        digest.update(format!("{} {:?}", self.span_annotations, self.long_texts));
    }
}

#[async_trait]
impl ToxicityScorer for Perspective {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let texts: Vec<&str> = samples.iter().map(|sample| sample.text.as_str()).collect();
        let settled = self.ask(&texts, None).await?;
        Ok(settled.iter().map(|settled| settled.verdict(&self.question.attributes)).collect())
    }
}

impl fmt::Debug for Perspective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Perspective")
            .field("endpoint", &self.endpoint())
            .field("question", &self.question)
            .finish_non_exhaustive()
    }
}
