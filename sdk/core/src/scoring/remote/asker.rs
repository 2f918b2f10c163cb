use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::TokenBucket;
use crate::layers::{Backoff, Pauses};
use crate::{Error, ErrorKind, Result};

/// Texts given up one after the other, with no answer between them, that mean that the service is
/// away.
const OUTAGE: u32 = 3;

/// How long to go on with one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries and pauses.
    pub backoff: Backoff,
    /// The longest `Retry-After` to wait for; a service that asks for more is given up.
    pub longest_wait: Duration,
}

impl Default for Patience {
    /// Eight tries over about a minute, so that a quota by the minute fills up again; and five
    /// minutes where the service asks for them.
    fn default() -> Self {
        Self {
            backoff: Backoff {
                tries: 8,
                first: Duration::from_secs(1),
                longest: Duration::from_secs(60),
            },
            longest_wait: Duration::from_secs(300),
        }
    }
}

/// What came of asking once.
#[derive(Debug)]
pub enum Attempt<T> {
    /// An answer, or a refusal that will not change: the text is done.
    Done(T),
    /// A failure that may pass. The text is asked again.
    Passing {
        /// What happened, in a few words.
        why: String,
        /// How long the service asks to wait.
        wait: Option<Duration>,
    },
    /// This text cannot be asked, and asking again would not help. It is given up.
    Hopeless(String),
    /// No text can be asked. The call ends.
    Fatal(Error),
}

/// What came of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// There is an answer.
    Answered(T),
    /// There is none, for this reason, though others were answered.
    GaveUp(String),
}

/// Asks a service for one text after the other, several at a time, by the module's rule.
///
/// The limits hold for everything that is asked through one asker, over all calls.
#[derive(Debug)]
pub struct Asker {
    component: &'static str,
    bucket: Option<TokenBucket>,
    slots: Semaphore,
    concurrency: usize,
    patience: Patience,
    pauses: Pauses,
    given_up_in_a_row: AtomicU32,
}

impl Asker {
    /// Asks on behalf of `component`, for `concurrency` texts at once, at least 1, and, where a rate
    /// is given, so many a second at most, tries included.
    ///
    /// # Errors
    /// When the rate is not a number above 0.
    pub fn new(
        component: &'static str,
        concurrency: usize,
        per_second: Option<f64>,
        patience: Patience,
    ) -> Result<Self> {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            component,
            bucket: per_second.map(TokenBucket::new).transpose()?,
            slots: Semaphore::new(concurrency),
            concurrency,
            patience,
            pauses: Pauses::default(),
            given_up_in_a_row: AtomicU32::new(0),
        })
    }

    /// Asks for the texts numbered 0 to `count`, each by itself: `attempt` sends one request for one
    /// of them. The outcomes are in their order.
    ///
    /// # Errors
    /// What an attempt says is fatal; [`ErrorKind::Unavailable`] when the service is away.
    pub async fn ask_each<T, F, A>(&self, count: usize, attempt: F) -> Result<Vec<Outcome<T>>>
    where
        T: Send,
        F: Fn(usize) -> A + Send + Sync,
        A: Future<Output = Attempt<T>> + Send,
    {
        let attempt = &attempt;
        let outcomes: Vec<Outcome<T>> = stream::iter(0..count)
            .map(|index| async move { self.ask(|| attempt(index)).await })
            .buffered(self.concurrency)
            .try_collect()
            .await?;
        let mut gave_up = None;
        for outcome in &outcomes {
            match outcome {
                Outcome::Answered(_) => return Ok(outcomes),
                Outcome::GaveUp(why) => gave_up = Some(why.clone()),
            }
        }
        gave_up.map_or(Ok(outcomes), |why| Err(self.away(&why)))
    }

    async fn ask<T, F, A>(&self, attempt: F) -> Result<Outcome<T>>
    where
        T: Send,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Attempt<T>> + Send,
    {
        let Patience { backoff, longest_wait } = &self.patience;
        let mut tries = 1;
        loop {
            let (why, wait) = match self.try_once(&attempt).await? {
                Attempt::Done(answer) => {
                    self.given_up_in_a_row.store(0, Ordering::Relaxed);
                    return Ok(Outcome::Answered(answer));
                }
                Attempt::Fatal(error) => return Err(error),
                Attempt::Hopeless(why) => return self.give_up(why),
                Attempt::Passing { why, wait } => (why, wait),
            };
            if let Some(wait) = wait.filter(|wait| wait > longest_wait) {
                return self.give_up(format!("{why}; it asks to wait {} s", wait.as_secs()));
            }
            if tries >= backoff.tries {
                let times = if tries == 1 { "once".to_owned() } else { format!("{tries} times") };
                return self.give_up(format!("{why}, asked {times}"));
            }
            let drawn = self.pauses.after(tries, backoff);
            let pause = wait.map_or(drawn, |wait| wait.max(drawn));
            if let (Some(bucket), Some(wait)) = (&self.bucket, wait) {
                // Others would only be told the same.
                bucket.rest(wait).await;
            }
            sleep(pause).await;
            tries += 1;
        }
    }

    /// Sends one request when it may go. Nobody holds a place while pausing.
    async fn try_once<T, F, A>(&self, attempt: &F) -> Result<Attempt<T>>
    where
        T: Send,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Attempt<T>> + Send,
    {
        // The semaphore is never closed.
        let _permit = self.slots.acquire().await.map_err(|e| {
            Error::new(ErrorKind::Internal, self.component, "wait for a turn", e.to_string())
        })?;
        if let Some(bucket) = &self.bucket {
            bucket.admit(1).await;
        }
        Ok(attempt().await)
    }

    fn give_up<T>(&self, why: String) -> Result<Outcome<T>> {
        let in_a_row = self.given_up_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if in_a_row >= OUTAGE {
            return Err(self.away(&why));
        }
        Ok(Outcome::GaveUp(why))
    }

    fn away(&self, why: &str) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            self.component,
            "score",
            format!("the service does not answer: {why}"),
        )
        .with_remedy("try again later; what is recorded or cached is not asked for again")
    }
}
