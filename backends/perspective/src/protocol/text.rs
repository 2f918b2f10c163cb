/// The most bytes of UTF-8 that a text may have: 20 KB, since August 2020. TOXICITY itself reads
/// about the first 1,500 tokens of them.
pub const MAX_TEXT_BYTES: usize = 20_480;

/// Whether a text is within the limit.
#[must_use]
pub const fn fits(text: &str) -> bool {
    text.len() <= MAX_TEXT_BYTES
}

/// The longest beginning of a text that is within the limit and ends between characters.
#[must_use]
pub fn cut_to_limit(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_at_the_limit_is_whole_and_one_over_it_is_cut() {
        let text = "x".repeat(MAX_TEXT_BYTES);
        assert!(fits(&text));
        assert_eq!(cut_to_limit(&text), text);
        let longer = text.clone() + "y";
        assert!(!fits(&longer));
        assert_eq!(cut_to_limit(&longer), text);
        assert_eq!(cut_to_limit(""), "");
    }

    #[test]
    fn a_character_on_the_limit_is_left_out_whole() {
        for over in 1..4 {
            let kept = "x".repeat(MAX_TEXT_BYTES - over);
            let text = format!("{kept}😀 and more");
            assert_eq!(cut_to_limit(&text), kept);
        }
        let kept = "x".repeat(MAX_TEXT_BYTES - 4) + "😀";
        assert_eq!(cut_to_limit(&(kept.clone() + "y")), kept);
    }
}
