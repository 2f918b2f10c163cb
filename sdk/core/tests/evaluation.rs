//! Evaluators over fakes: resume, overlap, refusal of stale work, comparison of two models.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use detoxlm_core::causal_lm::{ContinuationLikelihood, Likelihood, TextLikelihood};
use detoxlm_core::evaluation::{
    EvaluationContext, EvaluationPrompt, ExportShape, FluencyEvaluator, FluencySettings,
    PerplexityEvaluator, PerplexitySettings, PromptSet, StoredScores, StoredToxicity, TextSet,
    ToxicityEvaluator, ToxicityPreset, ToxicitySettings, export_continuations,
};
use detoxlm_core::{
    Attribute, Digest, Error, ErrorKind, Evaluation, Evaluator, FinishReason, Generation,
    GenerationRequest, Generator, GeneratorCapabilities, Info, Result, Sample, ScorerCapabilities,
    Silent, Subject, ToxicityScorer, Verdict, scorer_fn,
};
use tokio::sync::Semaphore;

/// Writes the number of the sample, plus `shift`; nothing for sample 3.
#[derive(Debug)]
struct Counting {
    info: Info,
    capabilities: GeneratorCapabilities,
    shift: usize,
    calls: AtomicUsize,
    /// A permit for every call that began.
    began: Arc<Semaphore>,
}

impl Counting {
    fn new(shift: usize) -> Self {
        let name = format!("counting-{shift}");
        let info = Info::new(&name, "1", Digest::of(&name));
        let (calls, began) = (AtomicUsize::new(0), Arc::new(Semaphore::new(0)));
        Self { info, capabilities: GeneratorCapabilities::new(), shift, calls, began }
    }
}

#[async_trait]
impl Generator for Counting {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &GeneratorCapabilities {
        &self.capabilities
    }

    async fn generate(&self, requests: &[GenerationRequest]) -> Result<Vec<Vec<Generation>>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.began.add_permits(1);
        let continuation = |id: u64, sample: usize| Generation {
            text: match sample {
                3 => " ".to_owned(),
                sample => format!(" {}", (id as usize + sample + self.shift) % 10),
            },
            finish: FinishReason::Length,
            tokens: 1,
        };
        Ok(requests
            .iter()
            .map(|request| (0..request.samples).map(|s| continuation(request.id, s)).collect())
            .collect())
    }
}

/// The digit of a text in tenths.
fn digits() -> Arc<dyn ToxicityScorer> {
    Arc::new(scorer_fn("digits", Attribute::TOXICITY, |text| {
        text.trim().parse::<u8>().ok().map(|digit| f32::from(digit) / 10.0)
    }))
}

/// Scores like `digits` after something happened.
#[derive(Debug)]
struct Gate<F> {
    inner: Arc<dyn ToxicityScorer>,
    calls: AtomicUsize,
    before: F,
}

type Before<'a> = std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// What a [`Gate`] waits for before its call number n, from 0.
trait Wait: std::fmt::Debug + Send + Sync + 'static {
    fn wait(&self, call: usize) -> Before<'_>;
}

#[async_trait]
impl<F: Wait> ToxicityScorer for Gate<F> {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.inner.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        self.before.wait(self.calls.fetch_add(1, Ordering::SeqCst)).await?;
        self.inner.score(samples).await
    }
}

/// Fails in one call.
#[derive(Debug)]
struct FailsAt(usize);

impl Wait for FailsAt {
    fn wait(&self, call: usize) -> Before<'_> {
        let result = match call {
            call if call == self.0 => {
                Err(Error::new(ErrorKind::Unavailable, "test", "score", "the power went"))
            }
            _ => Ok(()),
        };
        Box::pin(async move { result })
    }
}

fn subject(generator: &Arc<Counting>) -> Subject {
    let generator: Arc<dyn Generator> = Arc::<Counting>::clone(generator);
    Subject { name: "base".into(), generator, likelihood: None }
}

fn context(directory: &Path) -> EvaluationContext {
    EvaluationContext {
        directory: directory.to_path_buf(),
        shared: None,
        observer: Arc::new(Silent),
    }
}

fn prompts() -> PromptSet {
    let prompts = (0..7_u8).map(|id| EvaluationPrompt {
        text: format!("prompt {id}"),
        toxicity: (id > 0).then(|| f32::from(id) / 8.0),
        challenging: false,
    });
    PromptSet::new("prompts", prompts.collect()).unwrap()
}

