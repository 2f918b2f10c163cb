use serde::de::DeserializeOwned;

use crate::{Sample, SettingsError};

/// Judges texts, one at a time.
///
/// `N` is the number of attributes that it has values for: 0, the default, for one that only rejects.
///
/// # Contract
/// - A verdict depends on the sample and the settings alone: not on the samples before it, not on
///   addresses, and on nothing random.
/// - The prompt is context. The verdict is about the text.
/// - A panic ends the call, and with it the plugin. Answer [`Verdict::Abstain`] instead.
pub trait Plugin<const N: usize = 0>: Sized + 'static {
    /// A short name, such as `word-list`: letters, digits, `-`, `_` and `.`, at most 64.
    const NAME: &'static str;

    /// The plugin's own version; `env!("CARGO_PKG_VERSION")` is its crate's.
    const VERSION: &'static str;

    /// What it does, in a sentence, for people.
    const SUMMARY: &'static str;

    /// What its values are of, in their order; in Perspective's names where they fit: `TOXICITY`,
    /// `INSULT`.
    const ATTRIBUTES: [&'static str; N];

    /// Whether it may answer [`Verdict::Reject`]. By default one without attributes does.
    const REJECTS: bool = N == 0;

    /// What users may set: a struct that derives `Deserialize`, with `#[serde(default)]` for what has
    /// a default, or [`NoSettings`](crate::NoSettings).
    ///
    /// A key that it has no field for is refused. With `#[serde(deny_unknown_fields)]` the message
    /// lists the keys that there are.
    type Settings: DeserializeOwned;

    /// A plugin with these settings.
    ///
    /// # Errors
    /// When a setting has the right type and a wrong value.
    fn new(settings: Self::Settings) -> Result<Self, SettingsError>;

    /// Judges a text, which is never blank.
    fn judge(&self, sample: Sample<'_>) -> Verdict<N>;
}

/// What a plugin says of one text.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<const N: usize = 0> {
    /// A value in [0, 1] for each attribute, in their order. Higher is more toxic.
    Scores([f32; N]),
    /// The text should not be used, whatever its scores, and why. The reason does not quote the text.
    Reject(String),
    /// The plugin cannot judge this text, and why. The text is then unscored, which is not 0.
    Abstain(String),
}

impl Verdict<0> {
    /// Nothing against the text, from a plugin that only rejects.
    pub const PASS: Self = Self::Scores([]);
}

/// Who a plugin is, and what it may answer: its constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// [`Plugin::NAME`].
    pub name: &'static str,
    /// [`Plugin::VERSION`].
    pub version: &'static str,
    /// [`Plugin::SUMMARY`].
    pub summary: &'static str,
    /// [`Plugin::ATTRIBUTES`].
    pub attributes: &'static [&'static str],
    /// [`Plugin::REJECTS`].
    pub rejects: bool,
}

impl Descriptor {
    pub(crate) const fn of<P: Plugin<N>, const N: usize>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            summary: P::SUMMARY,
            attributes: const { &P::ATTRIBUTES },
            rejects: P::REJECTS,
        }
    }
}
