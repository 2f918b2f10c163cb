//! The glue between [`Plugin`] and the component's exports.

use std::cell::OnceCell;

use crate::{Configured, Descriptor, Failure, Plugin, Sample, Verdict};

#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "scoring-filter",
        pub_export_macro: true,
        export_macro_name: "export_world",
    });
}

pub use bindings::exports::detoxlm::filter::scoring as wit;
pub use bindings::{export_world, exports};

thread_local! {
    /// The component's plugin. A component has one thread.
    static PLUGIN: OnceCell<Box<dyn Score>> = const { OnceCell::new() };
}

/// A plugin, whatever its number of attributes.
trait Score {
    fn score(&self, samples: &[Sample<'_>]) -> Result<Vec<wit::Verdict>, Failure>;
}

impl<P: Plugin<N>, const N: usize> Score for Configured<P, N> {
    fn score(&self, samples: &[Sample<'_>]) -> Result<Vec<wit::Verdict>, Failure> {
        Ok(Self::score(self, samples)?.into_iter().map(wit::Verdict::from).collect())
    }
}

/// The component's `describe`.
pub fn describe<P: Plugin<N>, const N: usize>() -> wit::Descriptor {
    let Descriptor { name, version, summary, attributes, rejects } = Descriptor::of::<P, N>();
    wit::Descriptor {
        name: name.into(),
        version: version.into(),
        summary: summary.into(),
        attributes: attributes.iter().map(|&attribute| attribute.into()).collect(),
        rejects,
    }
}

/// The component's `configure`.
pub fn configure<P: Plugin<N>, const N: usize>(settings: &str) -> Result<(), wit::Failure> {
    let plugin = Configured::<P, N>::new(settings)?;
    let again = |_| wit::Failure::Internal("`configure` was called twice".into());
    PLUGIN.with(|slot| slot.set(Box::new(plugin)).map_err(again))
}

/// The component's `score`.
pub fn score(batch: &[wit::Sample]) -> Result<Vec<wit::Verdict>, wit::Failure> {
    let samples: Vec<Sample<'_>> =
        batch.iter().map(|sample| Sample::new(&sample.text).with_prompt(&sample.prompt)).collect();
    PLUGIN.with(|slot| match slot.get() {
        Some(plugin) => Ok(plugin.score(&samples)?),
        None => Err(wit::Failure::Internal("`score` was called before `configure`".into())),
    })
}

impl<const N: usize> From<Verdict<N>> for wit::Verdict {
    fn from(verdict: Verdict<N>) -> Self {
        match verdict {
            Verdict::Scores(values) => Self::Scores(values.into()),
            Verdict::Reject(why) => Self::Reject(why),
            Verdict::Abstain(why) => Self::Abstain(why),
        }
    }
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::BadSettings(why) => Self::BadSettings(why),
            Failure::Internal(why) => Self::Internal(why),
        }
    }
}

/// Exports a plugin from the component.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_component {
    ($plugin:ty) => {
        const _: () = {
            struct Component;

            impl $crate::wasm::wit::Guest for Component {
                fn describe() -> $crate::wasm::wit::Descriptor {
                    $crate::wasm::describe::<$plugin, _>()
                }

                fn configure(settings: String) -> Result<(), $crate::wasm::wit::Failure> {
                    $crate::wasm::configure::<$plugin, _>(&settings)
                }

                fn score(
                    batch: Vec<$crate::wasm::wit::Sample>,
                ) -> Result<Vec<$crate::wasm::wit::Verdict>, $crate::wasm::wit::Failure> {
                    $crate::wasm::score(&batch)
                }
            }

    $crate::wasm::export_world!(Component with_types_in $crate::wasm);
        };
    };
}

pub use __export_component as export_component;
