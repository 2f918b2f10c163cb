use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::calls::{self, expect_answers};
use crate::{
    Attribute, DigestBuilder, Error, ErrorKind, Info, Result, Sample, ScorerCapabilities, Scores,
    ToxicityScorer, Verdict,
};

/// What the values of a text's windows make of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowRule {
    /// The highest: a text is as toxic as its worst part.
    #[default]
    Max,
    /// Their mean, each weighted by its characters.
    Mean,
}

/// How a long text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Windows {
    /// The most characters (Unicode scalar values) of a window; a text of no more is scored whole.
    pub characters: usize,
    /// Characters that a window repeats of the one before, so that what spans a cut is seen whole.
    pub overlap: usize,
    /// What becomes of the windows' values.
    pub rule: WindowRule,
}

impl Default for Windows {
    fn default() -> Self {
        Self { characters: 2000, overlap: 200, rule: WindowRule::Max }
    }
}

/// Scores long texts window by window.
///
/// Cuts fall on white space where there is some in the window's second half, and between characters
/// otherwise. A text has a value of an attribute if one of its windows has; windows that have none
/// count for nothing. Where no window has a value, the text is unscored for the first one's reason.
#[derive(Clone, Debug)]
pub struct Windowed {
    inner: Arc<dyn ToxicityScorer>,
    windows: Windows,
    info: Info,
}

impl Windowed {
    /// A scorer of texts of any length.
    ///
    /// # Errors
    /// When a window holds nothing, or repeats half of the one before or more.
    pub fn new(inner: Arc<dyn ToxicityScorer>, windows: Windows) -> Result<Self> {
        let Windows { characters, overlap, rule } = windows;
        let refuse = |key: &'static str, message: &'static str| {
            Err(Error::new(ErrorKind::InvalidConfig, "scoring", "cut texts into windows", message)
                .with_key(key))
        };
        if characters == 0 {
            return refuse("characters", "must be at least 1");
        }
        if overlap > characters / 2 {
            return refuse("overlap", "must be at most half of a window");
        }
        let base = inner.info();
        let mut digest = DigestBuilder::new();
        digest
            .update("windows")
            .update(base.digest.as_str())
            .update(format!("{characters} {overlap} {rule:?}"));
        let name = format!("{} in windows", base.name);
        let info = Info::new(name, env!("CARGO_PKG_VERSION"), digest.finish());
        Ok(Self { inner, windows, info })
    }
}

#[async_trait]
impl ToxicityScorer for Windowed {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.inner.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let mut pieces = Vec::with_capacity(samples.len());
        let mut counts = Vec::with_capacity(samples.len());
        for sample in samples {
            let windows = cut(&sample.text, &self.windows);
            counts.push(windows.len());
            let prompt = &sample.prompt;
            pieces.extend(windows.iter().map(|text| Sample::new(*text).with_prompt(prompt)));
        }
        let verdicts = calls::score(&*self.inner, &pieces).await?;
        expect_answers(self.inner.info(), pieces.len(), verdicts.len())?;
        let mut rest = verdicts.into_iter().zip(&pieces);
        counts.iter().map(|&count| combine(rest.by_ref().take(count), self.windows.rule)).collect()
    }
}

/// The windows of a text, in order; the text itself if it is short enough.
fn cut<'t>(text: &'t str, windows: &Windows) -> Vec<&'t str> {
    // Where each character begins, and where the last one ends.
    let mut starts: Vec<usize> = text.char_indices().map(|(byte, _)| byte).collect();
    let length = starts.len();
    starts.push(text.len());
    let mut pieces = Vec::new();
    let mut from = 0;
    loop {
        let most = from + windows.characters;
        if most >= length {
            pieces.push(&text[starts[from]..]);
            return pieces;
        }
        let space = (from + windows.characters.div_ceil(2)..most)
            .rev()
            .find(|&at| text[starts[at]..].starts_with(char::is_whitespace));
        let to = space.map_or(most, |at| at + 1);
        pieces.push(&text[starts[from]..starts[to]]);
        // An overlap of half a window would not advance past a cut in the middle.
        from = (to - windows.overlap.min(to - from - 1)).max(from + 1);
    }
}

/// One verdict of many.
fn combine<'p>(
    windows: impl Iterator<Item = (Verdict, &'p Sample)>,
    rule: WindowRule,
) -> Result<Verdict> {
    /// Sum of weights and of weighted values, or the highest value.
    struct Total {
        attribute: Attribute,
        weight: f64,
        value: f64,
    }
    let mut totals: Vec<Total> = Vec::new();
    let mut unscored = None;
    let mut alone = None;
    let mut count = 0;
    for (verdict, sample) in windows {
        count += 1;
        match &verdict {
            Verdict::Unscored(reason) => {
                unscored.get_or_insert_with(|| reason.clone());
            }
            Verdict::Scored(scores) => {
                let weight = sample.text.chars().count() as f64;
                for (attribute, value) in scores.iter() {
                    let value = f64::from(value);
                    match totals.iter_mut().find(|total| total.attribute == *attribute) {
                        None => {
                            let attribute = attribute.clone();
                            let value = match rule {
                                WindowRule::Max => value,
                                WindowRule::Mean => weight * value,
                            };
                            totals.push(Total { attribute, weight, value });
                        }
                        Some(total) => match rule {
                            WindowRule::Max => total.value = total.value.max(value),
                            WindowRule::Mean => {
                                total.weight += weight;
                                total.value += weight * value;
                            }
                        },
                    }
                }
            }
        }
        alone = Some(verdict);
    }
    match (alone, unscored) {
        // A text of one window has that window's verdict to the bit.
        (Some(verdict), _) if count == 1 => Ok(verdict),
        (_, Some(reason)) if totals.is_empty() => Ok(Verdict::Unscored(reason)),
        _ => {
            let value = |total: &Total| match rule {
                WindowRule::Max => total.value,
                WindowRule::Mean => (total.value / total.weight).min(1.0),
            };
            let values = totals.iter().map(|total| (total.attribute.clone(), value(total) as f32));
            Scores::new(values).map(Verdict::Scored)
        }
    }
}
