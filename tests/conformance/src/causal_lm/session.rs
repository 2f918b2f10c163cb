//! The suite of [`DecodeSession`].

use detoxlm_core::Result;
use detoxlm_core::causal_lm::{CausalLm, DecodeSession, Logits, RowId, RowTokens};

use crate::causal_lm::ROUNDING;
use crate::{Clause, Violation};

clauses! { "DecodeSession":
    EMPTY_ROW = "`admit` gives an empty row";
    FORK = "a copy of a row that grows on its own, sharing the computation done so far";
    NO_ROW = "Both fail when no row is free.";
    STEP = "`step` appends tokens to rows";
    IN_ORDER = "fills `logits` with the next-token logits of every entry in order";
    RELEASE = "`release` frees a row for the next `admit`; its id may be given out again.";
    OUTGROWN = "A row that would outgrow the session's capacity is an error that says so; the other rows stay usable.";
    STEP_MISUSE = "When a row is not in use, named twice, out of room, or a token is not in the vocabulary.";
    FORK_MISUSE = "When no row is free, or `row` is not in use.";
    RELEASE_MISUSE = "When `row` is not in use.";
    SAME_BITS = "Whether a row's logits have the same bits whatever other rows are in the call, however many threads compute them, and whether its tokens came one by one or together.";
}

/// A session and how to step it in one line.
pub(super) struct Steps<'a> {
    pub(super) session: Box<dyn DecodeSession + 'a>,
}

impl<'a> Steps<'a> {
    pub(super) fn open(model: &'a dyn CausalLm, rows: usize, capacity: usize) -> Result<Self> {
        Ok(Self { session: model.decode_session(rows, capacity)? })
    }

    pub(super) fn step(&mut self, entries: &[(RowId, &[u32])]) -> Result<Logits> {
        let entries: Vec<_> =
            entries.iter().map(|&(row, tokens)| RowTokens { row, tokens }).collect();
        let mut logits = Logits::default();
        self.session.step(&entries, &mut logits)?;
        Ok(logits)
    }
}

/// What every check needs: the model, tokens to feed it, and its logits after each of them.
struct Case<'a> {
    model: &'a dyn CausalLm,
    tokens: &'a [u32],
    /// `after[n]` are the logits after the first `n + 1` tokens, fed one by one in a lone row.
    after: Vec<Vec<f32>>,
}

pub(super) fn decode_session(model: &dyn CausalLm, tokens: &[u32]) -> Result<(), Violation> {
    let mut case = Case { model, tokens, after: Vec::new() };
    case.after = case.one_by_one()?;
    case.together()?;
    case.neighbours()?;
    case.forks()?;
    case.released_rows()?;
    case.full_session()?;
    case.outgrown_row()?;
    case.misuse()
}

