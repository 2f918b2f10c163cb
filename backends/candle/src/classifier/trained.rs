//! A trained classifier as its reader will have it: rounded weights, the mean of its networks, windows
//! over long texts.

use candle_core::{Device, Result as CandleResult, Tensor};
use detoxlm_core::{Attribute, Result, Scores};

use super::network::{Sizes, Spec, Texts, judge};
use super::rounded::Rounded;
use crate::error::internal;

const OPERATION: &str = "score texts";

/// The share of a window that the next one reads again; the highest value of all windows counts.
pub(super) const OVERLAP: f64 = 0.125;

/// Tokens that are scored together.
const BATCH: usize = 1 << 14;

#[derive(Debug)]
pub(super) struct Classifier {
    sizes: Sizes,
    networks: Vec<Rounded>,
    /// Of each network.
    parameters: Vec<Vec<Tensor>>,
    attributes: Vec<Attribute>,
    window: usize,
}

impl Classifier {
    /// The mean of networks that have the same sizes.
    pub(super) fn new(
        sizes: Sizes,
        networks: Vec<Rounded>,
        attributes: Vec<Attribute>,
        window: usize,
    ) -> Result<Self> {
        let specs = sizes.specs();
        let tensor = |(spec, values): (&Spec, Vec<f32>)| {
            Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
        };
        let tensors = |network: &Rounded| -> CandleResult<Vec<Tensor>> {
            specs.iter().zip(network.weights()).map(tensor).collect()
        };
        let parameters = networks.iter().map(tensors).collect::<CandleResult<_>>();
        let parameters = parameters.map_err(internal("round the weights"))?;
        Ok(Self { sizes, networks, parameters, attributes, window })
    }

    pub(super) const fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    pub(super) fn networks(&self) -> &[Rounded] {
        &self.networks
    }

    /// The scores of texts by their tokens; `None` for one without any.
    pub(super) fn score(&self, texts: &[Vec<u32>]) -> Result<Vec<Option<Scores>>> {
        let mut highest: Vec<Option<Vec<f32>>> = vec![None; texts.len()];
        let (mut batch, mut owners) = (Texts::default(), Vec::new());
        for (owner, text) in texts.iter().enumerate() {
            for window in windows(text, self.window) {
                batch.tokens.extend_from_slice(window);
                batch.lengths.push(window.len());
                owners.push(owner);
                if batch.tokens.len() >= BATCH {
                    self.add(&mut batch, &mut owners, &mut highest)?;
                }
            }
        }
        self.add(&mut batch, &mut owners, &mut highest)?;
        let scores = |values: Option<Vec<f32>>| {
            values.map(|values| Scores::new(self.attributes.iter().cloned().zip(values)))
        };
        highest.into_iter().map(|values| scores(values).transpose()).collect()
    }

    /// Scores windows and keeps the highest values of their texts.
    fn add(
        &self,
        batch: &mut Texts,
        owners: &mut Vec<usize>,
        highest: &mut [Option<Vec<f32>>],
    ) -> Result<()> {
        if owners.is_empty() {
            return Ok(());
        }
        let texts = std::mem::take(batch);
        for (owner, values) in owners.drain(..).zip(self.means(&texts)?) {
            match &mut highest[owner] {
                Some(highest) => {
                    highest.iter_mut().zip(values).for_each(|(one, other)| *one = one.max(other));
                }
                none => *none = Some(values),
            }
        }
        Ok(())
    }

    /// What the networks make of texts on the mean, in [0, 1].
    fn means(&self, texts: &Texts) -> Result<Vec<Vec<f32>>> {
        let mut means = vec![vec![0.0; self.sizes.attributes]; texts.lengths.len()];
        for parameters in &self.parameters {
            let judged = judge(&self.sizes, parameters, texts, None);
            let logits = judged
                .and_then(|judged| judged.logits.to_vec2::<f32>())
                .map_err(internal(OPERATION))?;
            for (mean, logit) in means.iter_mut().flatten().zip(logits.into_iter().flatten()) {
                *mean += 1.0 / (1.0 + (-logit).exp()) / self.parameters.len() as f32;
            }
        }
        Ok(means)
    }
}

/// The windows of a text, as the scorer of the written directory reads them.
fn windows(text: &[u32], window: usize) -> impl Iterator<Item = &[u32]> {
    let step = window - (window as f64 * OVERLAP) as usize;
    let count = match text.len() {
        0 => 0,
        length => 1 + length.saturating_sub(window).div_ceil(step),
    };
    (0..count).map(move |at| &text[at * step..text.len().min(at * step + window)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_by_an_eighth_and_cover_the_text() {
        let text: Vec<u32> = (0..31).collect();
        let ranges = |length: usize| {
            let range = |window: &[u32]| (window[0], window[window.len() - 1]);
            windows(&text[..length], 16).map(range).collect::<Vec<_>>()
        };
        assert_eq!(ranges(0), []);
        assert_eq!(ranges(16), [(0, 15)]);
        assert_eq!(ranges(17), [(0, 15), (14, 16)]);
        assert_eq!(ranges(30), [(0, 15), (14, 29)]);
        assert_eq!(ranges(31), [(0, 15), (14, 29), (28, 30)]);
    }
}
