//! International bank account numbers: a country, the length that it has there, and the remainder 1
//! modulo 97 (ISO 13616).

use crate::scan::{may_begin, may_end};

/// The countries' codes and lengths, by SWIFT's registry.
const COUNTRIES: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 \
    CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 \
    HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 \
    ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 \
    SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

pub(crate) fn is_in(text: &str) -> bool {
    text.as_bytes().windows(4).enumerate().any(|(at, start)| {
        start[..2].iter().all(u8::is_ascii_alphabetic)
            && start[2..].iter().all(u8::is_ascii_digit)
            && may_begin(text, at)
            && length([start[0], start[1]]).is_some_and(|length| is_iban(text, at, length))
    })
}

/// The length that a country's numbers have.
fn length(country: [u8; 2]) -> Option<usize> {
    let country = country.map(|letter| letter.to_ascii_uppercase());
    let entry = COUNTRIES.split_whitespace().find(|entry| entry.as_bytes()[..2] == country)?;
    entry[2..].parse().ok()
}

/// Whether `length` letters and digits from `at` on, with single spaces among them, are a valid number.
fn is_iban(text: &str, mut at: usize, length: usize) -> bool {
    let bytes = text.as_bytes();
    let mut number = Vec::with_capacity(length);
    while number.len() < length {
        match bytes[at..] {
            [byte, ..] if byte.is_ascii_alphanumeric() => number.push(byte),
            [b' ', next, ..] if next.is_ascii_alphanumeric() => {}
            _ => return false,
        }
        at += 1;
    }
    number.rotate_left(4);
    let remainder = number.iter().fold(0, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        // A is 10, B is 11.
        letter => (remainder * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    remainder == 1 && may_end(text, at)
}
