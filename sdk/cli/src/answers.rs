//! Answers that a backend owes.

use detoxlm::{Error, ErrorKind, Info, Result};

/// Checks that `who` answered every question once: rows must not get lost in between.
pub(crate) fn expect(who: &Info, asked: usize, answered: usize) -> Result<()> {
    if asked == answered {
        return Ok(());
    }
    let message = format!("{answered} answers to {asked} questions");
    Err(Error::new(ErrorKind::Incompatible, who.name.clone(), "answer", message)
        .with_remedy("this is a fault of that implementation: see its trait's contract"))
}

#[cfg(test)]
mod tests {
    use detoxlm::Digest;

    use super::*;

    #[test]
    fn a_missing_answer_is_told_with_who_owes_it() {
        let who = Info::new("judge", "1", Digest::of("judge"));
        assert!(expect(&who, 2, 2).is_ok());
        let error = expect(&who, 2, 1).unwrap_err().to_string();
        assert!(error.contains("judge") && error.contains("1 answers to 2"), "{error}");
    }
}
