use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use detoxlm_conformance::generator;
use detoxlm_core::testing::BigramLm;
use detoxlm_core::{
    FinishReason, Generation, GenerationRequest, Generator, GeneratorCapabilities, Info,
    LocalGenerator, Result,
};

use crate::assert_breaks;

type Answers = Vec<Vec<Generation>>;

/// A good generator, its questions and answers spoiled.
struct Spoiled<Q, A> {
    generator: LocalGenerator,
    ask: Q,
    answer: A,
}

impl<Q, A> fmt::Debug for Spoiled<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spoiled")
    }
}

#[async_trait]
impl<Q, A> Generator for Spoiled<Q, A>
where
    Q: Fn(&[GenerationRequest]) -> Vec<GenerationRequest> + Send + Sync + 'static,
    A: Fn(&[GenerationRequest], Answers) -> Answers + Send + Sync + 'static,
{
    fn info(&self) -> &Info {
        self.generator.info()
    }

    fn capabilities(&self) -> &GeneratorCapabilities {
        self.generator.capabilities()
    }

    async fn generate(&self, requests: &[GenerationRequest]) -> Result<Answers> {
        let answers = self.generator.generate(&(self.ask)(requests)).await?;
        Ok((self.answer)(requests, answers))
    }
}

async fn check<Q, A>(ask: Q, answer: A, sentence: &str)
where
    Q: Fn(&[GenerationRequest]) -> Vec<GenerationRequest> + Send + Sync + 'static,
    A: Fn(&[GenerationRequest], Answers) -> Answers + Send + Sync + 'static,
{
    let model = Arc::new(BigramLm::new(1));
    let spoiled = Spoiled { generator: LocalGenerator::new(model).unwrap(), ask, answer };
    assert_breaks(generator(&spoiled).await, sentence);
}

fn same(requests: &[GenerationRequest]) -> Vec<GenerationRequest> {
    requests.to_vec()
}

fn change(
    change: impl Fn(usize, &mut GenerationRequest) + Send + Sync + 'static,
) -> impl Fn(&[GenerationRequest]) -> Vec<GenerationRequest> + Send + Sync + 'static {
    move |requests| {
        let mut requests = requests.to_vec();
        requests.iter_mut().enumerate().for_each(|(index, request)| change(index, request));
        requests
    }
}

fn untouched(_: &[GenerationRequest], answers: Answers) -> Answers {
    answers
}

fn each(
    change: impl Fn(&GenerationRequest, &mut Generation) + Send + Sync + 'static,
) -> impl Fn(&[GenerationRequest], Answers) -> Answers + Send + Sync + 'static {
    move |requests, mut answers| {
        for (request, answers) in requests.iter().zip(&mut answers) {
            answers.iter_mut().for_each(|answer| change(request, answer));
        }
        answers
    }
}

#[tokio::test]
async fn lists_and_samples() {
    let sentence = "one list per request, in order, each with `samples`";
    check(same, |_, answers| answers.into_iter().filter(|a| !a.is_empty()).collect(), sentence)
        .await;
    check(change(|_, request| request.samples = 1), untouched, sentence).await;
    let placeholder = |_: &[GenerationRequest], answers: Answers| {
        if answers.is_empty() { vec![Vec::new()] } else { answers }
    };
    check(same, placeholder, "an empty slice gives an empty answer").await;
}

#[tokio::test]
async fn draws_that_ignore_the_seed_the_id_or_the_sample() {
    let sentence = "draws depend on";
    check(change(|_, request| request.seed = 1), untouched, sentence).await;
    check(change(|_, request| request.id = 1), untouched, sentence).await;
    let repeat = |_: &[GenerationRequest], mut answers: Answers| {
        for answers in &mut answers {
            let first = answers.first().cloned();
            answers.iter_mut().zip(std::iter::repeat(first)).for_each(|(answer, first)| {
                *answer = first.unwrap();
            });
        }
        answers
    };
    check(same, repeat, sentence).await;
}

#[tokio::test]
async fn draws_that_depend_on_the_place_in_the_batch() {
    let by_place = change(|index, request| request.id += 1000 * index as u64);
    // The bigram promises batch invariance; without that promise most draws still have to agree.
    check(by_place, untouched, "the same in every batch").await;
}

#[tokio::test]
async fn draws_from_a_generator_with_a_memory() {
    let calls = AtomicU64::new(0);
    let ask = move |requests: &[GenerationRequest]| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        change(move |_, request| request.seed += call)(requests)
    };
    check(ask, untouched, "The same call gives the same answer").await;
}

#[tokio::test]
async fn greedy_decoding_that_draws() {
    let ask = change(|_, request| request.sampling.temperature = 1.0);
    check(ask, untouched, "draws depend on").await;
}

#[tokio::test]
async fn limits_of_the_batch() {
    let longest = |requests: &[GenerationRequest]| {
        let most = requests.iter().map(|request| request.sampling.max_new_tokens).max();
        change(move |_, request| request.sampling.max_new_tokens = most.unwrap())(requests)
    };
    check(longest, untouched, "At most `max_new_tokens`").await;
    let shortest = |requests: &[GenerationRequest]| {
        let least = requests.iter().map(|request| request.sampling.max_new_tokens).min();
        change(move |_, request| request.sampling.max_new_tokens = least.unwrap_or(1))(requests)
    };
    check(shortest, untouched, "`max_new_tokens` were written").await;
    let uncounted = each(|_, answer| answer.tokens = 0);
    check(same, uncounted, "At most `max_new_tokens`").await;
}

#[tokio::test]
async fn text_with_more_than_the_continuation() {
    let sentence = "no special tokens and does not repeat the prompt";
    let ended = each(|_, answer| {
        if answer.finish == FinishReason::Stop {
            answer.text.push_str("<|endoftext|>");
        }
    });
    check(same, ended, sentence).await;
    let echo = each(|request, answer| answer.text = format!("{}{}", request.prompt, answer.text));
    check(same, echo, sentence).await;
}

#[tokio::test]
async fn a_full_context() {
    let sentence = "is an error that names the request";
    let cut = change(|_, request| request.prompt = request.prompt.chars().take(100).collect());
    check(cut, untouched, sentence).await;
    let nameless = change(|_, request| request.id %= 1000);
    check(nameless, untouched, sentence).await;
}
