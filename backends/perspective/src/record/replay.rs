use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use detoxlm_core::row_store::{KeyedRow as _, RowKey, RowStore};
use detoxlm_core::{
    Digest, DigestBuilder, Error, ErrorKind, Info, Result, Sample, ScorerCapabilities,
    ToxicityScorer, Unscored, Verdict,
};

use super::Record;
use super::entry::{Entry, KIND, key_of, text_digest};
use crate::options::Question;
use crate::reply::Reply;

/// A record in the place of the service: the same verdicts for the texts that are in it, and never a
/// request.
///
/// It asks what the record was asked: attributes, languages and the rule for long texts are the
/// record's. A text that is not in it is [`Unscored::Abstained`], naming its SHA-256; one that needs no
/// asking (blank, too long) is what it was to the service's scorer.
///
/// Its digest covers what was asked and what was said, and not the order or the dates of the lines.
/// Lines that are added after it was opened are not seen.
#[derive(Debug)]
pub struct Replay {
    info: Info,
    capabilities: ScorerCapabilities,
    question: Question,
    record: Record,
}

/// A text as the record sees it.
enum Found {
    Reply(Reply),
    Missing,
    Unscored(Unscored),
}

impl Replay {
    /// Opens a record.
    ///
    /// # Errors
    /// When it cannot be read, a line is not of a record (the line is named), it has answers of two
    /// services or to two questions ([`Incompatible`](ErrorKind::Incompatible)), or it is empty.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut first: Option<(String, Question)> = None;
        let mut content: BTreeMap<RowKey, Digest> = BTreeMap::new();
        let store = RowStore::read(path, KIND, |entry: &Entry| {
            let (endpoint, question) = first
                .get_or_insert_with(|| (entry.endpoint().to_owned(), entry.question().clone()));
            entry.check(path, endpoint, question)?;
            content.extend(entry.key().map(|key| (key, Digest::of(entry.content()))));
            Ok(())
        })?;
        let Some((endpoint, question)) = first else {
            return Err(Error::new(
                ErrorKind::Empty,
                KIND.component,
                KIND.operation,
                "there is no answer in it",
            )
            .with_path(path)
            .with_remedy("fill it with `detoxlm record`"));
        };
        let mut digest = DigestBuilder::new();
        digest.update("perspective-replay").update(&endpoint);
        question.add_to(&mut digest);
        for (key, content) in &content {
            digest.update(key.to_string()).update(content.as_str());
        }
        Ok(Self {
            info: Info::new("perspective-replay", "v1alpha1", digest.finish()),
            capabilities: ScorerCapabilities::new(question.attributes.iter().cloned()),
            question,
            record: Record(Arc::new(Mutex::new(store))),
        })
    }

    /// What the service was asked.
    #[must_use]
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// Which texts are not in the record: numbers into `samples`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn missing(&self, samples: &[Sample]) -> Result<Vec<usize>> {
        let found = self.find(samples).await?;
        let missing = |(index, found)| matches!(found, Found::Missing).then_some(index);
        Ok(found.into_iter().enumerate().filter_map(missing).collect())
    }

    async fn find(&self, samples: &[Sample]) -> Result<Vec<Found>> {
        let mut found = Vec::with_capacity(samples.len());
        let mut keys = Vec::new();
        for sample in samples {
            found.push(match self.question.plan(&sample.text) {
                Err(why) => Found::Unscored(why),
                Ok(asked) => {
                    keys.push(key_of(&self.question, asked)?);
                    Found::Missing
                }
            });
        }
        let mut replies = self.record.find(keys).await?.into_iter();
        for found in found.iter_mut().filter(|found| matches!(found, Found::Missing)) {
            if let Some(reply) = replies.next().flatten() {
                *found = Found::Reply(reply);
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl ToxicityScorer for Replay {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let found = self.find(samples).await?;
        let verdict = |(found, sample): (Found, &Sample)| match found {
            Found::Reply(reply) => reply.verdict(&self.question.attributes),
            Found::Unscored(why) => Verdict::Unscored(why),
            Found::Missing => {
                let digest = text_digest(&sample.text);
                let why = format!("the record has no answer for the text of SHA-256 {digest}");
                Verdict::Unscored(Unscored::Abstained(why))
            }
        };
        Ok(found.into_iter().zip(samples).map(verdict).collect())
    }
}
