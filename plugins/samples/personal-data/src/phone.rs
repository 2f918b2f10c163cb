//! Phone numbers that say so: international ones with `+`, and North American ones in their groups.
//! A number without either is just a number.

use std::ops::RangeInclusive;

use crate::scan::{digits, may_begin, may_end};

/// Digits with the country's code; E.164 has at most 15.
const INTERNATIONAL: RangeInclusive<usize> = 9..=15;
/// Country code 1, area and number.
const NORTH_AMERICAN: usize = 11;
/// So many zeros at the end make a quantity.
const ROUND: &[u8] = b"000000";

pub(crate) fn is_in(text: &str) -> bool {
    text.bytes().enumerate().any(|(at, byte)| match byte {
        b'+' => may_begin(text, at) && is_international(text, at + 1),
        b'(' => is_north_american(text, at),
        b'0'..=b'9' => may_begin(text, at) && is_north_american(text, at),
        _ => false,
    })
}

/// Whether an international number begins here, behind its `+`.
fn is_international(text: &str, mut at: usize) -> bool {
    let bytes = text.as_bytes();
    let mut number = Vec::new();
    loop {
        let count = digits(text, at);
        number.extend(&bytes[at..at + count]);
        at += count;
        if number.len() > *INTERNATIONAL.end() {
            return false;
        }
        // Up to two characters apart: `+49 (30) 123-4567`.
        let gap = bytes[at..].iter().take(2).take_while(|byte| b" .-()/".contains(byte)).count();
        if count == 0 || gap == 0 || digits(text, at + gap) == 0 {
            break;
        }
        at += gap;
    }
    let is_number = match number.first() {
        Some(b'1') => {
            number.len() == NORTH_AMERICAN && is_code(&number[1..]) && is_code(&number[4..])
        }
        Some(b'2'..=b'9') => INTERNATIONAL.contains(&number.len()),
        _ => false,
    };
    is_number && !number.ends_with(ROUND) && may_end(text, at)
}

/// Whether `(212) 555-0123`, `212-555-0123` or `212.555.0123` begins here.
fn is_north_american(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let parenthesised = bytes[at] == b'(';
    let area = at + usize::from(parenthesised);
    if digits(text, area) != 3 {
        return false;
    }
    let (exchange, separators): (usize, &[u8]) = match bytes[area + 3..] {
        [b')', b' ', ..] if parenthesised => (area + 5, b"-. "),
        [b')', ..] if parenthesised => (area + 4, b"-. "),
        [b'-', ..] if !parenthesised => (area + 4, b"-"),
        [b'.', ..] if !parenthesised => (area + 4, b"."),
        _ => return false,
    };
    let line = exchange + 4;
    digits(text, exchange) == 3
        && bytes.get(exchange + 3).is_some_and(|byte| separators.contains(byte))
        && digits(text, line) == 4
        && may_end(text, line + 4)
        && is_code(&bytes[area..])
        && is_code(&bytes[exchange..])
}

/// Whether these digits may be a North American area or exchange: neither begins with 0 or 1.
fn is_code(digits: &[u8]) -> bool {
    digits.first().is_some_and(|first| matches!(first, b'2'..=b'9'))
}
