//! The threads that a scorer owns, and the calls that they serve.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use detoxlm_core::{Error, ErrorKind, Result, Verdict};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use crate::COMPONENT;
use crate::classifier::Classifier;
use crate::engine::guard;

/// Calls in work at once: while the last batches of one keep only some threads busy, the next one's
/// texts are tokenised.
pub(crate) const CONCURRENT_CALLS: usize = 2;

struct Call {
    texts: Vec<String>,
    reply: oneshot::Sender<Result<Vec<Verdict>>>,
}

/// A queue of calls to a classifier. Dropping it ends its threads after the call that they are at.
#[derive(Debug)]
pub(crate) struct Calls {
    queue: Sender<Call>,
}

impl Calls {
    pub(crate) fn start(classifier: Classifier, threads: usize) -> Result<Self> {
        let failed = |e: String| {
            Error::new(ErrorKind::Io, COMPONENT, "start the scorer's threads", e)
                .with_key("threads")
                .with_remedy("ask for fewer")
        };
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|at| format!("detoxlm-onnx-{at}"))
            .build()
            .map_err(|e| failed(e.to_string()))?;
        let (pool, classifier) = (Arc::new(pool), Arc::new(classifier));
        let (queue, calls) = channel();
        let calls = Arc::new(Mutex::new(calls));
        for _ in 0..CONCURRENT_CALLS {
            let (calls, pool) = (Arc::clone(&calls), Arc::clone(&pool));
            let classifier = Arc::clone(&classifier);
            std::thread::Builder::new()
                .name("detoxlm-onnx".into())
                .spawn(move || serve(&calls, &pool, &classifier))
                .map_err(|e| failed(e.to_string()))?;
        }
        Ok(Self { queue })
    }

    /// Scores texts; dropping the future abandons what has not started.
    pub(crate) async fn score(&self, texts: Vec<String>) -> Result<Vec<Verdict>> {
        let (reply, answer) = oneshot::channel();
        let gone = || {
            Error::new(ErrorKind::Internal, COMPONENT, "score texts", "the scorer's threads ended")
        };
        self.queue.send(Call { texts, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn serve(calls: &Mutex<Receiver<Call>>, pool: &ThreadPool, classifier: &Classifier) {
    loop {
        let next = calls.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Call { texts, reply }) = next else { return };
        if reply.is_closed() {
            continue;
        }
        let answer = guard(|| pool.install(|| classifier.score(&texts, &|| reply.is_closed())));
        let answer = answer.unwrap_or_else(|message| {
            Err(Error::new(ErrorKind::Internal, COMPONENT, "score texts", message))
        });
        // Nobody may be waiting any more.
        let _ = reply.send(answer);
    }
}
