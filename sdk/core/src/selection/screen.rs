use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use super::{COMPONENT, Candidate, Reason, Selectable, Selection};
use crate::{Error, ErrorKind, Result, Verdict};

/// Tells eligible documents from the others. Its only state is the texts seen so far, so every pass
/// over the same documents starts with a new one and comes to the same answers.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    selection: &'a Selection,
    seen: HashSet<[u8; 16]>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(selection: &'a Selection) -> Self {
        Self { selection, seen: HashSet::new() }
    }

    /// The value of an eligible document, or why it is not.
    pub(super) fn value<R: Selectable>(
        &mut self,
        candidate: &Candidate<R>,
    ) -> Result<Result<f32, Reason>> {
        if let Some(dropped) = &candidate.dropped {
            let (by, why) = (dropped.by.clone(), dropped.why.clone());
            return Ok(Err(Reason::Filtered { by, why }));
        }
        let scores = match &candidate.verdict {
            Verdict::Scored(scores) => scores,
            Verdict::Unscored(_) => return Ok(Err(Reason::Unscored)),
        };
        let Some(value) = scores.get(&self.selection.attribute) else {
            return Ok(Err(Reason::MissingAttribute));
        };
        let text = candidate.row.text().trim();
        if self.is_too_short(text, candidate.row.tokens())? {
            return Ok(Err(Reason::TooShort));
        }
        if self.selection.deduplicate && !self.seen.insert(hash(text)) {
            return Ok(Err(Reason::Duplicate));
        }
        // Without the sign, -0 and 0 are one value and the bits are ordered like the numbers.
        Ok(Ok(value.abs()))
    }

    fn is_too_short(&self, text: &str, tokens: Option<usize>) -> Result<bool> {
        if self.selection.minimum_characters.is_some_and(|least| text.chars().count() < least) {
            return Ok(true);
        }
        let Some(least) = self.selection.minimum_tokens else { return Ok(false) };
        let tokens = tokens.ok_or_else(|| {
            let message = "a row does not say how many tokens it has";
            Error::new(ErrorKind::InvalidInput, COMPONENT, "select documents", message)
                .with_key("minimum_tokens")
                .with_remedy("give every row a field `tokens`, or use minimum_characters")
        })?;
        Ok(tokens < least)
    }
}

fn hash(text: &str) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&Sha256::digest(text)[..16]);
    first
}
