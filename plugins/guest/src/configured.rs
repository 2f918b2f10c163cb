use std::fmt;

use crate::{Descriptor, Failure, Plugin, Sample, Verdict, check, settings};

/// A plugin with its settings, ready to judge: what a component is inside. [`native`] makes one.
pub struct Configured<P, const N: usize>(P);

/// Configures a plugin on this machine, without WebAssembly.
///
/// Settings, judgements and checks are those of the component, so a test of it is a test of the
/// component's code. The settings are JSON: `"{}"` where there are none.
///
/// # Errors
/// [`Failure::BadSettings`].
pub fn native<P: Plugin<N>, const N: usize>(settings: &str) -> Result<Configured<P, N>, Failure> {
    Configured::new(settings)
}

impl<P: Plugin<N>, const N: usize> Configured<P, N> {
    pub(crate) fn new(settings: &str) -> Result<Self, Failure> {
        const { check::<P, N>() };
        Ok(Self(P::new(settings::parse(settings)?)?))
    }

    /// Who the plugin is.
    #[must_use]
    pub const fn describe(&self) -> Descriptor {
        Descriptor::of::<P, N>()
    }

    /// Judges texts: as many verdicts as samples, in their order.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the plugin gives a value outside [0, 1], or rejects a text though
    /// it said that it never does.
    pub fn score(&self, samples: &[Sample<'_>]) -> Result<Vec<Verdict<N>>, Failure> {
        samples.iter().map(|&sample| allowed::<P, N>(self.0.judge(sample))).collect()
    }
}

fn allowed<P: Plugin<N>, const N: usize>(verdict: Verdict<N>) -> Result<Verdict<N>, Failure> {
    match &verdict {
        Verdict::Scores(values) => {
            for (attribute, value) in P::ATTRIBUTES.iter().zip(values) {
                if !(0.0..=1.0).contains(value) {
                    let why = format!("{attribute} came out as {value}, which is not in [0, 1]");
                    return Err(Failure::Internal(why));
                }
            }
        }
        Verdict::Reject(_) if !P::REJECTS => {
            let why = "a text was rejected, but REJECTS says that none is";
            return Err(Failure::Internal(why.into()));
        }
        Verdict::Reject(_) | Verdict::Abstain(_) => {}
    }
    Ok(verdict)
}

impl<P: Plugin<N>, const N: usize> fmt::Debug for Configured<P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("plugin", &P::NAME).finish_non_exhaustive()
    }
}
