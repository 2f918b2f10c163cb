//! Characters to the letters that they are read as.

use std::borrow::Cow;

use crate::tables::LOOK_ALIKES;

/// Lower case for what is not ASCII; ASCII stays as it is.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { text.into() } else { text.to_lowercase().into() }
}

/// Latin letters for what looks like one, nothing for what is not seen, lower case for the rest that
/// is not ASCII; ASCII stays as it is.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            folded.push(character);
        } else if let Ok(at) = LOOK_ALIKES.binary_search_by_key(&character, |pair| pair.0) {
            folded.push(LOOK_ALIKES[at].1);
        } else if !is_unseen(character) {
            folded.extend(character.to_lowercase());
        }
    }
    folded.into()
}

/// Accents apart from their letter, soft hyphens, joiners, and what chooses directions and glyphs.
const fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_is_folded() {
        let cases = [
            ("Plain", "Plain"),
            ("Blórp", "Blorp"),
            ("blo\u{301}rp", "blorp"),
            ("b\u{200b}l\u{ad}orp", "blorp"),
            ("ьӏогр", "blorp"),
            ("ｂｌｏｒｐ", "blorp"),
            ("𝓫𝕝𝐨𝚛𝖕", "blorp"),
            ("ⓑⓛⓞⓡⓟ", "blorp"),
            ("🅱🅻🅾🆁🅿", "bLorp"),
            ("ЖИЗ 竜", "жиз 竜"),
        ];
        for (text, expected) in cases {
            assert_eq!(fold(text).to_lowercase(), expected.to_lowercase(), "{text}");
        }
        assert_eq!(lower("ÄB"), "äb");
    }
}
