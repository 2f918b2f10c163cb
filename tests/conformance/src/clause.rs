//! Sentences of contracts, and what to say when one does not hold.

use std::fmt;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use detoxlm_core::{Error, Result};

use crate::Violation;

/// One sentence of a trait's documentation that callers rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clause {
    contract: &'static str,
    sentence: &'static str,
}

/// Declares the clauses of a suite, and `CLAUSES`, the list of them.
macro_rules! clauses {
    ($contract:literal: $($name:ident = $sentence:literal;)+) => {
        $(const $name: $crate::Clause = $crate::Clause::new($contract, $sentence);)+
        pub(crate) const CLAUSES: &[$crate::Clause] = &[$($name),+];
    };
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: \"{}\"", self.contract, self.sentence)
    }
}

impl Clause {
    pub(crate) const fn new(contract: &'static str, sentence: &'static str) -> Self {
        Self { contract, sentence }
    }

    /// The name of the trait.
    #[must_use]
    pub const fn contract(&self) -> &'static str {
        self.contract
    }

    /// The sentence, or the part of it that is checked, as the trait's documentation has it.
    #[must_use]
    pub const fn sentence(&self) -> &'static str {
        self.sentence
    }

    pub(crate) fn broken(self, seen: impl Into<String>) -> Violation {
        Violation::new(self, seen.into())
    }

    pub(crate) fn require(
        self,
        holds: bool,
        seen: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        if holds { Ok(()) } else { Err(self.broken(seen())) }
    }

    /// What was asked for `asked` must have been answered.
    pub(crate) fn answered<T>(self, asked: &str, result: Result<T>) -> Result<T, Violation> {
        result.map_err(|error| self.broken(format!("{asked}: failed: {error}")).with_source(error))
    }

    /// What was asked for `asked` must have been refused; gives the error.
    pub(crate) fn refused<T>(self, asked: &str, result: Result<T>) -> Result<Error, Violation> {
        match result {
            Ok(_) => Err(self.broken(format!("{asked}: was accepted"))),
            Err(error) => Ok(error),
        }
    }

    /// The answer to `asked` must be `expected`.
    pub(crate) fn same<T: PartialEq + Debug>(
        self,
        asked: &str,
        seen: &T,
        expected: &T,
    ) -> Result<(), Violation> {
        self.require(seen == expected, || {
            format!("{asked}: {}", difference(&format!("{seen:?}"), &format!("{expected:?}")))
        })
    }

    /// Runs `call`; a panic breaks the clause.
    pub(crate) fn unpanicked<T>(
        self,
        asked: &str,
        call: impl FnOnce() -> T,
    ) -> Result<T, Violation> {
        catch_unwind(AssertUnwindSafe(call)).map_err(|_| self.broken(format!("{asked}: panicked")))
    }
}

/// Two long descriptions around the place where they part.
fn difference(seen: &str, expected: &str) -> String {
    const AROUND: usize = 80;
    let seen: Vec<char> = seen.chars().collect();
    let expected: Vec<char> = expected.chars().collect();
    let parting = seen.iter().zip(&expected).take_while(|(a, b)| a == b).count();
    let cut = |text: &[char]| -> String {
        let from = parting.saturating_sub(AROUND).min(text.len());
        let to = (parting + AROUND).min(text.len());
        let (before, after) =
            (if from > 0 { "..." } else { "" }, if to < text.len() { "..." } else { "" });
        format!("{before}{}{after}", text[from..to].iter().collect::<String>())
    };
    format!("`{}` instead of `{}`", cut(&seen), cut(&expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAUSE: Clause = Clause::new("Trait", "It holds.");

    #[test]
    fn a_violation_reads_as_a_sentence() {
        let violation = CLAUSE.same("twice", &1, &2).unwrap_err();
        assert_eq!(
            violation.to_string(),
            "Trait: \"It holds.\" does not hold: twice: `1` instead of `2`"
        );
    }

    #[test]
    fn long_differences_are_cut_around_their_place() {
        let (a, b) = ("é".repeat(500) + "a", "é".repeat(500) + "b");
        let seen = difference(&a, &b);
        assert!(seen.contains("éa`") && seen.contains("éb`") && seen.len() < 500, "{seen}");
    }

    #[test]
    fn a_panic_is_a_violation() {
        let violation = CLAUSE.unpanicked("called", || panic!("boom")).unwrap_err();
        assert_eq!(violation.seen(), "called: panicked");
    }
}
