use std::sync::{Arc, Mutex};

use crate::causal_lm::{CausalLm, Likelihood, TokenSequence};
use crate::testing::{BigramLm, ByteTokenizer};
use crate::{
    ErrorKind, Event, FinishReason, GenerationRequest, Generator, LocalGenerator, LocalLikelihood,
    Observer, Sampling,
};

fn request(id: u64, prompt: &str, samples: usize, max_new_tokens: usize) -> GenerationRequest {
    let sampling = Sampling::default().with_max_new_tokens(max_new_tokens);
    GenerationRequest { id, prompt: prompt.to_owned(), samples, sampling, seed: 11 }
}

fn generator(rows: usize) -> LocalGenerator {
    LocalGenerator::new(Arc::new(BigramLm::new(1))).unwrap().with_rows(rows)
}

#[tokio::test]
async fn text_depends_on_seed_request_and_sample_alone() {
    let requests: Vec<_> = (0..9).map(|id| request(id, "ab", 5, 30)).collect();
    let reference = generator(1).generate(&requests).await.unwrap();
    for rows in [2, 7, 64] {
        assert_eq!(generator(rows).generate(&requests).await.unwrap(), reference, "{rows} rows");
    }
    // Alone, in another order, and with fewer samples: still the same.
    let alone = generator(64).generate(&[request(4, "ab", 2, 30)]).await.unwrap();
    assert_eq!(alone[0], reference[4][..2]);
    let mut all: Vec<_> = reference.iter().flatten().map(|g| &g.text).collect();
    all.sort();
    all.dedup();
    assert!(all.len() > 40, "samples repeat: only {} of 45 differ", all.len());
}

#[tokio::test]
async fn limits_hold_for_each_sequence() {
    let requests = [request(0, "", 40, 3), request(1, "", 40, 50), request(2, "x", 0, 5)];
    let answers = generator(16).generate(&requests).await.unwrap();
    assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), [40, 40, 0]);
    assert!(answers[0].iter().all(|g| g.tokens <= 3));
    assert!(answers[0].iter().any(|g| g.finish == FinishReason::Length));
    assert!(answers[1].iter().any(|g| g.finish == FinishReason::Stop && g.tokens > 3));
    for generation in answers.iter().flatten() {
        assert_eq!(generation.text.len(), generation.tokens);
    }
}

#[tokio::test]
async fn a_full_context_is_said_and_a_prompt_without_room_is_refused() {
    let model = Arc::new(BigramLm::new(1).with_context_length(10));
    let generator = LocalGenerator::new(model).unwrap();
    let answers = generator.generate(&[request(0, "abcde", 50, 100)]).await.unwrap();
    // One token begins the sequence and five are the prompt's.
    assert!(answers[0].iter().all(|g| g.tokens <= 4));
    assert!(answers[0].iter().any(|g| g.finish == FinishReason::Context));
    let error = generator.generate(&[request(7, "abcdefghi", 1, 1)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.key(), Some("request 7"));
}

#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push((*message).to_owned());
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_the_memory_is_decoded_in_fewer_rows() {
    let requests: Vec<_> = (0..40).map(|id| request(id, "ab", 2, 30)).collect();
    let expected = generator(64).generate(&requests).await.unwrap();
    let warnings = Arc::new(Warnings::default());
    // Rows have 33 tokens each; of 64, halved twice, 16 fit.
    let small = Arc::new(BigramLm::new(1).with_memory(20 * 33));
    let generator =
        LocalGenerator::new(small).unwrap().with_observer(Arc::<Warnings>::clone(&warnings));
    for _ in 0..2 {
        assert_eq!(generator.generate(&requests).await.unwrap(), expected);
    }
    let said = "64 sequences of 33 tokens do not fit the memory: 16 are decoded at once";
    assert_eq!(*warnings.0.lock().unwrap(), [said]);

    let full = Arc::new(BigramLm::new(1).with_memory(20));
    let error = LocalGenerator::new(full).unwrap().generate(&requests).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
}

#[tokio::test]
async fn dropping_the_future_frees_the_generator() {
    let generator = generator(4);
    let long: Vec<_> = (0..100_000).map(|id| request(id, "", 1, 100)).collect();
    {
        let work = generator.generate(&long);
        tokio::select! {
            _ = work => unreachable!("far too much to finish"),
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
        }
    }
    assert_eq!(generator.generate(&[request(0, "", 1, 1)]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn likelihoods_add_up_over_windows_and_splits() {
    let model = Arc::new(BigramLm::new(3).with_context_length(8));
    let likelihood = LocalLikelihood::new(model).unwrap();
    let text = "the quick brown fox jumps".to_owned();
    let rolling = likelihood.rolling(&[text.clone(), String::new()]).await.unwrap();
    assert_eq!(rolling[0].tokens, text.len());
    assert_eq!(rolling[1].tokens, 0);
    // A bigram needs one token of context, so windows change nothing.
    let mut tokens = vec![ByteTokenizer::END];
    tokens.extend(text.bytes().map(u32::from));
    let whole: f64 = BigramLm::new(3).token_likelihoods(&[TokenSequence::whole(&tokens)]).unwrap()
        [0]
    .iter()
    .map(|t| f64::from(t.log_prob))
    .sum();
    assert!((rolling[0].log_prob - whole).abs() < 1e-4);
    let pairs = [("th".to_owned(), "e q".to_owned()), (String::new(), "th".to_owned())];
    let parts = likelihood.continuation(&pairs).await.unwrap();
    assert_eq!((parts[0].tokens, parts[1].tokens), (3, 2));
    let head = likelihood.rolling(&["the q".to_owned()]).await.unwrap()[0].log_prob;
    assert!((parts[0].log_prob + parts[1].log_prob - head).abs() < 1e-5);
}
