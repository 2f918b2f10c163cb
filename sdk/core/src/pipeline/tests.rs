use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::audit::IdentitySet;
use crate::corpus::{Document, JsonlReader, read_texts};
use crate::evaluation::{
    EvaluationPrompt, IdentityFalsePositives, PromptSet, ToxicityEvaluator, ToxicitySettings,
};
use crate::prompts::PromptStrategy;
use crate::testing::{BigramLm, BigramLoader, BigramTrainBackend, CapitalScorer};
use crate::training::{LearningRate, LocalTrainer, TrainingConfig};
use crate::{
    Attribute, Decision, Digest, Error, ErrorKind, Framework, GenerationConfig, GenerationRequest,
    Info, LoadOptions, ModelLoader, Pipeline, PipelineConfig, Result, RunSummary, Sample, Sampling,
    ScorerCapabilities, Subject, ToxicityScorer, Unscored, Verdict, filter_fn,
};

fn config() -> PipelineConfig {
    PipelineConfig {
        generation: GenerationConfig {
            documents: 100,
            unit: 16,
            sampling: Sampling::default().with_max_new_tokens(40),
        },
        training: TrainingConfig {
            max_steps: Some(30),
            sequence_length: Some(32),
            learning_rate: LearningRate { peak: 300.0, ..LearningRate::default() },
            checkpoint_every: 4,
            ..TrainingConfig::default()
        },
        ..PipelineConfig::default()
    }
}

fn framework() -> Framework {
    let trainer = LocalTrainer::new(BigramTrainBackend::new()).unwrap();
    Framework::new(Arc::new(BigramLoader), Arc::new(trainer))
}

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        BigramLm::new(1).save(&root.path().join("base")).unwrap();
        Self { root }
    }

    fn run(&self) -> PathBuf {
        self.root.path().join("run")
    }

    async fn go(&self, pipeline: &Pipeline) -> Result<RunSummary> {
        pipeline.run(&self.root.path().join("base"), &self.run()).await
    }
}

fn pipeline(config: PipelineConfig) -> Pipeline {
    Pipeline::new(config, &framework(), Arc::new(CapitalScorer::new()))
}

