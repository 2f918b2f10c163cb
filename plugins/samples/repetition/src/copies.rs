/// The shortest copy worth one: shorter ones are words.
const SHORTEST: usize = 8;
/// How far back a copy may come from. What is further is not a loop, and long texts would copy more.
const WINDOW: usize = 1024;
const SLOTS: usize = 4096;

/// The share of bytes that a greedy Lempel-Ziv coder copies from a little before.
pub(crate) fn share(text: &[u8]) -> f64 {
    // Where eight bytes with this hash were last, plus one.
    let mut last = vec![0_usize; SLOTS];
    let (mut copied, mut copied_to) = (0, 0);
    for (at, &eight) in text.array_windows::<SHORTEST>().enumerate() {
        let slot = slot(eight);
        let before = std::mem::replace(&mut last[slot], at + 1);
        if at < copied_to || before == 0 || at + 1 - before > WINDOW {
            continue;
        }
        let source = text[before - 1..].iter();
        let length = source.zip(&text[at..]).take_while(|(one, other)| one == other).count();
        if length >= SHORTEST {
            copied += length;
            copied_to = at + length;
        }
    }
    crate::share(copied, text.len())
}

/// Fibonacci hashing.
fn slot(bytes: [u8; SHORTEST]) -> usize {
    let hash = u64::from_le_bytes(bytes).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 52) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_copied() {
        assert_eq!(share(b""), 0.0);
        assert_eq!(share(b"abcdefghijklmnop"), 0.0);
        assert_eq!(share(b"abcdefghabcdefgh"), 0.5);
        assert_eq!(share(b"aaaaaaaaaa"), 0.9);
        assert_eq!(share(b"hahahahahahahahahaha"), 0.9);
        // Seven bytes are too few, and a kilobyte away is too far.
        assert_eq!(share(b"abcdefg-abcdefg+"), 0.0);
        let far: Vec<u8> = (0..1100_u32).flat_map(|number| number.to_le_bytes()).collect();
        let far = [b"abcdefgh", &far[..], b"abcdefgh"].concat();
        assert!(share(&far) < 0.01);
    }
}
