//! Writes reports about fakes, one of each kind: what the browser's test in `tests/report` looks at.
//!
//! `cargo run -p detoxlm-core --features testing --example report_pages -- DIRECTORY`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::audit::{
    AuditSettings, Auditor, Case, FunctionalSet, IdentitySet, LabelledSet, LabelledText, TestSet,
};
use detoxlm_core::evaluation::{
    Bootstrap, Changes, EvaluationContext, EvaluationPrompt, IdentityFalsePositives, Interval,
    Measurement, PerplexityEvaluator, PerplexitySettings, PromptSet, Provenance, TextSet,
    ToxicityEvaluator, ToxicitySettings,
};
use detoxlm_core::report::compare;
use detoxlm_core::testing::{BigramLm, BigramLoader, BigramTrainBackend, CapitalScorer};
use detoxlm_core::training::{LearningRate, LocalTrainer, TrainingConfig};
use detoxlm_core::{
    Attribute, Decision, Digest, Evaluation, Evaluator, Framework, GenerationConfig, Info,
    Pipeline, PipelineConfig, Result, Sampling, Subject, filter_fn, scorer_fn,
};
use serde_json::{Value, json};

/// Name, slice, and the value of the base model and of the other.
type Figure = (&'static str, &'static str, f64, f64);

/// Figures of a kind that no fake model can have, such as those of groups of people.
#[derive(Debug)]
struct Told {
    info: Info,
    data: Info,
    figures: Vec<Figure>,
}

impl Told {
    fn evaluator(name: &str, data: &str, figures: Vec<Figure>) -> Arc<dyn Evaluator> {
        let info = |name: &str| Info::new(name, "1", Digest::of(format!("{name} {data}")));
        Arc::new(Self { info: info(name), data: info(data), figures })
    }

    fn settings(&self) -> BTreeMap<String, Value> {
        let mut settings = BTreeMap::from([("limit".to_owned(), 200.into())]);
        if self.info.name == "task" {
            settings.insert("task".to_owned(), json!({"name": self.data.name}));
        }
        settings
    }
}

#[async_trait]
impl Evaluator for Told {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn evaluate(&self, subject: &Subject, _: &EvaluationContext) -> Result<Evaluation> {
        let is_base = subject.name == "base";
        let measurements = self.figures.iter().map(|(name, slice, base, other)| {
            let value = if is_base { *base } else { *other };
            let figure = Measurement::new(*name, *slice, Some(value), 200, "items");
            if self.info.name == "task" {
                return figure.with_standard_error(0.035);
            }
            let spread = 0.08 * value;
            figure.with_interval(Interval {
                low: value - spread,
                high: value + spread,
                level: 0.95,
            })
        });
        Ok(Evaluation {
            subject: subject.name.clone(),
            measurements: measurements.collect(),
            provenance: Provenance {
                evaluator: self.info.clone(),
                model: subject.generator.info().clone(),
                scorer: None,
                data: self.data.clone(),
                settings: self.settings(),
            },
        })
    }

    async fn changes(&self, _: &Path, _: &Path) -> Result<Changes> {
        let measurements = self.figures.iter().map(|(name, slice, base, other)| {
            let change = other - base;
            let interval = Interval { low: change - 0.03, high: change + 0.03, level: 0.95 };
            Measurement::new(*name, *slice, Some(change), 200, "items")
                .with_interval(interval)
                .with_p_value(if change.abs() > 0.03 { 0.004 } else { 0.61 })
        });
        Ok(Changes { evaluator: self.info.clone(), measurements: measurements.collect() })
    }
}

fn groups() -> Arc<dyn Evaluator> {
    let toxicity = [
        ("gender/American_actors", 0.12, 0.08),
        ("gender/American_actresses", 0.17, 0.09),
        ("race/African_Americans", 0.21, 0.13),
        ("race/Asian_Americans", 0.14, 0.09),
        ("race/European_Americans", 0.13, 0.10),
        ("race/Hispanic_and_Latino_Americans_of_all_places", 0.18, 0.12),
    ];
    let mut figures: Vec<Figure> =
        toxicity.iter().map(|(slice, base, new)| ("mean_toxicity", *slice, *base, *new)).collect();
    figures.extend(toxicity.iter().map(|(slice, base, new)| {
        ("token_perplexity", *slice, 20.0 + 30.0 * base, 21.0 + 30.0 * new)
    }));
    figures.push(("largest_gap", "gender", 0.05, 0.01));
    figures.push(("largest_gap", "race", 0.08, 0.04));
    Told::evaluator("bias", "groups", figures)
}

/// What everything is measured with; `seed` decides the draws.
fn evaluators(seed: u64, prompts: usize) -> Result<Vec<Arc<dyn Evaluator>>> {
    let is_small = prompts < 10;
    let words = ["a", "Quiet", "SHOUT", "mixed Words", "the end", "o", "Some", "lower case"];
    let prompts = (0..prompts).map(|number| EvaluationPrompt {
        text: format!("{} {number}", words[number % words.len()]),
        toxicity: Some(if number % 3 == 0 { 0.7 } else { 0.2 }),
        challenging: false,
    });
    let prompts = PromptSet::new("made-up prompts", prompts.collect())?;
    let settings = ToxicitySettings { continuations: 10, seed, ..ToxicitySettings::default() };
    let vowels = scorer_fn("vowels", Attribute::TOXICITY, |text| {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let vowels = text.chars().filter(|c| "aeiouAEIOU".contains(*c)).count();
        (letters > 0).then(|| vowels as f32 / letters as f32)
    });
    let sentences = ["calm and kind words", "Nobody SHOUTS here", "the rest is quiet"];
    let sentences = sentences.iter().cycle().take(24).map(|text| (*text).to_owned());
    let texts = TextSet::new("made-up sentences", sentences.collect())?;
    let endings = vec![("acc", "all", 0.31, 0.30), ("acc_norm", "all", 0.35, 0.33)];
    // Few prompts get a judge that has changed since it chose the text: both are to be warned of.
    let capitals = CapitalScorer::new();
    let capitals = if is_small { capitals.abstaining_on('z') } else { capitals };
    Ok(vec![
        Arc::new(ToxicityEvaluator::new(prompts.clone(), Arc::new(capitals), settings.clone())?),
        Arc::new(ToxicityEvaluator::new(prompts, Arc::new(vowels), settings)?),
        Arc::new(PerplexityEvaluator::new(texts, PerplexitySettings::default())?),
        Told::evaluator("task", "endings", endings),
        Told::evaluator("task", "yes or no", vec![("acc", "all", 0.58, 0.59)]),
        groups(),
    ])
}

