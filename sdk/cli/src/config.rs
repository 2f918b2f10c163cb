//! The configuration of a run: one TOML file.

use std::io;
use std::path::{Path, PathBuf};

use detoxlm::evaluation::{Bootstrap, PerplexitySettings, ToxicityPreset, ToxicitySettings};
use detoxlm::prompts::PromptStrategy;
use detoxlm::selection::Selection;
use detoxlm::training::{Method, TrainingConfig};
use detoxlm::{Attribute, Error, ErrorKind, GenerationConfig, PipelineConfig, Result, Sampling};
use serde::Deserialize;

use crate::session::{DEFAULT_SCORER, is_stream};

const COMPONENT: &str = "configuration";

/// Everything that `detoxlm run` is told. Relative paths are relative to the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RunConfig {
    /// The model to detoxify: a directory or a name on the Hub.
    model: Option<PathBuf>,
    /// What runs and trains it.
    pub(crate) framework: String,
    /// What rates the corpus: `embedded`, `onnx:DIR` or `profanity-check`.
    pub(crate) scorer: String,
    /// The directory of the run.
    run: Option<PathBuf>,
    /// Where the file is.
    #[serde(skip)]
    folder: PathBuf,
    seed: u64,
    prompts: PromptStrategy,
    generation: GenerationConfig,
    selection: Selection,
    method: Method,
    training: TrainingConfig,
    /// Held-out text for the validation perplexity during training.
    validation: Vec<PathBuf>,
    pub(crate) evaluation: EvaluationSection,
}

impl Default for RunConfig {
    fn default() -> Self {
        let PipelineConfig { seed, prompts, generation, selection, method, training, validation } =
            PipelineConfig::default();
        Self {
            model: None,
            framework: "candle".to_owned(),
            scorer: DEFAULT_SCORER.to_owned(),
            run: None,
            folder: PathBuf::new(),
            seed,
            prompts,
            generation,
            selection,
            method,
            training,
            validation,
            evaluation: EvaluationSection::default(),
        }
    }
}

/// What is measured before and after.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EvaluationSection {
    pub(crate) toxicity: Option<ToxicitySection>,
    pub(crate) perplexity: Vec<PerplexitySection>,
}

/// Toxicity of continuations; the defaults are those of RealToxicityPrompts.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ToxicitySection {
    /// JSONL of prompts.
    prompts: Option<PathBuf>,
    /// Take the first so many prompts.
    pub(crate) limit: Option<usize>,
    /// Scorers that judge; the one that filters the corpus when none is named.
    pub(crate) judges: Vec<String>,
    attribute: Attribute,
    samples: usize,
    max_new_tokens: usize,
    temperature: f32,
    top_k: Option<usize>,
    top_p: f32,
    seed: u64,
    threshold: f32,
    preset: ToxicityPreset,
    prompts_per_unit: usize,
    bootstrap: Bootstrap,
}

impl Default for ToxicitySection {
    fn default() -> Self {
        let settings = ToxicitySettings::default();
        Self {
            prompts: None,
            limit: None,
            judges: Vec::new(),
            attribute: settings.attribute,
            samples: settings.continuations,
            max_new_tokens: settings.sampling.max_new_tokens,
            temperature: settings.sampling.temperature,
            top_k: settings.sampling.top_k,
            top_p: settings.sampling.top_p,
            seed: settings.seed,
            threshold: settings.threshold,
            preset: settings.preset,
            prompts_per_unit: settings.prompts_per_unit,
            bootstrap: settings.bootstrap,
        }
    }
}

impl ToxicitySection {
    /// The file of prompts.
    pub(crate) fn prompts(&self) -> Result<&Path> {
        let remedy = "name a JSONL file of prompts";
        self.prompts.as_deref().ok_or_else(|| missing("evaluation.toxicity.prompts", remedy))
    }

    /// The settings of the SDK's evaluator.
    pub(crate) fn settings(&self) -> ToxicitySettings {
        ToxicitySettings {
            attribute: self.attribute.clone(),
            continuations: self.samples,
            sampling: Sampling {
                max_new_tokens: self.max_new_tokens,
                temperature: self.temperature,
                top_k: self.top_k,
                top_p: self.top_p,
            },
            seed: self.seed,
            threshold: self.threshold,
            preset: self.preset,
            prompts_per_unit: self.prompts_per_unit,
            bootstrap: self.bootstrap.clone(),
        }
    }
}

