//! Short ways to run a model.

use detoxlm_core::causal_lm::{CausalLm, DecodeSession, Logits, RowId, RowTokens};

/// Appends tokens to one row and gives the logits that follow.
pub fn step(session: &mut dyn DecodeSession, row: RowId, tokens: &[u32]) -> Vec<f32> {
    let mut logits = Logits::default();
    session.step(&[RowTokens { row, tokens }], &mut logits).unwrap();
    logits.row(0).to_vec()
}

/// The logits after every token, one by one.
#[must_use]
pub fn logits(model: &dyn CausalLm, tokens: &[u32]) -> Vec<Vec<f32>> {
    let mut session = model.decode_session(1, tokens.len()).unwrap();
    let row = session.admit().unwrap();
    tokens.iter().map(|&token| step(session.as_mut(), row, &[token])).collect()
}

/// Of the tokens of a sequence, each given those before it.
#[must_use]
pub fn log_probs(model: &dyn CausalLm, tokens: &[u32]) -> Vec<f32> {
    let likelihoods = model.token_likelihoods(&[tokens.into()]).unwrap().remove(0);
    likelihoods.iter().map(|token| token.log_prob).collect()
}

/// The most probable next token.
#[must_use]
pub fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (index, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = index;
        }
    }
    best as u32
}

/// Greedy decoding until `stop` or for `count` tokens.
#[must_use]
pub fn greedy(model: &dyn CausalLm, prompt: &[u32], count: usize, stop: Option<u32>) -> Vec<u32> {
    let mut session = model.decode_session(1, prompt.len() + count).unwrap();
    let row = session.admit().unwrap();
    let mut written = Vec::new();
    let mut logits = step(session.as_mut(), row, prompt);
    while written.len() < count {
        let next = argmax(&logits);
        if Some(next) == stop {
            break;
        }
        written.push(next);
        logits = step(session.as_mut(), row, &[next]);
    }
    written
}

/// That numbers are close to those that are expected.
///
/// # Panics
/// When they are not.
#[track_caller]
pub fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let worst = actual.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: {worst} apart");
}
