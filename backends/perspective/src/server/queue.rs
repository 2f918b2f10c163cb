//! Where texts wait until a call of the scorer takes them, first come, first served.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use detoxlm_core::{Error, Sample, Verdict};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

/// What became of a text. A call that fails tells all of its texts.
pub(super) type Outcome = Result<Verdict, Arc<Error>>;

/// A text whose client waits for the outcome.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) sample: Sample,
    pub(super) outcome: oneshot::Sender<Outcome>,
    since: Instant,
}

/// Texts in the order of their arrival. A client that leaves takes its text along.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    line: Mutex<Line>,
    arrival: Notify,
}

#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<u64, Waiting>,
    next_ticket: u64,
}

/// A place in the line, given up when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    queue: &'a Queue,
    ticket: u64,
    outcome: oneshot::Receiver<Outcome>,
}

impl Queue {
    /// A line for at most `capacity` texts.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, line: Mutex::default(), arrival: Notify::new() }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many texts wait.
    pub(super) fn depth(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Puts a text at the end of the line; `None` when the line is full.
    pub(super) fn join(&self, sample: Sample) -> Option<Place<'_>> {
        let (sender, outcome) = oneshot::channel();
        let waiting = Waiting { sample, outcome: sender, since: Instant::now() };
        let mut line = self.lock();
        if line.waiting.len() >= self.capacity {
            return None;
        }
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiting.insert(ticket, waiting);
        drop(line);
        self.arrival.notify_one();
        Some(Place { queue: self, ticket, outcome })
    }

    /// Waits for texts and takes those at the head of the line: `size` as soon as there are so many,
    /// fewer once the first has waited for `linger`.
    pub(super) async fn take(&self, size: usize, linger: Duration) -> Vec<Waiting> {
        loop {
            let arrival = self.arrival.notified();
            match self.take_now(size, linger) {
                Ok(batch) => return batch,
                Err(None) => arrival.await,
                Err(Some(due)) => tokio::select! {
                    () = arrival => {}
                    () = sleep_until(due) => {}
                },
            }
        }
    }

    /// The head of the line, or when it will be due, if there is one.
    fn take_now(&self, size: usize, linger: Duration) -> Result<Vec<Waiting>, Option<Instant>> {
        let mut line = self.lock();
        let Some((_, first)) = line.waiting.first_key_value() else { return Err(None) };
        let due = first.since + linger;
        if line.waiting.len() < size && Instant::now() < due {
            return Err(Some(due));
        }
        let mut batch = Vec::with_capacity(size.min(line.waiting.len()));
        while batch.len() < size
            && let Some((_, waiting)) = line.waiting.pop_first()
        {
            batch.push(waiting);
        }
        Ok(batch)
    }

    /// A panic elsewhere leaves the line whole: nothing in here can stop half-way.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Waits for the outcome; `None` when the call that took the text was lost.
    pub(super) async fn outcome(mut self) -> Option<Outcome> {
        (&mut self.outcome).await.ok()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.lock().waiting.remove(&self.ticket);
    }
}
