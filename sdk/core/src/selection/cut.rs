use std::collections::{BTreeMap, BTreeSet};

use super::screen::Screen;
use super::{COMPONENT, Candidate, Reason, Selectable, Selection, reason};
use crate::{Attribute, Error, ErrorKind, Result, Verdict};

/// Where the rank cuts.
///
/// The k-th smallest of any number of values is exact in constant memory because of two things: the
/// bits of a non-negative `f32` are ordered like the numbers, and there are only 2¹⁶ of each half.
/// One pass counts the upper halves, which tells the half that the k-th value has; the next counts
/// the lower halves among those.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// The k-th smallest value.
    pub value: f32,
    /// How many documents of exactly this value are kept.
    pub ties: u64,
    /// k: how many documents the rank keeps, before the cap.
    pub quota: u64,
    /// How many documents there are.
    pub documents: u64,
    /// How many of them are eligible.
    pub eligible: u64,
}

impl Cut {
    /// Finds the cut in two passes; `source` begins each of them.
    ///
    /// # Errors
    /// When the configuration is impossible, the source fails, or nothing would be kept: the error
    /// counts the reasons.
    pub fn find<R, S, I>(source: &mut S, selection: &Selection) -> Result<Self>
    where
        R: Selectable,
        S: FnMut() -> Result<I>,
        I: IntoIterator<Item = Result<Candidate<R>>>,
    {
        selection.validate()?;
        let mut census = Census::default();
        let mut upper = Histogram::new();
        for_each_value(source, selection, |candidate, value| {
            census.count(candidate, &value);
            if let Ok(value) = value {
                upper.count(value.to_bits() >> 16);
                census.lowest = census.lowest.min(value);
            }
        })?;
        let quota = selection.quota(census.documents, census.eligible);
        census.refuse_if_nothing_is_kept(selection, quota)?;

        let (bin, below_bin) = upper.find(quota);
        let mut lower = Histogram::new();
        for_each_value(source, selection, |_, value| {
            if let Ok(value) = value
                && value.to_bits() >> 16 == bin
            {
                lower.count(value.to_bits() & 0xFFFF);
            }
        })?;
        if lower.total != upper.counts[bin as usize] {
            return Err(changed());
        }
        let (low, below_low) = lower.find(quota - below_bin);
        Ok(Self {
            value: f32::from_bits(bin << 16 | low),
            ties: quota - below_bin - below_low,
            quota,
            documents: census.documents,
            eligible: census.eligible,
        })
    }
}

/// A pass over the same documents found others.
pub(super) fn changed() -> Error {
    let message = "the documents changed while they were read";
    Error::new(ErrorKind::InvalidInput, COMPONENT, "select documents", message)
        .with_remedy("select again when nothing writes to the corpus any more")
}

fn for_each_value<R, S, I>(
    source: &mut S,
    selection: &Selection,
    mut see: impl FnMut(&Candidate<R>, Result<f32, Reason>),
) -> Result<()>
where
    R: Selectable,
    S: FnMut() -> Result<I>,
    I: IntoIterator<Item = Result<Candidate<R>>>,
{
    let mut screen = Screen::new(selection);
    for candidate in source()? {
        let candidate = candidate?;
        let value = screen.value(&candidate)?;
        see(&candidate, value);
    }
    Ok(())
}

/// Counts of 16-bit numbers.
struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    fn new() -> Self {
        Self { counts: vec![0; 1 << 16], total: 0 }
    }

    fn count(&mut self, number: u32) {
        self.counts[number as usize] += 1;
        self.total += 1;
    }

    /// The number that the `rank`-th (from 1, at most `total`) in order has, and how many are lower.
    fn find(&self, rank: u64) -> (u32, u64) {
        let mut below = 0;
        for (number, &count) in (0_u32..).zip(&self.counts) {
            if below + count >= rank {
                return (number, below);
            }
            below += count;
        }
        (u32::from(u16::MAX), below)
    }
}

/// What there is, to explain why there is nothing to keep.
struct Census {
    documents: u64,
    eligible: u64,
    lowest: f32,
    reasons: BTreeMap<&'static str, u64>,
    attributes: BTreeSet<Attribute>,
}

impl Default for Census {
    fn default() -> Self {
        Self {
            documents: 0,
            eligible: 0,
            lowest: f32::INFINITY,
            reasons: BTreeMap::new(),
            attributes: BTreeSet::new(),
        }
    }
}

impl Census {
    fn count<R>(&mut self, candidate: &Candidate<R>, value: &Result<f32, Reason>) {
        self.documents += 1;
        let reason = match (value, &candidate.verdict) {
            (Ok(_), _) => {
                self.eligible += 1;
                return;
            }
            (Err(Reason::Unscored), Verdict::Unscored(why)) => reason::kind_of(why),
            (Err(reason), Verdict::Scored(scores)) => {
                if *reason == Reason::MissingAttribute {
                    self.attributes.extend(scores.iter().map(|(attribute, _)| attribute.clone()));
                }
                reason.as_str()
            }
            (Err(reason), _) => reason.as_str(),
        };
        *self.reasons.entry(reason).or_default() += 1;
    }

    fn refuse_if_nothing_is_kept(&self, selection: &Selection, quota: u64) -> Result<()> {
        let empty = |message: String, remedy: String| {
            Err(Error::new(ErrorKind::Empty, COMPONENT, "select documents", message)
                .with_remedy(remedy))
        };
        if self.documents == 0 {
            return empty("there are no documents".into(), "generate some first".into());
        }
        if self.eligible == 0 && !self.attributes.is_empty() {
            let attribute = &selection.attribute;
            let there: Vec<_> = self.attributes.iter().map(Attribute::as_str).collect();
            let message = format!("no document has a value for {attribute}");
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "select documents",
                message,
            )
            .with_key("attribute")
            .with_remedy(format!("the scorer gives {}", there.join(", "))));
        }
        if self.eligible == 0 {
            let reasons: Vec<_> =
                self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            let message =
                format!("none of {} documents is left: {}", self.documents, reasons.join(", "));
            return empty(
                message,
                "change the scorer, the filters or the lengths asked for".into(),
            );
        }
        if quota == 0 {
            let message =
                format!("{} of {} documents is none", selection.keep_fraction, self.eligible);
            let remedy = "raise keep_fraction, or generate more documents";
            return empty(message, remedy.into());
        }
        match selection.cap {
            Some(cap) if self.lowest > cap => empty(
                format!("even the least toxic document has {}, over the cap of {cap}", self.lowest),
                "raise cap; another scorer's scale may be another one".into(),
            ),
            _ => Ok(()),
        }
    }
}
