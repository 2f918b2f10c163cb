use serde::Serialize;

use super::cut::changed;
use super::screen::Screen;
use super::summary::Tally;
use super::{Candidate, Cut, Reason, Selectable, Selection, SelectionSummary};
use crate::corpus::JsonlWriter;
use crate::{Result, Verdict};

/// What became of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is kept; its value.
    Kept(f32),
    /// It is dropped; its value, if it has one, and why.
    Dropped(Option<f32>, Reason),
}

/// Applies a [`Cut`] to the documents it was found in, one after the other, in their order.
#[derive(Debug)]
pub struct Selector<'a> {
    selection: &'a Selection,
    cut: &'a Cut,
    screen: Screen<'a>,
    ties: u64,
}

impl<'a> Selector<'a> {
    /// Begins a pass.
    #[must_use]
    pub fn new(selection: &'a Selection, cut: &'a Cut) -> Self {
        Self { selection, cut, screen: Screen::new(selection), ties: cut.ties }
    }

    /// Decides on the next document.
    ///
    /// # Errors
    /// When `minimum_tokens` is asked for and the row does not say how many it has.
    pub fn decide<R: Selectable>(&mut self, candidate: &Candidate<R>) -> Result<Outcome> {
        let value = match self.screen.value(candidate)? {
            Ok(value) => value,
            Err(reason) => {
                let value = candidate.verdict.get(&self.selection.attribute);
                return Ok(Outcome::Dropped(value, reason));
            }
        };
        if self.selection.cap.is_some_and(|cap| value > cap) {
            return Ok(Outcome::Dropped(Some(value), Reason::OverCap));
        }
        let tie = value == self.cut.value && self.ties > 0;
        if tie {
            self.ties -= 1;
        }
        Ok(if tie || value < self.cut.value {
            Outcome::Kept(value)
        } else {
            Outcome::Dropped(Some(value), Reason::AboveCut)
        })
    }
}

#[derive(Serialize)]
struct SelectedRow<'a, R> {
    #[serde(flatten)]
    row: &'a R,
    #[serde(flatten)]
    verdict: &'a Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// Writes every document to `kept` or to `dropped`, in order, with its verdict, its `value` and, if it
