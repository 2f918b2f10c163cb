//! What a detoxlm plugin in Rust is written with: one trait, [`Plugin`], and one macro, [`export!`].
//!
//! A plugin judges texts: it scores them, rejects them, or both. It sees a text at a time and has no
//! files, network, clock or randomness. This crate does the rest: batches, settings, the glue of the
//! component model and the errors.
//!
//! ```
//! use detoxlm_guest::{NoSettings, Plugin, Sample, SettingsError, Verdict};
//!
//! /// How much of a text is shouted.
//! struct Shouting;
//!
//! impl Plugin<1> for Shouting {
//!     const NAME: &'static str = "shouting";
//!     const VERSION: &'static str = env!("CARGO_PKG_VERSION");
//!     const SUMMARY: &'static str = "The share of capitals among the letters.";
//!     const ATTRIBUTES: [&'static str; 1] = ["SHOUTING"];
//!     type Settings = NoSettings;
//!
//!     fn new(_: NoSettings) -> Result<Self, SettingsError> {
//!         Ok(Self)
//!     }
//!
//!     fn judge(&self, sample: Sample<'_>) -> Verdict<1> {
//!         let letters = sample.text.chars().filter(|c| c.is_alphabetic()).count();
//!         let capitals = sample.text.chars().filter(|c| c.is_uppercase()).count();
//!         match letters {
//!             0 => Verdict::Abstain("there are no letters".into()),
//!             _ => Verdict::Scores([capitals as f32 / letters as f32]),
//!         }
//!     }
//! }
//!
//! detoxlm_guest::export!(Shouting);
//!
//! // The same code runs without WebAssembly, in tests for example.
//! let shouting = detoxlm_guest::native::<Shouting, _>("{}")?;
//! let verdicts = shouting.score(&[Sample::new("OH no"), Sample::new("42")])?;
//! assert_eq!(verdicts[0], Verdict::Scores([0.5]));
//! assert!(matches!(verdicts[1], Verdict::Abstain(_)));
//! # Ok::<(), detoxlm_guest::Failure>(())
//! ```
//!
//! A crate of the type `cdylib`, built for `wasm32-unknown-unknown`, becomes a component by
//! `detoxlm plugin pack`. `plugins/template` is one to copy.
//!
//! # What is caught, and when
//!
//! - When it is compiled: a verdict of too many or too few values, an [attribute](Plugin::ATTRIBUTES)
//!   named twice, a [name](Plugin::NAME) that hosts refuse, a plugin that neither scores nor rejects.
//! - When it is configured: settings that are no JSON object, that [`Plugin::Settings`] does not
//!   parse, or with a key that it does not know; the message names the key.
//! - When it judges: a value outside [0, 1], or a rejection by a plugin that said that it has none.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod check;
mod configured;
mod failure;
mod plugin;
mod sample;
mod settings;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod wasm;

#[doc(hidden)]
pub use check::check;
pub use configured::{Configured, native};
pub use failure::Failure;
pub use plugin::{Descriptor, Plugin, Verdict};
pub use sample::Sample;
pub use settings::{NoSettings, SettingsError};

/// Makes a [`Plugin`] what the crate's component exports. Once in a crate.
///
/// It checks the plugin's constants on every target, and does no more where that is not WebAssembly:
///
/// ```compile_fail,E0080
/// # use detoxlm_guest::{NoSettings, Plugin, Sample, SettingsError, Verdict};
/// # struct Shouting;
/// impl Plugin<2> for Shouting {
///     const NAME: &'static str = "much shouting"; // a space
///     const ATTRIBUTES: [&'static str; 2] = ["INSULT", "INSULT"]; // twice
/// #   const VERSION: &'static str = "1.0.0";
/// #   const SUMMARY: &'static str = "Shouting.";
/// #   type Settings = NoSettings;
/// #   fn new(_: NoSettings) -> Result<Self, SettingsError> { Ok(Self) }
/// #   fn judge(&self, _: Sample<'_>) -> Verdict<2> { Verdict::Scores([0.0, 0.0]) }
///     // …
/// }
/// detoxlm_guest::export!(Shouting);
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        const _: () = $crate::check::<$plugin, _>();
        #[cfg(target_family = "wasm")]
        $crate::wasm::export_component!($plugin);
    };
}
