//! The whole job: vocabulary, vectors, network, directory, figures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use detoxlm_core::corpus::read_texts;
use detoxlm_core::distillation::{
    DistillationJob, DistillationOutcome, HeldOutScores, LabelledRow,
};
use detoxlm_core::files::{create_new_directory, read_json, write_atomically, write_json};
use detoxlm_core::{Cancellation, ErrorKind, Event, Info, Observer, Result};

use super::directory::{self, Name};
use super::examples::Examples;
use super::fit::School;
use super::material::Material;
use super::network::{Sizes, VECTORS};
use super::rounded::Rounded;
use super::trained::Classifier;
use super::vectors::first_vectors;
use super::vocabulary::{self, Vocabulary};
use crate::error::error;
use crate::safetensors_file::{self, Entry};
use crate::weights::Weights;

const OUTCOME: &str = "outcome.json";
const TOKENIZER: &str = "tokenizer.json";
const FIRST_VECTORS: &str = "vectors.safetensors";

/// Does the job, or what is left of it.
pub(super) fn distil(
    trainer: &Info,
    job: &DistillationJob,
    cancellation: &Cancellation,
    observer: &dyn Observer,
) -> Result<DistillationOutcome> {
    if job.output.exists() && !job.work.join(OUTCOME).is_file() {
        return Err(error(ErrorKind::InvalidConfig, "train a classifier", "it exists already")
            .with_path(&job.output)
            .with_key("output")
            .with_remedy("name a directory that does not exist yet"));
    }
    // First: what cannot be learned from leaves nothing that a corrected job would be compared with.
    let material = Material::read(job.rows(), &job.config, observer)?;
    let _lock = job.begin(trainer)?;
    if job.output.exists() {
        let outcome: DistillationOutcome = read_json(job.work.join(OUTCOME))?;
        return Ok(DistillationOutcome { model: job.output.clone(), ..outcome });
    }
    let (teachers, networks) = (job.config.teachers as u64, job.config.networks as u64);
    let begin = |name: &str, number: u64| {
        observer.observe(&Event::PartStarted { name, number, total: 2 + teachers + networks });
    };
    begin("vocabulary", 1);
    let (tokenizer, vocabulary) = vocabulary(job, &material)?;
    cancellation.check()?;
    begin("token vectors", 2);
    let texts: Vec<&str> = material.training.iter().map(|row| row.text.as_str()).collect();
    let rows = vocabulary.encode(&texts)?;
    let are_needed = teachers > 0 || !job.work.join(FIRST_VECTORS).is_file();
    let unlabelled = match are_needed {
        true => unlabelled(job, &vocabulary, cancellation)?,
        false => Vec::new(),
    };
    let vectors = vectors(job, &vocabulary, (&rows, &unlabelled), cancellation)?;

    let (sources, attributes) = (&material.sources, &material.attributes);
    let sizes = Sizes::of(&job.config, vocabulary.size(), attributes.len());
    let texts = match teachers {
        0 => Vec::new(),
        _ => distinct(rows.iter().chain(&unlabelled), job.config.tokens),
    };
    let mut examples = Examples::new(&material.training, rows, sources, attributes, &job.config);
    let school = School {
        sizes: &sizes,
        vectors: &vectors,
        others: examples.others(),
        config: &job.config,
        cancellation,
        observer,
    };
    if teachers > 0 {
        let mut sums = vec![vec![0.0; attributes.len()]; texts.len()];
        for teacher in 0..teachers {
            begin("teacher", 3 + teacher);
            let work = job.work.join(format!("teacher-{teacher}"));
            let seed = job.seed.wrapping_add(1 + teacher);
            let trainee = school.train(&examples, &work, seed)?;
            trainee.add_opinions(&texts, &mut sums)?;
        }
        let mean = |sums: Vec<f32>| sums.iter().map(|sum| sum / teachers as f32).collect();
        let opinions: Vec<Vec<f32>> = sums.into_iter().map(mean).collect();
        examples.add_taught(texts.into_iter().zip(opinions), job.config.taught);
    }
    let (mut rounded, mut steps, mut losses) = (Vec::new(), 0, 0.0);
    for network in 0..networks {
        begin("network", 3 + teachers + network);
        let work = job.work.join(format!("network-{network}"));
        let trainee = school.train(&examples, &work, job.seed.wrapping_add(network))?;
        rounded.push(Rounded::new(sizes.clone(), trainee.weights()));
        steps += trainee.steps();
        losses += trainee.loss;
    }
    let parameters = rounded.iter().map(Rounded::parameters).sum();
    let classifier = Classifier::new(sizes, rounded, attributes.clone(), job.config.window)?;
    let outcome = DistillationOutcome {
        model: PathBuf::new(),
        rows: material.counts(),
        held_out: material.held_out.len(),
        steps,
        parameters,
        final_loss: losses / networks as f64,
        figures: figures(&classifier, &vocabulary, &material)?,
    };
    finish(job, &classifier, &tokenizer, &material, &outcome)?;
    Ok(DistillationOutcome { model: job.output.clone(), ..outcome })
}