fn settings() -> ToxicitySettings {
    ToxicitySettings { continuations: 4, prompts_per_unit: 2, ..ToxicitySettings::default() }
}

fn toxicity(scorer: Arc<dyn ToxicityScorer>) -> ToxicityEvaluator {
    ToxicityEvaluator::new(prompts(), scorer, settings()).unwrap()
}

/// Every file under a directory by its relative name.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn visit(root: &Path, at: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    visit(root, root, &mut found);
    found
}

fn value(evaluation: &Evaluation, name: &str, slice: &str) -> f64 {
    evaluation.get(name, slice).unwrap().value.unwrap()
}

#[tokio::test]
async fn toxicity_is_measured_with_everything_it_is_made_of() {
    let directory = tempfile::tempdir().unwrap();
    let generator = Arc::new(Counting::new(0));
    let evaluation = toxicity(digits())
        .evaluate(&subject(&generator), &context(directory.path()))
        .await
        .unwrap();
    // Prompt id has the values id, id + 1, id + 2 in tenths: maxima 0.3 to 0.8 for prompts 1 to 6.
    assert!((value(&evaluation, "expected_maximum_toxicity", "full") - 0.55).abs() < 1e-6);
    // Prompts 5 and 6 have a toxicity over 0.5: 0.7, 0.8. Prompts 1 to 4: 0.3, 0.4, 0.5, 0.6.
    assert!((value(&evaluation, "expected_maximum_toxicity", "toxic") - 0.75).abs() < 1e-6);
    assert_eq!(value(&evaluation, "toxicity_probability", "nontoxic"), 0.25);
    assert_eq!(value(&evaluation, "blank_rate", "full"), 0.25);
    assert_eq!(value(&evaluation, "unscored_rate", "full"), 0.25);
    // " 1", " 2", " 3" and " " are 8 words by single spaces, of which 4 are distinct.
    assert_eq!(value(&evaluation, "dist_1", "full"), 0.5);
    let provenance = &evaluation.provenance;
    assert_eq!(provenance.scorer.as_ref().unwrap().name, "digits");
    assert_eq!(provenance.settings["sampling"]["top_p"].to_string(), "0.9");
    assert_eq!(provenance.settings["prompts_with_toxicity"], 6);
    let written = fs::read_to_string(directory.path().join("metrics.json")).unwrap();
    assert_eq!(serde_json::from_str::<Evaluation>(&written).unwrap(), evaluation);
    assert_eq!(files(directory.path()).len(), 4 + 4 + 2);
}

#[tokio::test]
async fn an_interrupted_evaluation_goes_on_and_ends_in_the_same_bytes() {
    let whole = tempfile::tempdir().unwrap();
    let generator = Arc::new(Counting::new(0));
    let evaluator = toxicity(digits());
    evaluator.evaluate(&subject(&generator), &context(whole.path())).await.unwrap();
    assert_eq!(generator.calls.load(Ordering::SeqCst), 4);

    let resumed = tempfile::tempdir().unwrap();
    let generator = Arc::new(Counting::new(0));
    let failing = Gate { inner: digits(), calls: AtomicUsize::new(0), before: FailsAt(2) };
    let error = toxicity(Arc::new(failing))
        .evaluate(&subject(&generator), &context(resumed.path()))
        .await
        .unwrap_err();
    assert!(error.is_retryable());
    assert!(!resumed.path().join("metrics.json").exists());
    let done = files(resumed.path());
    assert!(done.contains_key("scores/part-00001.jsonl"), "{:?}", done.keys());
    let before = generator.calls.load(Ordering::SeqCst);
    evaluator.evaluate(&subject(&generator), &context(resumed.path())).await.unwrap();
    let generations = done.keys().filter(|name| name.starts_with("generations/")).count();
    assert_eq!(generator.calls.load(Ordering::SeqCst) - before, 4 - generations);
    assert_eq!(files(resumed.path()), files(whole.path()));
}

/// Lets a scorer go on only when the generator has begun one call more.
#[derive(Debug)]
struct NextCall(Arc<Semaphore>);

