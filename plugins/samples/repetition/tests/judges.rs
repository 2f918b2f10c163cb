//! Texts and the rule that they break.

use detoxlm_guest::{Failure, Sample, Verdict, native};
use detoxlm_repetition::Repetition;

fn judge(settings: &str, text: &str) -> Verdict {
    native::<Repetition, _>(settings).unwrap().score(&[Sample::new(text)]).unwrap().remove(0)
}

/// The rule that a text breaks, empty for none.
fn broken(settings: &str, text: &str) -> String {
    match judge(settings, text) {
        Verdict::Scores([]) => String::new(),
        Verdict::Reject(why) => why.split(':').next().unwrap().to_owned(),
        Verdict::Abstain(why) => panic!("{text}: {why}"),
    }
}

/// Words that do not repeat.
fn prose(words: usize) -> String {
    with("", words, words)
}

/// Words that do not repeat, with a phrase after every few.
fn with(phrase: &str, every: usize, words: usize) -> String {
    let word = |at: usize| {
        let phrase = if at % every == every - 1 { phrase } else { "" };
        format!("w{}{} {phrase}", at * 7 % 1000, ["ab", "c", "def"][at % 3])
    };
    (0..words).map(word).collect()
}

#[test]
fn ordinary_texts_pass() {
    let texts = [
        "The mill stood by the river, and nobody remembered who had built it, or when.",
        "Yes.",
        "No, no, no!",
        "He was born in 1954 and died in 2010.",
        "- one\n- two\n- three\n\n- four",
        "水車小屋は川のほとりに立っていた。",
        &prose(400),
        "",
    ];
    for text in texts {
        assert_eq!(judge("{}", text), Verdict::PASS, "{text}");
    }
}

#[test]
fn degenerate_texts_break_a_rule() {
    let line = "The wheel turned.\n";
    let paragraph = "The wheel turned again,\nand the miller slept.\n\n";
    let long_line = prose(20) + "\n";
    let later = |words: usize| format!("{}{}", prose(300), prose(words));
    let cases = [
        ("characters that are no letters", "21:23, 5 Nov 2004 (UTC)".to_owned()),
        ("characters that are no letters", "Oh!!!!!!!!!!!!!!!".into()),
        ("copied bytes", "hahahahahahahahahahahaha".into()),
        ("copied bytes", "no".to_owned() + &"o".repeat(50)),
        ("copied bytes", "I am fine. I am fine. I am fine. I am fine. I am".into()),
        ("repeated lines", format!("{line}A B C\n{line}{line}")),
        ("repeated lines", paragraph.repeat(3)),
        ("characters in repeated lines", format!("{long_line}a\nb\nc\nd\n{long_line}")),
        ("repeated paragraphs", "a\n\nb\nc\nd\ne\nf\n\na".into()),
        ("characters in the top 2-gram", with("the miller ", 5, 60)),
        ("characters in the top 4-gram", with("it was the mill ", 9, 90)),
        ("characters in repeated 5-grams", later(60)),
        ("characters in repeated 8-grams", later(45)),
        ("characters in repeated 10-grams", later(37)),
        ("", later(25)),
    ];
    for (rule, text) in cases {
        assert_eq!(broken("{}", &text), rule, "{text}: {:?}", judge("{}", &text));
    }
}

#[test]
fn limits_are_settings_and_1_turns_a_rule_off() {
    let text = "hahahahahahahahahahahaha";
    assert_eq!(broken(r#"{"copied_bytes": 1}"#, text), "");
    assert_eq!(broken(r#"{"no_letters": 0}"#, "Yes."), "characters that are no letters");
    let expected = "copied bytes: 0.92 of it, where 0.5 is the most";
    assert_eq!(judge("{}", text), Verdict::Reject(expected.into()));
}

#[test]
fn wrong_settings_are_refused() {
    let cases = [
        (r#"{"copied_bytes": 1.5}"#, "`copied_bytes`: must be in [0, 1]"),
        (r#"{"in_top_ngram": [0.1, 0.1, -1]}"#, "`in_top_ngram`: must be in [0, 1]"),
        (
            r#"{"in_top_ngram": [0.1]}"#,
            "`in_top_ngram`: invalid length 1, expected an array of length 3",
        ),
    ];
    for (settings, why) in cases {
        let failure = native::<Repetition, _>(settings).unwrap_err();
        assert!(failure.to_string().contains(why), "{failure}");
        assert!(matches!(failure, Failure::BadSettings(_)));
    }
}
