//! The suite of [`ModelLoader`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use detoxlm_core::{Event, GenerationRequest, LoadOptions, ModelLoader, Observer, Sampling};

use crate::Violation;

clauses! { "ModelLoader":
    SHARED = "`load` gives a subject whose generator and likelihood share the weights in memory";
    MISSING = "A directory that is not a model of this framework is an error that says what is missing.";
    ADAPTER = "`options.adapter` is loaded with the model";
    HEARS = "`options.observer` hears of the tokens that the subject generates.";
}

/// Checks a loader on `model`, a directory that it can read; `directory` should be empty and may be
/// thrown away.
///
/// What it loads has to pass [`generator`](crate::generator()) and
/// [`likelihood`](crate::likelihood()), too.
///
/// # Errors
/// The first sentence of the contracts that does not hold.
pub async fn model_loader(
    loader: &dyn ModelLoader,
    model: &Path,
    directory: &Path,
) -> Result<(), Violation> {
    not_a_model(loader, directory).await?;
    let heard = Arc::new(Tokens::default());
    let hearing = LoadOptions::default().with_observer(Arc::clone(&heard) as Arc<dyn Observer>);
    let subject = SHARED.answered("a model directory", loader.load(model, &hearing).await)?;
    let request = GenerationRequest {
        id: 1,
        prompt: "Once upon a time".to_owned(),
        samples: 4,
        sampling: Sampling::default().with_max_new_tokens(8),
        seed: 1,
    };
    let answers = SHARED.answered("a prompt", subject.generator.generate(&[request]).await)?;
    let written: usize = answers.iter().flatten().map(|generation| generation.tokens).sum();
    let heard = heard.0.load(Ordering::SeqCst);
    HEARS.require(heard > 0 || written == 0, || format!("{heard} heard of, {written} written"))?;
    crate::generator(&*subject.generator).await?;
    if let Some(likelihood) = &subject.likelihood {
        SHARED.same("whose likelihood", &likelihood.info(), &subject.generator.info())?;
        crate::likelihood(&**likelihood).await?;
    }
    let nothing = directory.join("no-adapter");
    let adapted = LoadOptions::default().with_adapter(&nothing);
    let error =
        ADAPTER.refused("an adapter that is not there", loader.load(model, &adapted).await)?;
    let names_it = error.path().is_some_and(|path| path.starts_with(&nothing));
    ADAPTER.require(names_it, || format!("{} is not named: {error}", nothing.display()))?;
    let again = SHARED.answered("once more", loader.load(model, &LoadOptions::default()).await)?;
    SHARED.same("loaded twice", &again.generator.info(), &subject.generator.info())
}

/// An empty directory, and none.
async fn not_a_model(loader: &dyn ModelLoader, directory: &Path) -> Result<(), Violation> {
    let empty = directory.join("empty");
    std::fs::create_dir_all(&empty)
        .map_err(|error| MISSING.broken(format!("cannot make a directory: {error}")))?;
    for place in [empty, directory.join("absent")] {
        let asked = place.display().to_string();
        let error = MISSING.refused(&asked, loader.load(&place, &LoadOptions::default()).await)?;
        let names_it = error.path().is_some_and(|path| path.starts_with(&place));
        MISSING.require(names_it, || format!("{asked} is not named: {error}"))?;
    }
    Ok(())
}

/// Counts tokens.
#[derive(Debug, Default)]
struct Tokens(AtomicU64);

impl Observer for Tokens {
    fn observe(&self, event: &Event<'_>) {
        if let Event::TokensGenerated { count } = event {
            self.0.fetch_add(*count, Ordering::SeqCst);
        }
    }
}
