use serde::{Deserialize, Serialize};

use crate::evaluation::{Bootstrap, COMPONENT};
use crate::{Error, ErrorKind, Result};

/// How tasks are measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskSettings {
    /// How many items make a unit, the grain of resume: an interrupted unit is made again.
    pub items_per_unit: usize,
    /// How intervals are made.
    pub bootstrap: Bootstrap,
}

impl Default for TaskSettings {
    fn default() -> Self {
        Self { items_per_unit: 64, bootstrap: Bootstrap::default() }
    }
}

impl TaskSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        if self.items_per_unit == 0 {
            let message = "must be at least 1";
            return Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "set up a task", message)
                .with_key("items_per_unit"));
        }
        self.bootstrap.validate()
    }
}
