use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use detoxlm_core::row_store::RowKey;
use detoxlm_core::{Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Verdict};

use super::Record;
use super::entry::key_of;
use crate::Perspective;
use crate::scorer::Settled;

/// A service whose every answer is kept in a file, from which it is not asked for again.
///
/// The file has one JSON object a line: the SHA-256 of the request (`key`) and of the text
/// (`text_sha256`), the `endpoint`, what was asked (`question`), the `date`, the HTTP `status` and the
/// whole `response`. It is only ever appended to, by one process at a time. An answer is in the file
/// before the call that asked for it goes on, so that a process that is killed loses those under way
/// and no other; half a line is cut off when the file is opened again. Neither key nor text are in it.
///
/// Kept are scores and refusals that name what is wrong with a text: they would be the same tomorrow.
/// What failed is not, and is asked again.
///
/// Verdicts, digest and errors are those of the service that it asks.
#[derive(Debug)]
pub struct Recorder {
    live: Perspective,
    record: Record,
}

/// A text and where its verdict is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether a request was sent for it by this call.
    pub asked: bool,
}

impl Recorder {
    /// Records in a file, which need not exist.
    ///
    /// # Errors
    /// When it cannot be read or made, a line is not of a record, another process records there
    /// ([`Locked`](detoxlm_core::ErrorKind::Locked)), or it has answers of another service or to
    /// another question ([`Incompatible`](detoxlm_core::ErrorKind::Incompatible)).
    pub fn open(live: Perspective, path: impl AsRef<Path>) -> Result<Self> {
        let record = Record::open(path.as_ref(), live.endpoint(), live.question())?;
        Ok(Self { live, record })
    }

    /// The service that it asks.
    #[must_use]
    pub const fn live(&self) -> &Perspective {
        &self.live
    }

    /// Which texts would have to be asked for: numbers into `samples`, of equal ones the first.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn missing(&self, samples: &[Sample]) -> Result<Vec<usize>> {
        Ok(self.look_up(samples).await?.1)
    }

    /// Scores texts; equal ones are asked for once.
    ///
    /// # Errors
    /// As the service's [`score`](ToxicityScorer::score), and when the record cannot be read or
    /// written. What was answered until then is in the record.
    pub async fn record(&self, samples: &[Sample]) -> Result<Vec<Recorded>> {
        let attributes = &self.live.question().attributes;
        let (known, missing) = self.look_up(samples).await?;
        let texts: Vec<&str> = missing.iter().map(|&index| samples[index].text.as_str()).collect();
        let answers = self.live.ask(&texts, Some(&self.record)).await?;
        let recorded = known.into_iter().enumerate().filter_map(|(index, known)| {
            let settled = match &known {
                Known::Settled(settled) => settled,
                Known::AskedAs(first) => answers.get(missing.binary_search(first).ok()?)?,
            };
            let asked = matches!(known, Known::AskedAs(first) if first == index);
            Some(Recorded { verdict: settled.verdict(attributes), asked })
        });
        Ok(recorded.collect())
    }

    /// What is known of every text, and the numbers of those to ask for.
    async fn look_up(&self, samples: &[Sample]) -> Result<(Vec<Known>, Vec<usize>)> {
        let question = self.live.question();
        let mut known = Vec::with_capacity(samples.len());
        let mut keys: Vec<(usize, RowKey)> = Vec::new();
        for (index, sample) in samples.iter().enumerate() {
            known.push(match question.plan(&sample.text) {
                Err(why) => Known::Settled(Settled::Unscored(why)),
                Ok(asked) => {
                    keys.push((index, key_of(question, asked)?));
                    Known::AskedAs(index)
                }
            });
        }
        let replies = self.record.find(keys.iter().map(|(_, key)| *key).collect()).await?;
        let mut first = BTreeMap::new();
        let mut missing = Vec::new();
        for ((index, key), reply) in keys.into_iter().zip(replies) {
            known[index] = match reply {
                Some(reply) => Known::Settled(Settled::Reply(reply)),
                None => Known::AskedAs(*first.entry(key).or_insert_with(|| {
                    missing.push(index);
                    index
                })),
            };
        }
        Ok((known, missing))
    }
}

/// What is known of a text before the service is asked.
enum Known {
    Settled(Settled),
    /// Nothing: it is asked for as the text of this number, its own or an earlier one's that makes
    /// the same request.
    AskedAs(usize),
}

#[async_trait]
impl ToxicityScorer for Recorder {
    fn info(&self) -> &Info {
        self.live.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.live.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let recorded = self.record(samples).await?;
        Ok(recorded.into_iter().map(|recorded| recorded.verdict).collect())
    }
}
