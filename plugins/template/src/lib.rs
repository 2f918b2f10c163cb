//! Scores how much of a text is shouted.

use detoxlm_guest::{Plugin, Sample, SettingsError, Verdict};
use serde::Deserialize;

/// `[settings]` in plugin.toml.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Texts with no more letters than this are not judged.
    too_few_letters: usize,
}

pub struct MyPlugin(Settings);

// 1 is the number of attributes.
impl Plugin<1> for MyPlugin {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "The share of capitals among the letters.";
    const ATTRIBUTES: [&'static str; 1] = ["SHOUTING"];
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self(settings))
    }

    fn judge(&self, sample: Sample<'_>) -> Verdict<1> {
        let letters = sample.text.chars().filter(|c| c.is_alphabetic()).count();
        if letters <= self.0.too_few_letters {
            return Verdict::Abstain("too few letters".into());
        }
        let capitals = sample.text.chars().filter(|c| c.is_uppercase()).count();
        Verdict::Scores([capitals as f32 / letters as f32])
    }
}

detoxlm_guest::export!(MyPlugin);
