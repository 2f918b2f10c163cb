use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use detoxlm_core::testing::CapitalScorer;
use detoxlm_core::{
    Attribute, Error, ErrorKind, Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Verdict,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::gather::{Gather, Unanswered};

/// Answers as `CapitalScorer` does, but only once it is let, and remembers what it was asked.
#[derive(Debug)]
struct Gated {
    inner: CapitalScorer,
    capabilities: ScorerCapabilities,
    gate: Semaphore,
    calls: Mutex<Vec<usize>>,
    fails: AtomicBool,
}

impl Gated {
    fn new(batch: usize) -> Arc<Self> {
        let capabilities = ScorerCapabilities::new([Attribute::TOXICITY]).with_batch(batch);
        Arc::new(Self {
            inner: CapitalScorer::new(),
            capabilities,
            gate: Semaphore::new(0),
            calls: Mutex::default(),
            fails: AtomicBool::new(false),
        })
    }

    fn open(&self) {
        self.gate.add_permits(1_000_000);
    }

    fn calls(&self) -> Vec<usize> {
        self.calls.lock().unwrap().clone()
    }

    async fn asked(&self, calls: usize) {
        while self.calls().len() < calls {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[async_trait]
impl ToxicityScorer for Gated {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        self.calls.lock().unwrap().push(samples.len());
        self.gate.acquire().await.unwrap().forget();
        if self.fails.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "test", "score", "not now"));
        }
        assert!(!samples.iter().any(|sample| sample.text == "panic"), "as it was told");
        self.inner.score(samples).await
    }
}

const LINGER: Duration = Duration::from_millis(2);

fn gather(scorer: &Arc<Gated>, capacity: usize) -> Arc<Gather> {
    Arc::new(Gather::new(Arc::clone(scorer) as _, capacity, LINGER).unwrap())
}

fn spawn(gather: &Arc<Gather>, tasks: &mut JoinSet<Result<Verdict, Unanswered>>, text: &str) {
    let (gather, sample) = (Arc::clone(gather), Sample::new(text));
    tasks.spawn(async move { gather.score(sample).await });
}

async fn until_waiting(gather: &Gather, texts: usize) {
    while gather.queue().depth() != texts {
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn texts_that_come_while_the_scorer_is_busy_go_in_full_calls() {
    let scorer = Gated::new(8);
    let gather = gather(&scorer, 100);
    let mut tasks = JoinSet::new();
    spawn(&gather, &mut tasks, "first");
    scorer.asked(1).await;
    for _ in 0..20 {
        spawn(&gather, &mut tasks, "Word");
    }
    until_waiting(&gather, 20).await;
    scorer.open();
    while let Some(verdict) = tasks.join_next().await {
        verdict.unwrap().unwrap();
    }
    assert_eq!(scorer.calls(), [1, 8, 8, 4]);
    assert_eq!(gather.queue().depth(), 0);
}

#[tokio::test]
async fn each_gets_the_verdict_on_its_own_text() {
    let scorer = Gated::new(7);
    scorer.open();
    let gather = gather(&scorer, 1000);
    let mut tasks = JoinSet::new();
    for capitals in 0..=200_usize {
        let text = "A".repeat(capitals) + &"a".repeat(200 - capitals);
        let gather = Arc::clone(&gather);
        tasks.spawn(async move { (capitals, gather.score(Sample::new(text)).await.unwrap()) });
    }
    let mut answered = 0;
    while let Some(result) = tasks.join_next().await {
        let (capitals, verdict) = result.unwrap();
        assert_eq!(verdict.get(&Attribute::TOXICITY), Some(capitals as f32 / 200.0));
        answered += 1;
    }
    assert_eq!(answered, 201);
    assert_eq!(scorer.calls().iter().sum::<usize>(), 201);
}

#[tokio::test]
async fn a_full_line_turns_texts_away_until_somebody_leaves() {
    let scorer = Gated::new(1);
    let gather = gather(&scorer, 2);
    let mut tasks = JoinSet::new();
    spawn(&gather, &mut tasks, "asked about");
    scorer.asked(1).await;
    spawn(&gather, &mut tasks, "waits");
    until_waiting(&gather, 1).await;
    let mut leaves = JoinSet::new();
    spawn(&gather, &mut leaves, "leaves");
    until_waiting(&gather, 2).await;
    let refused = gather.score(Sample::new("too many")).await;
    assert!(matches!(refused, Err(Unanswered::Full)), "{refused:?}");
    leaves.abort_all();
    until_waiting(&gather, 1).await;
    spawn(&gather, &mut tasks, "now there is room");
    until_waiting(&gather, 2).await;
    scorer.open();
    while let Some(verdict) = tasks.join_next().await {
        verdict.unwrap().unwrap();
    }
    // Nobody asked about the text whose client left.
    assert_eq!(scorer.calls(), [1, 1, 1]);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_given_up() {
    let scorer = Gated::new(4);
    let gather = gather(&scorer, 10);
    let mut leaves = JoinSet::new();
    spawn(&gather, &mut leaves, "leaves");
    scorer.asked(1).await;
    leaves.abort_all();
    // The gate is still closed: only giving up the first call makes room for this one.
    let mut tasks = JoinSet::new();
    spawn(&gather, &mut tasks, "stays");
    scorer.asked(2).await;
    scorer.open();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_failed_call_tells_all_its_texts_and_the_next_one_works() {
    let scorer = Gated::new(8);
    let gather = gather(&scorer, 10);
    let mut tasks = JoinSet::new();
    scorer.fails.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        spawn(&gather, &mut tasks, "text");
    }
    scorer.asked(1).await;
    scorer.gate.add_permits(1);
    for _ in 0..3 {
        match tasks.join_next().await.unwrap().unwrap() {
            Err(Unanswered::Failed(error)) => assert_eq!(error.message(), "not now"),
            other => panic!("{other:?}"),
        }
    }
    scorer.fails.store(false, Ordering::Relaxed);
    scorer.open();
    match gather.score(Sample::new("panic")).await {
        Err(Unanswered::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Internal),
        other => panic!("{other:?}"),
    }
    gather.score(Sample::new("text")).await.unwrap();
}
