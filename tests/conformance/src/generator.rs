//! The suite of [`Generator`].

use detoxlm_core::{FinishReason, Generation, GenerationRequest, Generator, Sampling};
use futures_util::future::join;

use crate::Violation;
use crate::patience::begin_and_drop;

clauses! { "Generator":
    ONE_LIST_EACH = "`generate` answers one list per request, in order, each with `samples` continuations";
    EMPTY = "an empty slice gives an empty answer";
    SAME_CALL = "The same call gives the same answer";
    DRAWS = "draws depend on (`seed`, `id`, number of the sample)";
    INVARIANT = "Whether a continuation's text is the same in every batch and on every number of threads.";
    LIMIT = "At most `max_new_tokens` are added to each sequence, whatever else is in the batch.";
    LENGTH = "`max_new_tokens` were written.";
    NO_SPECIAL = "The text has no special tokens and does not repeat the prompt.";
    NO_ROOM = "A prompt that leaves no room in the context is an error that names the request.";
    DROP = "dropping the future cancels the work";
}

/// What marks the ends of documents in the vocabularies in use.
const SPECIAL: [&str; 9] = [
    "<s>",
    "</s>",
    "<|endoftext|>",
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|im_start|>",
    "<|im_end|>",
    "<pad>",
    "[PAD]",
];

/// Checks a generator. It is asked for a few hundred tokens.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub async fn generator(generator: &dyn Generator) -> Result<(), Violation> {
    let none = EMPTY.answered("no requests", generator.generate(&[]).await)?;
    EMPTY.require(none.is_empty(), || format!("{} lists for no requests", none.len()))?;

    let requests = requests();
    let answers = generate(generator, &requests).await?;
    limits(&requests, &answers)?;
    plain_text(&requests, &answers)?;
    let again = generate(generator, &requests).await?;
    SAME_CALL.same("the same call again", &again, &answers)?;
    draws(generator, &requests, &answers).await?;
    other_shapes(generator, &requests, &answers).await?;
    full_context(generator).await?;

    begin_and_drop(generator.generate(&requests)).await;
    let again = generate(generator, &requests).await?;
    DROP.same("after an abandoned call", &again, &answers)?;
    let (one, other) = join(generator.generate(&requests), generator.generate(&requests)).await;
    for answer in [one, other] {
        let answer = SAME_CALL.answered("two calls at once", answer)?;
        SAME_CALL.same("two calls at once", &answer, &answers)?;
    }
    Ok(())
}

fn request(id: u64, prompt: &str, samples: usize, max_new_tokens: usize) -> GenerationRequest {
    // The whole distribution, so that equal draws cannot be an accident of a narrow nucleus.
    let sampling = Sampling::default().with_max_new_tokens(max_new_tokens).with_top_p(1.0);
    GenerationRequest { id, prompt: prompt.to_owned(), samples, sampling, seed: 7 }
}

/// Short ones beside long ones, prompted ones beside unconditional ones.
fn requests() -> Vec<GenerationRequest> {
    vec![
        request(11, "", 6, 12),
        request(12, "Once upon a time there was", 6, 3),
        request(13, "Once", 0, 5),
        request(14, "Once upon a time there was", 6, 12),
        request(15, "", 1, 1),
        request(16, "The little dog and the big cat", 3, 20),
        GenerationRequest { sampling: Sampling::greedy(8), ..request(17, "Once upon", 2, 8) },
    ]
}

async fn generate(
    generator: &dyn Generator,
    requests: &[GenerationRequest],
) -> Result<Vec<Vec<Generation>>, Violation> {
    let answers = ONE_LIST_EACH.answered("short prompts", generator.generate(requests).await)?;
    ONE_LIST_EACH.require(answers.len() == requests.len(), || {
        format!("{} lists for {} requests", answers.len(), requests.len())
    })?;
    for (request, answer) in requests.iter().zip(&answers) {
        ONE_LIST_EACH.require(answer.len() == request.samples, || {
            format!(
                "{} continuations for the {} of request {}",
                answer.len(),
                request.samples,
                request.id
            )
        })?;
    }
    Ok(answers)
}

fn limits(requests: &[GenerationRequest], answers: &[Vec<Generation>]) -> Result<(), Violation> {
    for (request, answers) in requests.iter().zip(answers) {
        let limit = request.sampling.max_new_tokens;
        for Generation { text, finish, tokens } in answers {
            let shown = || {
                format!("request {}: {tokens} tokens of {limit}, {finish:?}: {text:?}", request.id)
            };
            LIMIT.require(*tokens <= limit, shown)?;
            LIMIT.require(*tokens > 0 || text.is_empty(), shown)?;
            LENGTH.require(*finish != FinishReason::Length || *tokens == limit, shown)?;
        }
    }
    Ok(())
}

