//! The suites of [`CausalLm`] and its sessions.

pub(crate) mod session;

use detoxlm_core::causal_lm::{CausalLm, Logits, TokenLikelihood, TokenSequence};

use crate::{Violation, tokenizer};
use session::Steps;

clauses! { "CausalLm":
    VOCABULARY = "The number of logits of a position; at least the tokenizer's size.";
    ROOM = "The most tokens of one sequence.";
    BAD_IDS = "Token ids at or above `capabilities().vocabulary` are an error, never a panic.";
    CAPACITY = "When `capacity` exceeds the context length";
    FROM = "For each sequence, the likelihoods of its tokens from number `from` on, each given all tokens before it";
    NONE_FOR_EMPTY = "none for an empty sequence";
    NATURAL = "Natural logarithm of the probability.";
    GREEDY = "Whether no other token was more probable (of equals, the lowest id counts).";
    BY_ONE = "The last token is predicted and never read, so a sequence may be longer than the context by one.";
    SHARED = "Neighbours that begin alike may have what they share computed once";
    TOO_LONG = "When a sequence is longer than the context and that one token";
    INVARIANT = "Whether a row's logits have the same bits whatever other rows are in the call";
}

/// How far a log-probability may be moved by sums in another order.
pub(crate) const ROUNDING: f32 = 1e-3;
/// Enough for a session to be seen at work, and little enough for any context.
pub(crate) const TOKENS: usize = 12;

/// Checks a model with a context of at least 12 tokens, its tokenizer and its sessions.
///
/// # Errors
/// The first sentence of a contract that does not hold.
pub fn causal_lm(model: &dyn CausalLm) -> Result<(), Violation> {
    tokenizer(model.tokenizer())?;
    let capabilities = model.capabilities();
    let (vocabulary, size) = (capabilities.vocabulary, model.tokenizer().size());
    VOCABULARY
        .require(vocabulary >= size, || format!("{vocabulary} logits, a tokenizer of {size}"))?;
    CAPACITY.refused(
        "a session longer than the context",
        CAPACITY.unpanicked("a session longer than the context", || {
            model.decode_session(1, capabilities.context_length + 1).map(drop)
        })?,
    )?;
    ROOM.require(capabilities.context_length >= TOKENS, || {
        format!("{} are too few to check a session with", capabilities.context_length)
    })?;
    bad_ids(model)?;
    let tokens = some_tokens(model)?;
    likelihoods(model, &tokens)?;
    session::decode_session(model, &tokens)
}

/// The first tokens of a document.
fn some_tokens(model: &dyn CausalLm) -> Result<Vec<u32>, Violation> {
    let tokenizer = model.tokenizer();
    let text = "Once upon a time there was a little girl who had a big dog and a small red bird.";
    let mut tokens = vec![tokenizer.bos()];
    tokens.extend(FROM.answered("a text to begin with", tokenizer.encode(text))?);
    // A vocabulary of words may have fewer for this text: any tokens will do.
    while tokens.len() < TOKENS {
        tokens.extend_from_within(..);
    }
    tokens.truncate(TOKENS);
    Ok(tokens)
}

fn bad_ids(model: &dyn CausalLm) -> Result<(), Violation> {
    let bos = model.tokenizer().bos();
    for bad in [model.capabilities().vocabulary as u32, u32::MAX] {
        for sequence in [[bad, bos, bos], [bos, bad, bos], [bos, bos, bad]] {
            let asked = format!("the likelihoods of {sequence:?}");
            let result = BAD_IDS.unpanicked(&asked, || {
                model.token_likelihoods(&[(&[bos, bos]).into(), (&sequence).into()])
            })?;
            BAD_IDS.refused(&asked, result)?;
        }
        let asked = format!("a step of token {bad}");
        let result = BAD_IDS.unpanicked(&asked, || {
            let mut steps = Steps::open(model, 1, 2)?;
            let row = steps.session.admit()?;
            steps.step(&[(row, &[bad])])
        })?;
        BAD_IDS.refused(&asked, result)?;
    }
    Ok(())
}

fn likelihoods(model: &dyn CausalLm, tokens: &[u32]) -> Result<(), Violation> {
    let sequences: [&[u32]; 5] = [tokens, &tokens[..1], &[], &tokens[..3], &tokens[2..9]];
    let together = rate(model, &sequences)?;
    let last_bit = model.capabilities().batch_invariant;
    for (sequence, rated) in sequences.iter().zip(&together) {
        let alone = rate(model, &[sequence])?.remove(0);
        if last_bit {
            INVARIANT.same("a sequence alone", &alone, rated)?;
        }
        let near = alone.iter().zip(rated).all(|(a, b)| (a.log_prob - b.log_prob).abs() < ROUNDING);
        FROM.require(near, || format!("{alone:?} alone, {rated:?} with other sequences"))?;
    }
    against_logits(model, tokens, &together[0])?;
    parts_of_sequences(model, tokens, &together[0])?;
    let mut long = vec![tokens[0]; model.capabilities().context_length + 1];
    BY_ONE.answered("as many tokens", model.token_likelihoods(&[(&long).into()]))?;
    long.push(tokens[0]);
    let asked = "a sequence longer than that";
    let result = TOO_LONG.unpanicked(asked, || model.token_likelihoods(&[(&long).into()]))?;
    TOO_LONG.refused(asked, result).map(|_| ())
}

