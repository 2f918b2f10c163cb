//! Texts that there is nothing to ask about.

use detoxlm_core::{Sample, Unscored, Verdict};

/// Verdicts of all samples from those of the samples that are not blank.
pub(crate) fn with_blanks(
    samples: &[Sample],
    mut verdicts: impl Iterator<Item = Verdict>,
) -> Vec<Verdict> {
    let verdict = |sample: &Sample| {
        if sample.is_blank() { Some(Verdict::Unscored(Unscored::Blank)) } else { verdicts.next() }
    };
    samples.iter().filter_map(verdict).collect()
}