/// was dropped, the `reason`.
///
/// `source` begins a pass over the documents; it is called three times and must give the same ones.
/// The writers are left to be committed by the caller.
///
/// # Errors
/// When the configuration is impossible, the source fails or changes between passes, a row cannot be
/// written, or nothing would be kept ([`ErrorKind::Empty`](crate::ErrorKind), before anything is
/// written).
pub fn select<R, S, I>(
    mut source: S,
    selection: &Selection,
    kept: &mut JsonlWriter,
    dropped: &mut JsonlWriter,
) -> Result<SelectionSummary>
where
    R: Selectable,
    S: FnMut() -> Result<I>,
    I: IntoIterator<Item = Result<Candidate<R>>>,
{
    let cut = Cut::find(&mut source, selection)?;
    let mut selector = Selector::new(selection, &cut);
    let mut tally = Tally::new();
    for candidate in source()? {
        let candidate = candidate?;
        let outcome = selector.decide(&candidate)?;
        tally.count(&candidate.verdict, &outcome);
        let (writer, value, reason) = match outcome {
            Outcome::Kept(value) => (&mut *kept, Some(value), None),
            Outcome::Dropped(value, reason) => (&mut *dropped, value, Some(reason)),
        };
        let (row, verdict) = (&candidate.row, &candidate.verdict);
        writer.write(&SelectedRow { row, verdict, value, reason })?;
    }
    if !tally.agrees(&cut) {
        return Err(changed());
    }
    Ok(tally.summary(selection, &cut))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::corpus::{JsonlReader, ScoredTextRow, TextRow};
    use crate::selection::Compat;
    use crate::{Attribute, Decision, ErrorKind, Scores, Unscored};

    type Row = Candidate<TextRow>;

    fn scored(text: &str, value: f32) -> Row {
        let scores = Scores::new([(Attribute::TOXICITY, value)]).unwrap();
        Candidate::new(TextRow::new(text), scores.into())
    }

    fn unscored(text: &str, why: Unscored) -> Row {
        Candidate::new(TextRow::new(text), Verdict::Unscored(why))
    }

    fn values(values: &[f32]) -> Vec<Row> {
        values.iter().enumerate().map(|(id, &value)| scored(&id.to_string(), value)).collect()
    }

    fn run_in(directory: &Path, rows: &[Row], selection: &Selection) -> Result<SelectionSummary> {
        let mut kept = JsonlWriter::create(directory.join("kept.jsonl"))?;
        let mut dropped = JsonlWriter::create(directory.join("dropped.jsonl"))?;
        let source = || Ok(rows.iter().cloned().map(Ok));
        let summary = select(source, selection, &mut kept, &mut dropped)?;
        kept.commit()?;
        dropped.commit()?;
        Ok(summary)
    }

    fn texts(path: &Path) -> Vec<String> {
        JsonlReader::<TextRow>::open(path).unwrap().map(|row| row.unwrap().text).collect()
    }

    /// The summary, and the texts that were kept and dropped.
    fn run(rows: &[Row], selection: &Selection) -> (SelectionSummary, Vec<String>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let summary = run_in(directory.path(), rows, selection).unwrap();
        let read = |name: &str| texts(&directory.path().join(name));
        (summary, read("kept.jsonl"), read("dropped.jsonl"))
    }

    fn refused(rows: &[Row], selection: &Selection) -> crate::Error {
        let directory = tempfile::tempdir().unwrap();
        let error = run_in(directory.path(), rows, selection).unwrap_err();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        error
    }

    #[test]
    fn the_least_toxic_half_is_kept_in_order_and_the_first_of_equals() {
        let rows = values(&[0.5, 0.1, 0.3, 0.3, 0.9, 0.3]);
        let (summary, kept, dropped) = run(&rows, &Selection::default());
        assert_eq!(kept, ["1", "2", "3"]);
        assert_eq!(dropped, ["0", "4", "5"]);
        assert_eq!((summary.documents, summary.kept, summary.dropped), (6, 3, 3));
        assert_eq!(summary.cut, 0.3);
        assert!((summary.mean_kept.unwrap() - 0.7 / 3.0).abs() < 1e-7);
        assert!((summary.mean_dropped.unwrap() - 1.7 / 3.0).abs() < 1e-7);
        assert_eq!(summary.reasons["above_cut"], 3);
    }

    #[test]
    fn the_cap_takes_away_and_nothing_moves_up() {
        let rows = values(&[0.5, 0.1, 0.3, 0.4]);
        let selection = Selection::default().with_cap(0.2);
        let (summary, kept, _) = run(&rows, &selection);
        assert_eq!(kept, ["1"]);
        assert_eq!(summary.reasons["over_cap"], 3);
        assert_eq!(summary.cut, 0.3);
    }

    #[test]
    fn every_reason_is_told_and_the_first_that_applies() {
        let mut rows = values(&[0.2, 0.4]);
        rows.push(scored("0", 0.2));
        rows.push(scored("filtered", 0.0).with_decision("slurs", Decision::Drop("a slur".into())));
        rows.push(unscored("", Unscored::Blank));
        let other = Scores::new([(Attribute::INSULT, 0.1)]).unwrap();
        rows.push(Candidate::new(TextRow::new("other"), other.into()));
        rows.push(scored("  ", 0.0));
        let selection = Selection::default().with_deduplicate(true).with_minimum_characters(1);
        let directory = tempfile::tempdir().unwrap();
        let summary = run_in(directory.path(), &rows, &selection).unwrap();
        assert_eq!((summary.documents, summary.eligible, summary.kept), (7, 2, 1));
        assert_eq!(summary.unscored["blank"], 1);
        assert_eq!(summary.filtered, BTreeMap::from([("slurs".to_owned(), 1)]));
        assert_eq!(summary.dropped_with_value, 4);
        let lines = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(
            lines("kept.jsonl"),
            "{\"text\":\"0\",\"scores\":{\"TOXICITY\":0.2},\"value\":0.2}\n"
        );
        let expected = r#"{"text":"1","scores":{"TOXICITY":0.4},"value":0.4,"reason":"above_cut"}
{"text":"0","scores":{"TOXICITY":0.2},"value":0.2,"reason":"duplicate"}
{"text":"filtered","scores":{"TOXICITY":0.0},"value":0.0,"reason":{"filtered":{"by":"slurs","why":"a slur"}}}
{"text":"","unscored":{"reason":"blank"},"reason":"unscored"}
{"text":"other","scores":{"INSULT":0.1},"reason":"missing_attribute"}
{"text":"  ","scores":{"TOXICITY":0.0},"value":0.0,"reason":"too_short"}
"#;
        assert_eq!(lines("dropped.jsonl"), expected);
    }

    #[test]
    fn a_selected_file_can_be_selected_again() {
        let directory = tempfile::tempdir().unwrap();
        run_in(directory.path(), &values(&[0.1, 0.2, 0.3, 0.4]), &Selection::default()).unwrap();
        let again: Vec<Row> =
            JsonlReader::<ScoredTextRow>::open(directory.path().join("kept.jsonl"))
                .unwrap()
                .map(|row| row.unwrap().into())
                .collect();
        assert_eq!(run(&again, &Selection::default()).1, ["0"]);
    }

    #[test]
    fn the_reference_rule_takes_its_half_of_all_lines() {
        let mut rows = values(&[0.4, 0.3, 0.2, 0.1]);
        rows.push(unscored(" ", Unscored::Blank));
        rows.push(unscored("x", Unscored::Failed("once".into())));
        assert_eq!(run(&rows, &Selection::default()).1, ["2", "3"]);
        let reference = Selection::default().with_compat(Compat::Sgeat2022);
        assert_eq!(run(&rows, &reference).1, ["1", "2", "3"]);
    }

    #[test]
    fn nothing_to_keep_says_why_and_writes_nothing() {
        let default = Selection::default();
        let blank = unscored("", Unscored::Blank);
        let failed = unscored("x", Unscored::Failed("why".into()));
        let cases = [
            (refused(&[], &default), "there are no documents"),
            (refused(&[blank.clone(), failed, blank], &default), "2 blank, 1 failed"),
            (refused(&values(&[0.1]), &default), "0.5 of 1 documents is none"),
            (refused(&values(&[0.3, 0.4]), &default.clone().with_cap(0.2)), "has 0.3"),
        ];
        for (error, part) in cases {
            assert_eq!(error.kind(), ErrorKind::Empty);
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.remedy().is_some());
        }
        let insults = default.with_attribute(Attribute::INSULT);
        let error = refused(&values(&[0.3, 0.4]), &insults);
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("attribute")));
        assert!(error.to_string().contains("the scorer gives TOXICITY"), "{error}");
    }

    #[test]
    fn a_token_floor_needs_rows_that_count_their_tokens() {
        let selection = Selection::default().with_minimum_tokens(3);
        let error = refused(&values(&[0.1, 0.2]), &selection);
        assert_eq!(error.key(), Some("minimum_tokens"));
        let mut rows = values(&[0.1, 0.2, 0.3]);
        for (row, tokens) in rows.iter_mut().zip([2, 3, 4]) {
            row.row.fields.insert("tokens".into(), tokens.into());
        }
        let (summary, kept, _) = run(&rows, &selection);
        assert_eq!(kept, ["1"]);
        assert_eq!(summary.reasons["too_short"], 1);
    }

    #[test]
    fn a_corpus_that_changes_between_passes_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut kept = JsonlWriter::create(directory.path().join("kept.jsonl")).unwrap();
        let mut dropped = JsonlWriter::create(directory.path().join("dropped.jsonl")).unwrap();
        let mut pass = 0;
        let source = || {
            pass += 1;
            let grown = if pass < 3 { vec![0.1, 0.2] } else { vec![0.1, 0.2, 0.3] };
            Ok(values(&grown).into_iter().map(Ok))
        };
        let error = select(source, &Selection::default(), &mut kept, &mut dropped).unwrap_err();
        assert!(error.to_string().contains("changed"), "{error}");
    }

    /// A linear congruential generator (Knuth's MMIX constants), upper half.
    fn next(state: &mut u64) -> u32 {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 32) as u32
    }

    /// Against a stable sort of everything in memory, on values with many ties, on values that differ
    /// in their last bits only, and on values spread over all exponents.
    #[test]
    fn the_cut_is_that_of_a_stable_sort() {
        let mut state = 7;
        for round in 0..60 {
            let count = next(&mut state) % 400 + 2;
            let drawn: Vec<f32> = (0..count)
                .map(|_| {
                    let random = next(&mut state);
                    match round % 3 {
                        0 if random.is_multiple_of(11) => -0.0,
                        0 => (random % 22 / 2) as f32 / 10.0,
                        1 => f32::from_bits(0.25_f32.to_bits() + random % 50),
                        _ => f32::from_bits(random % (1.0_f32.to_bits() + 1)),
                    }
                })
                .collect();
            let fraction = f64::from(next(&mut state) % 99 + 1) / 100.0;
            let selection = Selection::default().with_keep_fraction(fraction);
            let quota = selection.quota(u64::from(count), u64::from(count));
            if quota == 0 {
                continue;
            }
            let mut order: Vec<usize> = (0..drawn.len()).collect();
            order.sort_by(|&a, &b| drawn[a].partial_cmp(&drawn[b]).unwrap());
            let mut expected = order[..quota as usize].to_vec();
            expected.sort_unstable();
            let (_, kept, _) = run(&values(&drawn), &selection);
            let kept: Vec<usize> = kept.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(kept, expected, "round {round}, {fraction} of {count}");
        }
    }
}
