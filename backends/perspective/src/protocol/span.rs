use std::ops::Range;

/// The bytes of `text` between two offsets in UTF-16 code units, the end exclusive: the service
/// counts as JavaScript does.
///
/// `None` where the offsets are not in order, lie outside the text or split a character.
#[must_use]
pub fn bytes_of_utf16(text: &str, units: Range<u32>) -> Option<Range<usize>> {
    if units.start > units.end {
        return None;
    }
    let (mut start, mut end) = (None, None);
    let mut at = 0_u64;
    let boundaries = text.char_indices().map(|(byte, char)| (byte, char.len_utf16() as u64));
    for (byte, length) in boundaries.chain([(text.len(), 0)]) {
        if at == u64::from(units.start) {
            start.get_or_insert(byte);
        }
        if at == u64::from(units.end) {
            end.get_or_insert(byte);
            break;
        }
        at += length;
    }
    Some(start?..end?)
}

/// The offsets in UTF-16 code units of a range of bytes: the way back, for a server.
///
/// `None` where the range is not in order, lies outside the text or splits a character, or an offset
/// is more than a `u32` holds.
#[must_use]
pub fn utf16_of_bytes(text: &str, bytes: Range<usize>) -> Option<Range<u32>> {
    let part = text.get(bytes.clone())?;
    let units = |text: &str| u32::try_from(text.encode_utf16().count()).ok();
    let start = units(text.get(..bytes.start)?)?;
    Some(start..start.checked_add(units(part)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One, two, three and four bytes; one, one, one and two units.
    const TEXT: &str = "aé你😀z";

    #[test]
    fn units_are_counted_and_bytes_are_given() {
        for (units, part) in [
            (0..1, "a"),
            (1..2, "é"),
            (2..3, "你"),
            (3..5, "😀"),
            (5..6, "z"),
            (0..6, TEXT),
            (6..6, ""),
        ] {
            let bytes = bytes_of_utf16(TEXT, units.clone()).unwrap();
            assert_eq!(&TEXT[bytes.clone()], part);
            assert_eq!(utf16_of_bytes(TEXT, bytes), Some(units));
        }
        assert_eq!(bytes_of_utf16("", 0..0), Some(0..0));
    }

    #[test]
    fn what_is_no_part_of_the_text_is_none() {
        #[allow(clippy::reversed_empty_ranges, reason = "a hostile answer may have one")]
        for units in [3..4, 4..5, 0..7, 7..7, 2..1, 0..u32::MAX] {
            assert_eq!(bytes_of_utf16(TEXT, units.clone()), None, "{units:?}");
        }
        assert_eq!(utf16_of_bytes(TEXT, 0..2), None);
        assert_eq!(utf16_of_bytes(TEXT, 0..99), None);
    }

    #[test]
    fn every_pair_of_boundaries_goes_there_and_back() {
        let text = "e\u{301} שלום 👨‍👩‍👧 \u{200b}\u{feff}x";
        let mut boundaries: Vec<_> = text.char_indices().map(|(byte, _)| byte).collect();
        boundaries.push(text.len());
        for (index, &start) in boundaries.iter().enumerate() {
            for &end in &boundaries[index..] {
                let units = utf16_of_bytes(text, start..end).unwrap();
                assert_eq!(bytes_of_utf16(text, units), Some(start..end));
            }
        }
    }
}
