//! The evaluator over a real, tiny language model.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::causal_lm::CausalLm;
use crate::evaluation::{EvaluationContext, Evaluator};
use crate::testing::{BigramLm, CapitalScorer};
use crate::{
    Attribute, ErrorKind, Evaluation, LocalGenerator, LocalLikelihood, Silent, Subject, scorer_fn,
};

const PROMPTS: &str = r#"{"potters": {"Ann": ["Ann made a pot ", "Ann sold "], "Bo": ["Bo fired "]},
"smiths": {"Cy": ["Cy bent "], "Di": ["Di shod ", "Di forged a "]}, "weavers": {"Ed": ["Ed wove "]}}"#;
const SENTENCES: &str = r#"{"potters": {"Ann": ["Ann made a pot of clay.", "Ann sold it."], "Bo": ["Bo fired it."]},
"smiths": {"Cy": ["Cy bent it."], "Di": ["Di shod it.", "Di forged a nail."]}, "weavers": {"Ed": ["Ed wove it."]}}"#;

fn set() -> BoldSet {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("prompts_craft_prompt.json"), PROMPTS).unwrap();
    fs::write(at("wikipedia_craft_wiki.json"), SENTENCES).unwrap();
    BoldSet::open(directory.path(), &["craft"]).unwrap()
}

fn subject(seed: u64) -> Subject {
    let model: Arc<dyn CausalLm> = Arc::new(BigramLm::new(seed));
    Subject {
        name: "bigram".into(),
        generator: Arc::new(LocalGenerator::new(Arc::clone(&model)).unwrap()),
        likelihood: Some(Arc::new(LocalLikelihood::new(model).unwrap())),
    }
}

fn judges() -> BiasJudges {
    let letters = |text: &str| {
        let vowels = text.chars().filter(|c| "aeiou".contains(*c)).count();
        Some(vowels as f32 / text.chars().count() as f32)
    };
    BiasJudges {
        toxicity: Some(Arc::new(CapitalScorer::new())),
        sentiment: Some(Arc::new(scorer_fn("vowels", Attribute::SENTIMENT, letters))),
    }
}

fn settings() -> BiasSettings {
    BiasSettings { prompts_per_unit: 2, continuations: 3, ..BiasSettings::default() }
}

fn context(directory: &Path) -> EvaluationContext {
    EvaluationContext {
        directory: directory.to_path_buf(),
        shared: None,
        observer: Arc::new(Silent),
    }
}

async fn evaluate(evaluator: &BiasEvaluator, seed: u64, directory: &Path) -> Evaluation {
    evaluator.evaluate(&subject(seed), &context(directory)).await.unwrap()
}

#[tokio::test]
async fn groups_gaps_and_what_is_left_out_are_told_with_what_they_are_made_of() {
    let directory = tempfile::tempdir().unwrap();
    let evaluator = BiasEvaluator::new(&set(), judges(), settings()).unwrap();
    let found = evaluate(&evaluator, 1, directory.path()).await;
    for name in
        ["mean_toxicity", "toxic_share", "mean_sentiment", "token_perplexity", "word_perplexity"]
    {
        let of = |slice: &str| found.get(name, slice).unwrap_or_else(|| panic!("{name} {slice}"));
        let values = ["craft/potters", "craft/smiths"].map(|slice| of(slice).value.unwrap());
        let gap = found.get(&format!("{name}_gap"), "craft").unwrap();
        // Weavers have one item: a value of their own, no interval, no part in the gap.
        assert_eq!((gap.n, gap.unit.as_str()), (2, "groups"));
        assert!((gap.value.unwrap() - (values[0] - values[1]).abs()).abs() < 1e-12, "{name}");
        assert!(gap.p_value.unwrap() > 0.0 && gap.interval.is_some(), "{name}");
        let weavers = of("craft/weavers");
        assert!(weavers.value.is_some() && weavers.interval.is_none(), "{name}");
        let domain = of("craft").value.unwrap();
        let all = [values[0], values[1], weavers.value.unwrap()];
        let (low, high) =
            (all.iter().copied().reduce(f64::min), all.iter().copied().reduce(f64::max));
        assert!(low.unwrap() <= domain && domain <= high.unwrap(), "{name}");
    }
    assert_eq!(found.get("mean_toxicity", "craft").unwrap().n, 21);
    assert!(found.get("unscored_rate", "craft").is_some());
    assert!(found.get("unscored_rate", "craft/smiths").is_none());
    let settings = &found.provenance.settings;
    assert_eq!(settings["left_out_of_gaps"].to_string(), "[\"craft/weavers\"]");
    assert_eq!(settings["sentiment_scorer"]["name"], "vowels");
    assert_eq!(found.provenance.scorer.as_ref().unwrap().name, "capitals");
    assert_eq!(found.provenance.data.name, "BOLD craft");
}

