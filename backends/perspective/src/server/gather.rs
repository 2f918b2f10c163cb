//! Gathers texts that arrive one by one into calls of the size that suits the scorer.

use std::sync::Arc;
use std::time::Duration;

use detoxlm_core::calls::expect_answers;
use detoxlm_core::{Error, ErrorKind, Result, Sample, ToxicityScorer, Verdict};
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use super::queue::{Queue, Waiting};

/// A scorer for many clients with one text each.
#[derive(Debug)]
pub(super) struct Gather {
    queue: Arc<Queue>,
    dispatcher: AbortHandle,
}

/// Why a text has no verdict.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Too many texts are waiting.
    Full,
    /// The call that it was part of failed.
    Failed(Arc<Error>),
}

impl Gather {
    /// Puts a line of at most `capacity` texts before a scorer. A call goes once it is as large as
    /// suits the scorer, or its first text has waited for `linger`.
    ///
    /// # Errors
    /// Outside of an async runtime.
    pub(super) fn new(
        scorer: Arc<dyn ToxicityScorer>,
        capacity: usize,
        linger: Duration,
    ) -> Result<Self> {
        let runtime = Handle::try_current().map_err(|e| {
            Error::new(ErrorKind::Internal, "server", "start", e.to_string())
                .with_remedy("make the server inside a tokio runtime")
                .with_source(e)
        })?;
        let queue = Arc::new(Queue::new(capacity));
        let dispatcher = runtime.spawn(dispatch(scorer, Arc::clone(&queue), linger)).abort_handle();
        Ok(Self { queue, dispatcher })
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The verdict on a text. Dropping the future takes the text from the line.
    ///
    /// # Errors
    /// When the line is full, or the call that the text was part of failed.
    pub(super) async fn score(&self, sample: Sample) -> Result<Verdict, Unanswered> {
        let place = self.queue.join(sample).ok_or(Unanswered::Full)?;
        let outcome = place.outcome().await.unwrap_or_else(|| {
            Err(Arc::new(
                Error::new(ErrorKind::Internal, "server", "score", "the scorer panicked")
                    .with_remedy("this is a bug; please report it"),
            ))
        });
        outcome.map_err(Unanswered::Failed)
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        self.dispatcher.abort();
    }
}

/// Takes texts from the queue and asks for them, in as many calls at once as suit the scorer.
async fn dispatch(scorer: Arc<dyn ToxicityScorer>, queue: Arc<Queue>, linger: Duration) {
    let batch = scorer.capabilities().batch.max(1);
    let concurrency = scorer.capabilities().concurrency.max(1);
    let mut calls = JoinSet::new();
    loop {
        while calls.len() >= concurrency {
            calls.join_next().await;
        }
        // Texts go on arriving while all calls are taken: the wait for a call counts as lingering.
        let texts = queue.take(batch, linger).await;
        calls.spawn(ask(Arc::clone(&scorer), texts));
        while calls.try_join_next().is_some() {}
    }
}

/// One call, given up when nobody waits for any of its texts.
async fn ask(scorer: Arc<dyn ToxicityScorer>, texts: Vec<Waiting>) {
    let (samples, mut outcomes): (Vec<_>, Vec<_>) =
        texts.into_iter().map(|waiting| (waiting.sample, waiting.outcome)).unzip();
    let verdicts = async {
        let verdicts = scorer.score(&samples).await?;
        expect_answers(scorer.info(), samples.len(), verdicts.len())?;
        Ok(verdicts)
    };
    let abandoned = join_all(outcomes.iter_mut().map(oneshot::Sender::closed));
    let verdicts = tokio::select! {
        verdicts = verdicts => verdicts,
        _ = abandoned => return,
    };
    // Who has left in the meantime does not hear of it.
    match verdicts {
        Ok(verdicts) => {
            for (outcome, verdict) in outcomes.into_iter().zip(verdicts) {
                let _ = outcome.send(Ok(verdict));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for outcome in outcomes {
                let _ = outcome.send(Err(Arc::clone(&error)));
            }
        }
    }
}
