//! Asks an implementation in calls of the size and number that suit it, and holds it to one answer a
//! question.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::{
    Attribute, Error, ErrorKind, Generation, GenerationRequest, Generator, Info, Result, Sample,
    ToxicityScorer, Verdict,
};

/// Continues every prompt. One call keeps a local model's rows filled; a server wants several at
/// once.
///
/// # Errors
/// When a call fails, or does not answer every question once.
pub async fn generate(
    generator: &dyn Generator,
    requests: &[GenerationRequest],
) -> Result<Vec<Vec<Generation>>> {
    let capabilities = generator.capabilities();
    let concurrency = capabilities.concurrency.max(1);
    let samples = requests.first().map_or(1, |request| request.samples.max(1));
    let per_call = match concurrency {
        1 => requests.len(),
        _ => capabilities.batch / samples,
    };
    let calls: Vec<_> = requests
        .chunks(per_call.max(1))
        .map(|chunk| async move {
            let answers = generator.generate(chunk).await?;
            expect_answers(generator.info(), chunk.len(), answers.len())?;
            for (request, answer) in chunk.iter().zip(&answers) {
                expect_answers(generator.info(), request.samples, answer.len())?;
            }
            Ok::<_, Error>(answers)
        })
        .collect();
    let answers: Vec<_> = stream::iter(calls).buffered(concurrency).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

/// Scores every text.
///
/// # Errors
/// When a call fails, or does not answer every question once.
pub async fn score(scorer: &dyn ToxicityScorer, samples: &[Sample]) -> Result<Vec<Verdict>> {
    let capabilities = scorer.capabilities();
    let calls: Vec<_> = samples
        .chunks(capabilities.batch.max(1))
        .map(|chunk| async move {
            let verdicts = scorer.score(chunk).await?;
            expect_answers(scorer.info(), chunk.len(), verdicts.len())?;
            Ok::<_, Error>(verdicts)
        })
        .collect();
    let answers: Vec<_> =
        stream::iter(calls).buffered(capabilities.concurrency.max(1)).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

/// Checks that a scorer gives an attribute, before somebody (`component`) does something with it that it
/// is needed for (`operation`).
///
/// # Errors
/// When it does not ([`ErrorKind::InvalidConfig`]); those that it gives are listed.
pub fn expect_attribute(
    scorer: &dyn ToxicityScorer,
    attribute: &Attribute,
    component: &'static str,
    operation: &'static str,
) -> Result<()> {
    let there = &scorer.capabilities().attributes;
    if there.contains(attribute) {
        return Ok(());
    }
    let names: Vec<_> = there.iter().map(Attribute::as_str).collect();
    let message = format!("{} does not give {attribute}", scorer.info().name);
    Err(Error::new(ErrorKind::InvalidConfig, component, operation, message)
        .with_key("attribute")
        .with_remedy(format!("it gives {}", names.join(", "))))
}

/// Checks that an implementation answered every question once.
///
/// # Errors
/// When it did not; it is named.
pub fn expect_answers(who: &Info, asked: usize, answered: usize) -> Result<()> {
    if asked == answered {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        "core",
        "use an answer",
        format!("{answered} answers to {asked} questions"),
    )
    .with_key(who.name.clone())
    .with_remedy("this is a fault of that implementation: see its trait's contract"))
}
