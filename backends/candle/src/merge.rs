//! LoRA folded into the weights of its base.

use std::path::Path;

use detoxlm_core::adapter::AdapterDirectory;
use detoxlm_core::causal_lm::{CausalLm, Logits, RowTokens};
use detoxlm_core::files::create_new_directory;
use detoxlm_core::{ErrorKind, ModelDirectory, Result};
use rayon::prelude::*;

use crate::adapters::{self, AdaptationValues, LowRank};
use crate::architecture::{Architecture, Parameter, WeightLayout};
use crate::checkpoint::Checkpoint;
use crate::error::error;
use crate::safetensors_file::{self, Entry};
use crate::{CandleLm, CandleOptions, families, model_files};

/// Tokens on which the merged model is compared with base and adapter.
const CHECKED_TOKENS: usize = 64;

/// What the logits of both may differ by, as a share of the largest.
const TOLERANCE: f32 = 1e-4;

/// How close a merged model is to its base with the adapter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MergeCheck {
    /// The largest difference of two logits.
    pub largest_difference: f32,
    /// The largest logit, by its absolute value.
    pub largest_logit: f32,
}

/// Writes the model in `base`, with the LoRA adapter in `adapter` folded in, as a new directory `out`
/// in Hugging Face's layout and in `f32`: every adapted matrix `W` becomes `W + scale B A`. Before the
/// directory appears, its logits are compared with those of base and adapter.
///
/// # Errors
/// When base or adapter cannot be loaded or do not fit, the adapter is not LoRA (prefixes and
/// bottlenecks are no change of weights), the logits differ by more than rounding, or `out` exists or
/// cannot be written.
pub fn merge(
    base: impl AsRef<Path>,
    adapter: impl AsRef<Path>,
    out: impl AsRef<Path>,
) -> Result<MergeCheck> {
    let directory = ModelDirectory::open(base)?;
    let adapter_directory = AdapterDirectory::open(&adapter)?;
    adapter_directory.check_base(&directory.digest()?)?;
    let architecture = families::describe(&directory)?;
    let added = adapters::open(&architecture, &adapter_directory)?;
    if !added.adaptation.is_low_rank() {
        return Err(error(ErrorKind::Unsupported, OPERATION, "only LoRA is a change of weights")
            .with_path(adapter_directory.path())
            .with_remedy("load it with its base: prefixes and bottlenecks cannot be merged"));
    }
    let checkpoint = Checkpoint::open(&directory, &architecture)?;
    let read = |index| merged(&architecture, &checkpoint, &added, Parameter(index));
    let values: Vec<_> = (0..architecture.parameters.len()).map(read).collect::<Result<_>>()?;
    let entries = checkpoint
        .names()
        .iter()
        .zip(&architecture.parameters)
        .zip(&values)
        .map(|((name, spec), values)| (name.clone(), Entry::Tensor { shape: &spec.shape, values }))
        .collect();
    let mut check = None;
    create_new_directory(out, |partial| {
        model_files::copy(&directory, "float32", partial)?;
        safetensors_file::write(&partial.join("model.safetensors"), entries)?;
        check = Some(compare(directory.path(), adapter.as_ref(), partial)?);
        Ok(())
    })?;
    check.ok_or_else(|| error(ErrorKind::Internal, OPERATION, "the result was not compared"))
}

const OPERATION: &str = "merge an adapter";

/// A parameter of the base with its update.
fn merged(
    architecture: &Architecture,
    checkpoint: &Checkpoint,
    added: &AdaptationValues,
    parameter: Parameter,
) -> Result<Vec<f32>> {
    let mut values = checkpoint.read(architecture, parameter)?;
    let Some(update) = added.adaptation.low_rank(parameter) else { return Ok(values) };
    let columns = architecture.parameters[parameter.0].shape[1];
    values.par_chunks_exact_mut(columns).enumerate().for_each(|(row, values)| {
        for (column, value) in values.iter_mut().enumerate() {
            let (input, output) = match architecture.layout {
                WeightLayout::InOut => (row, column),
                WeightLayout::OutIn => (column, row),
            };
            *value = (f64::from(*value) + change(added, update, input, output)) as f32;
        }
    });
    Ok(values)
}

/// `scale (B A)[output, input]`.
fn change(added: &AdaptationValues, update: &LowRank, input: usize, output: usize) -> f64 {
    let (down, up) = (added.values(update.down), added.values(update.up));
    let inputs = down.len() / update.rank;
    let column = down.iter().skip(input).step_by(inputs);
    let row = &up[output * update.rank..][..update.rank];
    let product = row.iter().zip(column).map(|(&up, &down)| f64::from(up) * f64::from(down));
    update.scale * product.sum::<f64>()
}

fn compare(base: &Path, adapter: &Path, merged: &Path) -> Result<MergeCheck> {
    let open = |directory| CandleLm::open(directory, CandleOptions::default().on_processor());
    let expected = logits(&open(base)?.with_adapter(adapter)?)?;
    let found = logits(&open(merged)?)?;
    let pairs = expected.iter().zip(&found);
    let check = MergeCheck {
        largest_difference: pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
        largest_logit: expected.iter().fold(0.0, |most, logit| most.max(logit.abs())),
    };
    if check.largest_difference <= TOLERANCE * check.largest_logit.max(1.0) {
        return Ok(check);
    }
    Err(error(
        ErrorKind::Internal,
        OPERATION,
        format!(
            "its logits differ by up to {} from those of base and adapter",
            check.largest_difference
        ),
    ))
}

/// The logits after a few tokens from all over the vocabulary.
fn logits(model: &CandleLm) -> Result<Vec<f32>> {
    let capabilities = model.capabilities();
    let count = CHECKED_TOKENS.min(capabilities.context_length);
    let tokens: Vec<_> =
        (0..count).map(|index| (index * 7919 % capabilities.vocabulary) as u32).collect();
    let mut session = model.decode_session(1, count)?;
    let row = session.admit()?;
    let (mut step, mut all) = (Logits::default(), Vec::new());
    for token in &tokens {
        session.step(&[RowTokens { row, tokens: std::slice::from_ref(token) }], &mut step)?;
        all.extend_from_slice(step.row(0));
    }
    Ok(all)
}
