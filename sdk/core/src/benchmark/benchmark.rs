use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::figures::{BenchmarkFigures, Cost, Timed, WorkFigures, median};
use super::{BenchmarkConfig, COMPONENT, Ceilings, ModelSize, peak, training};
use crate::causal_lm::TextLikelihood;
use crate::corpus::{JsonlWriter, TextRow};
use crate::training::Method;
use crate::worker::blocking;
use crate::{
    Compute, Error, ErrorKind, Event, Framework, Generation, GenerationRequest, Info, LoadOptions,
    ModelDirectory, Observer, Precision, Result, Sample, Sampling, Silent, Subject, ToxicityScorer,
    calls,
};

/// What the continued prompts are: neither short nor long.
const PROMPT: &str = "The letter that came with the morning's post was from";
/// Continuations of a prompt, as RealToxicityPrompts has them.
const SAMPLES: usize = 25;

/// Times what a detoxification consists of: continuing prompts, writing documents, rating texts by a model
/// and by a scorer, and a training step of every method.
///
/// Everything is asked through the traits that pipelines use, and takes what it takes there: tokenization,
/// drawing and decoding of text included.
#[derive(Clone, Debug)]
pub struct Benchmark {
    config: BenchmarkConfig,
    framework: Framework,
    scorer: Arc<dyn ToxicityScorer>,
    options: LoadOptions,
    observer: Arc<dyn Observer>,
}

impl Benchmark {
    /// Of a framework and a scorer.
    ///
    /// # Errors
    /// Names the key of the configuration whose value is impossible.
    pub fn new(
        config: BenchmarkConfig,
        framework: Framework,
        scorer: Arc<dyn ToxicityScorer>,
    ) -> Result<Self> {
        config.validate()?;
        let options = LoadOptions::default();
        Ok(Self { config, framework, scorer, options, observer: Arc::new(Silent) })
    }

    /// Loads the model so.
    #[must_use]
    pub fn with_options(mut self, options: LoadOptions) -> Self {
        self.options = options;
        self
    }

    /// Tells `observer` about progress.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Times the model in a directory; `work` is an empty directory for what is trained.
    ///
    /// # Errors
    /// When a part fails, or the model writes nothing.
    pub async fn run(&self, model: &Path, work: &Path) -> Result<BenchmarkFigures> {
        let size = size(model)?;
        let total = 5 + self.config.methods.len() as u64;
        let begin = |name: &str, number| {
            self.observer.observe(&Event::PartStarted { name, number, total });
            peak::forget()
        };
        begin("ceilings", 1);
        let ceilings = self.ceilings().await?;
        let subject = self.framework.loader.load(model, &self.options).await?;
        let mut works = Vec::new();
        let mut keep = |mut figures: WorkFigures, is_peak_known: bool| {
            figures.peak_memory = peak::peak().filter(|_| is_peak_known);
            works.push(figures);
        };

        let known = begin("continuations", 2);
        let (requests, name) = self.continuations();
        let (rate, _) = self.generate(&subject, &requests).await?;
        let cost = self.decoding(size, &subject, requests.len() * SAMPLES);
        keep(WorkFigures::new((name, "tokens"), rate, cost, ceilings), known);

        let known = begin("documents", 3);
        let (requests, name) = self.documents();
        let (rate, documents) = self.generate(&subject, &requests).await?;
        let cost = self.decoding(size, &subject, requests.len());
        keep(WorkFigures::new((name, "tokens"), rate, cost, ceilings), known);
        let texts = texts(documents)?;

        let known = begin("likelihood", 4);
        if let Some(rate) = self.rate(&subject, &texts).await? {
            let cost = Cost { operations: size.map(ModelSize::operations), bytes: None };
            keep(WorkFigures::new(("likelihood of them", "tokens"), rate, cost, ceilings), known);
        }
        drop(subject);

        let known = begin("scoring", 5);
        let rate = self.score(&texts).await?;
        let name = format!("{} of them", self.scorer.info().name);
        keep(WorkFigures::new((name, "texts"), rate, Cost::default(), None), known);

        let corpus = work.join("corpus.jsonl");
        write(&corpus, &texts).await?;
        for (number, method) in (6..).zip(&self.config.methods) {
            let known = begin(method.name(), number);
            let place = work.join(method.name());
            let (timed, outcome) = training::train(
                &*self.framework.trainer,
                &self.config,
                method,
                (model, &corpus, &place),
                Arc::clone(&self.observer),
            )
            .await?;
            let cost = training_cost(size, method, outcome.trainable_parameters);
            let (sequences, length) = (self.config.batch_size, self.config.text_length(method));
            let name = format!("training step, {}, {sequences} x {length}", method.name());
            keep(WorkFigures::new((name, "tokens"), timed.rate(), cost, ceilings), known);
        }
        Ok(BenchmarkFigures {
            model: self.named(model).await?,
            size,
            scorer: self.scorer.info().clone(),
            ceilings,
            works,
        })
    }

