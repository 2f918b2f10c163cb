//! The plugin against the published formula in numpy.

use detoxlm_guest::{Sample, Verdict, native};
use detoxlm_linear_toxicity::LinearToxicity;
use serde::Deserialize;

/// A text with what `backends/profanity-check/tests/make_expected.py` says of it.
#[derive(Deserialize)]
struct Expected {
    text: String,
    toxicity: f32,
}

#[test]
fn values_are_those_of_the_published_formula() {
    let rows: Vec<Expected> = serde_json::from_str(include_str!("expected.json")).unwrap();
    let samples: Vec<_> = rows.iter().map(|row| Sample::new(&row.text)).collect();
    let verdicts = native::<LinearToxicity, _>("{}").unwrap().score(&samples).unwrap();
    assert_eq!((rows.len(), verdicts.len()), (21, 21));
    for (row, verdict) in rows.iter().zip(verdicts) {
        let Verdict::Scores([found]) = verdict else { panic!("{verdict:?}") };
        assert!((row.toxicity - found).abs() < 1e-6, "{:?}: {found}", row.text);
    }
}

#[test]
fn words_count_and_case_prompts_and_unknown_words_do_not() {
    let samples = ["silly", "silly silly", "SILLY!", "silly zzyzx"].map(Sample::new);
    let plugin = native::<LinearToxicity, _>("{}").unwrap();
    let verdicts = plugin.score(&samples).unwrap();
    assert_ne!(verdicts[1], verdicts[0]);
    assert_eq!((&verdicts[2], &verdicts[3]), (&verdicts[0], &verdicts[0]));
    let prompted = plugin.score(&[samples[0].with_prompt("a stupid prompt")]).unwrap();
    assert_eq!(prompted[0], verdicts[0]);
}
