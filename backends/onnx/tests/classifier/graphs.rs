//! Graphs that differ from the usual export.

use crate::common::{copy, difference, fixture, score};
use detoxlm_core::{ErrorKind, Result, Unscored, Verdict};
use detoxlm_onnx::OnnxScorer;

/// The encoder's tokenizer and labels with another graph.
fn open(graph: &str) -> Result<OnnxScorer> {
    let directory = copy("encoder");
    let path = fixture("odd").join(format!("{graph}.onnx"));
    std::fs::copy(path, directory.path().join("model.onnx")).unwrap();
    OnnxScorer::open(directory.path())
}

const TEXTS: [&str; 5] = ["one", "a word or two", "one two three, four", "two", "A WORD OR TWO"];

/// Each text alone has the score that it has among the others.
fn check_alone_as_together(graph: &str) -> Vec<Verdict> {
    let scorer = open(graph).unwrap();
    let together = score(&scorer, TEXTS);
    for (text, together) in TEXTS.iter().zip(&together) {
        assert!(difference(&score(&scorer, [*text])[0], together) < 1e-6, "{graph}: {text}");
    }
    together
}

#[test]
fn without_a_mask_padding_would_change_the_answer() {
    // Ids of int32, too.
    let verdicts = check_alone_as_together("no_mask");
    assert!(difference(&verdicts[0], &verdicts[1]) > 1e-3, "other texts, other scores");
    assert_eq!(verdicts[1], verdicts[4], "the tokenizer makes them one text");
}

#[test]
fn a_graph_that_reads_padding_or_neighbours_gets_none() {
    check_alone_as_together("ignores_mask");
    check_alone_as_together("reads_neighbours");
}

#[test]
fn a_graph_that_flattens_its_batch_runs_all_the_same() {
    let (usual, flattened) = (open("no_mask").unwrap(), open("flattened").unwrap());
    for (one, other) in score(&usual, TEXTS).iter().zip(&score(&flattened, TEXTS)) {
        assert!(difference(one, other) < 1e-6);
    }
}

#[test]
fn an_output_that_is_not_a_number_costs_its_text_alone() {
    let scorer = open("not_a_number").unwrap();
    let verdicts = score(&scorer, ["one", "two!", "two"]);
    assert!(matches!(&verdicts[0], Verdict::Scored(_)));
    assert!(matches!(&verdicts[2], Verdict::Scored(_)));
    let Verdict::Unscored(Unscored::Failed(why)) = &verdicts[1] else {
        panic!("{:?}", verdicts[1]);
    };
    assert!(why.contains("NaN"), "{why}");
}

#[test]
fn inputs_that_cannot_be_filled_are_named() {
    let error = open("fixed_axes").unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Incompatible, Some("input_ids")));
    assert!(error.to_string().contains("(1, 16)"), "{error}");
    let error = open("unknown_input").unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Incompatible, Some("position_ids")));
}
