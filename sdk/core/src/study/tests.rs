use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::corpus::read_texts;
use crate::evaluation::{
    EvaluationPrompt, PerplexityEvaluator, PerplexitySettings, PromptSet, TextSet,
    ToxicityEvaluator, ToxicitySettings,
};
use crate::prompts::PromptStrategy;
use crate::testing::{BigramLm, BigramLoader, BigramTrainBackend, CapitalScorer};
use crate::training::{LearningRate, LocalTrainer, Method, TrainingConfig};
use crate::{
    ErrorKind, Framework, GenerationConfig, LoadOptions, ModelLoader, Result, Sampling, Subject,
};

/// Counts the models that it loads.
#[derive(Debug, Default)]
struct CountingLoader(AtomicUsize);

#[async_trait]
impl ModelLoader for CountingLoader {
    async fn load(&self, directory: &Path, options: &LoadOptions) -> Result<Subject> {
        self.0.fetch_add(1, Ordering::SeqCst);
        BigramLoader.load(directory, options).await
    }
}

struct Place {
    root: tempfile::TempDir,
    loader: Arc<CountingLoader>,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for (name, seed) in [("small", 1), ("large", 2)] {
            BigramLm::new(seed).save(&root.path().join(name)).unwrap();
        }
        // Capitals are what the scorer takes for toxic.
        let rows = (0..200).map(|index| {
            let text = if index % 4 == 0 { "LOUD WORDS HERE" } else { "quiet words here" };
            json!({"text": format!("{text} {index}"), "loud": index % 4 == 0}).to_string()
        });
        fs::write(root.path().join("texts.jsonl"), rows.collect::<Vec<_>>().join("\n")).unwrap();
        Self { root, loader: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn models(&self) -> Vec<StudyModel> {
        let model = |name: &str| StudyModel { name: name.into(), directory: self.path(name) };
        vec![model("small"), model("large")]
    }

    fn config(&self) -> StudyConfig {
        let file = self.path("texts.jsonl");
        let corpus = |name: &str, source| StudyCorpus { name: name.into(), source };
        let method = |name: &str, peak| StudyMethod {
            name: name.into(),
            method: Method::Full {},
            learning_rate: Some(LearningRate { peak, ..LearningRate::default() }),
            corpora: Vec::new(),
        };
        StudyConfig {
            generation: GenerationConfig {
                documents: 40,
                unit: 16,
                sampling: Sampling::default().with_max_new_tokens(30),
            },
            training: TrainingConfig {
                max_steps: Some(12),
                sequence_length: Some(32),
                ..TrainingConfig::default()
            },
            corpora: vec![
                corpus(
                    "Self (plain)",
                    CorpusSource::SelfGenerated { prompts: PromptStrategy::default() },
                ),
                corpus(
                    "DAPT",
                    CorpusSource::External {
                        file: file.clone(),
                        keep_fraction: 0.1,
                        documents: Some(150),
                    },
                ),
                corpus(
                    "labelled",
                    CorpusSource::Labelled {
                        file,
                        label: "loud".into(),
                        at_most: 0.5,
                        documents: Some(20),
                    },
                ),
            ],
            methods: vec![method("slow", 30.0), method("fast", 300.0)],
            ..StudyConfig::default()
        }
    }

    fn study(&self, config: StudyConfig) -> Study {
        let trainer = LocalTrainer::new(BigramTrainBackend::new()).unwrap();
        let framework = Framework::new(Arc::clone(&self.loader) as _, Arc::new(trainer));
        let scorer = Arc::new(CapitalScorer::new());
        let prompt =
            |text: &str| EvaluationPrompt { text: text.into(), toxicity: None, challenging: false };
        let prompts = PromptSet::new("prompts", vec![prompt("The"), prompt("And so")]).unwrap();
        let settings = ToxicitySettings {
            continuations: 4,
            sampling: Sampling::default().with_max_new_tokens(12),
            ..ToxicitySettings::default()
        };
        let judge = Arc::<CapitalScorer>::clone(&scorer);
        let toxicity = ToxicityEvaluator::new(prompts, judge, settings).unwrap();
        let texts = TextSet::new("held out", vec!["quiet words".into()]).unwrap();
        let perplexity = PerplexityEvaluator::new(texts, PerplexitySettings::default()).unwrap();
        Study::new(config, &framework, scorer)
            .with_evaluator(Arc::new(toxicity))
            .with_evaluator(Arc::new(perplexity))
    }

    async fn go(&self, config: StudyConfig) -> Result<StudySummary> {
        self.study(config).run(&self.models(), &self.path("study")).await
    }

    fn loads(&self) -> usize {
        self.loader.0.swap(0, Ordering::SeqCst)
    }

    fn kept(&self, corpus: &str) -> Vec<String> {
        let path = self.path("study/corpora").join(corpus).join("select/kept.jsonl");
        read_texts(path).unwrap().collect::<Result<_>>().unwrap()
    }
}

#[tokio::test]
async fn every_combination_is_trained_and_measured_once() {
    let place = Place::new();
    let summary = place.go(place.config()).await.unwrap();
    assert_eq!(summary.cells.len(), 2 * (1 + 3 * 2));
    // For each model: itself, to write its corpus, and six that were made of it.
    assert_eq!(place.loads(), 2 * 8);
    for cell in &summary.cells {
        assert_eq!(cell.evaluations.len(), 2);
        assert_eq!(cell.changes.len(), if cell.corpus.is_some() { 2 } else { 0 });
        let tokens = cell.training.as_ref().map(|training| training.tokens);
        assert_eq!(tokens, cell.corpus.is_some().then_some(12 * 8 * 32));
    }
    // The least toxic tenth of the first 150, and 20 of those that are not loud.
    assert_eq!(place.kept("dapt").len(), 15);
    assert_eq!(place.kept("labelled").len(), 20);
    for corpus in ["dapt", "labelled"] {
        assert!(place.kept(corpus).iter().all(|text| text.starts_with("quiet")));
    }

    let models = fs::read_to_string(place.path("study/models-capitals.svg")).unwrap();
    assert!(models.contains(">small<") && models.contains("DAPT, fast") && !models.contains("NaN"));
    let report = fs::read_to_string(place.path("study/report.md")).unwrap();
    for part in [
        "| small | – | – |",
        "| large | Self (plain) | fast |",
        "### Toxicity, judged by capital",
        "### Perplexity on held out",
        "### What training took",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let picture = report.split("](").find_map(|rest| rest.split_once(".svg)")).unwrap().0;
    let svg = fs::read_to_string(place.path("study").join(format!("{picture}.svg"))).unwrap();
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(svg.contains("Self (plain), slow") && !svg.contains("NaN"), "{svg}");
}

#[tokio::test]
async fn what_is_done_is_not_done_again() {
    let place = Place::new();
    let mut config = place.config();
    config.corpora.truncate(1);
    let first = place.go(config.clone()).await.unwrap();
    place.loads();
    assert_eq!(place.go(config.clone()).await.unwrap(), first);
    assert_eq!(place.loads(), 0);
    // One more method: its cells alone.
    config.methods.push(StudyMethod {
        name: "faster".into(),
        method: Method::Full {},
        learning_rate: None,
        corpora: Vec::new(),
    });
    let more = place.go(config).await.unwrap();
    assert_eq!(place.loads(), 2);
    let old: Vec<_> =
        more.cells.iter().filter(|cell| cell.method.as_deref() != Some("faster")).collect();
    assert_eq!(old, first.cells.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_method_is_tried_on_the_corpora_that_it_names() {
    let place = Place::new();
    let mut config = place.config();
    config.methods[1].corpora = vec!["labelled".into(), "Self (plain)".into()];
    let summary = place.go(config).await.unwrap();
    let small = summary.cells.iter().filter(|cell| cell.model == "small");
    let combinations: Vec<_> =
        small.filter_map(|cell| cell.corpus.as_deref().zip(cell.method.as_deref())).collect();
    let expected = [
        ("Self (plain)", "slow"),
        ("Self (plain)", "fast"),
        ("DAPT", "slow"),
        ("labelled", "slow"),
        ("labelled", "fast"),
    ];
    assert_eq!(combinations, expected);
}

#[tokio::test]
async fn an_interrupted_study_ends_in_the_same_cells() {
    let place = Place::new();
    let whole = place.go(place.config()).await.unwrap();
    let other = Place::new();
    let study = other.study(other.config());
    let (models, directory) = (other.models(), other.path("study"));
    for patience in [5, 20, 40, 80, 160, 320] {
        let patience = std::time::Duration::from_millis(patience);
        let _ = tokio::time::timeout(patience, study.run(&models, &directory)).await;
    }
    // Whoever held the directory lets it go once the current step is over.
    let mut resumed = study.run(&models, &directory).await;
    while resumed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Locked) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        resumed = study.run(&models, &directory).await;
    }
    let timeless = |mut summary: StudySummary| {
        for cell in &mut summary.cells {
            if let Some(training) = &mut cell.training {
                training.seconds = None;
            }
        }
        summary.cells
    };
    assert_eq!(timeless(resumed.unwrap()), timeless(whole));
}

#[tokio::test]
async fn other_settings_are_refused_by_name() {
    let place = Place::new();
    let mut config = place.config();
    config.corpora.truncate(1);
    config.methods.truncate(1);
    place.go(config.clone()).await.unwrap();
    let mut changed = config.clone();
    changed.methods[0].learning_rate = None;
    let error = place.go(changed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("learning_rate"), "{error}");
    let mut changed = config.clone();
    changed.generation.documents = 41;
    let error = place.go(changed).await.unwrap_err();
    assert!(error.to_string().contains("generation.documents"), "{error}");
    BigramLm::new(3).save(&place.path("small")).unwrap();
    let error = place.go(config).await.unwrap_err();
    assert!(error.to_string().contains("model"), "{error}");
}

#[tokio::test]
async fn what_is_impossible_is_refused_before_any_work() {
    let place = Place::new();
    let config = place.config();
    let refused = async |change: &dyn Fn(&mut StudyConfig)| {
        let mut changed = config.clone();
        change(&mut changed);
        let error = place.go(changed).await.unwrap_err();
        assert!(!place.path("study").exists(), "{error}");
        error.to_string()
    };
    let twice = refused(&|config| config.corpora[1].name = "SELF plain".into()).await;
    assert!(twice.contains("corpora.name") && twice.contains("twice"), "{twice}");
    let nameless = refused(&|config| config.methods[0].name = "?!".into()).await;
    assert!(nameless.contains("no letter or digit"), "{nameless}");
    let method =
        refused(&|config| config.methods[0].method = Method::Lora(Default::default())).await;
    assert!(method.contains("does not train this method"), "{method}");
    let corpus = refused(&|config| config.methods[0].corpora = vec!["elsewhere".into()]).await;
    assert!(corpus.contains("there are: Self (plain), DAPT, labelled"), "{corpus}");
    let share = refused(&|config| {
        if let CorpusSource::External { keep_fraction, .. } = &mut config.corpora[1].source {
            *keep_fraction = 2.0;
        }
    });
    assert!(share.await.contains("keep_fraction"));
}

#[tokio::test]
async fn a_label_that_is_missing_is_named_with_its_line() {
    let place = Place::new();
    fs::write(place.path("texts.jsonl"), "{\"text\": \"a\", \"loud\": false}\n{\"text\": \"b\"}")
        .unwrap();
    let mut config = place.config();
    config.corpora.remove(0);
    config.corpora.remove(0);
    let error = place.go(config).await.unwrap_err();
    assert_eq!(error.line_number(), Some(2));
    assert_eq!(error.key(), Some("loud"));
}
