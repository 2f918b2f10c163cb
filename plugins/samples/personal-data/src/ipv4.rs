//! IPv4 addresses: four numbers up to 255 without leading zeros.

use crate::scan::{digits, may_begin, may_end};

pub(crate) fn is_in(text: &str) -> bool {
    text.bytes()
        .enumerate()
        .any(|(at, byte)| byte.is_ascii_digit() && may_begin(text, at) && begins(text, at))
}

fn begins(text: &str, mut at: usize) -> bool {
    let bytes = text.as_bytes();
    for part in 0..4 {
        if part > 0 {
            if bytes.get(at) != Some(&b'.') {
                return false;
            }
            at += 1;
        }
        let count = digits(text, at);
        if !(1..=3).contains(&count) || (count > 1 && bytes[at] == b'0') {
            return false;
        }
        let value =
            bytes[at..at + count].iter().fold(0, |sum, byte| 10 * sum + u32::from(byte - b'0'));
        if value > 255 {
            return false;
        }
        at += count;
    }
    // A port may follow.
    may_end(text, at) || bytes[at] == b':'
}
