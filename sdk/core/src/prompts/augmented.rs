use super::{COMPONENT, Prompts};
use crate::selection::{Candidate, Cut, Outcome, Selectable, Selection, Selector};
use crate::{Error, ErrorKind, Result};

/// The first half of a text, cut at the white space nearest to its middle character (of two equally
/// near, the earlier one). `None` when it has no white space to cut at.
///
/// White space at the ends of the text and of the half is not part of it.
#[must_use]
pub fn halve(text: &str) -> Option<&str> {
    let text = text.trim();
    let middle = text.chars().count() / 2;
    let (_, end) = text
        .char_indices()
        .enumerate()
        .filter(|(_, (_, character))| character.is_whitespace())
        .map(|(position, (byte, _))| (position.abs_diff(middle), byte))
        .min()?;
    Some(text[..end].trim_end())
}

/// The first halves of the documents that `selection` keeps, in their order.
///
/// `source` begins a pass over the pool; it is called three times.
///
/// # Errors
/// When the selection keeps nothing, or no document that it keeps can be halved.
pub fn augmented_prompts<R, S, I>(mut source: S, selection: &Selection) -> Result<Prompts>
where
    R: Selectable,
    S: FnMut() -> Result<I>,
    I: IntoIterator<Item = Result<Candidate<R>>>,
{
    let cut = Cut::find(&mut source, selection)?;
    let mut selector = Selector::new(selection, &cut);
    let mut prompts = Vec::new();
    for candidate in source()? {
        let candidate = candidate?;
        if let Outcome::Kept(_) = selector.decide(&candidate)? {
            prompts.extend(halve(candidate.row.text()).map(str::to_owned));
        }
    }
    if prompts.is_empty() {
        let message = format!("none of the {} least toxic documents can be halved", cut.quota);
        return Err(Error::new(ErrorKind::Empty, COMPONENT, "augment prompts", message)
            .with_remedy("let the model write longer or more documents"));
    }
    Prompts::new(prompts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::TextRow;
    use crate::{Attribute, Scores};

    #[test]
    fn a_text_is_cut_at_the_white_space_nearest_to_its_middle() {
        for (text, half) in [
            ("one two three four", Some("one two")),
            ("  one two  ", Some("one")),
            ("a verylongword", Some("a")),
            ("averylongword b", Some("averylongword")),
            ("ab cd ef", Some("ab cd")),
            ("ab c de", Some("ab")),
            ("one\n\n\ntwo", Some("one")),
            ("word", None),
            ("   ", None),
            ("", None),
            ("\u{1F600}\u{1F600} \u{1F600}é été", Some("\u{1F600}\u{1F600} \u{1F600}é")),
        ] {
            assert_eq!(halve(text), half, "{text:?}");
        }
    }

    #[test]
    fn the_least_toxic_documents_become_prompts() {
        let augment = |texts: [&str; 4]| {
            let pool: Vec<_> = texts
                .into_iter()
                .zip([0.9, 0.2, 0.1, 0.3])
                .map(|(text, value)| {
                    let scores = Scores::new([(Attribute::TOXICITY, value)]).unwrap();
                    Candidate::new(TextRow::new(text), scores.into())
                })
                .collect();
            augmented_prompts(|| Ok(pool.iter().cloned().map(Ok)), &Selection::default())
        };
        assert_eq!(augment(["a b", "c d", "e f", "g h"]).unwrap().as_slice(), ["c", "e"]);
        assert_eq!(augment(["a b", "cd", "e f", "g h"]).unwrap().as_slice(), ["e"]);
        let error = augment(["a b", "cd", "ef", "g h"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Empty);
    }
}
