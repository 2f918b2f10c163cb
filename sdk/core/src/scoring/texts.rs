use crate::{Attribute, Result, Sample, Scores, Unscored, Verdict, Worker};

/// Scores texts one by one on a thread of the scorer's own, for scorers that read the text alone, give one
/// attribute, and would keep async workers from their work. A blank text has no score.
///
/// # Errors
/// When a value is not in [0, 1], or nobody waits any more.
pub async fn score_texts(
    worker: &Worker,
    samples: &[Sample],
    attribute: Attribute,
    value: impl Fn(&str) -> f32 + Send + 'static,
) -> Result<Vec<Verdict>> {
    let text = |sample: &Sample| (!sample.is_blank()).then(|| sample.text.clone());
    let texts: Vec<Option<String>> = samples.iter().map(text).collect();
    worker
        .run(move |cancellation| {
            texts
                .iter()
                .map(|text| {
                    cancellation.check()?;
                    match text {
                        Some(text) => Ok(Scores::new([(attribute.clone(), value(text))])?.into()),
                        None => Ok(Verdict::Unscored(Unscored::Blank)),
                    }
                })
                .collect()
        })
        .await
}