/// The digest of every file of a run but the locks, by its path within.
fn files(directory: &Path) -> BTreeMap<PathBuf, Digest> {
    fn visit(root: &Path, directory: &Path, into: &mut BTreeMap<PathBuf, Digest>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(root, &path, into);
            } else if !path.ends_with(".lock") {
                let name = path.strip_prefix(root).unwrap().to_path_buf();
                into.insert(name, Digest::of_file(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    visit(directory, directory, &mut found);
    found
}

fn mean_capitals(path: &Path) -> f64 {
    let shares: Vec<f64> = read_texts(path)
        .unwrap()
        .map(|text| {
            let text = text.unwrap();
            let letters = text.chars().filter(|c| c.is_alphabetic()).count().max(1);
            text.chars().filter(|c| c.is_uppercase()).count() as f64 / letters as f64
        })
        .collect();
    shares.iter().sum::<f64>() / shares.len() as f64
}

#[tokio::test]
async fn the_whole_recipe_lowers_what_the_scorer_measures() {
    let place = Place::new();
    let summary = place.go(&pipeline(config())).await.unwrap();
    assert_eq!(summary.selection.documents, 100);
    assert!(summary.selection.mean_kept.unwrap() < summary.selection.mean_dropped.unwrap() - 0.1);
    let run = place.run();
    let kept = mean_capitals(&run.join("select/kept.jsonl"));
    assert!(kept < mean_capitals(&run.join("select/dropped.jsonl")));
    // The trained model, asked the same way, writes fewer capitals than the base model.
    let mut means = Vec::new();
    for model in [place.root.path().join("base"), run.join("model")] {
        let subject = BigramLoader.load(&model, &LoadOptions::default()).await.unwrap();
        let request = GenerationRequest {
            id: 0,
            prompt: String::new(),
            samples: 300,
            sampling: Sampling::default().with_max_new_tokens(30),
            seed: 1,
        };
        let texts = subject.generator.generate(&[request]).await.unwrap().remove(0);
        let all: String = texts.iter().map(|generation| generation.text.as_str()).collect();
        let capitals = all.chars().filter(|c| c.is_uppercase()).count();
        means.push(capitals as f64 / all.chars().filter(|c| c.is_alphabetic()).count() as f64);
    }
    assert!(means[1] < means[0] - 0.05, "{means:?}");
}

#[tokio::test]
async fn the_report_is_whole_and_runs_and_fetches_nothing() {
    let hostile = "</td><script>alert('x')</script> <img src=http://x/>";
    let prompts = (0..8).map(|number| EvaluationPrompt {
        text: format!("{hostile} {number}"),
        toxicity: None,
        challenging: false,
    });
    let evaluator = ToxicityEvaluator::new(
        PromptSet::new("made up", prompts.collect()).unwrap(),
        Arc::new(CapitalScorer::new()),
        ToxicitySettings { continuations: 4, prompts_per_unit: 3, ..ToxicitySettings::default() },
    )
    .unwrap();
    let place = Place::new();
    place.go(&pipeline(config()).with_evaluator(Arc::new(evaluator))).await.unwrap();
    let read = |name: &str| fs::read_to_string(place.run().join(name)).unwrap();
    let (html, markdown) = (read("report.html"), read("report.md"));
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    // What was kept and dropped, the losses, and the scores before and after.
    assert_eq!(html.matches("<svg").count(), 3);
    assert!(html.contains("prompts by capitals. Warning: toxic text</summary>"), "{html}");
    assert!(html.contains("&lt;script&gt;") && !markdown.contains("script"), "{markdown}");
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("NaN"));
    let fetched = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!fetched.contains("src=\"") && !fetched.contains("url(http"), "{html}");
    assert!(markdown.contains("**The judge is the filter.**"), "{markdown}");
}

fn asked(threshold: f32, attribute: Attribute) -> IdentityFalsePositives {
    let sentences = [("OLD people", false), ("tall people", false), ("TALL", true)];
    let sentences = sentences.map(|(text, is_toxic)| (1, text.to_owned(), is_toxic)).to_vec();
    let terms = ["old", "tall"].map(str::to_owned).to_vec();
    let set = IdentitySet::new("made up", terms, sentences, attribute);
    IdentityFalsePositives::new(set, threshold).unwrap()
}

#[tokio::test]
async fn whom_the_scorer_takes_for_toxic_is_part_of_the_run() {
    let place = Place::new();
    let ask =
        |threshold| pipeline(config()).with_false_positives(asked(threshold, Attribute::TOXICITY));
    let summary = place.go(&ask(0.3)).await.unwrap();
    let found = summary.false_positives.clone().unwrap();
    let gap = found.get("false_positive_rate_gap", "identity").unwrap();
    assert_eq!((gap.value, found.subject.as_str()), (Some(1.0), "capitals"));
    let report = fs::read_to_string(place.run().join("report.md")).unwrap();
    assert!(report.contains("### Whom the filter takes for toxic"), "{report}");
    let whole = files(&place.run());
    fs::remove_file(place.run().join("eval/false_positives.json")).unwrap();
    assert_eq!(place.go(&ask(0.3)).await.unwrap(), summary);
    assert_eq!(files(&place.run()), whole);
    let error = place.go(&ask(0.5)).await.unwrap_err();
    assert!(error.to_string().contains("`false_positives.digest`"), "{error}");
}

#[tokio::test]
async fn a_scorer_that_cannot_be_asked_is_refused_before_anything_is_written() {
    let place = Place::new();
    let pipeline = pipeline(config()).with_false_positives(asked(0.3, Attribute::INSULT));
    let error = place.go(&pipeline).await.unwrap_err();
    assert_eq!(error.key(), Some("attribute"));
    assert!(!place.run().exists());
}

#[tokio::test]
async fn a_finished_run_is_left_as_it_is() {
    let place = Place::new();
    let first = place.go(&pipeline(config())).await.unwrap();
    let before = files(&place.run());
    assert_eq!(place.go(&pipeline(config())).await.unwrap(), first);
    assert_eq!(files(&place.run()), before);
}

#[tokio::test]
async fn any_missing_piece_is_made_again_and_nothing_else_changes() {
    let place = Place::new();
    let augmented = PipelineConfig {
        prompts: PromptStrategy::Augmented { documents: 40, keep_fraction: 0.5 },
        ..config()
    };
    place.go(&pipeline(augmented.clone())).await.unwrap();
    let whole = files(&place.run());
    assert!(whole.contains_key(Path::new("prompts/prompts.jsonl")));
    let first: Document = JsonlReader::open(place.run().join("generate/part-00000.jsonl"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert!(!first.prompt.is_empty(), "documents continue augmented prompts");
    // As an interruption would have left it: everything after a stage, or a part in the middle.
    let scorer = CapitalScorer::new();
    let verdicts = format!("score/{}", scorer.info().digest.short());
    for lost in [
        vec!["prompts/prompts.jsonl", "select/summary.json"],
        vec!["generate/part-00003.jsonl", "select", "train", "model"],
        vec![verdicts.as_str(), "select/summary.json"],
        vec!["select/kept.jsonl", "select/summary.json"],
        vec!["train/outcome.json"],
        vec!["model", "train/outcome.json", "report.md"],
    ] {
        for name in lost {
            let path = place.run().join(name);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        place.go(&pipeline(augmented.clone())).await.unwrap();
        assert_eq!(files(&place.run()), whole);
    }
}

#[tokio::test]
async fn other_settings_are_refused_by_key_and_the_run_is_unharmed() {
    let place = Place::new();
    place.go(&pipeline(config())).await.unwrap();
    let before = files(&place.run());
    let mut other = config();
    other.seed = 1;
    other.generation.documents = 10;
    let error = place.go(&pipeline(other)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let message = error.to_string();
    assert!(message.contains("`config.seed`: 2333 before, 1 now"), "{message}");
    assert!(message.contains("`config.generation.documents`"), "{message}");
    assert_eq!(files(&place.run()), before);
}

#[tokio::test]
async fn impossible_settings_are_refused_before_anything_is_written() {
    let place = Place::new();
    let mut none = config();
    none.generation.documents = 0;
    let error = place.go(&pipeline(none)).await.unwrap_err();
    assert_eq!(error.key(), Some("generation.documents"));
    assert!(!place.run().exists());
}

#[tokio::test]
async fn filters_keep_their_documents_out_of_training() {
    let place = Place::new();
    let no_z = filter_fn("no-z", |text| {
        if text.contains(['z', 'Z']) { Decision::Drop("a z".into()) } else { Decision::Keep }
    });
    let summary = place.go(&pipeline(config()).with_filter(Arc::new(no_z))).await.unwrap();
    assert!(summary.selection.reasons["filtered"] > 0, "{:?}", summary.selection);
    let kept = fs::read_to_string(place.run().join("select/kept.jsonl")).unwrap();
    let texts: Vec<Document> =
        kept.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(texts.iter().all(|document| !document.text.contains(['z', 'Z'])));
}

/// Scores nothing, for a reason.
#[derive(Debug)]
struct Abstainer {
    info: Info,
    capabilities: ScorerCapabilities,
    answers: usize,
}

impl Abstainer {
    fn new(answers: usize) -> Self {
        Self {
            info: Info::new("abstainer", "1", Digest::of("abstainer")),
            capabilities: ScorerCapabilities::new([Attribute::TOXICITY]),
            answers,
        }
    }
}

#[async_trait]
impl ToxicityScorer for Abstainer {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let verdict = Verdict::Unscored(Unscored::Abstained("on principle".into()));
        Ok(vec![verdict; samples.len().min(self.answers)])
    }
}

#[tokio::test]
async fn a_corpus_without_scores_is_said_and_kept() {
    let place = Place::new();
    let pipeline = Pipeline::new(config(), &framework(), Arc::new(Abstainer::new(usize::MAX)));
    let error = place.go(&pipeline).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Empty);
    assert!(error.to_string().contains("abstained"), "{error}");
    assert!(place.run().join("generate/part-00006.jsonl").is_file());
    assert!(!place.run().join("train").exists());
}

#[tokio::test]
async fn a_scorer_that_breaks_its_contract_is_named() {
    let place = Place::new();
    let pipeline = Pipeline::new(config(), &framework(), Arc::new(Abstainer::new(3)));
    let error = place.go(&pipeline).await.unwrap_err();
    assert_eq!(error.key(), Some("abstainer"));
    assert!(error.to_string().contains("3 answers to 16 questions"), "{error}");
}

/// The generator's second call waits until the scorer has begun, and the scorer until the generator's
/// second call has: one after the other, they would wait for ever.
#[derive(Debug)]
struct Meeting {
    calls: AtomicUsize,
    wrote_again: Semaphore,
    scored: Semaphore,
}

impl Meeting {
    fn new() -> Self {
        let [wrote_again, scored] = [0; 2].map(Semaphore::new);
        Self { calls: AtomicUsize::new(0), wrote_again, scored }
    }

    async fn generate(&self) {
        if self.calls.fetch_add(1, Ordering::SeqCst) > 0 {
            self.wrote_again.add_permits(1);
            drop(self.scored.acquire().await);
        }
    }

    async fn score(&self) {
        self.scored.add_permits(1);
        drop(self.wrote_again.acquire().await);
    }
}

#[derive(Debug)]
struct MeetingLoader(Arc<Meeting>);

#[derive(Debug)]
struct MeetingGenerator(Subject, Arc<Meeting>);

#[async_trait]
impl crate::Generator for MeetingGenerator {
    fn info(&self) -> &Info {
        self.0.generator.info()
    }

    fn capabilities(&self) -> &crate::GeneratorCapabilities {
        self.0.generator.capabilities()
    }

    async fn generate(
        &self,
        requests: &[GenerationRequest],
    ) -> Result<Vec<Vec<crate::Generation>>> {
        self.1.generate().await;
        self.0.generator.generate(requests).await
    }
}

#[async_trait]
impl ModelLoader for MeetingLoader {
    async fn load(&self, directory: &Path, options: &LoadOptions) -> Result<Subject> {
        let subject = BigramLoader.load(directory, options).await?;
        let likelihood = subject.likelihood.clone();
        let generator = Arc::new(MeetingGenerator(subject, Arc::clone(&self.0)));
        Ok(Subject { name: "meets".into(), generator, likelihood })
    }
}

#[derive(Debug)]
struct MeetingScorer(CapitalScorer, Arc<Meeting>);

#[async_trait]
impl ToxicityScorer for MeetingScorer {
    fn info(&self) -> &Info {
        self.0.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.0.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        self.1.score().await;
        self.0.score(samples).await
    }
}

#[tokio::test]
async fn the_scorer_works_while_the_model_writes() {
    let place = Place::new();
    let meeting = Arc::new(Meeting::new());
    let meets = Framework { loader: Arc::new(MeetingLoader(Arc::clone(&meeting))), ..framework() };
    let scorer = MeetingScorer(CapitalScorer::new(), meeting);
    let pipeline = Pipeline::new(config(), &meets, Arc::new(scorer));
    tokio::time::timeout(Duration::from_secs(60), place.go(&pipeline)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let place = Place::new();
    let _holder = crate::DirectoryLock::acquire(&place.run()).unwrap();
    let error: Error = place.go(&pipeline(config())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
}
