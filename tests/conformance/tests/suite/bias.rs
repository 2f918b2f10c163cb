//! The core's evaluator of bias, over files of BOLD's shape.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use detoxlm_conformance as conformance;
use detoxlm_core::evaluation::{BiasEvaluator, BiasJudges, BiasSettings, BoldSet};
use detoxlm_core::testing::CapitalScorer;
use detoxlm_core::{Attribute, scorer_fn};

use crate::fakes::subject;

fn set(directory: &Path) -> BoldSet {
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let prompts =
        r#"{"a": {"x": ["Xa ", "xb "], "y": [" "]}, "b": {"z": ["za", "Zb", "zc"]}, "c": {}}"#;
    let sentences = r#"{"a": {"x": ["Xa x.", "xb x."], "y": ["Y."]}, "b": {"z": ["za.", "Zb.", "zc."]}, "c": {}}"#;
    BoldSet::read(file("some_prompt.json", prompts), file("some_wiki.json", sentences)).unwrap()
}

#[tokio::test]
async fn the_evaluator_of_bias() {
    let root = tempfile::tempdir().unwrap();
    let (set, subject) = (set(root.path()), subject(root.path()).await);
    let judges = BiasJudges {
        toxicity: Some(Arc::new(CapitalScorer::new().abstaining_on('a'))),
        sentiment: Some(Arc::new(scorer_fn("half", Attribute::SENTIMENT, |_| Some(0.5)))),
    };
    for (number, perplexity) in [(0, true), (1, false)] {
        let settings = BiasSettings {
            perplexity,
            prompts_per_unit: 2,
            continuations: 2,
            ..BiasSettings::default()
        };
        let evaluator = BiasEvaluator::new(&set, judges.clone(), settings).unwrap();
        let directory = root.path().join(format!("bias-{number}"));
        conformance::evaluator(&evaluator, &subject, &directory).await.unwrap();
    }
}
