//! Text that depends on seed, request and sample, and on nothing else.

use std::sync::Arc;

use detoxlm::candle::{CandleLm, CandleOptions};
use detoxlm::{GenerationRequest, Generator, LocalGenerator, Sampling};
use detoxlm_end_to_end::Setup;

use crate::child::Place;

/// A thousand continuations: prompts of several lengths, alone and with many samples.
fn requests() -> Vec<GenerationRequest> {
    let prompts = ["", "Once upon a time", "The", "Lily and her mom went to the park. They saw"];
    let request = |id: u64, samples| GenerationRequest {
        id,
        prompt: prompts[id as usize % prompts.len()].to_owned(),
        samples,
        sampling: Sampling::default().with_max_new_tokens(4 + id as usize % 17),
        seed: 2333,
    };
    (0..500).map(|id| request(id, 1)).chain((500..520).map(|id| request(id, 25))).collect()
}

async fn texts(model: &Arc<CandleLm>, rows: usize) -> Vec<String> {
    let generator = LocalGenerator::new(Arc::clone(model) as _).unwrap().with_rows(rows);
    let answers = generator.generate(&requests()).await.unwrap();
    answers.into_iter().flatten().map(|generation| generation.text).collect()
}

#[tokio::test]
async fn a_thousand_continuations_are_the_same_in_every_batch_and_on_every_number_of_threads() {
    let place = Place::new(Setup::Stories);
    let mut reference: Option<Vec<String>> = None;
    for threads in [2, 1] {
        let options = CandleOptions::default().with_threads(threads);
        let model = Arc::new(CandleLm::open(place.base(), options).unwrap());
        for rows in [64, 7, 1] {
            let texts = texts(&model, rows).await;
            assert_eq!(texts.len(), 1_000);
            let reference = reference.get_or_insert_with(|| texts.clone());
            let differing = texts.iter().zip(&*reference).filter(|(a, b)| a != b).count();
            assert_eq!(differing, 0, "of 1,000 continuations in {rows} rows on {threads} threads");
        }
    }
    let mut distinct = reference.unwrap();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > 500, "only {} of 1,000 continuations differ", distinct.len());
}
