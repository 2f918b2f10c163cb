//! Rows as the network reads them.

use candle_core::{Error, Result};
use detoxlm_core::Attribute;
use detoxlm_core::distillation::{DistillationConfig, LabelledRow, SourceConfig};

use super::batches::{Batches, Group};
use super::loss::Targets;
use super::network::Texts;

/// Tokens and values of rows that are trained on.
#[derive(Debug)]
pub(super) struct Examples {
    tokens: Vec<Vec<u32>>,
    values: Vec<Vec<Option<f32>>>,
    /// The number of a row's source, 0 for that of the scale; one more than the last for what
    /// teachers say, which is on the scale as well.
    groups: Vec<u32>,
    /// How each group is read: 0 on the scale, and by the number of its head otherwise.
    heads: Vec<u32>,
    /// How the rows of each group count.
    counting: Vec<SourceConfig>,
    attribute_weights: Vec<f32>,
}

/// What one step learns from.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) texts: Texts,
    pub(super) sources: Vec<u32>,
    pub(super) targets: Targets,
}

impl Examples {
    /// `tokens` are those of the rows; rows without any are left out.
    pub(super) fn new(
        rows: &[LabelledRow],
        mut tokens: Vec<Vec<u32>>,
        sources: &[String],
        attributes: &[Attribute],
        config: &DistillationConfig,
    ) -> Self {
        tokens.iter_mut().for_each(|tokens| tokens.truncate(config.tokens));
        let weight =
            |attribute| config.attribute_weights.get(attribute).copied().unwrap_or(1.0) as f32;
        let counting: Vec<SourceConfig> = sources.iter().map(|name| config.source(name)).collect();
        let mut others = 0;
        let head = |(source, counting): (usize, &SourceConfig)| {
            let is_scale = source == 0 || counting.on_scale;
            others += u32::from(!is_scale);
            if is_scale { 0 } else { others }
        };
        let mut examples = Self {
            heads: counting.iter().enumerate().map(head).collect(),
            counting,
            tokens: Vec::with_capacity(rows.len()),
            values: Vec::with_capacity(rows.len()),
            groups: Vec::with_capacity(rows.len()),
            attribute_weights: attributes.iter().map(weight).collect(),
        };
        for (row, tokens) in rows.iter().zip(tokens).filter(|(_, tokens)| !tokens.is_empty()) {
            let source = sources.iter().position(|name| *name == row.source).unwrap_or(0);
            examples.tokens.push(tokens);
            examples.values.push(row.values(attributes));
            examples.groups.push(source as u32);
        }
        examples
    }

    /// How many sources are not on the scale: each is read by a head of its own.
    pub(super) fn others(&self) -> usize {
        self.heads.iter().copied().max().unwrap_or_default() as usize
    }

    /// Adds texts with what teachers make of them.
    pub(super) fn add_taught(
        &mut self,
        texts: impl IntoIterator<Item = (Vec<u32>, Vec<f32>)>,
        counting: SourceConfig,
    ) {
        let group = self.counting.len() as u32;
        self.counting.push(counting);
        self.heads.push(0);
        for (tokens, values) in texts {
            self.tokens.push(tokens);
            self.values.push(values.into_iter().map(Some).collect());
            self.groups.push(group);
        }
    }

    /// How they are drawn.
    pub(super) fn batches(&self, budget: usize, seed: u64) -> Batches {
        let group = |(group, counting): (usize, &SourceConfig)| {
            let is_its = |&row: &u32| self.groups[row as usize] == group as u32;
            let rows = (0..self.tokens.len() as u32).filter(is_its).collect();
            Group { rows, most: counting.per_epoch.unwrap_or(usize::MAX) }
        };
        Batches {
            groups: self.counting.iter().enumerate().map(group).collect(),
            lengths: self.tokens.iter().map(Vec::len).collect(),
            budget,
            seed,
        }
    }

    /// The rows of a step.
    pub(super) fn batch(&self, rows: &[u32]) -> Result<Batch> {
        let mut batch = Batch::default();
        for row in rows.iter().map(|&row| row as usize) {
            let (Some(tokens), Some(values)) = (self.tokens.get(row), self.values.get(row)) else {
                return Err(Error::Msg(format!("there is no row {row}")));
            };
            batch.texts.tokens.extend_from_slice(tokens);
            batch.texts.lengths.push(tokens.len());
            let group = self.groups[row];
            let weight = self.counting[group as usize].weight as f32;
            batch.sources.push(self.heads[group as usize]);
            batch.targets.push(values, &self.attribute_weights, weight);
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use detoxlm_core::Scores;

    use super::*;

    #[test]
    fn what_is_on_the_scale_has_no_head_and_the_others_have_one_each() {
        let sources = ["scale", "a", "earlier", "z"].map(str::to_owned);
        let row = |source: &String| {
            let scores = Scores::new([(Attribute::TOXICITY, 0.5)]).unwrap();
            LabelledRow::new("text", scores, source)
        };
        let rows: Vec<_> = sources.iter().map(row).collect();
        let mut config = DistillationConfig::default();
        let earlier = SourceConfig { weight: 2.0, on_scale: true, ..SourceConfig::default() };
        config.sources.insert("earlier".to_owned(), earlier);
        let tokens = vec![vec![1, 2]; rows.len()];
        let mut examples = Examples::new(&rows, tokens, &sources, &[Attribute::TOXICITY], &config);
        examples.add_taught([(vec![3], vec![0.25])], SourceConfig::default());
        let batch = examples.batch(&[0, 1, 2, 3, 4]).unwrap();
        assert_eq!(batch.sources, [0, 1, 0, 2, 0]);
        assert_eq!(batch.targets.weights, [1.0, 1.0, 2.0, 1.0, 1.0]);
        assert_eq!(examples.others(), 2);
        // They are drawn by their own count still.
        assert_eq!(examples.batches(100, 1).groups.len(), 5);
    }
}
