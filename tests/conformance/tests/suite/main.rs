//! The suites pass what is right, and name the sentence that is broken by what is wrong.

mod bias;
mod broken_evaluators;
mod broken_generators;
mod broken_likelihoods;
mod broken_loaders;
mod broken_models;
mod broken_scorers;
mod broken_tokenizers;
mod broken_trainers;
mod clauses;
mod fakes;
mod history_lm;
mod layers;

use detoxlm_conformance::Violation;

/// The violation must be of the sentence that `sentence` is part of.
fn assert_breaks(result: Result<(), Violation>, sentence: &str) {
    let violation = result.expect_err("the suite passed");
    assert!(
        violation.clause().sentence().contains(sentence),
        "expected a break of \"{sentence}\": {violation}"
    );
}
