//! For an author's own tests: is the component the code that it is built from?

use detoxlm_core::{Attribute, Result, Sample};

use crate::judge::Judgement;
use crate::plugin::Plugin;

/// What native code says of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// These values, in the order of the plugin's attributes; none for a plugin without any.
    Scores(Vec<f32>),
    /// It should not be used, for this reason.
    Reject(String),
    /// No opinion, for this reason.
    Abstain(String),
}

/// A text of which the component says something else than native code does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The text.
    pub sample: Sample,
    /// What native code says.
    pub native: Answer,
    /// What the component says.
    pub component: Judgement,
}

/// Asks native code and the component about the same texts, and tells where they differ. Blank and too
/// long texts, which no plugin is asked about, are passed over. Values must be equal to the bit: both
/// sides compute in IEEE 754.
///
/// # Errors
/// When the component cannot judge a text and its policy is to fail.
pub async fn differences(
    plugin: &Plugin,
    samples: &[Sample],
    native: impl Fn(&Sample) -> Answer,
) -> Result<Vec<Difference>> {
    let judgements = plugin.judge(samples).await?;
    let attributes = &plugin.descriptor().attributes;
    let differing = samples.iter().zip(judgements).filter_map(|(sample, component)| {
        if matches!(component, Judgement::Blank | Judgement::TooLong) {
            return None;
        }
        let native = native(sample);
        let sample = sample.clone();
        (!same(&native, &component, attributes)).then_some(Difference { sample, native, component })
    });
    Ok(differing.collect())
}

fn same(native: &Answer, component: &Judgement, attributes: &[Attribute]) -> bool {
    match (native, component) {
        (Answer::Scores(values), Judgement::Passed) => values.is_empty(),
        (Answer::Scores(values), Judgement::Scored(scores)) => {
            let given = attributes.iter().map(|attribute| scores.get(attribute));
            values.iter().copied().map(Some).eq(given)
        }
        (Answer::Reject(why), Judgement::Rejected(other))
        | (Answer::Abstain(why), Judgement::Abstained(other)) => why == other,
        _ => false,
    }
}