/// Makes the vocabulary, or opens that of an earlier sitting.
fn vocabulary(job: &DistillationJob, material: &Material) -> Result<(PathBuf, Vocabulary)> {
    let path = job.work.join(TOKENIZER);
    if !path.is_file() {
        let texts = material.training.iter().map(|row| row.text.as_str());
        let mut json = vocabulary::train(texts, job.config.vocabulary)?;
        json.push('\n');
        write_atomically(&path, json)?;
    }
    let vocabulary = Vocabulary::open(&path)?;
    Ok((path, vocabulary))
}

/// The tokens of the texts without labels.
fn unlabelled(
    job: &DistillationJob,
    vocabulary: &Vocabulary,
    cancellation: &Cancellation,
) -> Result<Vec<Vec<u32>>> {
    let mut tokens = Vec::new();
    for file in &job.unlabelled {
        cancellation.check()?;
        let texts = read_texts(file)?.collect::<Result<Vec<_>>>()?;
        tokens.extend(vocabulary.encode(&texts)?);
    }
    Ok(tokens)
}

/// The texts as training reads them, each once.
fn distinct<'a>(texts: impl Iterator<Item = &'a Vec<u32>>, most: usize) -> Vec<Vec<u32>> {
    let cut = |text: &Vec<u32>| text[..text.len().min(most)].to_vec();
    let all: BTreeSet<Vec<u32>> = texts.map(cut).filter(|text| !text.is_empty()).collect();
    all.into_iter().collect()
}

/// Finds the first vectors of all tokens, or reads those of an earlier sitting.
fn vectors(
    job: &DistillationJob,
    vocabulary: &Vocabulary,
    (rows, unlabelled): (&[Vec<u32>], &[Vec<u32>]),
    cancellation: &Cancellation,
) -> Result<Vec<f32>> {
    let path = job.work.join(FIRST_VECTORS);
    let (size, width) = (vocabulary.size(), job.config.width);
    let name = Sizes::of(&job.config, size, 1).specs()[VECTORS].name.clone();
    if path.is_file() {
        return Weights::open(&[path])?.read(&name, &[size, width]);
    }
    let texts: Vec<&[u32]> = rows.iter().chain(unlabelled).map(Vec::as_slice).collect();
    let values = first_vectors(&texts, size, width, cancellation)?;
    let entry = Entry::Tensor { shape: &[size, width], values: &values };
    write_tensors(&path, name, entry)?;
    Ok(values)
}

/// Whole or not there.
fn write_tensors(path: &Path, name: String, entry: Entry<'_>) -> Result<()> {
    let partial = path.with_extension("partial");
    safetensors_file::write(&partial, vec![(name, entry)])?;
    std::fs::rename(&partial, path)
        .map_err(|e| detoxlm_core::Error::io(crate::error::COMPONENT, "write tensors", path, e))
}

/// What the classifier makes of the texts that were held out.
fn figures(
    classifier: &Classifier,
    vocabulary: &Vocabulary,
    material: &Material,
) -> Result<Vec<detoxlm_core::distillation::AttributeFigures>> {
    if material.held_out.is_empty() {
        return Ok(Vec::new());
    }
    let text = |row: &LabelledRow| row.text.clone();
    let texts: Vec<String> = material.held_out.iter().map(text).collect();
    let scores = classifier.score(&vocabulary.encode(&texts)?)?;
    let mut pairs = HeldOutScores::default();
    for (row, scores) in material.held_out.iter().zip(scores) {
        if let Some(scores) = scores {
            pairs.add(&row.scores, &scores);
        }
    }
    Ok(pairs.figures(&material.attributes))
}

/// Writes the outcome and then the directory, whose appearance completes the job.
fn finish(
    job: &DistillationJob,
    classifier: &Classifier,
    tokenizer: &Path,
    material: &Material,
    outcome: &DistillationOutcome,
) -> Result<()> {
    write_json(job.work.join(OUTCOME), outcome)?;
    let name = Name { name: &job.config.name, version: &job.config.version };
    let (attributes, window) = (&material.attributes, job.config.window);
    create_new_directory(&job.output, |directory| {
        directory::write(directory, classifier, tokenizer, attributes, (name, window))
    })
}
