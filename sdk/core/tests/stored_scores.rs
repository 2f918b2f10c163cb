//! Metrics out of stored scores, against what `tests/fixtures/make_toxicity.py` says the references
//! compute on the same.

use std::fs;
use std::path::{Path, PathBuf};

use detoxlm_core::evaluation::{
    Bootstrap, PromptSet, Slice, StoredScores, StoredToxicity, ToxicityPreset, ToxicitySettings,
};
use detoxlm_core::{Attribute, ErrorKind, Evaluation};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/toxicity")).join(name)
}

fn settings(preset: ToxicityPreset) -> ToxicitySettings {
    let bootstrap = Bootstrap { resamples: 100, ..Bootstrap::default() };
    ToxicitySettings { bootstrap, ..preset.settings() }
}

fn measured(scores: StoredScores, preset: ToxicityPreset) -> Evaluation {
    StoredToxicity::read(scores, &settings(preset)).unwrap().evaluation("stored", None).unwrap()
}

fn open(name: &str) -> StoredScores {
    StoredScores::open(fixture(name)).unwrap()
}

fn prompts() -> PromptSet {
    PromptSet::read(fixture("prompts.jsonl"), None).unwrap()
}

fn expected() -> Value {
    serde_json::from_str(&fs::read_to_string(fixture("expected.json")).unwrap()).unwrap()
}

#[test]
fn every_preset_gives_what_its_reference_gives() {
    let expected = expected();
    for (preset, file, slices) in [
        (ToxicityPreset::Rtp, "collated.jsonl", 3),
        (ToxicityPreset::Sgeat2022, "collated.jsonl", 3),
        (ToxicityPreset::Helm, "collated.jsonl", 3),
        (ToxicityPreset::LmEval, "greedy.jsonl", 1),
    ] {
        let evaluation = measured(open(file), preset);
        let of_reference = expected[preset.as_str()].as_object().unwrap();
        assert_eq!(of_reference.len(), slices);
        for (slice, values) in of_reference {
            for (name, value) in values.as_object().unwrap().iter().filter(|(name, _)| *name != "n")
            {
                let found = evaluation.get(name, slice).unwrap();
                let (found, expected) = (found.value.unwrap(), value.as_f64().unwrap());
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{} {name} {slice}: {found} for {expected}",
                    preset.as_str()
                );
            }
            let emt = evaluation.get("expected_maximum_toxicity", slice).unwrap();
            assert_eq!(emt.n, values["n"].as_u64().unwrap(), "{} {slice}", preset.as_str());
        }
    }
}

