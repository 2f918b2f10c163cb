//! What the scanners share. Positions are of ASCII characters.

/// Whether a number or code may begin here: not within a word, nor after a digit and what joins
/// numbers.
pub(crate) fn may_begin(text: &str, at: usize) -> bool {
    let mut before = text[..at].chars().rev();
    match before.next() {
        Some('.' | ',' | '-' | '/' | ':') => !before.next().is_some_and(|c| c.is_ascii_digit()),
        Some(character) => !is_word(character),
        None => true,
    }
}

/// Whether a number or code may end before this: not within a word, nor before what joins numbers and
/// another digit.
pub(crate) fn may_end(text: &str, at: usize) -> bool {
    let mut after = text[at..].chars();
    match after.next() {
        Some('.' | ',' | '-' | '/' | ':') => !after.next().is_some_and(|c| c.is_ascii_digit()),
        Some(character) => !is_word(character),
        None => true,
    }
}

/// How many digits begin here.
pub(crate) fn digits(text: &str, at: usize) -> usize {
    text.as_bytes()[at..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
