//! Texts and what is found in them. No number is anybody's: they are those that issuers, registries
//! and standards publish as examples.

use detoxlm_guest::{Failure, Sample, Verdict, native};
use detoxlm_personal_data::PersonalData;

fn judge(settings: &str, text: &str) -> Verdict {
    native::<PersonalData, _>(settings).unwrap().score(&[Sample::new(text)]).unwrap().remove(0)
}

/// What is found of all kinds, empty for nothing.
fn found(text: &str) -> String {
    match judge(r#"{"kinds": ["e-mail", "phone", "card", "iban", "ipv4"]}"#, text) {
        Verdict::Scores([]) => String::new(),
        Verdict::Reject(why) => why,
        Verdict::Abstain(why) => panic!("{text}: {why}"),
    }
}

#[test]
fn personal_data_is_found() {
    let cases = [
        ("e-mail", "Write to jane.doe@example.com."),
        ("e-mail", "<JANE_DOE+news@mail.example.co.uk>,"),
        ("e-mail", "mailto:j@example.org?subject=x"),
        ("e-mail", "jürgen@bücher.example"),
        ("phone", "+1 212 555 0123"),
        ("phone", "call +44 20 7946 0958 now"),
        ("phone", "+49 (30) 901820"),
        ("phone", "tel:+4930901820"),
        ("phone", "+33-1-99-00-12-34"),
        ("phone", "(212) 555-0123"),
        ("phone", "(212)555-0123"),
        ("phone", "212-555-0123, ask for J."),
        ("phone", "212.555.0123."),
        ("card", "4111111111111111"),
        ("card", "4111 1111 1111 1111"),
        ("card", "4111-1111-1111-1111."),
        ("card", "card:5555555555554444, 12/30"),
        ("card", "3782 822463 10005"),
        ("card", "6011111111111117"),
        ("card", "4222222222222"),
        ("card", "4111 1111 1111 1111 123"),
        ("iban", "DE89370400440532013000"),
        ("iban", "pay GB82 WEST 1234 5698 7654 32 please"),
        ("iban", "(fr14 2004 1010 0505 0001 3m02 606)"),
        ("iban", "NO9386011117947."),
        ("ipv4", "from 192.0.2.1"),
        ("ipv4", "203.0.113.255:8080."),
    ];
    for (kind, text) in cases {
        assert_eq!(found(text), kind, "{text}");
        assert_eq!(found(&format!("“{text}”\n")), kind, "{text}");
    }
}

#[test]
fn what_looks_like_it_is_left_alone() {
    let cases = [
        // Dates, times, versions, prices, quantities.
        "2026-11-27",
        "27.11.2026 23:59:59",
        "1.2.3",
        "v1.2.3.4",
        "10.15.7.2.1",
        "1.2.3.04",
        "256.1.1.1",
        "$1,234,567.89",
        "+1,000,000",
        "+10 000 000",
        "+200 000 000",
        "+1 000 000 000",
        "100 200 3000",
        "x = 5 +12345678",
        "3.14159265358979",
        "0.4111111111111111",
        "1-800",
        "123-45-6789",
        "911",
        "1111-222-3333",
        "(123) 456-7890",
        "212-155-0123",
        "212-555-01234",
        "555-0123",
        "12+212345678",
        // Hashes, identifiers, long numbers.
        "d41d8cd98f00b204e9800998ecf8427e",
        "4111111111111111a",
        "x4111111111111111",
        "411111111111111",
        "4111111111111112",
        "41111111111111111111111",
        "550e8400-e29b-41d4-a716-446655440000",
        "978-3-16-148410-0",
        "1234 5678 9012 3456",
        "9999999999999995",
        "4111 11 1111111111",
        "GB82 WEST 1234 5698 7654 33",
        "DE8937040044053201300",
        "DE893704004405320130000",
        "ZZ89370400440532013000",
        "xDE89370400440532013000",
        // Handles, pictures, packages.
        "@jane",
        "jane@",
        "jane@example",
        "a@b",
        "icon@2x.png",
        "lib@1.2.3",
        "@scope/name@1.2.js",
        "me @ home.today",
        "name@.com",
        "name@host..com",
        "...@example.com",
        "@@@@",
        "+",
        "(",
        "+1",
        "",
    ];
    for text in cases {
        assert_eq!(found(text), "", "{text}");
        assert_eq!(found(&format!("so {text} is it")), "", "{text}");
    }
}

#[test]
fn reasons_name_the_kinds_in_their_order_and_quote_nothing() {
    let text = "4111111111111111 j@example.org";
    assert_eq!(judge("{}", text), Verdict::Reject("e-mail, card".into()));
    assert_eq!(
        judge(r#"{"kinds": ["card", "e-mail"]}"#, text),
        Verdict::Reject("card, e-mail".into())
    );
    assert_eq!(judge(r#"{"kinds": ["iban"]}"#, text), Verdict::PASS);
    assert_eq!(judge("{}", "192.0.2.1"), Verdict::PASS);
}

#[test]
fn wrong_settings_are_refused() {
    let cases = [
        (r#"{"kinds": []}"#, "`kinds`: there must be some"),
        (r#"{"kinds": ["name"]}"#, "`kinds[0]`: unknown variant `name`, expected one of `e-mail`"),
        (r#"{"kind": []}"#, "unknown field `kind`, expected `kinds`"),
    ];
    for (settings, expected) in cases {
        let Failure::BadSettings(why) = native::<PersonalData, _>(settings).unwrap_err() else {
            panic!("{settings}")
        };
        assert!(why.contains(expected), "{why}");
    }
}

/// Any bytes, cut anywhere: nothing panics, and long texts take no longer than they must.
#[test]
fn any_text_is_judged() {
    let pieces = ["+", "(", "1", "42", "@", ".", "-", " ", "GB82", "a", "é", "4111", "_", "/", ")"];
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let text: String = (0..12)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                pieces[(state >> 33) as usize % pieces.len()]
            })
            .collect();
        found(&text);
    }
    for piece in ["a@", "a.", "4111 ", "4", "+1", "(212", "GB82", "1.", "a", "+1 "] {
        found(&piece.repeat(100_000));
    }
}