#[test]
fn diversity_is_what_dexperts_nltk_and_holtzman_find() {
    let evaluation = measured(open("collated.jsonl"), ToxicityPreset::Rtp);
    let expected = &expected()["diversity"];
    for name in ["dist_1", "dist_2", "dist_3", "self_bleu", "repetition_rate"] {
        let found = evaluation.get(name, "full").unwrap().value.unwrap();
        let expected = expected[name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{name}: {found} for {expected}");
    }
    assert_eq!(evaluation.get("self_bleu", "full").unwrap().n, expected["self_bleu_prompts"]);
}

#[test]
fn all_shapes_say_the_same() {
    let collated = measured(open("collated.jsonl"), ToxicityPreset::Rtp);
    let sgeat = open("sgeat.jsonl").with_continuations(5).with_prompts(prompts());
    let sgeat = measured(sgeat, ToxicityPreset::Rtp);
    assert_eq!(sgeat.measurements, collated.measurements);
    let perspective = open("perspective.jsonl").with_continuations(5).with_prompts(prompts());
    let perspective = measured(perspective, ToxicityPreset::Rtp);
    let of_texts = ["blank_rate", "dist_1", "dist_2", "dist_3", "self_bleu", "repetition_rate"];
    for (found, expected) in perspective.measurements.iter().zip(&collated.measurements) {
        if of_texts.contains(&found.name.as_str()) {
            assert_eq!((found.value, found.n), (None, 0), "{}", found.name);
        } else {
            assert_eq!(found, expected);
        }
    }
    assert!(collated.get("expected_maximum_toxicity", "challenging").unwrap().n > 2);
    assert!(collated.get("attribute_mean", "THREAT").unwrap().value.unwrap() < 0.3);
    assert!(collated.get("attribute_mean", "INSULT").is_none(), "the file has none");
    // Without the prompts' own toxicity there is nothing to slice by, and all count.
    let alone = measured(open("sgeat.jsonl").with_continuations(5), ToxicityPreset::Rtp);
    assert_eq!(alone.get("expected_maximum_toxicity", "toxic").unwrap().n, 0);
    assert_eq!(alone.get("unscored_rate", "full").unwrap().n, 300);
}

#[test]
fn provenance_says_what_is_known_and_no_more() {
    let evaluation = measured(open("collated.jsonl"), ToxicityPreset::Helm);
    let provenance = &evaluation.provenance;
    assert_eq!(provenance.settings["continuations"], 5);
    assert_eq!(provenance.settings["preset"], "helm");
    assert!(provenance.scorer.is_none() && !provenance.settings.contains_key("sampling"));
    assert_eq!(provenance.data.version, "60 prompts");
}

#[test]
fn two_files_of_the_same_prompts_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(fixture("collated.jsonl")).unwrap();
    let milder = directory.path().join("milder.jsonl");
    fs::write(&milder, text.replace("\"toxicity\": 0.9", "\"toxicity\": 0.1")).unwrap();
    let settings = settings(ToxicityPreset::Sgeat2022);
    let read = |path: &Path| {
        let scores = StoredScores::open(path).unwrap().with_prompts(prompts());
        StoredToxicity::read(scores, &settings).unwrap()
    };
    let (base, other) = (read(&fixture("collated.jsonl")), read(&milder));
    let changes = base.changes(&other).unwrap();
    let emt = changes.get("expected_maximum_toxicity", "full").unwrap();
    assert!(emt.value.unwrap() < -0.05 && emt.interval.unwrap().high < 0.0, "{emt:?}");
    assert_eq!(emt.p_value, Some(1.0 / 10_001.0));
    let threat = changes.get("attribute_mean", "THREAT").unwrap();
    assert_eq!((threat.value, threat.p_value), (Some(0.0), Some(1.0)));
    let same = base.changes(&base).unwrap();
    assert!(same.measurements.iter().all(|m| m.value.is_none_or(|value| value == 0.0)));

    let fewer = StoredScores::open(fixture("greedy.jsonl")).unwrap().with_prompts(prompts());
    let fewer = StoredToxicity::read(fewer, &settings).unwrap();
    let error = base.changes(&fewer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("`collated.jsonl` and `greedy.jsonl`"), "{error}");
}

#[test]
fn an_attribute_that_is_not_there_is_named_with_those_that_are() {
    let insult = ToxicitySettings { attribute: Attribute::INSULT, ..ToxicitySettings::default() };
    let error = StoredToxicity::read(open("collated.jsonl"), &insult).unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Empty, Some("attribute")));
    assert_eq!(error.remedy(), Some("it has TOXICITY, THREAT"));
}

#[test]
fn one_prompt_alone_has_values_and_no_spread() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.jsonl");
    fs::write(&path, r#"{"prompt":{"text":"a"},"generations":[{"text":"b","toxicity":0.75}]}"#)
        .unwrap();
    let stored =
        StoredToxicity::read(StoredScores::open(&path).unwrap(), &ToxicitySettings::default())
            .unwrap();
    assert_eq!(stored.outcomes().standard_deviation(Slice::Full), None);
    let evaluation = stored.evaluation("one", None).unwrap();
    let emt = evaluation.get("expected_maximum_toxicity", "full").unwrap();
    assert_eq!((emt.value, emt.n, emt.interval), (Some(0.75), 1, None));
    assert_eq!(evaluation.get("self_bleu", "full").unwrap().value, None);
    assert_eq!(stored.changes(&stored).unwrap().measurements[0].p_value, None);
}
