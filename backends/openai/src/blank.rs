//! Texts that there is nothing to ask about.

use detoxlm_core::{Sample, Unscored, Verdict};

/// Nothing to ask about.
pub(crate) fn is_blank(sample: &Sample) -> bool {
    sample.text.trim().is_empty()
}

/// Verdicts of all samples from those of the samples that are not blank.
pub(crate) fn with_blanks(
    samples: &[Sample],
    mut verdicts: impl Iterator<Item = Verdict>,
) -> Vec<Verdict> {
    let verdict = |sample| {
        if is_blank(sample) { Some(Verdict::Unscored(Unscored::Blank)) } else { verdicts.next() }
    };
    samples.iter().filter_map(verdict).collect()
}
