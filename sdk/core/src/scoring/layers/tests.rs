use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::*;
use crate::testing::CapitalScorer;
use crate::{
    Attribute, Decision, Digest, Error, ErrorKind, Info, Sample, ScorerCapabilities, Unscored,
    Verdict, filter_fn, scorer_fn,
};

/// Answers what `answer` says to the call of a number, and remembers what it was asked.
#[derive(Debug)]
struct Scripted {
    inner: CapitalScorer,
    calls: Arc<AtomicUsize>,
    texts: Arc<AtomicUsize>,
    /// Calls that fail so, before the first that succeeds.
    failures: usize,
    kind: ErrorKind,
    pause: Duration,
}

impl Scripted {
    fn new() -> Self {
        Self {
            inner: CapitalScorer::new(),
            calls: Arc::default(),
            texts: Arc::default(),
            failures: 0,
            kind: ErrorKind::Unavailable,
            pause: Duration::ZERO,
        }
    }

    fn failing(mut self, failures: usize, kind: ErrorKind) -> Self {
        (self.failures, self.kind) = (failures, kind);
        self
    }

    fn pausing(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }
}

#[async_trait]
impl ToxicityScorer for Scripted {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.inner.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        self.texts.fetch_add(samples.len(), Ordering::SeqCst);
        tokio::time::sleep(self.pause).await;
        if call < self.failures {
            return Err(Error::new(self.kind, "test", "score", "out of order"));
        }
        self.inner.score(samples).await
    }
}

fn samples(texts: &[&str]) -> Vec<Sample> {
    texts.iter().map(|text| Sample::new(*text)).collect()
}

fn value(verdict: &Verdict) -> f32 {
    verdict.get(&Attribute::TOXICITY).unwrap()
}