impl Case<'_> {
    fn open(&self, rows: usize) -> Result<Steps<'_>, Violation> {
        let asked = format!("a session of {rows} rows");
        STEP.answered(&asked, Steps::open(self.model, rows, self.tokens.len()))
    }

    fn admit(&self, steps: &mut Steps<'_>) -> Result<RowId, Violation> {
        EMPTY_ROW.answered("a free row", steps.session.admit())
    }

    fn step(
        &self,
        steps: &mut Steps<'_>,
        entries: &[(RowId, &[u32])],
    ) -> Result<Logits, Violation> {
        let logits = STEP.answered("a step", steps.step(entries))?;
        let vocabulary = self.model.capabilities().vocabulary;
        let shape = (logits.rows(), logits.vocabulary());
        IN_ORDER.same("rows and logits of each", &shape, &(entries.len(), vocabulary))?;
        let broken = (0..logits.rows()).any(|row| logits.row(row).iter().any(|l| l.is_nan()));
        IN_ORDER.require(!broken, || "a logit is not a number".to_owned())?;
        Ok(logits)
    }

    /// The logits after the first `count` tokens, as they should be.
    fn expect(
        &self,
        clause: Clause,
        asked: &str,
        seen: &[f32],
        count: usize,
    ) -> Result<(), Violation> {
        let expected = &self.after[count - 1];
        let spread = expected
            .iter()
            .copied()
            .filter(|l| l.is_finite())
            .fold(1.0, |most, l| l.abs().max(most));
        // Two that are both minus infinity are equal and have no difference.
        let apart = seen
            .iter()
            .zip(expected)
            .position(|(a, b)| a != b && (a - b).abs() > ROUNDING * spread);
        clause.require(apart.is_none(), || {
            let token = apart.unwrap_or_default();
            format!(
                "{asked}: the logit of token {token} is {} instead of {}",
                seen[token], expected[token]
            )
        })?;
        if self.model.capabilities().batch_invariant {
            let bit = seen.iter().zip(expected).position(|(a, b)| a.to_bits() != b.to_bits());
            SAME_BITS.require(bit.is_none(), || {
                let token = bit.unwrap_or_default();
                format!(
                    "{asked}: the logit of token {token} is {} instead of {}",
                    seen[token], expected[token]
                )
            })?;
        }
        Ok(())
    }

    fn one_by_one(&self) -> Result<Vec<Vec<f32>>, Violation> {
        let mut steps = self.open(1)?;
        let row = self.admit(&mut steps)?;
        self.tokens
            .chunks(1)
            .map(|token| Ok(self.step(&mut steps, &[(row, token)])?.row(0).to_vec()))
            .collect()
    }

    /// A prompt at once, and in two pieces, is the same as token by token.
    fn together(&self) -> Result<(), Violation> {
        let all = self.tokens.len();
        let mut steps = self.open(1)?;
        let row = self.admit(&mut steps)?;
        let logits = self.step(&mut steps, &[(row, self.tokens)])?;
        self.expect(STEP, "all tokens at once", logits.row(0), all)?;
        let mut steps = self.open(1)?;
        let row = self.admit(&mut steps)?;
        self.step(&mut steps, &[(row, &self.tokens[..5])])?;
        let logits = self.step(&mut steps, &[(row, &self.tokens[5..])])?;
        self.expect(STEP, "the tokens in two pieces", logits.row(0), all)
    }

    /// Rows of unequal length in one call, prompts beside single tokens, in an order of their own.
    fn neighbours(&self) -> Result<(), Violation> {
        let tokens = self.tokens;
        let mut steps = self.open(3)?;
        let mut rows = Vec::new();
        for _ in 0..3 {
            rows.push(self.admit(&mut steps)?);
        }
        let first = self.step(
            &mut steps,
            &[(rows[2], &tokens[..7]), (rows[0], &tokens[..1]), (rows[1], &tokens[..4])],
        )?;
        for (index, count) in [7, 1, 4].into_iter().enumerate() {
            self.expect_in_order("beside other rows", &first, index, count)?;
        }
        let second = self.step(
            &mut steps,
            &[(rows[1], &tokens[4..5]), (rows[2], &tokens[7..9]), (rows[0], &tokens[1..6])],
        )?;
        for (index, count) in [5, 9, 6].into_iter().enumerate() {
            self.expect_in_order("in another order", &second, index, count)?;
        }
        let third = self.step(&mut steps, &[(rows[0], &tokens[6..7])])?;
        self.expect(STEP, "one row of three", third.row(0), 7)
    }

    /// The right logits in another entry are an order that was not kept.
    fn expect_in_order(
        &self,
        asked: &str,
        logits: &Logits,
        index: usize,
        count: usize,
    ) -> Result<(), Violation> {
        let elsewhere = (0..logits.rows())
            .filter(|&other| other != index)
            .any(|other| self.expect(IN_ORDER, asked, logits.row(other), count).is_ok());
        let clause = if elsewhere { IN_ORDER } else { STEP };
        self.expect(clause, asked, logits.row(index), count)
    }

    /// A fork goes on from where it was taken; what follows in one row is not seen in the other.
    fn forks(&self) -> Result<(), Violation> {
        let tokens = self.tokens;
        let mut steps = self.open(3)?;
        let root = self.admit(&mut steps)?;
        self.step(&mut steps, &[(root, &tokens[..6])])?;
        let copy = FORK.answered("a fork", steps.session.fork(root))?;
        let stray = FORK.answered("a second fork", steps.session.fork(root))?;
        FORK.require(copy != root && stray != root && copy != stray, || {
            format!("{copy:?} and {stray:?} are forks of {root:?}")
        })?;
        // The original and one fork wander off; the other fork must not notice.
        self.step(&mut steps, &[(root, &[tokens[0], tokens[1]]), (stray, &tokens[..1])])?;
        let logits = self.step(&mut steps, &[(copy, &tokens[6..8])])?;
        self.expect(FORK, "a fork whose origin went elsewhere", logits.row(0), 8)?;
        FORK.answered("releasing the origin", steps.session.release(root))?;
        let again = FORK.answered("a fork of a fork", steps.session.fork(copy))?;
        let logits = self.step(&mut steps, &[(again, &tokens[8..10]), (copy, &tokens[8..9])])?;
        self.expect(FORK, "a fork of a fork", logits.row(0), 10)?;
        self.expect(FORK, "a fork whose origin is gone", logits.row(1), 9)
    }

    /// A row that is given out again remembers nothing.
    fn released_rows(&self) -> Result<(), Violation> {
        let tokens = self.tokens;
        let mut steps = self.open(2)?;
        let stays = self.admit(&mut steps)?;
        let goes = self.admit(&mut steps)?;
        let reversed: Vec<u32> = tokens.iter().rev().take(5).copied().collect();
        self.step(&mut steps, &[(goes, &reversed), (stays, &tokens[..3])])?;
        RELEASE.answered("a release", steps.session.release(goes))?;
        let next = RELEASE.answered("a row after a release", steps.session.admit())?;
        let logits = self.step(&mut steps, &[(next, &tokens[..2]), (stays, &tokens[3..4])])?;
        self.expect(EMPTY_ROW, "a row given out again", logits.row(0), 2)?;
        self.expect(RELEASE, "a row beside a released one", logits.row(1), 4)
    }

    fn full_session(&self) -> Result<(), Violation> {
        let mut steps = self.open(2)?;
        let first = self.admit(&mut steps)?;
        let second = self.admit(&mut steps)?;
        EMPTY_ROW.require(first != second, || format!("{first:?} was given out twice"))?;
        self.step(&mut steps, &[(first, &self.tokens[..1]), (second, &self.tokens[..2])])?;
        refused(NO_ROW, "a third row of two", || steps.session.admit())?;
        refused(NO_ROW, "a fork into a third row of two", || steps.session.fork(first))
    }

    fn outgrown_row(&self) -> Result<(), Violation> {
        let tokens = self.tokens;
        let mut steps = self.open(2)?;
        let full = self.admit(&mut steps)?;
        let other = self.admit(&mut steps)?;
        let logits = self.step(&mut steps, &[(full, tokens), (other, &tokens[..4])])?;
        self.expect(OUTGROWN, "a row that is exactly full", logits.row(0), tokens.len())?;
        refused(OUTGROWN, "a token too many", || steps.step(&[(full, &tokens[..1])]))?;
        let logits =
            OUTGROWN.answered("another row afterwards", steps.step(&[(other, &tokens[4..6])]))?;
        self.expect(OUTGROWN, "another row afterwards", logits.row(0), 6)
    }

    fn misuse(&self) -> Result<(), Violation> {
        let token = &self.tokens[..1];
        let mut steps = self.open(2)?;
        let used = self.admit(&mut steps)?;
        let released = self.admit(&mut steps)?;
        self.step(&mut steps, &[(used, token), (released, token)])?;
        RELEASE.answered("a release", steps.session.release(released))?;
        refused(STEP_MISUSE, "a step of a released row", || steps.step(&[(released, token)]))?;
        refused(FORK_MISUSE, "a fork of a released row", || steps.session.fork(released))?;
        refused(RELEASE_MISUSE, "a second release", || steps.session.release(released))?;
        refused(STEP_MISUSE, "a row named twice", || steps.step(&[(used, token), (used, token)]))
    }
}

fn refused<T>(
    clause: Clause,
    asked: &str,
    call: impl FnOnce() -> Result<T>,
) -> Result<(), Violation> {
    let result = clause.unpanicked(asked, call)?;
    clause.refused(asked, result).map(|_| ())
}