/// Neighbours that begin alike, each asked about a part.
fn parts_of_sequences(
    model: &dyn CausalLm,
    tokens: &[u32],
    rated: &[TokenLikelihood],
) -> Result<(), Violation> {
    let other = [&tokens[..tokens.len() - 2], &tokens[..1], &tokens[..3]].concat();
    let alone = rate(model, &[&other])?.remove(0);
    for from in 0..=tokens.len() {
        let asked = [
            TokenSequence { tokens: &other, from },
            TokenSequence { tokens, from },
            TokenSequence::whole(&other),
        ];
        let answers = FROM.answered("parts of sequences", model.token_likelihoods(&asked))?;
        for ((asked, answer), whole) in asked.iter().zip(&answers).zip([&alone[..], rated, &alone])
        {
            FROM.require(answer.len() == asked.predicted(), || {
                format!("{} entries for {asked:?}", answer.len())
            })?;
            let expected = &whole[whole.len() - answer.len()..];
            let near = |(a, b): (&TokenLikelihood, &TokenLikelihood)| {
                (a.log_prob - b.log_prob).abs() < ROUNDING
            };
            SHARED.require(answer.iter().zip(expected).all(near), || {
                format!("{answer:?} for {asked:?}, {expected:?} alone")
            })?;
            if model.capabilities().batch_invariant {
                INVARIANT.same("neighbours that begin alike", answer, &expected.to_vec())?;
            }
        }
    }
    Ok(())
}

fn rate(
    model: &dyn CausalLm,
    sequences: &[&[u32]],
) -> Result<Vec<Vec<TokenLikelihood>>, Violation> {
    let whole: Vec<_> = sequences.iter().map(TokenSequence::from).collect();
    let answers = FROM.answered("short sequences", model.token_likelihoods(&whole))?;
    FROM.require(answers.len() == sequences.len(), || {
        format!("{} answers to {} sequences", answers.len(), sequences.len())
    })?;
    for (sequence, answer) in sequences.iter().zip(&answers) {
        let clause = if sequence.is_empty() { NONE_FOR_EMPTY } else { FROM };
        clause.require(answer.len() == sequence.len().saturating_sub(1), || {
            format!("{} entries for {} tokens", answer.len(), sequence.len())
        })?;
    }
    Ok(answers)
}

/// Likelihoods are what the logits of decoding say.
fn against_logits(
    model: &dyn CausalLm,
    tokens: &[u32],
    rated: &[TokenLikelihood],
) -> Result<(), Violation> {
    let mut steps = FROM.answered("a session", Steps::open(model, 1, tokens.len()))?;
    let row = FROM.answered("a row", steps.session.admit())?;
    for (pair, rated) in tokens.windows(2).zip(rated) {
        let logits = FROM.answered("a step", steps.step(&[(row, &pair[..1])]))?;
        let expected = log_prob(&logits, pair[1]);
        NATURAL.require(f64::from(rated.log_prob - ROUNDING) <= 0.0, || {
            format!("{} is more than certain", rated.log_prob)
        })?;
        NATURAL
            .require((f64::from(rated.log_prob) - expected).abs() < f64::from(ROUNDING), || {
                format!("{} where the logits give {expected}", rated.log_prob)
            })?;
        let logits = logits.row(0);
        let own = logits[pair[1] as usize];
        // Where two are within rounding of each other, either may win.
        let rivals = || logits.iter().enumerate().filter(|(id, _)| *id != pair[1] as usize);
        let clearly_beaten = rivals().any(|(_, &other)| other > own + ROUNDING);
        let clearly_best = rivals().all(|(_, &other)| other < own - ROUNDING);
        let wrong = (rated.is_greedy && clearly_beaten) || (!rated.is_greedy && clearly_best);
        GREEDY.require(!wrong, || {
            format!("token {} is greedy: {}; its logit is {own}", pair[1], rated.is_greedy)
        })?;
    }
    Ok(())
}

/// `log softmax(logits)[token]`, by the definition.
fn log_prob(logits: &Logits, token: u32) -> f64 {
    let logits = logits.row(0);
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|&logit| f64::from(logit - highest).exp()).sum();
    f64::from(logits[token as usize] - highest) - total.ln()
}