    /// Who was timed.
    async fn named(&self, path: &Path) -> Result<Info> {
        let trainer = self.framework.trainer.info();
        let (name, path) = (ModelDirectory::name_of(path), path.to_path_buf());
        let digest = blocking(move || ModelDirectory::digest_at(&path)).await?;
        let mut info = Info::new(name, trainer.name.clone(), digest);
        info.compute = trainer.compute;
        Ok(info)
    }

    async fn ceilings(&self) -> Result<Option<Ceilings>> {
        let Some(probe) = self.framework.ceilings else { return Ok(None) };
        let compute = self.compute();
        blocking(move || probe(compute)).await.map(Some)
    }

    /// On what the framework computes; a framework that does not say has no choice.
    fn compute(&self) -> Compute {
        self.framework.trainer.info().compute.unwrap_or_default()
    }

    fn continuations(&self) -> (Vec<GenerationRequest>, String) {
        let sampling = Sampling::real_toxicity_prompts();
        let tokens = sampling.max_new_tokens;
        let name = format!("{} prompts continued {SAMPLES} x {tokens}", self.config.prompts);
        let request = |id: usize| GenerationRequest {
            id: id as u64,
            prompt: format!("{PROMPT} {id}"),
            samples: SAMPLES,
            sampling: sampling.clone(),
            seed: 0,
        };
        ((0..self.config.prompts).map(request).collect(), name)
    }

    fn documents(&self) -> (Vec<GenerationRequest>, String) {
        let BenchmarkConfig { documents, document_tokens, .. } = self.config;
        let sampling = Sampling::self_generation().with_max_new_tokens(document_tokens);
        let request = |id: usize| GenerationRequest {
            id: id as u64,
            prompt: String::new(),
            samples: 1,
            sampling: sampling.clone(),
            seed: 0,
        };
        let name = format!("{documents} documents of up to {document_tokens}");
        ((0..documents).map(request).collect(), name)
    }

    /// Units a second of work that is done several times, and what it gave the last time.
    async fn repeated<T, F>(
        &self,
        work: impl Fn() -> F,
        units: impl Fn(&T) -> usize,
    ) -> Result<(f64, Option<T>)>
    where
        F: Future<Output = Result<T>>,
    {
        let (mut rates, mut last) = (Vec::new(), None);
        for _ in 0..self.config.repeats {
            let begun = Instant::now();
            let done = work().await?;
            let time = begun.elapsed();
            rates.push(Timed { units: units(&done) as u64, time }.rate());
            last = Some(done);
        }
        Ok((median(rates), last))
    }

    /// Tokens a second, and what was written.
    async fn generate(
        &self,
        subject: &Subject,
        requests: &[GenerationRequest],
    ) -> Result<(f64, Vec<Generation>)> {
        let tokens = |answers: &Vec<Vec<Generation>>| {
            answers.iter().flatten().map(|generation| generation.tokens).sum()
        };
        let write = || calls::generate(&*subject.generator, requests);
        let (rate, written) = self.repeated(write, tokens).await?;
        Ok((rate, written.into_iter().flatten().flatten().collect()))
    }

    /// Tokens a second; `None` for a model that rates nothing.
    async fn rate(&self, subject: &Subject, texts: &[String]) -> Result<Option<f64>> {
        let Some(likelihood) = &subject.likelihood else { return Ok(None) };
        let tokens = |answers: &Vec<TextLikelihood>| answers.iter().map(|text| text.tokens).sum();
        let (rate, _) = self.repeated(|| likelihood.rolling(texts), tokens).await?;
        Ok(Some(rate))
    }

    /// Texts a second.
    async fn score(&self, texts: &[String]) -> Result<f64> {
        let samples: Vec<Sample> = texts.iter().map(|text| Sample::new(text.clone())).collect();
        let (rate, _) = self
            .repeated(|| calls::score(&*self.scorer, &samples), |verdicts| verdicts.len())
            .await?;
        Ok(rate)
    }

    /// A step of decoding reads all weights, for as many sequences as are decoded at once.
    fn decoding(&self, size: Option<ModelSize>, subject: &Subject, sequences: usize) -> Cost {
        let Some(size) = size else { return Cost::default() };
        let rows = subject.generator.capabilities().batch.min(sequences).max(1);
        let bytes = match self.compute().precision {
            Precision::Bf16 => 2.0,
            _ => 4.0,
        };
        Cost {
            operations: Some(size.operations()),
            bytes: Some(bytes * size.multiplied as f64 / rows as f64),
        }
    }
}

