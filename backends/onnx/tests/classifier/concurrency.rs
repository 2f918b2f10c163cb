//! Many tasks at one scorer.

use std::sync::Arc;

use crate::common::{difference, expected, fixture, samples, score};
use detoxlm_core::ToxicityScorer;
use detoxlm_onnx::OnnxScorer;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_get_their_own_answers() {
    let expected = expected("encoder");
    let texts: Vec<String> = expected.into_iter().map(|text| text.text).collect();
    let scorer = Arc::new(OnnxScorer::open(fixture("encoder")).unwrap());
    let alone = scorer.score(&samples(texts.iter().map(String::as_str))).await.unwrap();
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let (scorer, texts) = (Arc::clone(&scorer), texts.clone());
            tokio::spawn(async move {
                // Each task asks in an order of its own.
                let order: Vec<_> = (0..5).map(|i| (task * 11 + i * 5) % texts.len()).collect();
                let asked = samples(order.iter().map(|&i| texts[i].as_str()));
                (order, scorer.score(&asked).await.unwrap())
            })
        })
        .collect();
    for task in tasks {
        let (order, verdicts) = task.await.unwrap();
        assert_eq!(order.len(), verdicts.len());
        for (&index, verdict) in order.iter().zip(&verdicts) {
            assert!(difference(&alone[index], verdict) < 1e-5, "{:?}", texts[index]);
        }
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_the_scorer_well() {
    let scorer = OnnxScorer::open(fixture("encoder")).unwrap();
    let many = samples(std::iter::repeat_n("A sentence of some words, more or less.", 2000));
    for _ in 0..5 {
        let mut call = Box::pin(scorer.score(&many));
        // One poll sends the texts off; the answer cannot be there yet.
        let started = std::future::poll_fn(|context| {
            std::task::Poll::Ready(call.as_mut().poll(context).is_pending())
        });
        assert!(started.await);
    }
    assert_eq!(scorer.score(&many[..1]).await.unwrap().len(), 1);
}

#[test]
fn a_scorer_serves_runtimes_that_come_and_go() {
    let scorer = OnnxScorer::open(fixture("bag")).unwrap();
    assert_eq!(score(&scorer, ["Hello."]), score(&scorer, ["Hello."]));
}
