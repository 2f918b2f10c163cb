//! Texts and how many listed words they have. `blorp`, `zaff`, `butt` and `the rapist` stand for worse.

use detoxlm_guest::{Configured, Failure, Sample, Verdict, native};
use detoxlm_word_list::WordList;

const OWN: &str = r#"{"default_list": false,
    "words": ["blorp", "zaff", "butt", "god", "hell", "the rapist", "ass-hat", "дурь"]}"#;

fn plugin(settings: &str) -> Configured<WordList, 0> {
    native(settings).unwrap()
}

fn found(plugin: &Configured<WordList, 0>, text: &str) -> u32 {
    match &plugin.score(&[Sample::new(text)]).unwrap()[..] {
        [Verdict::Scores([])] => 0,
        [Verdict::Reject(why)] => why.split(' ').next().unwrap().parse().unwrap(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn words_are_counted() {
    let cases = [
        (0, "a plain text"),
        (1, "blorp"),
        (1, "A BLORP!"),
        (1, "(blorp)"),
        (2, "blorp, zaff"),
        (2, "blorp-zaff"),
        (1, "un-blorp it"),
        // Whole words only.
        (0, "blorps"),
        (0, "unblorp"),
        (0, "blorp2"),
        (0, "blorpé"),
        (1, "blorp🙂"),
        (1, "🙂blorp"),
        (0, "button, rebuttal"),
        // Phrases.
        (1, "THE  rapist"),
        (1, "the-rapist"),
        (0, "therapist"),
        (0, "the old rapist"),
        (1, "an ass hat"),
        (0, "ass. He had a hat"),
        (1, "дурь"),
        (1, "ДУРЬ!"),
    ];
    let (plain, own) = (OWN.replacen('{', r#"{"obfuscation": false, "#, 1), plugin(OWN));
    let plain = plugin(&plain);
    for (expected, text) in cases {
        assert_eq!(found(&plain, text), expected, "plainly: {text}");
        assert_eq!(found(&own, text), expected, "in disguise: {text}");
    }
}

#[test]
fn disguises_are_seen_through() {
    let cases = [
        // Digits and symbols.
        "b1orp",
        "b!orp",
        "bl0rp",
        "8lorp",
        "z@ff",
        "z4ff",
        "8l0rp",
        "bu++",
        "bu77",
        "b|orp",
        // Between the letters.
        "b l o r p",
        "b.l.o.r.p",
        "b-l-o-r-p",
        "b_l_o_r_p",
        "b*l*o*r*p",
        "b. l. o. r. p.",
        "blo.rp",
        "blo_rp",
        "b l 0 r p",
        "b!l!o!r!p",
        "b'l'o'r'p",
        "U R a b l o r p",
        "b\u{200b}lorp",
        // Repeated.
        "blooorp",
        "BLLLLORP",
        "blorppppp",
        "bl000rp",
        "buttttt",
        "b1l1lorp",
        // Looks alike.
        "blórp",
        "ьӏогр",
        "ｂｌｏｒｐ",
        "𝓫𝕝𝐨𝚛𝖕",
        "blo\u{301}rp",
    ];
    let own = plugin(OWN);
    for text in cases {
        assert_eq!(found(&own, text), 1, "{text}");
        assert_eq!(found(&own, &format!("so, {text}, they say")), 1, "{text}");
    }
}

#[test]
fn what_is_no_disguise_is_left_alone() {
    let cases = [
        "but",
        "buttt0n",
        "good",
        "goods",
        "he'll be there",
        "he’ll",
        "as shown",
        "go d",
        "go, d",
        "blo rp",
        "blo\nrp",
        "bl or p",
        "B1",
        "90d",
        "60D",
        "H311",
        "zoff",
        "bl****p",
        "the. Rapids",
        "b l o r",
        "blo--_--rp",
        "g-o-o-d",
        "",
    ];
    let own = plugin(OWN);
    for text in cases {
        assert_eq!(found(&own, text), 0, "{text}");
    }
}

#[test]
fn short_words_need_better_evidence() {
    let plugin = plugin(r#"{"default_list": false, "words": ["ass", "ill"]}"#);
    for text in
        ["as", "a s", "a $5 note", "A55", "455", "@$$", "a s shown", "1!", "i1!", "!ll", "+!|"]
    {
        assert_eq!(found(&plugin, text), 0, "{text}");
    }
    for text in ["a$$", "a5s", "@ss", "4ss", "a s s", "a.s.s", "asssss", "1ll", "i!l"] {
        assert_eq!(found(&plugin, text), 1, "{text}");
    }
}

#[test]
fn settings_choose_what_counts() {
    let twice = plugin(r#"{"words": ["blorp"], "minimum": 2}"#);
    assert_eq!((found(&twice, "blorp"), found(&twice, "blorp blorp")), (0, 2));
    let default = plugin("{}");
    assert_eq!(found(&default, "sexy butt"), 2);
    let allowing = plugin(r#"{"allow": ["Sexy"]}"#);
    assert_eq!(found(&allowing, "sexy butt"), 1);
    let with_words = plugin(r#"{"words": ["blorp"]}"#);
    assert_eq!(found(&with_words, "sexy blorp"), 2);
}

#[test]
fn wrong_settings_are_refused() {
    let cases = [
        (r#"{"minimum": 0}"#, "`minimum`: must be at least 1"),
        (r#"{"default_list": false}"#, "`words`: without the default list there must be some"),
        (r#"{"allow": ["blorp"]}"#, "`allow`: `blorp` is not in the default list"),
        (r#"{"words": [" - "]}"#, "`words`: an entry has from 1 to 100 bytes, unlike ` - `"),
    ];
    for (settings, why) in cases {
        let failure = native::<WordList, _>(settings).unwrap_err();
        assert_eq!(failure, Failure::BadSettings(why.into()));
    }
}

#[test]
fn every_entry_of_the_default_list_is_found_plainly_and_in_capitals() {
    let default = plugin("{}");
    let plain = plugin(r#"{"obfuscation": false}"#);
    for entry in include_str!("../data/words.txt").lines() {
        for text in [entry.to_owned(), format!("\"{}\"?", entry.to_uppercase())] {
            assert_eq!((found(&default, &text), found(&plain, &text)), (1, 1), "{text}");
        }
    }
}

#[test]
fn a_reason_does_not_quote() {
    let verdicts = plugin(OWN).score(&[Sample::new("blorp zaff")]).unwrap();
    assert_eq!(verdicts, [Verdict::Reject("2 listed words".into())]);
}

#[test]
fn hostile_texts_take_no_longer() {
    let own = plugin(OWN);
    for pattern in ["b", "b!", "b-!", "bl ", "!", "b l o r ", "🖕", "1l!|", "the "] {
        assert_eq!(found(&own, &pattern.repeat(100_000)), 0, "{pattern}");
    }
}
