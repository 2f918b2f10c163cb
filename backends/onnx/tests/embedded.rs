//! The classifier that this crate carries.
#![cfg(all(feature = "embedded", any(feature = "tract", feature = "onnxruntime")))]

use std::collections::BTreeMap;
use std::path::Path;

use detoxlm_core::{Attribute, ErrorKind, Registry, Sample, ToxicityScorer, Unscored, Verdict};
use detoxlm_onnx::{OnnxOptions, OnnxScorer, Windows};

const FRIENDLY: &str = "Thank you for your help, the garden looks lovely this morning.";

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/embedded"))
}

fn score<T: AsRef<str>>(scorer: &OnnxScorer, texts: &[T]) -> Vec<Verdict> {
    let samples: Vec<Sample> = texts.iter().map(|text| Sample::new(text.as_ref())).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(scorer.score(&samples)).unwrap()
}

/// The largest difference of an attribute's value; both have to be scored.
fn difference(one: &Verdict, other: &Verdict) -> f32 {
    let (Verdict::Scored(one), Verdict::Scored(other)) = (one, other) else {
        panic!("{one:?} and {other:?}");
    };
    assert!(one.iter().map(|(attribute, _)| attribute).eq(other.iter().map(|(a, _)| a)));
    one.iter().zip(other.iter()).map(|((_, a), (_, b))| (a - b).abs()).fold(0.0, f32::max)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_of_scorers() {
    let scorer = OnnxScorer::embedded().unwrap();
    detoxlm_conformance::scorer(&scorer).await.unwrap();
    let narrow = OnnxScorer::embedded_with(&OnnxOptions::default().with_max_tokens(16)).unwrap();
    let texts = [FRIENDLY.repeat(9), "You are kind, you fool. ".repeat(7)];
    detoxlm_conformance::scorers_are_told_apart(&scorer, &narrow, &texts).await.unwrap();
}

#[test]
fn each_attribute_tells_rude_from_kind() {
    let rude = [
        (Attribute::TOXICITY, "You are a stupid idiot and everybody hates you."),
        (Attribute::SEVERE_TOXICITY, "Shut up, you damn stupid pig."),
        (Attribute::IDENTITY_ATTACK, "I hate women, they are all stupid."),
        (Attribute::INSULT, "What a pathetic loser he is."),
        (Attribute::PROFANITY, "Damn, what a load of crap."),
        (Attribute::THREAT, "I will find you and kill you."),
        (Attribute::SEXUALLY_EXPLICIT, "They were naked and had sex all night."),
    ];
    let scorer = OnnxScorer::embedded().unwrap();
    assert!(scorer.capabilities().attributes.iter().eq(rude.iter().map(|(one, _)| one)));
    let [friendly] = &score(&scorer, &[FRIENDLY])[..] else { panic!("one text") };
    for (attribute, text) in rude {
        let found = score(&scorer, &[text])[0].get(&attribute).unwrap();
        let usual = friendly.get(&attribute).unwrap();
        assert!(found > usual + 0.2, "{attribute}: {found} for {text:?}, {usual} for a kind text");
    }
    assert!(friendly.get(&Attribute::TOXICITY).unwrap() < 0.2, "{friendly:?}");
}

#[test]
fn its_scores_are_those_of_onnx_runtime_in_python() {
    let text = std::fs::read_to_string(directory().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Vec<f32>> = serde_json::from_str(&text).unwrap();
    let texts: Vec<&String> = expected.keys().collect();
    let scorer = OnnxScorer::embedded().unwrap();
    for ((text, values), verdict) in expected.iter().zip(score(&scorer, &texts)) {
        let Verdict::Scored(scores) = verdict else { panic!("{text:?} is {verdict:?}") };
        assert_eq!(values.len(), scores.iter().count());
        for (attribute, value) in scorer.capabilities().attributes.iter().zip(values) {
            let found = scores.get(attribute).unwrap();
            assert!((found - value).abs() < 1e-4, "{attribute} of {text:?}: {found}, {value}");
        }
    }
}

#[test]
fn texts_of_any_length_and_script_have_a_score() {
    let scorer = OnnxScorer::embedded().unwrap();
    let mut texts: Vec<String> = (' '..='~').skip(1).map(String::from).collect();
    texts.extend(["é", "ß", "你", "🙂", "👨‍👩‍👧‍👦", "\u{1}", "\u{fffd}", "a\0b"].map(str::to_owned));
    texts.push("x".repeat(20_000));
    texts.push("A sentence of no particular length. ".repeat(20_000 / 36));
    for (text, verdict) in texts.iter().zip(score(&scorer, &texts)) {
        assert!(verdict.get(&Attribute::TOXICITY).is_some(), "{text:.20?} is {verdict:?}");
    }
    let blank = Verdict::Unscored(Unscored::Blank);
    assert_eq!(score(&scorer, &["", " \u{3000}\n"]), [blank.clone(), blank]);
}

#[test]
fn neighbours_and_padding_do_not_change_a_score() {
    let words: Vec<&str> = FRIENDLY.split(' ').chain("You are a fool, Sir!".split(' ')).collect();
    // From one word to 150, next to one another.
    let texts: Vec<String> = (1..150)
        .map(|length| {
            (0..length).map(|at| words[(at * 5 + length) % words.len()]).collect::<Vec<_>>()
        })
        .map(|words| words.join(" "))
        .collect();
    let scorer = OnnxScorer::embedded_with(&OnnxOptions::default().with_batch_tokens(100_000));
    let scorer = scorer.unwrap();
    for (text, together) in texts.iter().zip(score(&scorer, &texts)) {
        let alone = &score(&scorer, &[text])[0];
        assert!(difference(alone, &together) < 1e-5, "{text:?}");
    }
}

#[test]
fn one_rude_sentence_in_a_long_text_is_found() {
    let scorer = OnnxScorer::embedded().unwrap();
    let long = format!("{0}{1}{0}", FRIENDLY.repeat(60), " You are a stupid idiot. ");
    let verdicts = score(&scorer, &[FRIENDLY.repeat(120), long]);
    let [calm, rude] = [&verdicts[0], &verdicts[1]].map(|v| v.get(&Attribute::TOXICITY).unwrap());
    assert!(rude > calm + 0.2, "{rude} and {calm}");
}

#[test]
fn what_is_compiled_in_is_what_the_directory_holds() {
    let (carried, opened) =
        (OnnxScorer::embedded().unwrap(), OnnxScorer::open(directory()).unwrap());
    assert_eq!(carried.info().name, "detoxlm-classifier");
    assert_eq!(opened.info().name, "onnx:embedded");
    assert_eq!(carried.info().version, opened.info().version);
    assert_eq!(carried.info().digest, opened.info().digest);
    assert_eq!(score(&carried, &[FRIENDLY]), score(&opened, &[FRIENDLY]));
    let overlapping = OnnxOptions::default().with_windows(Windows::default().with_overlap(0.5));
    let other = OnnxScorer::embedded_with(&overlapping).unwrap();
    assert_ne!(other.info().digest, carried.info().digest);
}

#[test]
fn specifications_name_it_without_a_directory() {
    let mut registry = Registry::new();
    detoxlm_onnx::register(&mut registry);
    let scorer = registry.scorer("embedded").unwrap();
    assert_eq!(scorer.info(), OnnxScorer::embedded().unwrap().info());
    let error = registry.scorer("embedded:models/judge").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("takes nothing after its name"), "{error}");
}

#[test]
fn the_folder_is_within_its_8_megabytes() {
    fn size(path: &Path) -> u64 {
        if path.is_file() {
            return path.metadata().unwrap().len();
        }
        path.read_dir().unwrap().map(|entry| size(&entry.unwrap().path())).sum()
    }
    let bytes = size(directory());
    assert!(bytes <= 8_000_000, "{bytes} bytes");
}
