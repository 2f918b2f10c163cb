//! Payment cards: 13 to 19 digits, together or in groups, of a known issuer, with Luhn's check digit
//! (ISO/IEC 7812).

use std::ops::RangeInclusive;

use crate::scan::{digits, may_begin, may_end};

const LENGTH: RangeInclusive<usize> = 13..=19;
/// `4111 1111 1111 1111`, `3782 822463 10005`.
const FIRST_GROUP: usize = 4;
const OTHER_GROUPS: RangeInclusive<usize> = 3..=6;

pub(crate) fn is_in(text: &str) -> bool {
    let mut at = 0;
    while at < text.len() {
        match digits(text, at) {
            0 => at += 1,
            count if may_begin(text, at) && begins(text, at, count) => return true,
            count => at += count,
        }
    }
    false
}

/// Whether a card begins with the group of `count` digits at `at`.
fn begins(text: &str, at: usize, count: usize) -> bool {
    let bytes = text.as_bytes();
    if LENGTH.contains(&count) {
        return may_end(text, at + count) && is_card(&bytes[at..at + count]);
    }
    if count != FIRST_GROUP {
        return false;
    }
    let mut number = bytes[at..at + count].to_vec();
    let mut end = at + count;
    let separator = bytes.get(end).copied().filter(|byte| matches!(byte, b' ' | b'-'));
    // What follows, a security code say, is another number: every group may be the last.
    while separator.is_some() && bytes.get(end).copied() == separator {
        let count = digits(text, end + 1);
        if !OTHER_GROUPS.contains(&count) {
            return false;
        }
        number.extend(&bytes[end + 1..end + 1 + count]);
        end += 1 + count;
        if number.len() > *LENGTH.end() {
            return false;
        }
        // After a hyphen there is no security code.
        let ends = may_end(text, end);
        if ends && LENGTH.contains(&number.len()) && is_card(&number) {
            return true;
        }
    }
    false
}

fn is_card(number: &[u8]) -> bool {
    has_issuer(number) && passes_luhn(number)
}

/// Whether a number begins as those of an issuer of payment cards do.
fn has_issuer(number: &[u8]) -> bool {
    let first = number.iter().take(4).fold(0, |sum, digit| 10 * sum + u32::from(digit - b'0'));
    match first {
        // Diners Club, American Express, JCB.
        3000..=3099 | 3600..=3699 | 3800..=3999 => number.len() >= 14,
        3400..=3499 | 3700..=3799 => number.len() == 15,
        3528..=3589 => number.len() >= 16,
        // Visa.
        4000..=4999 => matches!(number.len(), 13 | 16 | 19),
        // Mastercard.
        2221..=2720 | 5100..=5599 => number.len() == 16,
        // Maestro, Discover, UnionPay.
        5000..=5099 | 5600..=6999 => true,
        _ => false,
    }
}

fn passes_luhn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (u32::from(digit - b'0'), at % 2) {
            (digit, 0) => digit,
            (digit, _) if digit > 4 => 2 * digit - 9,
            (digit, _) => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_digit_fails() {
        let number = *b"4111111111111111";
        assert!(is_card(&number));
        for at in 1..number.len() {
            for digit in b'0'..=b'9' {
                let mut wrong = number;
                wrong[at] = digit;
                assert_eq!(is_card(&wrong), wrong == number);
            }
        }
    }
}
