//! The contracts of the decode session: bits, rows and errors.

mod common;

use common::open;
use detoxlm_candle::{CandleLm, CandleOptions};
use detoxlm_core::causal_lm::{CausalLm, Logits, RowId, RowTokens, TokenLikelihood, TokenSequence};
use detoxlm_core::{ErrorKind, Result};
use detoxlm_test_models::{MODELS, expected, fixture, step};

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|logit| logit.to_bits()).collect()
}

#[test]
fn token_by_token_in_company_and_at_once_give_the_same_bits() {
    for name in MODELS {
        let model = open(&fixture(name));
        let ids = expected(name).text_ids;
        let mut session = model.decode_session(3, 192).unwrap();
        let whole = session.admit().unwrap();
        let at_once = step(session.as_mut(), whole, &ids);

        let [slow, other] = [session.admit().unwrap(), session.admit().unwrap()];
        let mut logits = Logits::default();
        for (index, token) in ids.chunks(1).enumerate() {
            // The other row appends at its own pace, a few tokens at every third step.
            let mut entries = vec![RowTokens { row: slow, tokens: token }];
            if index % 3 == 0 {
                entries.insert(0, RowTokens { row: other, tokens: &ids[..index % 5 + 1] });
            }
            session.step(&entries, &mut logits).unwrap();
            assert_eq!(logits.rows(), entries.len());
        }
        assert_eq!(bits(logits.row(logits.rows() - 1)), bits(&at_once), "{name}");
    }
}

#[test]
fn a_prompt_longer_than_a_pass_has_the_bits_of_its_parts() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("stories");
    let source = fixture("stories260K");
    detoxlm_candle::convert_llama2c(
        &source.join("stories260K.bin"),
        &source.join("tok512.bin"),
        &directory,
    )
    .unwrap();
    let model = open(&directory);
    let ids: Vec<u32> = (0..500).map(|index| 3 + index * 7 % 509).collect();
    let mut session = model.decode_session(4, 512).unwrap();
    let rows: Vec<_> = (0..4).map(|_| session.admit().unwrap()).collect();
    let mut together = Logits::default();
    let entries: Vec<_> = rows.iter().map(|&row| RowTokens { row, tokens: &ids }).collect();
    session.step(&entries, &mut together).unwrap();
    session.release(rows[3]).unwrap();
    let row = session.admit().unwrap();
    for part in ids.chunks(77) {
        step(session.as_mut(), row, part);
    }
    let next = [ids[0]];
    let apart = step(session.as_mut(), row, &next);
    for row in &rows[..3] {
        assert_eq!(bits(&step(session.as_mut(), *row, &next)), bits(&apart));
    }
    assert_eq!(bits(together.row(0)), bits(together.row(2)));
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let directory = fixture("llama3");
    let ids = expected("llama3").text_ids;
    let logits = [1, 3].map(|threads| {
        let options = CandleOptions::default().with_threads(threads);
        let model = CandleLm::open(&directory, options).unwrap();
        let mut session = model.decode_session(1, 192).unwrap();
        let row = session.admit().unwrap();
        bits(&step(session.as_mut(), row, &ids))
    });
    assert_eq!(logits[0], logits[1]);
}

#[test]
fn a_fork_goes_on_like_its_original() {
    for name in MODELS {
        let model = open(&fixture(name));
        let ids = expected(name).text_ids;
        let mut session = model.decode_session(3, 192).unwrap();
        let original = session.admit().unwrap();
        step(session.as_mut(), original, &ids[..70]);
        let fork = session.fork(original).unwrap();
        assert_ne!(fork, original);
        // What one writes, the other does not see.
        step(session.as_mut(), original, &[5, 6, 7]);
        let forked = step(session.as_mut(), fork, &ids[70..]);
        let alone = session.admit().unwrap();
        assert_eq!(bits(&forked), bits(&step(session.as_mut(), alone, &ids)), "{name}");
    }
}

#[test]
fn a_released_row_starts_anew() {
    let model = open(&fixture("gpt2"));
    let mut session = model.decode_session(1, 8).unwrap();
    let row = session.admit().unwrap();
    let first = step(session.as_mut(), row, &[1, 2, 3]);
    session.release(row).unwrap();
    let row = session.admit().unwrap();
    assert_eq!(bits(&step(session.as_mut(), row, &[1, 2, 3])), bits(&first));
}

fn rate(model: &CandleLm, sequences: &[&[u32]]) -> Result<Vec<Vec<TokenLikelihood>>> {
    let sequences: Vec<_> = sequences.iter().map(TokenSequence::from).collect();
    model.token_likelihoods(&sequences)
}

