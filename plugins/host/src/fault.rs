//! What goes wrong inside a plugin, and what it is called.

use std::fmt;

use detoxlm_core::remote::one_line;
use wasmtime::{Error as WasmError, Trap};

use crate::bindings::Failure;
use crate::limits::Limits;

/// Why a plugin did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It used up its fuel.
    Fuel,
    /// It asked for more memory than it may have.
    Memory,
    /// It asked for larger tables than it may have.
    Table,
    /// Its calls went too deep.
    Stack,
    /// It handed over more than the host takes.
    Output,
    /// It called something that it imports.
    Import(String),
    /// It trapped.
    Trap(String),
    /// It answered what the contract does not allow.
    Answer(String),
    /// It answered with a failure of its own.
    Failure(String),
    /// It refused its settings.
    Settings(String),
    /// What it exports is not of the contract's types.
    Contract(String),
    /// The clock ran out, which says nothing of the text.
    Deadline,
    /// Nobody waits for the answer.
    Abandoned,
}

impl Fault {
    /// Whether it is the text's: the same on every machine, whenever it is asked.
    pub(crate) const fn is_of_text(&self) -> bool {
        !matches!(self, Self::Deadline | Self::Abandoned | Self::Settings(_) | Self::Contract(_))
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Fuel => {
                "raise `fuel_per_text` or `fuel_per_byte` under [limits] in its plugin.toml, or set \
                 failure = \"abstain\" there"
            }
            Self::Memory => {
                "raise `memory_mib` under [limits] in its plugin.toml, or set failure = \"abstain\" \
                 there"
            }
            Self::Table => {
                "raise `table_elements` under [limits] in its plugin.toml, or set failure = \
                 \"abstain\" there"
            }
            Self::Contract(_) => "build it against the published filter.wit",
            Self::Settings(_) => "correct [settings] in its plugin.toml",
            Self::Deadline => {
                "run it again on a machine with less to do, or give the host a longer deadline; the \
                 plugin may also be stuck in one long memory operation"
            }
            Self::Abandoned => "run the same command again",
            Self::Import(_) => {
                "build the plugin without it: plugins have no files, network, clock, environment or \
                 randomness"
            }
            _ => {
                "tell its author, whom `detoxlm plugin check` shows it, or set failure = \"abstain\" \
                 in its plugin.toml"
            }
        }
    }

    /// From what wasmtime says of a call.
    pub(crate) fn of(error: &WasmError) -> Self {
        Self::known(error).unwrap_or_else(|| Self::Trap(one_line(&error.root_cause().to_string())))
    }

    /// From what wasmtime says of making an instance: what is not the guest's doing is its type.
    pub(crate) fn of_start(error: &WasmError) -> Self {
        Self::known(error).unwrap_or_else(|| Self::Contract(one_line(&format!("{error:#}"))))
    }

    fn known(error: &WasmError) -> Option<Self> {
        if let Some(fault) = error.downcast_ref::<Self>() {
            return Some(fault.clone());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => return Some(Self::Fuel),
            Some(Trap::StackOverflow) => return Some(Self::Stack),
            Some(trap) => return Some(Self::Trap(trap_name(*trap))),
            None => {}
        }
        // These two are known by their messages alone.
        let cause = error.root_cause().to_string();
        if cause.contains("fuel allocated for hostcalls") {
            return Some(Self::Output);
        }
        let (name, _) = cause.strip_prefix("unknown import: `")?.split_once('`')?;
        Some(Self::Import(name.to_owned()))
    }

    /// In words, with the limit that was reached.
    pub(crate) fn describe(&self, limits: &Limits) -> String {
        match self {
            Self::Fuel => format!(
                "it used up its fuel ({} for a text and {} for each byte)",
                limits.fuel_per_text, limits.fuel_per_byte
            ),
            Self::Memory => format!("it asked for more than {} MiB of memory", limits.memory_mib),
            Self::Table => {
                format!("it asked for tables of more than {} elements", limits.table_elements)
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fuel => f.write_str("it used up its fuel"),
            Self::Memory => f.write_str("it asked for too much memory"),
            Self::Table => f.write_str("it asked for too large tables"),
            Self::Stack => f.write_str("its calls went too deep for the stack"),
            Self::Output => f.write_str("its answer is larger than the host takes"),
            Self::Import(name) => write!(f, "it called {name}, which no plugin has"),
            Self::Trap(why) => write!(f, "it trapped: {why}"),
            Self::Answer(why) => write!(f, "it broke the contract: {why}"),
            Self::Failure(why) => write!(f, "it failed: {why}"),
            Self::Settings(why) => write!(f, "it refused its settings: {why}"),
            Self::Contract(why) => write!(f, "it does not fit its version of the contract: {why}"),
            Self::Deadline => f.write_str("it was not done when the clock ran out"),
            Self::Abandoned => f.write_str("nobody waits for its answer any more"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::BadSettings(why) => Self::Settings(one_line(&why)),
            Failure::Internal(why) => Self::Failure(one_line(&why)),
        }
    }
}

fn trap_name(trap: Trap) -> String {
    let text = trap.to_string();
    text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
}