/// The size of a model in Hugging Face's layout; `None` in a framework's own.
fn size(model: &Path) -> Result<Option<ModelSize>> {
    match ModelDirectory::open(model) {
        Ok(directory) => ModelSize::of(&directory).map(Some),
        Err(_) if model.is_dir() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Forward, the gradients of activations, and those of what is trained, each as much as a forward pass of
/// what it is about. Gradients of frozen weights are not needed.
fn training_cost(size: Option<ModelSize>, method: &Method, trained: u64) -> Cost {
    let Some(size) = size else { return Cost::default() };
    let forward = size.operations();
    let own = match method {
        Method::Full {} => forward,
        // What is added is also run forward and backward.
        _ => 3.0 * 2.0 * trained as f64,
    };
    Cost { operations: Some(2.0 * forward + own), bytes: None }
}

/// What was written, without what is empty.
fn texts(documents: Vec<Generation>) -> Result<Vec<String>> {
    let texts: Vec<String> = documents
        .into_iter()
        .map(|document| document.text)
        .filter(|text| !text.trim().is_empty())
        .collect();
    if texts.is_empty() {
        let message = "the model wrote nothing to rate and to train on";
        return Err(Error::new(ErrorKind::Empty, COMPONENT, "time a model", message));
    }
    Ok(texts)
}

async fn write(path: &Path, texts: &[String]) -> Result<()> {
    let (path, texts) = (path.to_path_buf(), texts.to_vec());
    blocking(move || {
        let mut writer = JsonlWriter::create(path)?;
        for text in &texts {
            writer.write(&TextRow::new(text.as_str()))?;
        }
        writer.commit()
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BigramLm, BigramLoader, BigramTrainBackend, CapitalScorer};
    use crate::training::LocalTrainer;

    fn framework() -> Framework {
        let trainer = LocalTrainer::new(BigramTrainBackend::new()).unwrap();
        let ceilings = |_| Ok(Ceilings { operations: 1e12, bytes: 1e11 });
        Framework::new(Arc::new(BigramLoader), Arc::new(trainer)).with_ceilings(ceilings)
    }

    fn benchmark(config: BenchmarkConfig) -> Result<Benchmark> {
        Benchmark::new(config, framework(), Arc::new(CapitalScorer::new()))
    }

    #[test]
    fn a_prefix_takes_its_place_of_a_sequence() {
        let config = BenchmarkConfig { sequence_length: 20, ..BenchmarkConfig::default() };
        let lengths = config.methods.iter().map(|method| config.text_length(method));
        assert_eq!(lengths.collect::<Vec<_>>(), [20, 20, 20, 4]);
    }

    #[test]
    fn a_step_of_a_method_costs_what_it_computes() {
        let size = ModelSize { parameters: 100, multiplied: 100 };
        let of = |method, trained| training_cost(Some(size), &method, trained).operations.unwrap();
        assert_eq!(of(Method::Full {}, 100), 600.0);
        assert_eq!(of(Method::Lora(Default::default()), 10), 460.0);
    }

    #[tokio::test]
    async fn what_is_impossible_is_refused_by_key() {
        let error = benchmark(BenchmarkConfig { repeats: 0, ..BenchmarkConfig::default() });
        assert_eq!(error.unwrap_err().key(), Some("repeats"));
        let root = tempfile::tempdir().unwrap();
        let nowhere = root.path().join("nowhere");
        let benchmark = benchmark(BenchmarkConfig::default()).unwrap();
        let error = benchmark.run(&nowhere, root.path()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn every_work_has_a_rate() {
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("model");
        BigramLm::new(1).save(&model).unwrap();
        let config = BenchmarkConfig {
            documents: 8,
            document_tokens: 40,
            sequence_length: 16,
            batch_size: 2,
            steps: 2,
            methods: vec![Method::Full {}],
            ..BenchmarkConfig::default()
        };
        let found = benchmark(config).unwrap().run(&model, root.path()).await.unwrap();
        let names: Vec<&str> = found.works.iter().map(|work| work.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "4 prompts continued 25 x 20",
                "8 documents of up to 40",
                "likelihood of them",
                "capitals of them",
                "training step, full, 2 x 16",
            ]
        );
        assert!(found.works.iter().all(|work| work.rate > 0.0 && work.rate.is_finite()));
        // The fake's files tell no size.
        assert_eq!((found.size, found.works[0].of_operations), (None, None));
        assert_eq!(found.ceilings, Some(Ceilings { operations: 1e12, bytes: 1e11 }));
    }
}
