//! What a byte may be read as.

/// Itself in lower case, then the letters that it stands in for; 0 for none.
pub(crate) type Readings = [u8; 3];

static READINGS: [Readings; 256] = {
    let mut readings = [[0; 3]; 256];
    let mut byte = 0;
    while byte < 256 {
        let [first, second] = stands_for(byte as u8);
        readings[byte] = [(byte as u8).to_ascii_lowercase(), first, second];
        byte += 1;
    }
    readings
};

const fn stands_for(byte: u8) -> [u8; 2] {
    match byte {
        b'0' => [b'o', 0],
        b'1' | b'!' | b'|' => [b'i', b'l'],
        b'2' => [b'z', 0],
        b'3' => [b'e', 0],
        b'4' | b'@' => [b'a', 0],
        b'5' | b'$' => [b's', 0],
        b'6' | b'9' => [b'g', 0],
        b'7' | b'+' => [b't', 0],
        b'8' => [b'b', 0],
        _ => [0; 2],
    }
}

/// What a byte may be read as.
pub(crate) fn readings(byte: u8) -> Readings {
    READINGS[usize::from(byte)]
}

/// Whether a byte may be read as a letter.
pub(crate) fn reads(byte: u8, letter: u8) -> bool {
    let [itself, first, second] = readings(byte);
    letter == itself || letter == first || letter == second
}

/// Whether a byte that stands in for a letter may do so at the beginning of a word. Of symbols only
/// these look it.
pub(crate) const fn may_begin(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'$' | b'@')
}

/// Whether two bytes may be read as the same letter.
pub(crate) fn are_alike(one: u8, other: u8) -> bool {
    readings(one).iter().any(|&letter| letter != 0 && reads(other, letter))
}
