//! What a user does wrong, and what he is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm::prompts::PromptStrategy;
use detoxlm::testing::{BigramLm, BigramLoader, BigramTrainBackend, CapitalScorer};
use detoxlm::training::{LocalTrainer, TrainingConfig};
use detoxlm::{
    Attribute, Decision, Error, ErrorKind, Framework, GenerationConfig, Pipeline, PipelineConfig,
    Sampling, ToxicityScorer, filter_fn, scorer_fn,
};
use detoxlm_end_to_end::Setup;

use crate::child::{Place, error_of};
use crate::tree::files;

/// A small pipeline of the fakes, to be spoiled in one place.
struct Small {
    root: tempfile::TempDir,
    config: PipelineConfig,
    framework: Framework,
    scorer: Arc<dyn ToxicityScorer>,
}

impl Small {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        BigramLm::new(1).save(&root.path().join("base")).unwrap();
        let config = PipelineConfig {
            generation: GenerationConfig {
                documents: 20,
                unit: 8,
                sampling: Sampling::default().with_max_new_tokens(20),
            },
            training: TrainingConfig {
                max_steps: Some(4),
                sequence_length: Some(16),
                checkpoint_every: 1,
                ..TrainingConfig::default()
            },
            ..PipelineConfig::default()
        };
        let trainer = LocalTrainer::new(BigramTrainBackend::new()).unwrap();
        let framework = Framework::new(Arc::new(BigramLoader), Arc::new(trainer));
        Self { root, config, framework, scorer: Arc::new(CapitalScorer::new()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new(self.config.clone(), &self.framework, Arc::clone(&self.scorer))
    }

    async fn refused(&self, pipeline: &Pipeline, kind: ErrorKind) -> Error {
        let error = pipeline.run(&self.path("base"), &self.path("run")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        error
    }

    async fn completes(&self, pipeline: &Pipeline) {
        pipeline.run(&self.path("base"), &self.path("run")).await.unwrap();
    }
}

fn assert_says(error: &Error, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn a_corpus_that_nobody_could_score() {
    let mut small = Small::new();
    small.scorer = Arc::new(scorer_fn("mute-1", Attribute::TOXICITY, |_| None));
    let error = small.refused(&small.pipeline(), ErrorKind::Empty).await;
    assert_says(&error, &["20", "abstained"]);
    // What the model wrote is kept: another scorer may know what to say.
    assert_eq!(count(&small.path("run/generate")), 3);
    assert!(!small.path("run/model").exists());
}

#[tokio::test]
async fn a_corpus_of_which_nothing_is_kept() {
    let small = Small::new();
    let strict = filter_fn("strict-1", |_| Decision::Drop("on principle".into()));
    let pipeline = small.pipeline().with_filter(Arc::new(strict));
    let error = small.refused(&pipeline, ErrorKind::Empty).await;
    assert_says(&error, &["filtered"]);
    assert!(!small.path("run/model").exists());
}

#[tokio::test]
async fn a_line_that_is_no_json() {
    let mut small = Small::new();
    let file = small.path("prompts.jsonl");
    fs::write(&file, "{\"prompt\": \"Be\"}\n\n{\"prompt\": \"Be kind\n").unwrap();
    small.config.prompts = PromptStrategy::Heuristic { prompts: None, file: Some(file.clone()) };
    let error = small.refused(&small.pipeline(), ErrorKind::InvalidInput).await;
    assert_says(&error, &["prompts.jsonl:3"]);
    // Mended, the same command goes on.
    fs::write(&file, "{\"prompt\": \"Be\"}\n\n{\"prompt\": \"Be kind\"}\n").unwrap();
    small.completes(&small.pipeline()).await;
}

#[tokio::test]
async fn a_part_of_the_run_that_was_damaged() {
    let small = Small::new();
    small.completes(&small.pipeline()).await;
    let part = small.path("run/generate/part-00001.jsonl");
    let whole = fs::read_to_string(&part).unwrap();
    fs::write(&part, &whole[..whole.len() / 2]).unwrap();
    fs::remove_file(small.path("run/select/summary.json")).unwrap();
    let error = small.refused(&small.pipeline(), ErrorKind::InvalidInput).await;
    assert_says(&error, &["part-00001.jsonl:"]);
    assert!(error.line_number().is_some());
}

#[tokio::test]
async fn a_loss_that_is_not_a_number() {
    let mut small = Small::new();
    fs::remove_dir_all(small.path("base")).unwrap();
    Setup::Stories.prepare(small.root.path()).unwrap();
    small.framework = detoxlm::registry().framework("candle").unwrap();
    small.config.training.learning_rate.peak = 1e300;
    let error = small.refused(&small.pipeline(), ErrorKind::Diverged).await;
    // The first update itself broke the weights: no checkpoint may hold them.
    assert_says(&error, &["step 1", "not finite", "no checkpoint", "learning_rate.peak"]);
    assert!(!small.path("run/train/checkpoint-00000001").exists());
    assert!(!small.path("run/model").exists());
}

#[tokio::test]
async fn settings_that_are_not_those_of_the_run() {
    let mut small = Small::new();
    small.completes(&small.pipeline()).await;
    let before = files(&small.path("run"));
    small.config.seed = 1;
    small.config.selection.keep_fraction = 0.25;
    small.scorer = Arc::new(CapitalScorer::new().abstaining_on('a'));
    let error = small.refused(&small.pipeline(), ErrorKind::Incompatible).await;
    assert_says(
        &error,
        &[
            "run.json",
            "`config.seed`: 2333 before, 1 now",
            "`config.selection.keep_fraction`: 0.5 before, 0.25 now",
            "`scorer.digest`",
            "another directory",
        ],
    );
    assert_eq!(files(&small.path("run")), before);
}

#[test]
fn a_key_that_there_is_not() {
    let error = toml::from_str::<PipelineConfig>("[generation]\ndocument = 5\n").unwrap_err();
    let message = error.to_string();
    assert!(message.contains("unknown field `document`"), "{message}");
    assert!(message.contains("`documents`") && message.contains("`unit`"), "{message}");
    assert!(message.contains("line 2"), "{message}");
}

#[test]
fn a_model_of_which_half_is_missing() {
    let place = Place::new(Setup::Stories);
    let weights = place.base().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let output = place.command(&place.run("run")).output().unwrap();
    assert!(!output.status.success());
    let message = error_of(&output);
    assert!(message.contains("model.safetensors"), "{message}");
    assert!(!message.contains("panicked"), "{message}");
}