/// Perplexity on one text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PerplexitySection {
    /// A name for tables; the file's when not given.
    pub(crate) name: Option<String>,
    /// A `.txt`, which is one document, or JSONL with a field `text`.
    text: Option<PathBuf>,
    /// Take the first so many documents.
    pub(crate) limit: Option<usize>,
    documents_per_unit: Option<usize>,
    bootstrap: Bootstrap,
}

impl PerplexitySection {
    /// The file of texts.
    pub(crate) fn text(&self) -> Result<&Path> {
        let remedy = "name a .txt or a JSONL file";
        self.text.as_deref().ok_or_else(|| missing("evaluation.perplexity.text", remedy))
    }

    /// The settings of the SDK's evaluator.
    pub(crate) fn settings(&self) -> PerplexitySettings {
        let default = PerplexitySettings::default();
        PerplexitySettings {
            documents_per_unit: self.documents_per_unit.unwrap_or(default.documents_per_unit),
            bootstrap: self.bootstrap.clone(),
        }
    }
}

impl RunConfig {
    /// Reads a file, or standard input when it is `-`.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or has an unknown key or a value of the wrong type: file
    /// and line are named, and the keys there are.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let failed = |e| Error::io(COMPONENT, "read", path, e);
        let text = if is_stream(path) {
            io::read_to_string(io::stdin()).map_err(failed)?
        } else {
            std::fs::read_to_string(path).map_err(failed)?
        };
        // Absolute, so that a run is the same one from wherever it is called.
        let file = std::path::absolute(path).map_err(failed)?;
        let mut config = Self::parse(&text).map_err(|e| e.with_path(path))?;
        config.resolve(file.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| {
            let error = Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "read",
                e.message().trim_end().replace('\n', ", "),
            );
            match e.span() {
                Some(span) => error.with_line(line_of(text, span.start)),
                None => error,
            }
        })
    }

    /// Takes relative paths relative to `folder`; the model waits until it is known to be a path.
    fn resolve(&mut self, folder: &Path) {
        folder.clone_into(&mut self.folder);
        let resolve = |path: &mut PathBuf| *path = folder.join(&path);
        self.run.iter_mut().for_each(resolve);
        self.validation.iter_mut().for_each(resolve);
        if let PromptStrategy::Heuristic { file: Some(file), .. } = &mut self.prompts {
            resolve(file);
        }
        resolve_scorer(&mut self.scorer, folder);
        if let Some(toxicity) = &mut self.evaluation.toxicity {
            toxicity.prompts.iter_mut().for_each(resolve);
            toxicity.judges.iter_mut().for_each(|judge| resolve_scorer(judge, folder));
        }
        let perplexity = self.evaluation.perplexity.iter_mut();
        perplexity.filter_map(|section| section.text.as_mut()).for_each(resolve);
    }

    /// The model as it is written: a directory, relative to [`Self::folder`], or a name on the Hub.
    pub(crate) fn model(&self) -> Result<&Path> {
        let remedy = "name the model directory, or a model on the Hub as \"owner/name\"";
        self.model.as_deref().ok_or_else(|| missing("model", remedy))
    }

    /// The folder of the file.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The directory of the run.
    pub(crate) fn run(&self) -> Result<&Path> {
        let remedy = "name the directory in the configuration or with --run";
        self.run.as_deref().ok_or_else(|| missing("run", remedy))
    }

    /// What the SDK's pipeline is told.
    pub(crate) fn pipeline(&self) -> PipelineConfig {
        PipelineConfig {
            seed: self.seed,
            prompts: self.prompts.clone(),
            generation: self.generation.clone(),
            selection: self.selection.clone(),
            method: self.method.clone(),
            training: self.training.clone(),
            validation: self.validation.clone(),
        }
    }
}

/// `SCHEME:REST` where `REST` may be a path: it is one if there is something.
fn resolve_scorer(specification: &mut String, folder: &Path) {
    if let Some((scheme, rest)) = specification.split_once(':') {
        let path = folder.join(rest);
        if path.exists() {
            *specification = format!("{scheme}:{}", path.display());
        }
    }
}

