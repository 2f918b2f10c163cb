//! On what a framework computes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Device, Error, ErrorKind, Result};

/// In which numbers matrices are multiplied, as configurations write it: `f32` or `bf16`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Precision {
    /// Single precision throughout.
    #[default]
    F32,
    /// `bf16`, with sums in `f32`: half the memory, and on recent hardware much faster. What stays in `f32`
    /// besides, a framework says.
    Bf16,
}

impl Precision {
    const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::F32, Self::Bf16].into_iter().find(|known| known.as_str() == name).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidConfig,
                "core",
                "choose a precision",
                format!("\"{name}\" is no precision"),
            )
            .with_key("precision")
            .with_remedy("write f32 or bf16")
        })
    }
}

impl TryFrom<String> for Precision {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<Precision> for String {
    fn from(precision: Precision) -> Self {
        precision.to_string()
    }
}

/// On what a framework computes: what is asked for, and, in an [`Info`](crate::Info), what it came to. Both
/// decide the last bits of every number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Compute {
    /// Where.
    pub device: Device,
    /// In which numbers.
    pub precision: Precision,
}

impl Compute {
    /// Computes there.
    #[must_use]
    pub const fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Computes in these numbers.
    #[must_use]
    pub const fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }
}

impl fmt::Display for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.device, self.precision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_read_as_they_are_written() {
        for precision in [Precision::F32, Precision::Bf16] {
            assert_eq!(precision.to_string().parse::<Precision>().unwrap(), precision);
            let written = serde_json::to_string(&precision).unwrap();
            assert_eq!(serde_json::from_str::<Precision>(&written).unwrap(), precision);
        }
        for name in ["", "F32", "fp16", "f16"] {
            let error = name.parse::<Precision>().unwrap_err();
            assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("precision")));
            assert_eq!(error.remedy(), Some("write f32 or bf16"));
        }
    }
}
