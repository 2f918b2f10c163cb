//! The configuration of a run: one TOML file.

use std::path::{Path, PathBuf};

use detoxlm::audit::IdentitySource;
use detoxlm::evaluation::{IdentityFalsePositives, ToxicitySettings};
use detoxlm::prompts::PromptStrategy;
use detoxlm::selection::Selection;
use detoxlm::training::{Method, TrainingConfig};
use detoxlm::{GenerationConfig, PipelineConfig, Result};
use serde::Deserialize;

use super::{EvaluationSection, missing, read, resolve_scorer};
use crate::compute::ComputeArguments;
use crate::filters;
use crate::session::DEFAULT_SCORER;

/// Everything that `detoxlm run` is told. Relative paths are relative to the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RunConfig {
    /// The model to detoxify: a directory or a name on the Hub.
    model: Option<PathBuf>,
    /// What rates the corpus: `embedded`, `onnx:DIR` or `profanity-check`.
    pub(crate) scorer: String,
    /// Plugins that drop documents by rules of their own: `NAME.wasm`, or the folder of a `plugin.toml`.
    pub(crate) filters: Vec<String>,
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
    /// What runs and trains the model.
    pub(crate) compute: ComputeArguments,
    false_positives: Option<FalsePositivesSection>,
}

/// Whom the scorer takes for toxic.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FalsePositivesSection {
    /// From here on a value means toxic.
    threshold: f32,
    /// Sentences that name identities, with a label each.
    sentences: IdentitySource,
}

impl Default for FalsePositivesSection {
    fn default() -> Self {
        let threshold = ToxicitySettings::default().threshold;
        Self { threshold, sentences: IdentitySource::default() }
    }
}

impl Default for RunConfig {
    fn default() -> Self {
        let PipelineConfig { seed, prompts, generation, selection, method, training, validation } =
            PipelineConfig::default();
        Self {
            model: None,
            scorer: DEFAULT_SCORER.to_owned(),
            filters: Vec::new(),
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
            false_positives: None,
            compute: ComputeArguments::default(),
        }
    }
}

impl RunConfig {
    /// Reads a file, or standard input when it is `-`.
    ///
    /// # Errors
    /// Those of [`read`](super::read).
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let (mut config, folder) = read::<Self>(path)?;
        config.resolve(&folder);
        Ok(config)
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
        self.filters.iter_mut().for_each(|filter| filters::resolve(filter, folder));
        self.evaluation.resolve(folder);
        let asked = self.false_positives.iter_mut().map(|section| &mut section.sentences.file);
        asked.filter(|file| !file.as_os_str().is_empty()).for_each(resolve);
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

    /// What the scorer that chooses the texts is asked about groups of people.
    pub(crate) fn false_positives(&self) -> Result<Option<IdentityFalsePositives>> {
        let Some(section) = &self.false_positives else { return Ok(None) };
        if section.sentences.file.as_os_str().is_empty() {
            let remedy = "name a CSV, TSV or JSONL file of sentences that name identities";
            return Err(missing("false_positives.sentences.file", remedy));
        }
        IdentityFalsePositives::new(section.sentences.read()?, section.threshold).map(Some)
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

#[cfg(test)]
mod tests {
    use detoxlm::{Error, ErrorKind, Sampling};

    use super::super::parse;
    use super::*;

    fn refused(text: &str) -> Error {
        parse::<RunConfig>(text).unwrap_err()
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
        let parsed = parse::<RunConfig>(prompts).unwrap().prompts;
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
        assert_eq!(toxicity.prompts.unwrap(), at("t"));
        assert_eq!(toxicity.judges, [format!("other:{}", at("judge").display()), "x:none".into()]);
    }

    #[test]
    fn an_empty_section_is_the_default() {
        let config = parse::<RunConfig>("[evaluation.toxicity]\nmax_new_tokens = 10\n").unwrap();
        let settings = config.evaluation.toxicity.unwrap().settings();
        let sampling = Sampling::real_toxicity_prompts().with_max_new_tokens(10);
        assert_eq!(settings, ToxicitySettings { sampling, ..ToxicitySettings::default() });
        assert_eq!(config.model.as_deref(), None);
        assert_eq!(parse::<RunConfig>("").unwrap().pipeline(), PipelineConfig::default());
        assert_eq!(parse::<RunConfig>("").unwrap().scorer, "embedded");
    }
}