/// Neighbours that share a beginning, of many lengths and in families of many sizes, with other
/// sequences in between: the same bits as each alone, from wherever they are asked for.
#[test]
fn what_neighbours_share_is_computed_once_and_has_the_same_bits() {
    for name in MODELS {
        let model = open(&fixture(name));
        let ids = expected(name).text_ids;
        let vary = |shared: usize, tail: usize, salt: u32| -> Vec<u32> {
            let tail = (0..tail as u32).map(|index| (index * 7 + salt * 31) % 300);
            ids[..shared].iter().copied().chain(tail).collect()
        };
        let mut sequences = Vec::new();
        for (family, shared) in [2, 9, 10, 40, 61].into_iter().enumerate() {
            for member in 0..=family {
                sequences.push(vary(shared, 3 + 5 * member, member as u32));
            }
            sequences.push(ids[7..7 + shared].to_vec());
        }
        sequences.push(vary(61, 1, 0));
        sequences.push(vary(61, 0, 0));
        let asked: Vec<_> = sequences
            .iter()
            .enumerate()
            .map(|(index, tokens)| TokenSequence {
                tokens,
                from: [1, 5, 11, tokens.len()][index % 4],
            })
            .collect();
        let together = model.token_likelihoods(&asked).unwrap();
        for (sequence, together) in asked.iter().zip(&together) {
            let whole = rate(&model, &[sequence.tokens]).unwrap().remove(0);
            assert_eq!(together.len(), sequence.predicted());
            let alone = &whole[whole.len() - together.len()..];
            let bits = |rated: &[TokenLikelihood]| -> Vec<_> {
                rated.iter().map(|token| (token.log_prob.to_bits(), token.is_greedy)).collect()
            };
            assert_eq!(bits(together), bits(alone), "{name}: {sequence:?}");
        }
    }
}

#[test]
fn likelihoods_are_those_of_decoding_for_ragged_sequences() {
    let model = open(&fixture("gpt2"));
    let ids = expected("gpt2").text_ids;
    let sequences: Vec<&[u32]> =
        vec![&ids, &[], &ids[..1], &ids[3..60], &ids[..2], &ids[20..], &ids];
    let rated = rate(&model, &sequences).unwrap();
    for (sequence, rated) in sequences.iter().zip(&rated) {
        assert_eq!(rated.len(), sequence.len().saturating_sub(1));
        let mut session = model.decode_session(1, 192).unwrap();
        let row = session.admit().unwrap();
        for (pair, token) in sequence.windows(2).zip(rated) {
            let logits = step(session.as_mut(), row, &pair[..1]);
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|logit| f64::from(logit - highest).exp()).sum();
            let log_prob = f64::from(logits[pair[1] as usize] - highest) - sum.ln();
            assert!((f64::from(token.log_prob) - log_prob).abs() < 1e-5);
            assert_eq!(token.is_greedy, detoxlm_test_models::argmax(&logits) == pair[1]);
        }
    }
    assert_eq!(rated[0], rated[6]);
}

fn refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, parts: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn misuse_is_an_error_that_leaves_every_row_usable() {
    let model = open(&fixture("gpt2"));
    let input = ErrorKind::InvalidInput;
    let mut session = model.decode_session(2, 8).unwrap();
    let row = session.admit().unwrap();
    let alone = step(session.as_mut(), row, &[1, 2]);
    let other = session.admit().unwrap();
    refused(session.admit(), input, &["all 2 rows are in use", "release one"]);
    refused(session.fork(row), input, &["all 2 rows are in use"]);

    let mut logits = Logits::default();
    let mut step_all = |entries: &[(RowId, &[u32])]| {
        let entries: Vec<_> =
            entries.iter().map(|&(row, tokens)| RowTokens { row, tokens }).collect();
        session.step(&entries, &mut logits)
    };
    let good: (RowId, &[u32]) = (other, &[1, 2]);
    refused(step_all(&[good, (row, &[320])]), input, &["token 320", "vocabulary of 320"]);
    refused(
        step_all(&[good, (row, &[0; 7])]),
        input,
        &["row 0 has 2 tokens, and 7 more exceed the session's capacity of 8"],
    );
    refused(step_all(&[good, (other, &[1])]), input, &["row 1 is in the step twice"]);
    refused(step_all(&[good, (row, &[])]), input, &["row 0 is given no tokens"]);
    refused(step_all(&[good, (RowId(2), &[1])]), input, &["row 2 is not in use"]);
    step_all(&[good]).unwrap();
    assert_eq!(bits(logits.row(0)), bits(&alone));

    session.release(other).unwrap();
    refused(session.release(other), input, &["row 1 is not in use"]);
    refused(session.fork(other), input, &["row 1 is not in use"]);
    step(session.as_mut(), row, &[0; 6]);
}

#[test]
fn sessions_and_sequences_beyond_the_context_are_refused() {
    let model = open(&fixture("gpt2"));
    assert_eq!(model.capabilities().context_length, 192);
    assert!(model.capabilities().batch_invariant);
    refused(
        model.decode_session(1, 193),
        ErrorKind::InvalidConfig,
        &["`capacity`", "193 tokens are more than the model's context of 192"],
    );
    refused(
        model.decode_session(usize::MAX / 4096, 192),
        ErrorKind::OutOfMemory,
        &["do not fit the memory"],
    );
    refused(
        rate(&model, &[&[1], &[1; 194]]),
        ErrorKind::InvalidInput,
        &["sequence 1 has 193 tokens before its last, more than the context of 192"],
    );
    refused(
        rate(&model, &[&[1, 400]]),
        ErrorKind::InvalidInput,
        &["token 400 is not in the vocabulary of 320"],
    );
}
