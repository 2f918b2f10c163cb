use std::fmt;

use crate::SettingsError;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The settings are wrong.
    BadSettings(String),
    /// Anything else: the plugin broke its contract.
    Internal(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadSettings(why) => write!(f, "bad settings: {why}"),
            Self::Internal(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::BadSettings(error.to_string())
    }
}