#[tokio::test]
async fn what_was_scored_once_is_not_scored_again() {
    let directory = tempfile::tempdir().unwrap();
    let texts = samples(&["one", "TWO", "one", "", "Three"]);
    let bare = CapitalScorer::new().score(&texts).await.unwrap();
    let scorer = Scripted::new();
    let asked = Arc::clone(&scorer.texts);
    let cached = scorer.cached(directory.path()).unwrap();
    assert_eq!(cached.score(&texts).await.unwrap(), bare);
    // A text that occurs twice is asked for once.
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert_eq!(cached.score(&texts).await.unwrap(), bare);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    drop(cached);
    let scorer = Scripted::new();
    let asked = Arc::clone(&scorer.texts);
    let cached = scorer.cached(directory.path()).unwrap();
    assert_eq!(cached.score(&texts).await.unwrap(), bare);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // The same text after another prompt is another question.
    let prompted = [Sample::new("one").with_prompt("two")];
    cached.score(&prompted).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn readers_see_what_the_writer_adds() {
    let directory = tempfile::tempdir().unwrap();
    let writer = Scripted::new().cached(directory.path()).unwrap();
    let scorer = Scripted::new();
    let asked = Arc::clone(&scorer.texts);
    let reader = scorer.cached(directory.path()).unwrap();
    let expected = writer.score(&samples(&["a", "B"])).await.unwrap();
    assert_eq!(reader.score(&samples(&["a", "B"])).await.unwrap(), expected);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // What a reader asks for itself is answered, and not kept.
    reader.score(&samples(&["c"])).await.unwrap();
    reader.score(&samples(&["c"])).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn half_a_row_is_dropped_and_a_foreign_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let digest = CapitalScorer::new().info().digest.clone();
    let file = directory.path().join(digest.as_str()).join("verdicts.jsonl");
    let texts = samples(&["one", "two"]);
    Scripted::new().cached(directory.path()).unwrap().score(&texts).await.unwrap();
    let whole = fs::read(&file).unwrap();
    // Killed while it wrote: at every byte of the second row.
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in first..whole.len() {
        fs::write(&file, &whole[..end]).unwrap();
        let scorer = Scripted::new();
        let asked = Arc::clone(&scorer.texts);
        let cached = scorer.cached(directory.path()).unwrap();
        cached.score(&texts).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{end}");
        assert_eq!(fs::read(&file).unwrap(), whole, "{end}");
    }
    fs::write(&file, b"{}\n").unwrap();
    let error = Scripted::new().cached(directory.path()).unwrap_err();
    assert_eq!((error.kind(), error.line_number()), (ErrorKind::InvalidInput, Some(1)));
}

#[tokio::test]
async fn failures_are_not_remembered() {
    #[derive(Debug)]
    struct Failing(CapitalScorer);
    #[async_trait]
    impl ToxicityScorer for Failing {
        fn info(&self) -> &Info {
            self.0.info()
        }
        fn capabilities(&self) -> &ScorerCapabilities {
            self.0.capabilities()
        }
        async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
            let failed = |_| Verdict::Unscored(Unscored::Failed("for now".into()));
            Ok(samples.iter().map(failed).collect())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let cached = Failing(CapitalScorer::new()).cached(directory.path()).unwrap();
    assert!(matches!(cached.score(&samples(&["a"])).await.unwrap()[0], Verdict::Unscored(_)));
    drop(cached);
    let cached = CapitalScorer::new().cached(directory.path()).unwrap();
    assert!(matches!(cached.score(&samples(&["a"])).await.unwrap()[0], Verdict::Scored(_)));
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_asked_again_and_what_may_not_is_told() {
    let backoff = Backoff { tries: 4, ..Backoff::default() };
    let scorer = Scripted::new().failing(3, ErrorKind::Unavailable);
    let calls = Arc::clone(&scorer.calls);
    let begun = Instant::now();
    assert_eq!(scorer.retry(backoff).score(&samples(&["a"])).await.unwrap().len(), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    assert!(begun.elapsed() <= Duration::from_millis(500 + 1000 + 2000));

    let scorer = Scripted::new().failing(9, ErrorKind::Unavailable);
    let calls = Arc::clone(&scorer.calls);
    assert!(scorer.retry(backoff).score(&samples(&["a"])).await.is_err());
    assert_eq!(calls.load(Ordering::SeqCst), 4);

    let scorer = Scripted::new().failing(9, ErrorKind::Denied);
    let calls = Arc::clone(&scorer.calls);
    assert!(scorer.retry(backoff).score(&samples(&["a"])).await.is_err());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let ceilings = [1, 2, 3, 9, 99].map(|tries| Backoff::default().ceiling(tries).as_millis());
    assert_eq!(ceilings, [500, 1000, 2000, 30_000, 30_000]);
}

#[tokio::test(start_paused = true)]
async fn texts_go_no_faster_than_the_rate() {
    let scorer = CapitalScorer::new().limit_rate(10.0).unwrap();
    let many: Vec<Sample> = (0..35).map(|index| Sample::new(index.to_string())).collect();
    let begun = Instant::now();
    // A second's worth at once, and 25 at ten a second.
    assert_eq!(scorer.score(&many).await.unwrap().len(), 35);
    assert_eq!(begun.elapsed().as_millis(), 2500);
    // A bucket fills up while nobody asks, and no further than a second's worth.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let begun = Instant::now();
    scorer.score(&many[..20]).await.unwrap();
    assert_eq!(begun.elapsed().as_millis(), 1000);
    let slow = CapitalScorer::new().limit_rate(0.5).unwrap();
    let begun = Instant::now();
    slow.score(&many[..3]).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 4);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(CapitalScorer::new().limit_rate(rate).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_calls_at_once_and_so_much_time_for_each() {
    let second = Duration::from_secs(1);
    let scorer = Scripted::new().pausing(second).limit_concurrency(2);
    let texts = samples(&["a"]);
    let begun = Instant::now();
    futures_util::future::join_all((0..6).map(|_| scorer.score(&texts))).await;
    assert_eq!(begun.elapsed(), 3 * second);
    let patient = Scripted::new().pausing(second).limit_time(2 * second);
    assert!(patient.score(&texts).await.is_ok());
    let hasty = Scripted::new().pausing(second).limit_time(second / 2);
    let error = hasty.score(&texts).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("no answer within"), "{error}");
}

#[tokio::test]
async fn windows_cover_a_text_and_rules_put_them_together() {
    let scorer = |rule, overlap| {
        let windows = Windows { characters: 10, overlap, rule };
        CapitalScorer::new().windowed(windows).unwrap()
    };
    let text = "quiet one, LOUD ones, quiet again";
    let whole = samples(&[text, "short", "  "]);
    let max = scorer(WindowRule::Max, 0).score(&whole).await.unwrap();
    assert!(value(&max[0]) > 0.5, "{max:?}");
    assert_eq!(max[1..], CapitalScorer::new().score(&whole[1..]).await.unwrap());
    let mean = scorer(WindowRule::Mean, 0).score(&whole).await.unwrap();
    assert!(value(&mean[0]) < value(&max[0]) / 2.0, "{mean:?}");
    // Characters of several bytes, no white space, an overlap.
    for text in ["ä".repeat(95), "ÄÖÜ ".repeat(40), "𝒜".repeat(21), "a\u{200b}".repeat(33)] {
        for overlap in 0..=5 {
            let verdicts =
                scorer(WindowRule::Max, overlap).score(&samples(&[&text])).await.unwrap();
            assert_eq!(verdicts.len(), 1);
        }
    }
    let refused = |characters, overlap| {
        let windows = Windows { characters, overlap, rule: WindowRule::Max };
        CapitalScorer::new().windowed(windows).unwrap_err().key().map(str::to_owned)
    };
    assert_eq!(refused(0, 0).as_deref(), Some("characters"));
    assert_eq!(refused(10, 6).as_deref(), Some("overlap"));
}

#[tokio::test]
async fn an_ensemble_counts_only_those_who_answer() {
    let fixed = |name: &str, attribute, answer: Option<f32>| -> Arc<dyn ToxicityScorer> {
        Arc::new(scorer_fn(name, attribute, move |_| answer))
    };
    let members = || {
        [
            (fixed("low", Attribute::TOXICITY, Some(0.2)), 1.0),
            (fixed("silent", Attribute::TOXICITY, None), 5.0),
            (fixed("high", Attribute::TOXICITY, Some(0.8)), 3.0),
            (fixed("other", Attribute::INSULT, Some(0.4)), 1.0),
        ]
    };
    let score = async |ensemble: Ensemble| {
        let verdict = ensemble.score(&samples(&["text"])).await.unwrap().remove(0);
        let get = |attribute| verdict.get(&attribute).unwrap();
        [Attribute::TOXICITY, Attribute::INSULT].map(|a| (get(a) * 1e5).round() / 1e5)
    };
    let mean = Ensemble::weighted(members(), Combination::Mean).unwrap();
    assert_eq!(score(mean).await, [0.65, 0.4]);
    let equal = members().map(|(member, _)| member);
    assert_eq!(score(Ensemble::new(equal, Combination::Mean).unwrap()).await, [0.5, 0.4]);
    let max = Ensemble::weighted(members(), Combination::Max).unwrap();
    assert_eq!(score(max).await, [0.8, 0.4]);
    let silent = [fixed("silent", Attribute::TOXICITY, None)];
    let verdict = Ensemble::new(silent, Combination::Mean).unwrap().score(&samples(&["a"])).await;
    assert!(matches!(&verdict.unwrap()[0], Verdict::Unscored(Unscored::Abstained(_))));
    assert!(Ensemble::new([], Combination::Mean).is_err());
    let nothing = [(fixed("low", Attribute::TOXICITY, Some(0.2)), 0.0)];
    assert!(Ensemble::weighted(nothing, Combination::Mean).is_err());
}

#[tokio::test]
async fn ten_thousand_texts_are_asked_of_each_member_once() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (Scripted::new(), Scripted::new());
    let asked = [Arc::clone(&one.texts), Arc::clone(&other.texts)];
    let members: [Arc<dyn ToxicityScorer>; 2] = [
        Arc::new(one.cached(directory.path().join("one")).unwrap()),
        Arc::new(other.cached(directory.path().join("other")).unwrap()),
    ];
    let ensemble = Ensemble::new(members, Combination::Mean).unwrap();
    let texts: Vec<_> = (0..10_000).map(|at| Sample::new(format!("TEXT number {at}"))).collect();
    let score = async || {
        let mut verdicts = Vec::new();
        for batch in texts.chunks(256) {
            verdicts.extend(ensemble.score(batch).await.unwrap());
        }
        verdicts
    };
    let first = score().await;
    assert_eq!(asked.each_ref().map(|texts| texts.load(Ordering::SeqCst)), [10_000, 10_000]);
    assert_eq!(score().await, first);
    assert_eq!(asked.map(|texts| texts.load(Ordering::SeqCst)), [10_000, 10_000]);
}

#[tokio::test]
async fn a_veto_takes_the_score_and_spares_the_question() {
    let filter = filter_fn("no-b", |text| match text.contains('b') {
        true => Decision::Drop("has a b".into()),
        false => Decision::Keep,
    });
    let scorer = Scripted::new();
    let asked = Arc::clone(&scorer.texts);
    let vetoed = scorer.vetoed_by(Arc::new(filter));
    let verdicts = vetoed.score(&samples(&["a", "b", "", "C"])).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let reason = Unscored::Abstained("no-b: has a b".into());
    assert_eq!(verdicts[1], Verdict::Unscored(reason));
    assert_eq!(verdicts[2], Verdict::Unscored(Unscored::Blank));
    assert_eq!(value(&verdicts[3]), 1.0);
}

#[tokio::test]
async fn calibration_maps_values_of_the_scorer_it_was_fitted_to() {
    let isotonic = CalibrationMap::Isotonic { from: vec![0.2, 0.6], to: vec![0.1, 0.9] };
    for (from, to) in [(0.0, 0.1), (0.2, 0.1), (0.4, 0.5), (0.6, 0.9), (1.0, 0.9)] {
        assert!((isotonic.apply(from) - to).abs() < 1e-12, "{from}");
    }
    let logistic = CalibrationMap::Logistic { slope: 1.0, intercept: 0.0 };
    assert!((logistic.apply(0.3) - 0.3).abs() < 1e-12);
    assert!(logistic.apply(0.0) > 0.0 && logistic.apply(1.0) < 1.0);
    let calibration = |scorer: Digest, map| Calibration {
        scorer,
        target: "labels".into(),
        maps: BTreeMap::from([(Attribute::TOXICITY, map)]),
        evidence: None,
    };
    let digest = CapitalScorer::new().info().digest.clone();
    let fitted = calibration(digest.clone(), isotonic.clone());
    let scorer = CapitalScorer::new().calibrated(fitted.clone()).unwrap();
    let verdicts = scorer.score(&samples(&["aaA", "A", ""])).await.unwrap();
    assert!((value(&verdicts[0]) - 0.366_666).abs() < 1e-5, "{verdicts:?}");
    assert_eq!(value(&verdicts[1]), 0.9);
    assert_eq!(verdicts[2], Verdict::Unscored(Unscored::Blank));
    assert_ne!(scorer.info().digest, digest);

    let other = calibration(Digest::of("another"), isotonic);
    let error = CapitalScorer::new().calibrated(other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let falling = CalibrationMap::Isotonic { from: vec![0.2, 0.6], to: vec![0.9, 0.1] };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calibration.json");
    fitted.write(&path).unwrap();
    assert_eq!(Calibration::read(&path).unwrap(), fitted);
    calibration(digest, falling).write(&path).unwrap();
    let error = Calibration::read(&path).unwrap_err();
    assert!(error.to_string().contains("maps.TOXICITY"), "{error}");
}

/// Whatever is asked, in whatever order: one verdict each, the same as when it is asked alone.
#[tokio::test]
async fn every_layer_keeps_length_and_order() {
    let directory = tempfile::tempdir().unwrap();
    let scorer = || -> Arc<dyn ToxicityScorer> { Arc::new(CapitalScorer::new()) };
    let keep = || {
        Arc::new(filter_fn("short", |text| match text.len() > 12 {
            true => Decision::Drop("long".into()),
            false => Decision::Keep,
        }))
    };
    let windows = Windows { characters: 7, overlap: 2, rule: WindowRule::Mean };
    let layers: Vec<Box<dyn ToxicityScorer>> = vec![
        Box::new(CapitalScorer::new().cached(directory.path()).unwrap()),
        Box::new(CapitalScorer::new().limit_concurrency(2)),
        Box::new(CapitalScorer::new().limit_rate(1e6).unwrap()),
        Box::new(CapitalScorer::new().retry(Backoff::default())),
        Box::new(CapitalScorer::new().limit_time(Duration::from_secs(60))),
        Box::new(CapitalScorer::new().windowed(windows).unwrap()),
        Box::new(CapitalScorer::new().vetoed_by(keep())),
        Box::new(Ensemble::new([scorer(), scorer()], Combination::Mean).unwrap()),
    ];
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    for round in 0..20 {
        let texts: Vec<Sample> = (0..next(9))
            .map(|_| {
                let length = next(30);
                Sample::new(
                    (0..length).map(|_| b"aA b"[next(4) as usize] as char).collect::<String>(),
                )
            })
            .collect();
        for layer in &layers {
            let together = layer.score(&texts).await.unwrap();
            assert_eq!(together.len(), texts.len(), "{round}: {layer:?}");
            for (sample, verdict) in texts.iter().zip(&together) {
                let alone = layer.score(std::slice::from_ref(sample)).await.unwrap();
                assert_eq!(alone, std::slice::from_ref(verdict), "{round}: {layer:?}: {sample:?}");
            }
        }
    }
}
