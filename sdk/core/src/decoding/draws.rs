//! The next tokens of many sequences.

use std::thread;

use super::sampler::Sampler;
use crate::{Error, ErrorKind, Result, Sampling};

/// Logits that a thread is worth: fewer are drawn from sooner than it begins.
const LOGITS: usize = 1 << 17;

/// What a token is drawn from, and the number that decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw<'a> {
    pub(super) logits: &'a [f32],
    pub(super) sampling: &'a Sampling,
    /// In [0, 1).
    pub(super) uniform: f64,
}

/// Draws tokens, on several threads where there are many to draw. Each is drawn by itself, so that their
/// number changes none.
#[derive(Debug)]
pub(super) struct Draws(Vec<Sampler>);

impl Draws {
    /// On so many threads, the caller's among them.
    pub(super) fn new(threads: usize) -> Self {
        Self((0..threads.max(1)).map(|_| Sampler::default()).collect())
    }

    /// One token.
    ///
    /// # Errors
    /// When a logit is not a number or all are minus infinity.
    pub(super) fn one(&mut self, draw: Draw<'_>) -> Result<u32> {
        self.0[0].draw(draw.logits, draw.sampling, draw.uniform)
    }

    /// A token for each, in their order.
    ///
    /// # Errors
    /// When a logit is not a number or all of one are minus infinity.
    pub(super) fn all(&mut self, draws: &[Draw<'_>]) -> Result<Vec<u32>> {
        let logits: usize = draws.iter().map(|draw| draw.logits.len()).sum();
        let threads = (logits / LOGITS).clamp(1, self.0.len());
        let share = draws.len().div_ceil(threads).max(1);
        let mut tokens = vec![0; draws.len()];
        let mut parts: Vec<_> = draws
            .chunks(share)
            .zip(tokens.chunks_mut(share))
            .zip(&mut self.0)
            .map(|((draws, tokens), sampler)| move || fill(sampler, draws, tokens))
            .collect();
        thread::scope(|scope| {
            let own = parts.pop();
            let others: Vec<_> = parts.into_iter().map(|part| scope.spawn(part)).collect();
            let mut all = own.map_or(Ok(()), |mut part| part());
            for other in others {
                let panicked =
                    |_| Err(Error::new(ErrorKind::Internal, "decoding", "draw", "it panicked"));
                all = all.and(other.join().unwrap_or_else(panicked));
            }
            all
        })?;
        Ok(tokens)
    }
}

fn fill(sampler: &mut Sampler, draws: &[Draw<'_>], tokens: &mut [u32]) -> Result<()> {
    for (draw, token) in draws.iter().zip(tokens) {
        *token = sampler.draw(draw.logits, draw.sampling, draw.uniform)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_changes_no_token() {
        let sampling = Sampling::real_toxicity_prompts();
        let logits: Vec<f32> = (0..50_000_u32).map(|id| (id * 7919 % 1009) as f32 / 99.0).collect();
        let draws: Vec<_> = (0..11)
            .map(|row| Draw {
                logits: &logits[row * 1000..],
                sampling: &sampling,
                uniform: row as f64 / 11.0,
            })
            .collect();
        let expected: Vec<u32> =
            draws.iter().map(|&draw| Draws::new(1).one(draw).unwrap()).collect();
        for threads in [1, 2, 3, 64] {
            assert_eq!(Draws::new(threads).all(&draws).unwrap(), expected, "{threads}");
        }
        assert_eq!(Draws::new(2).all(&[]).unwrap(), [0_u32; 0]);
    }

    #[test]
    fn logits_that_are_not_numbers_are_refused_wherever_they_are() {
        let sampling = Sampling::real_toxicity_prompts();
        let (good, mut bad) = (vec![0.0; 1 << 17], vec![0.0; 1 << 17]);
        bad[5] = f32::NAN;
        for broken in 0..3 {
            let draws = [0, 1, 2].map(|row| Draw {
                logits: if row == broken { &bad } else { &good },
                sampling: &sampling,
                uniform: 0.5,
            });
            let error = Draws::new(3).all(&draws).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Diverged);
        }
    }
}
