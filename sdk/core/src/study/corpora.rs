//! What the models are trained on.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::config::{CorpusSource, StudyCorpus, StudyModel, folder};
use super::driver::Study;
use super::file_generator::FileGenerator;
use super::labelled::Labelled;
use crate::corpus::read_texts;
use crate::pipeline::{KEPT, SelfGeneration};
use crate::prompts::PromptStrategy;
use crate::run::RunDirectory;
use crate::selection::Selection;
use crate::worker::blocking;
use crate::{Digest, GenerationConfig, Generator, Info, ModelDirectory, Result};

/// Everything that a corpus depends on.
#[derive(Serialize)]
struct Manifest<'a> {
    detoxlm: &'static str,
    seed: u64,
    /// The model, or the file, that the texts are of.
    from: &'a Digest,
    scorer: Option<&'a Info>,
    filters: Vec<&'a Info>,
    prompts: &'a PromptStrategy,
    generation: Option<&'a GenerationConfig>,
    selection: Option<&'a Selection>,
    label: Option<&'a str>,
    at_most: Option<f64>,
    documents: Option<u64>,
}

impl<'a> Manifest<'a> {
    /// Of texts that are taken from somewhere as they are.
    fn new(seed: u64, from: &'a Digest) -> Self {
        Self {
            detoxlm: env!("CARGO_PKG_VERSION"),
            seed,
            from,
            scorer: None,
            filters: Vec::new(),
            prompts: &PromptStrategy::Unconditional {},
            generation: None,
            selection: None,
            label: None,
            at_most: None,
            documents: None,
        }
    }
}

/// The file to train on. What is there and complete is used.
pub(super) async fn prepare(
    study: &Study,
    corpus: &StudyCorpus,
    model: &StudyModel,
    root: &Path,
) -> Result<PathBuf> {
    let directory = root.join("corpora").join(folder(&corpus.name));
    match &corpus.source {
        CorpusSource::SelfGenerated { prompts } => {
            let directory = directory.join(folder(&model.name));
            self_generated(study, prompts, model, &directory).await
        }
        CorpusSource::External { file, keep_fraction, documents } => {
            external(study, file, *keep_fraction, *documents, &directory).await
        }
        CorpusSource::Labelled { file, label, at_most, documents } => {
            let wanted = (file.clone(), label.clone(), *at_most, *documents);
            let seed = study.config.seed;
            blocking(move || labelled(&wanted, seed, &directory)).await
        }
    }
}

async fn self_generated(
    study: &Study,
    prompts: &PromptStrategy,
    model: &StudyModel,
    directory: &Path,
) -> Result<PathBuf> {
    let path = model.directory.clone();
    let digest = blocking(move || ModelDirectory::digest_at(&path)).await?;
    let selection = &study.config.selection;
    let run = open(study, prompts, &study.config.generation, selection, &digest, directory)?;
    let components = &study.components;
    let generation = &study.config.generation;
    let stage = components.self_generation(study.config.seed, prompts, generation, selection);
    if !SelfGeneration::is_done(&run) {
        let subject = study.components.load(&model.name, &model.directory, None).await?;
        stage.write(&run, &*subject.generator).await?;
    }
    stage.select(&run).await?;
    Ok(run.selection().join(KEPT))
}

async fn external(
    study: &Study,
    file: &Path,
    keep_fraction: f64,
    documents: Option<u64>,
    directory: &Path,
) -> Result<PathBuf> {
    let path = file.to_path_buf();
    let (digest, available) = blocking(move || {
        let mut available = 0;
        for text in read_texts(&path)?.take(documents.map_or(usize::MAX, |most| most as usize)) {
            text?;
            available += 1;
        }
        Ok((Digest::of_file(&path)?, available))
    })
    .await?;
    let prompts = PromptStrategy::Unconditional {};
    let generation = GenerationConfig { documents: available, ..study.config.generation.clone() };
    generation.validate()?;
    let selection = study.config.selection.clone().with_keep_fraction(keep_fraction);
    let run = open(study, &prompts, &generation, &selection, &digest, directory)?;
    let components = &study.components;
    let stage = components.self_generation(study.config.seed, &prompts, &generation, &selection);
    if !SelfGeneration::is_done(&run) {
        let texts = FileGenerator::new(file.to_path_buf(), digest);
        stage.write(&run, &texts as &dyn Generator).await?;
    }
    stage.select(&run).await?;
    Ok(run.selection().join(KEPT))
}

type Wanted = (PathBuf, String, f64, Option<u64>);

fn labelled(wanted: &Wanted, seed: u64, directory: &Path) -> Result<PathBuf> {
    let (file, label, at_most, documents) = wanted;
    let digest = Digest::of_file(file)?;
    let manifest = Manifest {
        label: Some(label),
        at_most: Some(*at_most),
        documents: *documents,
        ..Manifest::new(seed, &digest)
    };
    let run = RunDirectory::open(directory, &manifest)?;
    let target = run.selection().join(KEPT);
    if !target.is_file() {
        let texts = Labelled { file, label, at_most: *at_most, documents: *documents };
        texts.write(seed, &target)?;
    }
    Ok(target)
}

fn open(
    study: &Study,
    prompts: &PromptStrategy,
    generation: &GenerationConfig,
    selection: &Selection,
    from: &Digest,
    directory: &Path,
) -> Result<RunDirectory> {
    let manifest = Manifest {
        scorer: Some(study.components.scorer.info()),
        filters: study.components.filters.iter().map(|filter| filter.info()).collect(),
        prompts,
        generation: Some(generation),
        selection: Some(selection),
        ..Manifest::new(study.config.seed, from)
    };
    RunDirectory::open(directory, &manifest)
}