impl Wait for NextCall {
    fn wait(&self, call: usize) -> Before<'_> {
        Box::pin(async move {
            // There are four units: after the last one nothing is left to begin.
            let needed = u32::try_from((call + 2).min(4)).unwrap();
            let _permits = self.0.acquire_many(needed).await.unwrap();
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_unit_is_scored_while_the_next_is_generated() {
    let directory = tempfile::tempdir().unwrap();
    let generator = Arc::new(Counting::new(0));
    let before = NextCall(Arc::clone(&generator.began));
    let scorer = Gate { inner: digits(), calls: AtomicUsize::new(0), before };
    let (subject, context) = (subject(&generator), context(directory.path()));
    let evaluator = toxicity(Arc::new(scorer));
    // One after the other, this would wait for ever.
    let evaluation = evaluator.evaluate(&subject, &context);
    tokio::time::timeout(Duration::from_secs(60), evaluation).await.unwrap().unwrap();
}

#[tokio::test]
async fn work_of_another_model_is_refused_and_another_threshold_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (Arc::new(Counting::new(0)), Arc::new(Counting::new(1)));
    let context = context(directory.path());
    toxicity(digits()).evaluate(&subject(&first), &context).await.unwrap();
    let error = toxicity(digits()).evaluate(&subject(&second), &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let message = error.to_string();
    assert!(message.contains("`model.digest`") && message.contains("`model.name`"), "{message}");
    assert_eq!(second.calls.load(Ordering::SeqCst), 0);

    let preset = ToxicityPreset::Sgeat2022;
    let other = ToxicitySettings { threshold: 0.75, preset, ..settings() };
    let evaluator = ToxicityEvaluator::new(prompts(), digits(), other).unwrap();
    let evaluation = evaluator.evaluate(&subject(&first), &context).await.unwrap();
    assert_eq!(first.calls.load(Ordering::SeqCst), 4);
    assert_eq!(value(&evaluation, "toxicity_probability", "full"), 1.0 / 7.0);
}

#[tokio::test]
async fn two_models_are_compared_on_the_same_prompts() {
    let (base, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let evaluator = toxicity(digits());
    for (shift, directory) in [(0, &base), (1, &other)] {
        let generator = Arc::new(Counting::new(shift));
        evaluator.evaluate(&subject(&generator), &context(directory.path())).await.unwrap();
    }
    let changes = evaluator.changes(base.path(), other.path()).await.unwrap();
    let emt = changes.get("expected_maximum_toxicity", "full").unwrap();
    assert_eq!((emt.n, emt.p_value), (6, Some(2.0 / 64.0)));
    // Every maximum grows by a tenth, so every resample's does.
    let interval = emt.interval.unwrap();
    for number in [emt.value.unwrap(), interval.low, interval.high] {
        assert!((number - 0.1).abs() < 1e-6, "{number}");
    }

    let fewer = ToxicitySettings { continuations: 3, ..settings() };
    let third = tempfile::tempdir().unwrap();
    let evaluator = ToxicityEvaluator::new(prompts(), digits(), fewer).unwrap();
    let generator = Arc::new(Counting::new(1));
    evaluator.evaluate(&subject(&generator), &context(third.path())).await.unwrap();
    let error = evaluator.changes(base.path(), third.path()).await.unwrap_err();
    assert!(error.to_string().contains("continuations"), "{error}");
}

#[tokio::test]
async fn what_was_written_for_one_judge_is_not_written_again_for_another() {
    let place = tempfile::tempdir().unwrap();
    let generator = Arc::new(Counting::new(0));
    let context = |name: &str| EvaluationContext {
        shared: Some(place.path().join("shared")),
        ..context(&place.path().join(name))
    };
    let halves: Arc<dyn ToxicityScorer> =
        Arc::new(scorer_fn("halves", Attribute::TOXICITY, |_| Some(0.5)));
    let subject = subject(&generator);
    let first = toxicity(digits()).evaluate(&subject, &context("first")).await.unwrap();
    let calls = generator.calls.load(Ordering::SeqCst);
    let second = toxicity(halves).evaluate(&subject, &context("second")).await.unwrap();
    assert_eq!(generator.calls.load(Ordering::SeqCst), calls);
    assert_eq!(value(&first, "dist_1", "full"), value(&second, "dist_1", "full"));

    let other = ToxicitySettings { seed: 7, ..settings() };
    let evaluator = ToxicityEvaluator::new(prompts(), digits(), other).unwrap();
    evaluator.evaluate(&subject, &context("third")).await.unwrap();
    assert_eq!(generator.calls.load(Ordering::SeqCst), 2 * calls, "other draws are not shared");
}

#[tokio::test]
async fn what_is_exported_for_other_tools_says_what_the_evaluation_said() {
    let place = tempfile::tempdir().unwrap();
    let (work, file) = (place.path().join("work"), place.path().join("out.jsonl"));
    let not_yet = export_continuations(&work, None, ExportShape::Sgeat2022, &file).unwrap_err();
    assert_eq!((not_yet.kind(), not_yet.path()), (ErrorKind::Incompatible, Some(work.as_path())));
    let generator = Arc::new(Counting::new(0));
    let evaluation =
        toxicity(digits()).evaluate(&subject(&generator), &context(&work)).await.unwrap();

    for (shape, rows) in [(ExportShape::RealToxicityPrompts, 7), (ExportShape::Sgeat2022, 28)] {
        let written = export_continuations(&work, Some(&prompts()), shape, &file).unwrap();
        assert_eq!(written, rows);
        let scores = StoredScores::open(&file).unwrap().with_continuations(4);
        let scores = match shape {
            // The rows have the prompts' own toxicity.
            ExportShape::RealToxicityPrompts => scores,
            _ => scores.with_prompts(prompts()),
        };
        let stored = StoredToxicity::read(scores, &settings()).unwrap();
        let stored = stored.evaluation("base", None).unwrap();
        assert_eq!(stored.measurements, evaluation.measurements, "{shape:?}");
    }
    let first = fs::read_to_string(&file).unwrap().lines().nth(3).unwrap().to_owned();
    let expected = r#"{"all_text":"prompt 0 ","id":3,"prompt":"prompt 0","score":null,"text":" "}"#;
    assert_eq!(first, expected);

    let fewer = prompts().first(2).unwrap();
    let shape = ExportShape::RealToxicityPrompts;
    let error = export_continuations(&work, Some(&fewer), shape, &file).unwrap_err();
    assert_eq!(error.key(), Some("data.digest"));
    export_continuations(&work, None, shape, &file).unwrap();
    let row = fs::read_to_string(&file).unwrap().lines().next().unwrap().to_owned();
    assert!(row.contains(r#""prompt":{"text":"prompt 0"}"#), "{row}");
    assert!(row.contains(r#"{"text":" ","toxicity":null}"#), "{row}");

    fs::remove_file(work.join("scores/part-00002.jsonl")).unwrap();
    let error = export_continuations(&work, None, shape, &file).unwrap_err();
    assert!(error.to_string().contains("part-00002"), "{error}");
}

#[tokio::test]
async fn an_attribute_that_the_judge_lacks_is_refused_at_once() {
    let settings = ToxicitySettings { attribute: Attribute::THREAT, ..settings() };
    let error = ToxicityEvaluator::new(prompts(), digits(), settings).unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("attribute")));
    assert!(error.to_string().contains("it gives TOXICITY"), "{error}");
}

/// Gives every byte `nats`.
#[derive(Debug)]
struct PerByte {
    info: Info,
    nats: f64,
    calls: AtomicUsize,
}

impl PerByte {
    fn new(nats: f64) -> Arc<Self> {
        let name = format!("per-byte-{nats}");
        let info = Info::new(&name, "1", Digest::of(&name));
        Arc::new(Self { info, nats, calls: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Likelihood for PerByte {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn rolling(&self, texts: &[String]) -> Result<Vec<TextLikelihood>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let rate = |text: &String| TextLikelihood {
            log_prob: -self.nats * text.len() as f64,
            tokens: text.len(),
        };
        Ok(texts.iter().map(rate).collect())
    }

    async fn continuation(
        &self,
        pairs: &[(String, String)],
    ) -> Result<Vec<ContinuationLikelihood>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let rate = |(_, text): &(String, String)| ContinuationLikelihood {
            log_prob: -self.nats * text.len() as f64,
            tokens: text.len(),
            is_greedy: false,
        };
        Ok(pairs.iter().map(rate).collect())
    }
}

#[tokio::test]
async fn continuations_are_made_once_and_rated_for_fluency_too() {
    let place = tempfile::tempdir().unwrap();
    let context = |name: &str| EvaluationContext {
        shared: Some(place.path().join("shared")),
        ..context(&place.path().join(name))
    };
    let fluency = FluencySettings { toxicity: settings(), ..FluencySettings::default() };
    let generator = Arc::new(Counting::new(0));
    toxicity(digits()).evaluate(&subject(&generator), &context("toxicity")).await.unwrap();
    let calls = generator.calls.load(Ordering::SeqCst);
    let rater = PerByte::new(2.0);
    let evaluator =
        FluencyEvaluator::new(prompts(), Arc::<PerByte>::clone(&rater), fluency.clone()).unwrap();
    let first = evaluator.evaluate(&subject(&generator), &context("fluency")).await.unwrap();
    assert_eq!(generator.calls.load(Ordering::SeqCst), calls, "nothing is written again");
    assert!((value(&first, "fluency_perplexity", "full") - 2.0_f64.exp()).abs() < 1e-9);
    // Prompt 0 has no toxicity of its own; four continuations of each of the others.
    assert_eq!(first.get("fluency_perplexity", "full").unwrap().n, 24);
    assert_eq!(first.provenance.scorer.as_ref().unwrap().name, "per-byte-2");

    let path = place.path().join("fluency/fluency/part-00002.jsonl");
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let rated = rater.calls.load(Ordering::SeqCst);
    let again = evaluator.evaluate(&subject(&generator), &context("fluency")).await.unwrap();
    assert_eq!((again, fs::read(&path).unwrap()), (first, whole));
    assert_eq!(rater.calls.load(Ordering::SeqCst) - rated, 2, "a unit has two prompts");

    let other = Arc::new(Counting::new(1));
    evaluator.evaluate(&subject(&other), &context("other")).await.unwrap();
    let directory = |name: &str| place.path().join(name);
    let changes = evaluator.changes(&directory("fluency"), &directory("other")).await.unwrap();
    let change = changes.get("fluency_perplexity", "full").unwrap();
    assert_eq!((change.value, change.p_value, change.n), (Some(0.0), Some(1.0), 6));

    let broken = FluencyEvaluator::new(prompts(), PerByte::new(f64::NAN), fluency).unwrap();
    let error = broken.evaluate(&subject(&generator), &context("broken")).await.unwrap_err();
    assert!(error.to_string().contains("prompt 0"), "{error}");
}

/// Writes two paragraphs.
#[derive(Debug)]
struct Paragraphs(Counting);

#[async_trait]
impl Generator for Paragraphs {
    fn info(&self) -> &Info {
        &self.0.info
    }

    fn capabilities(&self) -> &GeneratorCapabilities {
        &self.0.capabilities
    }

    async fn generate(&self, requests: &[GenerationRequest]) -> Result<Vec<Vec<Generation>>> {
        let mut answers = self.0.generate(requests).await?;
        for continuation in answers.iter_mut().flatten() {
            continuation.text.push_str("\n\n9");
        }
        Ok(answers)
    }
}

#[tokio::test]
async fn a_preset_that_stops_at_a_blank_line_judges_what_is_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let generator: Arc<dyn Generator> = Arc::new(Paragraphs(Counting::new(0)));
    let subject = Subject { name: "base".into(), generator, likelihood: None };
    let evaluator =
        ToxicityEvaluator::new(prompts(), digits(), ToxicityPreset::LmEval.settings()).unwrap();
    let evaluation = evaluator.evaluate(&subject, &context(directory.path())).await.unwrap();
    // One continuation a prompt, of the prompt's number: 0 to 6 tenths, of which two are 0.5 or more.
    assert!((value(&evaluation, "expected_maximum_toxicity", "full") - 0.3).abs() < 1e-6);
    assert_eq!(value(&evaluation, "toxicity_probability", "full"), 2.0 / 7.0);
    assert_eq!(evaluation.provenance.settings["stop"], "\n\n");
    let written =
        fs::read_to_string(directory.path().join("generations/part-00000.jsonl")).unwrap();
    assert!(!written.contains("\\n"), "{written}");
}

/// TOXICITY and half as much THREAT.
#[derive(Debug)]
struct TwoAttributes {
    info: Info,
    capabilities: ScorerCapabilities,
}

#[async_trait]
impl ToxicityScorer for TwoAttributes {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let verdicts = digits().score(samples).await?;
        let with_threat = |verdict: Verdict| match verdict.get(&Attribute::TOXICITY) {
            Some(value) => detoxlm_core::Scores::new([
                (Attribute::TOXICITY, value),
                (Attribute::THREAT, value / 2.0),
            ])
            .map(Verdict::from),
            None => Ok(verdict),
        };
        verdicts.into_iter().map(with_threat).collect()
    }
}

#[tokio::test]
async fn every_attribute_of_the_judge_is_measured_and_compared() {
    let (base, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let judge = TwoAttributes {
        info: Info::new("two", "1", Digest::of("two")),
        capabilities: ScorerCapabilities::new([Attribute::TOXICITY, Attribute::THREAT]),
    };
    let evaluator = toxicity(Arc::new(judge));
    let first = Arc::new(Counting::new(0));
    let evaluation = evaluator.evaluate(&subject(&first), &context(base.path())).await.unwrap();
    // Maxima of 0.3 to 0.8 in TOXICITY; half of that, none of it over 0.5, in THREAT.
    assert!((value(&evaluation, "expected_maximum_toxicity", "full") - 0.55).abs() < 1e-6);
    assert!((value(&evaluation, "attribute_expected_maximum", "THREAT") - 0.275).abs() < 1e-6);
    assert_eq!(value(&evaluation, "attribute_probability", "THREAT"), 0.0);
    assert!((value(&evaluation, "attribute_mean", "THREAT") - 0.225).abs() < 1e-6);
    assert_eq!(evaluation.get("attribute_mean", "THREAT").unwrap().n, 18);
    assert!(evaluation.get("attribute_mean", "TOXICITY").is_none(), "it is the measured one");
    // " 1", " 2", " 3": no two continuations of a prompt share a word, and none repeats itself.
    assert_eq!(value(&evaluation, "self_bleu", "full"), 0.0);
    assert_eq!(value(&evaluation, "repetition_rate", "full"), 0.0);

    let second = Arc::new(Counting::new(1));
    evaluator.evaluate(&subject(&second), &context(other.path())).await.unwrap();
    let changes = evaluator.changes(base.path(), other.path()).await.unwrap();
    let threat = changes.get("attribute_expected_maximum", "THREAT").unwrap();
    assert!((threat.value.unwrap() - 0.05).abs() < 1e-6);
    // All six maxima grew alike: of 64 permutations, none and all swapped are as large.
    assert_eq!(threat.p_value, Some(2.0 / 64.0));
}

#[tokio::test]
async fn perplexity_is_measured_resumed_and_compared() {
    let texts = ["one two", "", "three", "four five six"].map(str::to_owned).to_vec();
    let settings = PerplexitySettings { documents_per_unit: 2, ..PerplexitySettings::default() };
    let evaluator =
        PerplexityEvaluator::new(TextSet::new("texts", texts).unwrap(), settings).unwrap();
    let with = |likelihood: &Arc<PerByte>| {
        let likelihood: Arc<dyn Likelihood> = Arc::<PerByte>::clone(likelihood);
        Subject { likelihood: Some(likelihood), ..subject(&Arc::new(Counting::new(0))) }
    };
    let (base, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let model = PerByte::new(2.0);
    let first = evaluator.evaluate(&with(&model), &context(base.path())).await.unwrap();
    assert!((value(&first, "token_perplexity", "all") - 2.0_f64.exp()).abs() < 1e-9);
    assert_eq!(first.get("word_perplexity", "all").unwrap().n, 6);
    let bits = 2.0 / std::f64::consts::LN_2;
    assert!((value(&first, "bits_per_byte", "all") - bits).abs() < 1e-12);

    fs::remove_file(base.path().join("likelihoods/part-00001.jsonl")).unwrap();
    let again = evaluator.evaluate(&with(&model), &context(base.path())).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(model.calls.load(Ordering::SeqCst), 3);

    evaluator.evaluate(&with(&PerByte::new(3.0)), &context(other.path())).await.unwrap();
    let changes = evaluator.changes(base.path(), other.path()).await.unwrap();
    let change = changes.get("token_perplexity", "all").unwrap();
    assert!((change.value.unwrap() - (3.0_f64.exp() - 2.0_f64.exp())).abs() < 1e-9);

    let none = tempfile::tempdir().unwrap();
    let broken = with(&PerByte::new(f64::NAN));
    let error = evaluator.evaluate(&broken, &context(none.path())).await.unwrap_err();
    assert!(error.to_string().contains("document 0"), "{error}");
    let silent = subject(&Arc::new(Counting::new(0)));
    let error = evaluator.evaluate(&silent, &context(none.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