/// A run that keeps so much of its corpus, measured on so many prompts.
async fn run(root: &Path, name: &str, keep: f64, seed: u64, prompts: usize) -> Result<PathBuf> {
    let base = root.join("base-model");
    BigramLm::new(1).save(&base)?;
    let validation = root.join("held-out.jsonl");
    detoxlm_core::files::write_atomically(&validation, "{\"text\":\"kind words and calm\"}\n")?;
    let default = PipelineConfig::default();
    let config = PipelineConfig {
        generation: GenerationConfig {
            documents: 300,
            unit: 64,
            sampling: Sampling::default().with_max_new_tokens(40),
        },
        training: TrainingConfig {
            max_steps: Some(100),
            sequence_length: Some(32),
            learning_rate: LearningRate { peak: 300.0, ..LearningRate::default() },
            validate_every: 10,
            tensorboard: true,
            ..TrainingConfig::default()
        },
        selection: default.selection.clone().with_keep_fraction(keep),
        validation: vec![validation],
        ..default
    };
    let trainer = LocalTrainer::new(BigramTrainBackend::new())?;
    let framework = Framework::new(Arc::new(BigramLoader), Arc::new(trainer));
    let no_q = filter_fn("no-q", |text| {
        if text.starts_with(['q', 'Q']) { Decision::Drop("a q".into()) } else { Decision::Keep }
    });
    let mut pipeline = Pipeline::new(config, &framework, Arc::new(CapitalScorer::new()))
        .with_filter(Arc::new(no_q))
        .with_false_positives(IdentityFalsePositives::new(identities(), 0.1)?);
    for evaluator in evaluators(seed, prompts)? {
        pipeline = pipeline.with_evaluator(evaluator);
    }
    let directory = root.join(name);
    pipeline.run(&base, &directory).await?;
    Ok(directory)
}

/// Sentences that name whom, harmless but for the loud ones.
fn identities() -> IdentitySet {
    let terms = ["tall", "Short", "YOUNG", "old"].map(str::to_owned).to_vec();
    let sentences = (1..80).map(|line: u64| {
        let term = &terms[line as usize % terms.len()];
        let is_toxic = line.is_multiple_of(3);
        let end = if is_toxic { "PEOPLE ARE LOUD" } else { "people are here" };
        (line, format!("{term} {end}"), is_toxic)
    });
    let sentences = sentences.collect();
    IdentitySet::new("identities", terms, sentences, Attribute::TOXICITY)
}

async fn audit(directory: &Path) -> Result<()> {
    let texts = ["CALM words", "LOUD WORDS", "quiet", "Some Words Here", "ABC", "a b C"];
    let labelled = (1..60).map(|line: u64| {
        let text = texts[line as usize % texts.len()];
        let is_loud = text.chars().filter(|c| c.is_uppercase()).count() > 3;
        let label = f64::from(u8::from(is_loud != line.is_multiple_of(7)));
        let labels = [(Attribute::TOXICITY, label)].into();
        LabelledText { line, text: format!("{text} {line}"), labels }
    });
    let cases = (1..40).map(|line: u64| Case {
        line,
        functionality: ["shouting", "negated shouting", "quoting"][line as usize % 3].into(),
        text: if line.is_multiple_of(2) { "THIS IS LOUD".into() } else { "this is not".into() },
        hateful: line.is_multiple_of(2),
    });
    let sets = [
        TestSet::Labelled(LabelledSet::new("labelled texts", labelled.collect(), 0.5)),
        TestSet::Identities(identities()),
        TestSet::Functional(FunctionalSet::new("cases", cases.collect(), Attribute::TOXICITY)),
    ];
    let settings = AuditSettings {
        bootstrap: Bootstrap { resamples: 100, ..Bootstrap::default() },
        quote: true,
        ..AuditSettings::default()
    };
    let length =
        scorer_fn("length", Attribute::TOXICITY, |text| Some((text.len() as f32 / 40.0).min(1.0)));
    let auditor = Auditor::new(Arc::new(CapitalScorer::new()), settings)?.against(Arc::new(length));
    auditor.audit(&sets).await?.write(directory)
}

#[tokio::main]
async fn main() -> Result<()> {
    let root =
        std::env::args_os().nth(1).map_or_else(|| PathBuf::from("report-pages"), PathBuf::from);
    let half = run(&root, "half", 0.5, 42, 60).await?;
    let quarter = run(&root, "quarter", 0.25, 42, 60).await?;
    let few = run(&root, "few", 0.5, 7, 6).await?;
    compare(&[half, quarter, few])?.write(root.join("comparison"))?;
    audit(&root.join("audit")).await
}
