use std::collections::HashSet;

use crate::share;

/// What share of a text's lines or paragraphs were there before, and of their characters. Blank ones
/// do not count.
pub(crate) fn repeats<'t>(pieces: impl Iterator<Item = &'t str>) -> (f64, f64) {
    let mut seen = HashSet::new();
    let (mut count, mut repeated) = (0, 0);
    let (mut characters, mut in_repeated) = (0, 0);
    for piece in pieces.map(str::trim).filter(|piece| !piece.is_empty()) {
        let length = piece.chars().count();
        count += 1;
        characters += length;
        if !seen.insert(piece) {
            repeated += 1;
            in_repeated += length;
        }
    }
    (share(repeated, count), share(in_repeated, characters))
}