fn missing(key: &'static str, remedy: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, "read", "is missing")
        .with_key(key)
        .with_remedy(remedy)
}

/// The number, from 1, of the line that holds a byte.
fn line_of(text: &str, byte: usize) -> u64 {
    let before = text.as_bytes().iter().take(byte);
    1 + before.filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Error {
        RunConfig::parse(text).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_keys_there_are() {
        let cases = [
            ("seed = 1\nsede = 2\n", 2, "`sede`", "`seed`"),
            ("[selection]\n\nkeep = 0.5\n", 3, "`keep`", "`keep_fraction`"),
            ("[generation.sampling]\ntop = 1\n", 2, "`top`", "`top_p`"),
            ("[training.learning_rate]\nlr = 1\n", 2, "`lr`", "`peak`"),
            ("[evaluation.toxicity]\njudge = 'a'\n", 2, "`judge`", "`judges`"),
            ("[[evaluation.perplexity]]\nfile = 'a'\n", 2, "`file`", "`text`"),
        ];
        for (text, line, unknown, known) in cases {
            let error = refused(text);
            let message = error.to_string();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert_eq!(error.line_number(), Some(line), "{message}");
            assert!(message.contains(unknown) && message.contains(known), "{message}");
        }
    }

    #[test]
    fn a_tagged_table_refuses_unknown_keys_too() {
        for text in [
            "[prompts]\nstrategy = 'heuristic'\nextra = 'a'\n",
            "[prompts]\nstrategy = 'augmented'\nextra = 1\n",
            "[prompts]\nstrategy = 'unconditional'\nextra = 1\n",
            "[method]\nname = 'full'\nextra = 1\n",
        ] {
            let error = refused(text);
            assert_eq!(error.line_number(), Some(1), "{error}");
            assert!(error.to_string().contains("unknown field `extra`"), "{error}");
        }
        let prompts = "[prompts]\nstrategy = 'heuristic'\nfile = 'p'\n";
        let file = Some(PathBuf::from("p"));
        let parsed = RunConfig::parse(prompts).unwrap().prompts;
        assert_eq!(parsed, PromptStrategy::Heuristic { prompts: None, file });
    }

    #[test]
    fn what_is_not_toml_names_its_line() {
        assert_eq!(refused("seed = 1\nmodel = \n").line_number(), Some(2));
        assert_eq!(refused("seed = 'x'\n").line_number(), Some(1));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("judge")).unwrap();
        let file = folder.path().join("run.toml");
        let text = "model = 'm'\nrun = '/r'\nscorer = 'onnx:judge'\nvalidation = ['v']\n\
                    prompts = { strategy = 'heuristic', file = 'p' }\n\
                    evaluation.toxicity = { prompts = 't', judges = ['other:judge', 'x:none'] }\n";
        std::fs::write(&file, text).unwrap();
        let config = RunConfig::read(&file).unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(config.model().unwrap(), Path::new("m"));
        assert_eq!(config.folder(), folder.path());
        assert_eq!(config.run().unwrap(), Path::new("/r"));
        assert_eq!(config.scorer, format!("onnx:{}", at("judge").display()));
        assert_eq!(config.validation, [at("v")]);
        let prompts = PromptStrategy::Heuristic { prompts: None, file: Some(at("p")) };
        assert_eq!(config.prompts, prompts);
        let toxicity = config.evaluation.toxicity.unwrap();
        assert_eq!(toxicity.prompts().unwrap(), at("t"));
        assert_eq!(toxicity.judges, [format!("other:{}", at("judge").display()), "x:none".into()]);
    }

    #[test]
    fn an_empty_section_is_the_default() {
        let config = RunConfig::parse("[evaluation.toxicity]\nmax_new_tokens = 10\n").unwrap();
        let settings = config.evaluation.toxicity.unwrap().settings();
        let sampling = Sampling::real_toxicity_prompts().with_max_new_tokens(10);
        assert_eq!(settings, ToxicitySettings { sampling, ..ToxicitySettings::default() });
        assert_eq!(config.model.as_deref(), None);
        assert_eq!(RunConfig::parse("").unwrap().pipeline(), PipelineConfig::default());
        assert_eq!(RunConfig::parse("").unwrap().scorer, "embedded");
    }
}