#[tokio::test]
async fn it_goes_on_after_an_interruption_and_compares_by_item() {
    let places = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let evaluator = BiasEvaluator::new(&set(), judges(), settings()).unwrap();
    let first = evaluate(&evaluator, 1, places[0].path()).await;
    for part in
        ["scores/part-00001.jsonl", "sentiments/part-00003.jsonl", "likelihoods/part-00000.jsonl"]
    {
        fs::remove_file(places[0].path().join(part)).unwrap();
    }
    assert_eq!(evaluate(&evaluator, 1, places[0].path()).await, first);
    let second = evaluate(&evaluator, 2, places[1].path()).await;
    let [base, other] = places.each_ref().map(|place| place.path());
    let changes = evaluator.changes(base, other).await.unwrap();
    for (name, slice) in [("mean_toxicity", "craft/smiths"), ("word_perplexity_gap", "craft")] {
        let value = |of: &Evaluation| of.get(name, slice).unwrap().value.unwrap();
        let change = changes.get(name, slice).unwrap();
        assert!((change.value.unwrap() - (value(&second) - value(&first))).abs() < 1e-12);
        assert!(change.interval.is_some());
    }
    assert_eq!(changes.get("mean_toxicity", "craft/smiths").unwrap().n, 3);
    let itself = evaluator.changes(base, base).await.unwrap();
    for change in &itself.measurements {
        let measured = first.get(&change.name, &change.slice).unwrap().value.is_some();
        assert_eq!(change.value, measured.then_some(0.0), "{change:?}");
    }
    let other_seed = BiasSettings { seed: 3, ..settings() };
    let evaluator = BiasEvaluator::new(&set(), judges(), other_seed).unwrap();
    let error = evaluator.evaluate(&subject(1), &context(base)).await.unwrap_err();
    assert!(error.to_string().contains("`seed`"), "{error}");
}

#[tokio::test]
async fn continuations_are_shared_and_a_part_alone_can_be_measured() {
    let place = tempfile::tempdir().unwrap();
    let shared = EvaluationContext {
        shared: Some(place.path().join("shared")),
        ..context(&place.path().join("first"))
    };
    let both = BiasEvaluator::new(&set(), judges(), settings()).unwrap();
    both.evaluate(&subject(1), &shared).await.unwrap();
    let without = BiasSettings { perplexity: false, per_group: Some(2), ..settings() };
    let sentiment = BiasJudges { toxicity: None, ..judges() };
    let evaluator = BiasEvaluator::new(&set(), sentiment, without.clone()).unwrap();
    let silent = Subject { likelihood: None, ..subject(1) };
    let context = EvaluationContext { directory: place.path().join("second"), ..shared };
    let found = evaluator.evaluate(&silent, &context).await.unwrap();
    assert!(found.get("mean_toxicity", "craft").is_none() && found.provenance.scorer.is_none());
    assert_eq!(found.get("mean_sentiment", "craft").unwrap().n, 15, "five prompts of three groups");
    // Other prompts, other continuations: a second directory beside the first.
    assert_eq!(fs::read_dir(place.path().join("shared")).unwrap().count(), 2);
    let error = both.evaluate(&silent, &context).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Unsupported, Some("perplexity")));
    let error = BiasEvaluator::new(&set(), BiasJudges::default(), without).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[test]
fn a_judge_that_lacks_the_attribute_is_refused_with_those_it_gives() {
    let swapped = BiasJudges { sentiment: judges().toxicity, ..BiasJudges::default() };
    let error = BiasEvaluator::new(&set(), swapped.clone(), settings()).unwrap_err();
    assert_eq!(
        (error.key(), error.remedy()),
        (Some("sentiment_attribute"), Some("it gives TOXICITY"))
    );
    let allowed = BiasSettings { sentiment_attribute: Attribute::TOXICITY, ..settings() };
    assert!(BiasEvaluator::new(&set(), swapped, allowed).is_ok());
}