fn plain_text(
    requests: &[GenerationRequest],
    answers: &[Vec<Generation>],
) -> Result<(), Violation> {
    for (request, answers) in requests.iter().zip(answers) {
        for answer in answers {
            let special = SPECIAL.iter().find(|special| answer.text.contains(**special));
            NO_SPECIAL.require(special.is_none(), || {
                format!("request {}: {:?}", request.id, answer.text)
            })?;
        }
        // A model may repeat a prompt once; a generator that returns it does so always.
        let repeats = !request.prompt.is_empty()
            && !answers.is_empty()
            && answers.iter().all(|answer| answer.text.starts_with(&request.prompt));
        NO_SPECIAL.require(!repeats, || {
            format!("request {}: {:?} begins with its prompt", request.id, answers[0].text)
        })?;
    }
    Ok(())
}

/// Another seed, another id and another sample are other draws, and greedy ones are none.
async fn draws(
    generator: &dyn Generator,
    requests: &[GenerationRequest],
    answers: &[Vec<Generation>],
) -> Result<(), Violation> {
    let sampled = |request: &GenerationRequest| request.sampling.temperature > 0.0;
    for (request, answers) in requests.iter().zip(answers) {
        let all_equal = answers.iter().all(|answer| answer == &answers[0]);
        if !sampled(request) {
            DRAWS.require(all_equal, || {
                format!("greedy continuations differ: {:?}", texts(answers))
            })?;
        } else if answers.len() > 3 && request.sampling.max_new_tokens >= 12 {
            DRAWS.require(!all_equal, || {
                format!("all samples of request {} are {:?}", request.id, answers[0].text)
            })?;
        }
    }
    let reseeded: Vec<_> =
        requests.iter().cloned().map(|request| GenerationRequest { seed: 8, ..request }).collect();
    let renamed: Vec<_> = requests
        .iter()
        .cloned()
        .map(|request| GenerationRequest { id: request.id + 100, ..request })
        .collect();
    for (asked, changed) in [("another seed", reseeded), ("other ids", renamed)] {
        let other = generate(generator, &changed).await?;
        DRAWS.require(other != answers, || {
            format!("{asked} gave the same: {:?}", texts(&answers[0]))
        })?;
    }
    Ok(())
}

/// Requests alone, backwards and with fewer samples.
async fn other_shapes(
    generator: &dyn Generator,
    requests: &[GenerationRequest],
    answers: &[Vec<Generation>],
) -> Result<(), Violation> {
    let mut backwards: Vec<_> = requests.to_vec();
    backwards.reverse();
    let mut turned = generate(generator, &backwards).await?;
    turned.reverse();
    let mut alone = Vec::new();
    let mut fewer = Vec::new();
    for request in requests {
        alone.extend(generate(generator, std::slice::from_ref(request)).await?);
        let request = GenerationRequest { samples: request.samples.min(2), ..request.clone() };
        fewer.extend(generate(generator, &[request]).await?);
    }
    for (asked, other) in [("backwards", turned), ("alone", alone), ("fewer samples", fewer)] {
        let pairs = || other.iter().zip(answers).flat_map(|(other, all)| other.iter().zip(all));
        if generator.capabilities().batch_invariant {
            for (other, answer) in pairs() {
                INVARIANT.same(asked, other, answer)?;
            }
        }
        // A last bit turns a draw now and then; draws that depend on the place turn most.
        let (same, all) = (pairs().filter(|(a, b)| a == b).count(), pairs().count());
        DRAWS.require(2 * same > all, || {
            format!("{asked}: only {same} of {all} continuations are the same")
        })?;
    }
    Ok(())
}

async fn full_context(generator: &dyn Generator) -> Result<(), Violation> {
    const ID: u64 = 90_210_417;
    let Some(context) = generator.capabilities().context_length else { return Ok(()) };
    // No vocabulary has a token for more than one of these.
    let prompt: String = (0..=context).map(|number| format!("{} ", number % 7)).collect();
    let requests = [request(1, "Once", 1, 2), request(ID, &prompt, 1, 2)];
    let error = NO_ROOM.refused("a prompt too long", generator.generate(&requests).await)?;
    NO_ROOM.require(error.to_string().contains(&ID.to_string()), || {
        format!("request {ID} is not named: {error}")
    })?;
    generate(generator, &requests[..1]).await.map(|_| ())
}

fn texts(generations: &[Generation]) -> Vec<&str> {
    generations.iter().map(|generation| generation.text.as_str()).collect()
}
