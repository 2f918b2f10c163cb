//! What a plugin may use.

use detoxlm_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::COMPONENT;

/// What a plugin may use. Each is enforced, and which texts are judged depends on them alone.
///
/// Fuel is spent by instructions, about one each, so the same work takes the same fuel on every machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Fuel for a text, whatever its length.
    pub fuel_per_text: u64,
    /// Further fuel for each byte of the text and its prompt.
    pub fuel_per_byte: u64,
    /// Fuel to start: initialisation and `configure`.
    pub fuel_to_start: u64,
    /// MiB of all of the plugin's memories together.
    pub memory_mib: u32,
    /// Elements of all of its tables together.
    pub table_elements: u32,
    /// KiB of a text and its prompt; a longer one is not judged.
    pub text_kib: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel_per_text: 50_000_000,
            fuel_per_byte: 10_000,
            fuel_to_start: 200_000_000,
            memory_mib: 64,
            table_elements: 20_000,
            text_kib: 256,
        }
    }
}

impl Limits {
    /// What no plugin gets more of, unless the host's owner says so.
    #[must_use]
    pub const fn ceiling() -> Self {
        Self {
            fuel_per_text: 5_000_000_000,
            fuel_per_byte: 10_000_000,
            fuel_to_start: 50_000_000_000,
            memory_mib: 512,
            table_elements: 1_000_000,
            text_kib: 16 * 1024,
        }
    }

    /// Checks that every limit is above 0 and at most the ceiling's.
    ///
    /// # Errors
    /// The first that is not.
    pub fn within(&self, ceiling: &Self) -> Result<()> {
        let refuse = |key: &'static str, message: String, remedy: &'static str| {
            let error = Error::new(ErrorKind::InvalidConfig, COMPONENT, "limit a plugin", message);
            Err(error.with_key(format!("limits.{key}")).with_remedy(remedy))
        };
        for ((key, wanted), (_, most)) in self.entries().into_iter().zip(ceiling.entries()) {
            if wanted == 0 {
                return refuse(key, "it is 0".into(), "leave it out for the default");
            }
            if wanted > most {
                let message = format!("{wanted} is more than the {most} that this host gives");
                return refuse(key, message, "ask for less, or raise the host's ceiling");
            }
        }
        Ok(())
    }

    /// Fuel for one text of so many bytes, prompt included.
    #[must_use]
    pub const fn fuel(&self, bytes: usize) -> u64 {
        self.fuel_per_text.saturating_add(self.fuel_per_byte.saturating_mul(bytes as u64))
    }

    pub(crate) const fn memory_bytes(&self) -> usize {
        (self.memory_mib as usize) << 20
    }

    pub(crate) const fn text_bytes(&self) -> usize {
        (self.text_kib as usize) << 10
    }

    fn entries(&self) -> [(&'static str, u64); 6] {
        [
            ("fuel_per_text", self.fuel_per_text),
            ("fuel_per_byte", self.fuel_per_byte),
            ("fuel_to_start", self.fuel_to_start),
            ("memory_mib", self.memory_mib.into()),
            ("table_elements", self.table_elements.into()),
            ("text_kib", self.text_kib.into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_too_much_are_refused_by_name() {
        let ceiling = Limits::ceiling();
        assert!(Limits::default().within(&ceiling).is_ok());
        let none = Limits { fuel_per_byte: 0, ..Limits::default() };
        assert_eq!(none.within(&ceiling).unwrap_err().key(), Some("limits.fuel_per_byte"));
        let much = Limits { memory_mib: 513, ..Limits::default() };
        let error = much.within(&ceiling).unwrap_err();
        assert!(error.to_string().contains("513 is more than the 512"), "{error}");
    }

    #[test]
    fn fuel_grows_with_the_text_and_never_overflows() {
        let limits = Limits::default();
        assert_eq!(limits.fuel(100), 51_000_000);
        let most = Limits { fuel_per_byte: u64::MAX, ..limits };
        assert_eq!(most.fuel(2), u64::MAX);
    }
}
