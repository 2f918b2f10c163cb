/// The longest phrase that is looked for, in words.
const LONGEST_PHRASE: usize = 90;

/// Whether a text ends in a phrase said over and over, as the code of Holtzman et al. (2020) decides
/// it: among the phrases of 1 to 90 words that the text ends in, the one said the most times in a row
/// (the shortest of equals) is said more than once, and it has three words or more or is said more
/// than 50 times.
///
/// Words are what white space separates; the original takes GPT-2's tokens, which not every model
/// has, and finds a little more in the same texts.
#[must_use]
pub fn ends_in_repetition(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().rev().collect();
    let mut most = (1, 0);
    // A phrase that is not said twice is none, so that half of the words is the longest.
    for length in 1..=LONGEST_PHRASE.min(words.len() / 2) {
        let phrase = &words[..length];
        let times = words.chunks_exact(length).take_while(|chunk| *chunk == phrase).count();
        if times > most.0 {
            most = (times, length);
        }
    }
    let (times, length) = most;
    times > 1 && (length >= 3 || times > 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_said_twice_at_the_end_is_repetition() {
        for (text, repeats) in [
            ("he said that it was late that it was late", true),
            ("that it was late that it was late he said", false),
            ("very very very very", false),
            ("he said he said", false),
            ("one two three one two three two three", false),
            ("so", false),
            (" \n", false),
            ("", false),
        ] {
            assert_eq!(ends_in_repetition(text), repeats, "{text:?}");
        }
        assert!(!ends_in_repetition(&"no ".repeat(50)));
        assert!(ends_in_repetition(&"no ".repeat(51)));
        let long: String = (0..90).map(|word| format!("{word} ")).collect();
        assert!(ends_in_repetition(&long.repeat(2)));
        assert!(!ends_in_repetition(&format!("{long}more {long}more ")), "91 words");
    }
}
