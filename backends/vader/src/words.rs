//! A text as VADER reads it.

use crate::lexicon::Lexicon;

/// A word or emoticon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// In lower case.
    pub(crate) lower: String,
    /// Whether it has letters with a case, and all of them are capital.
    pub(crate) is_shouted: bool,
}

/// The text with pictures in words, set off by a space, and without white space around it.
pub(crate) fn with_pictures_told(text: &str, lexicon: &Lexicon) -> String {
    let mut told = String::with_capacity(text.len());
    let mut after_space = true;
    for character in text.chars() {
        if let Some(picture) = lexicon.pictures.get(&character) {
            if !after_space {
                told.push(' ');
            }
            told.push_str(picture);
            after_space = false;
        } else {
            told.push(character);
            after_space = character == ' ';
        }
    }
    told.trim_matches(is_space).to_owned()
}

/// The words between white space, without punctuation at their ends. What would be left with two
/// characters or fewer keeps it: it may be an emoticon.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let parts = text.split(is_space).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let bare = part.trim_matches(|c: char| c.is_ascii_punctuation());
            let word = if bare.chars().count() <= 2 { part } else { bare };
            Word { lower: word.to_lowercase(), is_shouted: is_shouted(word) }
        })
        .collect()
}

/// What Python's `str.split` splits at: white space and the separators of ASCII.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&character)
}

/// Python's `str.isupper`.
fn is_shouted(word: &str) -> bool {
    word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_goes_from_words_and_stays_on_emoticons() {
        let lower = |text: &str| -> Vec<String> {
            words(text).into_iter().map(|word| word.lower).collect()
        };
        assert_eq!(
            lower("\"Good,\" he  said :) (no) x!\u{1F}end"),
            ["good", "he", "said", ":)", "(no)", "x!", "end"]
        );
        assert!(lower(" \n").is_empty());
        let shouted: Vec<bool> = words("GOOD Good 12 É:").iter().map(|w| w.is_shouted).collect();
        assert_eq!(shouted, [true, false, false, true]);
    }

    #[test]
    fn pictures_are_told_with_a_space_before_them() {
        let (lexicon, _) = Lexicon::embedded().unwrap();
        let heart = &lexicon.pictures[&'💋'];
        assert_eq!(with_pictures_told(" so💋💋. ", &lexicon), format!("so {heart} {heart}."));
    }
}
