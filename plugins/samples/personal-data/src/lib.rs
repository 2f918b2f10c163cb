//! Rejects texts with what belongs to a person: a detoxlm plugin.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod card;
mod email;
mod iban;
mod ipv4;
mod phone;
mod scan;

use detoxlm_guest::{Plugin, Sample, SettingsError, Verdict};
use serde::Deserialize;

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An e-mail address.
    #[serde(rename = "e-mail")]
    Email,
    /// A phone number, international or North American.
    Phone,
    /// The number of a payment card.
    Card,
    /// An international bank account number.
    Iban,
    /// An IPv4 address. Version numbers may look like one.
    Ipv4,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Email => "e-mail",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ipv4 => "ipv4",
        }
    }

    fn is_in(self, text: &str) -> bool {
        match self {
            Self::Email => email::is_in(text),
            Self::Phone => phone::is_in(text),
            Self::Card => card::is_in(text),
            Self::Iban => iban::is_in(text),
            Self::Ipv4 => ipv4::is_in(text),
        }
    }
}

/// What users may set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What to look for: `e-mail`, `phone`, `card` and `iban` by default, and `ipv4`.
    pub kinds: Vec<Kind>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kinds: vec![Kind::Email, Kind::Phone, Kind::Card, Kind::Iban] }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct PersonalData {
    kinds: Vec<Kind>,
}

impl Plugin for PersonalData {
    const NAME: &'static str = "personal-data";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "Rejects texts with e-mail addresses, phone numbers, payment cards or IBANs.";
    const ATTRIBUTES: [&'static str; 0] = [];
    type Settings = Settings;

    fn new(Settings { kinds }: Settings) -> Result<Self, SettingsError> {
        if kinds.is_empty() {
            return Err(SettingsError::new("kinds", "there must be some"));
        }
        Ok(Self { kinds })
    }

    fn judge(&self, sample: Sample<'_>) -> Verdict {
        let found: Vec<_> = self
            .kinds
            .iter()
            .filter(|kind| kind.is_in(sample.text))
            .map(|kind| kind.name())
            .collect();
        if found.is_empty() { Verdict::PASS } else { Verdict::Reject(found.join(", ")) }
    }
}

detoxlm_guest::export!(PersonalData);
