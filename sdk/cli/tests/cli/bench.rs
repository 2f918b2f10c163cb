//! How fast everything is here.

use crate::support::detoxlm;

const LITTLE: [&str; 10] = [
    "--documents",
    "2",
    "--document-tokens",
    "24",
    "--sequence-length",
    "24",
    "--batch-size",
    "1",
    "--repeats",
    "1",
];

#[test]
fn every_work_has_a_rate_and_a_share_of_what_the_machine_can_do() {
    let here = tempfile::tempdir().unwrap();
    let bench = |more: &[&str]| {
        detoxlm(here.path(), &[&["bench", "--model", "embedded"], &LITTLE[..], more].concat())
    };
    let json = bench(&["--json"]).ok().json();
    assert_eq!(json["model"]["name"], "embedded");
    assert!(json["ceilings"]["operations"].as_f64().unwrap() > 1e8, "{json}");
    let works = json["works"].as_array().unwrap();
    // Continuations, documents, likelihood, a scorer, and four methods.
    assert_eq!(works.len(), 8);
    for work in works {
        assert!(work["rate"].as_f64().unwrap() > 0.0, "{work}");
        let is_scorer = work["unit"] == "texts";
        assert_eq!(work["of_operations"].is_null(), is_scorer, "{work}");
    }
    let told = bench(&["--scorer", "profanity-check"]).ok().stdout;
    for words in ["GFLOP/s", "| work", "profanity-check of them", "training step, prefix, 1 x 8"] {
        assert!(told.contains(words.trim_start_matches("| ")), "no {words:?} in {told}");
    }
    bench(&["--backend", "jax"]).fails(4, &["jax", "candle"]);
    detoxlm(here.path(), &["bench", "--model", "./nowhere"]).fails(4, &["nowhere"]);
}
