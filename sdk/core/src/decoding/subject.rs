use std::path::Path;
use std::sync::Arc;

use crate::causal_lm::CausalLm;
use crate::{LoadOptions, LocalGenerator, LocalLikelihood, ModelDirectory, Result, Subject};

/// What a loader gives of a local model: a generator and a likelihood over the same weights, under the name
/// of the directory, or of that of the adapter that was loaded with it.
///
/// # Errors
/// When the system refuses a thread.
pub fn local_subject(
    model: Arc<dyn CausalLm>,
    directory: &Path,
    options: &LoadOptions,
) -> Result<Subject> {
    let generator = LocalGenerator::new(Arc::clone(&model))?.with_options(options);
    Ok(Subject {
        name: ModelDirectory::name_of(options.adapter.as_deref().unwrap_or(directory)),
        generator: Arc::new(generator),
        likelihood: Some(Arc::new(LocalLikelihood::new(model)?)),
    })
}
