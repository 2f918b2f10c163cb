//! Growing sequences over one cache.

use std::fmt;

use detoxlm_core::causal_lm::{DecodeSession, Logits, RowId, RowTokens};
use detoxlm_core::{Error, ErrorKind, Result};
use detoxlm_transformer::rows::{Appended, Rows};
use tch::{Kind, Tensor, no_grad_guard};

use super::cache::{LayerCache, Slots};
use super::engine::Engine;
use crate::attention::{Sight, attend};
use crate::error::{Computed, error, failed};
use crate::tensors::{download_into, size};

const OPERATION: &str = "decode";

/// Tokens of one pass over prompts, padding included.
const PASS_TOKENS: usize = 8192;

/// A [`DecodeSession`] with a cache of fixed size; rows are its slots.
pub(crate) struct Session<'a> {
    engine: &'a Engine,
    caches: Vec<LayerCache>,
    /// Positions of a slot, the prefix's included.
    room: usize,
    slots: usize,
    rows: Rows,
}

/// A row's part in a pass.
#[derive(Clone, Copy)]
struct Lane<'e> {
    slot: usize,
    /// Position of the first token.
    start: usize,
    /// None where a slot only lies between others.
    tokens: &'e [u32],
}

impl<'a> Session<'a> {
    pub(crate) fn new(engine: &'a Engine, rows: usize, capacity: usize) -> Result<Self> {
        let architecture = engine.architecture();
        let vocabulary = architecture.vocabulary;
        let table = Rows::new(rows, capacity, engine.context_length(), vocabulary)?;
        let room = engine.first_position() + capacity;
        let place = engine.network.place;
        let caches = (0..architecture.blocks.len())
            .map(|_| LayerCache::new(architecture, rows, room, place))
            .collect::<Computed<_>>()
            .map_err(|e| too_large(rows, capacity, e))?;
        Ok(Self { engine, caches, room, slots: rows, rows: table })
    }

    /// Puts the prefix in front of a slot.
    fn begin(&mut self, slot: usize) -> Computed<()> {
        let network = &self.engine.network;
        let Some(prefix) = network.prefix(&self.engine.parameters)? else { return Ok(()) };
        for (index, cache) in self.caches.iter_mut().enumerate() {
            let (keys, values) = network.layer_of(&prefix, index)?;
            cache.keys.fill(slot, &keys)?;
            cache.values.fill(slot, &values)?;
        }
        Ok(())
    }

    /// Computes the rows of a step that append one token, all together, and then those that append
    /// several: each kind pays for its own length.
    fn compute(&mut self, appended: &[Appended<'_>], logits: &mut [f32]) -> Computed<()> {
        let (mut single, mut several): (Vec<usize>, Vec<usize>) =
            (0..appended.len()).partition(|&index| appended[index].tokens.len() == 1);
        // Rows of like length share a pass, and pad little.
        several.sort_by_key(|&index| appended[index].tokens.len());
        single.sort_by_key(|&index| appended[index].slot);
        let mut passes = vec![single];
        while !several.is_empty() {
            let fitting = several.iter().enumerate().take_while(|&(count, &index)| {
                (count + 1) * appended[index].tokens.len() <= PASS_TOKENS
            });
            let later = several.split_off(fitting.count().max(1));
            passes.push(std::mem::replace(&mut several, later));
        }
        let vocabulary = self.engine.architecture().vocabulary;
        for pass in passes.into_iter().filter(|pass| !pass.is_empty()) {
            let rows = self.pass(&pass, appended)?;
            if pass.iter().copied().eq(0..appended.len()) {
                return download_into(&rows, logits);
            }
            for (&index, row) in pass.iter().zip(0..) {
                let place = &mut logits[index * vocabulary..][..vocabulary];
                download_into(&rows.f_get(row)?, place)?;
            }
        }
        Ok(())
    }

    /// The logits after the last token of each of these rows.
    fn pass(&mut self, rows: &[usize], appended: &[Appended<'_>]) -> Computed<Tensor> {
        let first = self.engine.first_position();
        let lane = |&index: &usize| {
            let Appended { slot, start, tokens } = appended[index];
            Lane { slot, start: first + start, tokens }
        };
        let mut lanes: Vec<Lane<'_>> = rows.iter().map(lane).collect();
        // Reading the cache where it is wants neighbours from the first slot on. The few slots between
        // that are not in the step cost less than bringing the others together.
        let end = lanes.iter().map(|lane| lane.slot + 1).max().unwrap_or(0);
        let mut owners: Vec<usize> = (0..lanes.len()).collect();
        let slots = if lanes.len() * 4 >= end * 3 {
            let mut all: Vec<_> =
                (0..end).map(|slot| Lane { slot, start: 0, tokens: &[] }).collect();
            for lane in &lanes {
                all[lane.slot] = *lane;
            }
            owners = lanes.iter().map(|lane| lane.slot).collect();
            lanes = all;
            Slots::First(end)
        } else {
            let slots: Vec<i64> = lanes.iter().map(|lane| size(lane.slot)).collect();
            Slots::These(Tensor::f_from_slice(&slots)?.f_to(self.engine.network.place.device)?)
        };
        self.forward(&lanes, &slots, &owners)
    }

    /// The logits after the last token of the lanes that `owners` names.
    fn forward(&mut self, lanes: &[Lane<'_>], slots: &Slots, owners: &[usize]) -> Computed<Tensor> {
        let (count, longest) =
            (lanes.len(), lanes.iter().map(|lane| lane.tokens.len()).max().unwrap_or(0));
        let filled = |lane: &Lane<'_>| lane.start + lane.tokens.len();
        let positions = lanes.iter().map(filled).max().unwrap_or(0);
        // The cell behind all slots takes what is written for padding.
        let nowhere = self.slots * self.room;
        let mut numbers = vec![0_i64; 3 * count * longest];
        let (tokens, rest) = numbers.split_at_mut(count * longest);
        let (places, cells) = rest.split_at_mut(count * longest);
        cells.fill(size(nowhere));
        for (index, lane) in lanes.iter().enumerate() {
            for (offset, &token) in lane.tokens.iter().enumerate() {
                let at = index * longest + offset;
                tokens[at] = i64::from(token);
                places[at] = size(lane.start + offset);
                cells[at] = size(lane.slot * self.room + lane.start + offset);
            }
        }
        let last =
            |&owner: &usize| size((owner * longest + lanes[owner].tokens.len()).saturating_sub(1));
        numbers.extend(owners.iter().map(last));
        // One way to the device for all of them.
        let numbers = Tensor::f_from_slice(&numbers)?.f_to(self.engine.network.place.device)?;
        let area = size(count * longest);
        let part = |index: i64| numbers.f_narrow(0, index * area, area);
        let (tokens, places, cells) = (part(0)?, part(1)?, part(2)?);
        let last = numbers.f_narrow(0, 3 * area, size(owners.len()))?;
        let shape = [size(count), size(longest)];
        let (tokens, places) = (tokens.f_reshape(shape)?, places.f_reshape(shape)?);

        let mask;
        let sight = if lanes.iter().all(|lane| lane.start == 0 && !lane.tokens.is_empty()) {
            Sight::Causal
        } else if lanes.iter().all(|lane| filled(lane) == positions) && longest == 1 {
            Sight::All
        } else {
            let keys = Tensor::f_arange(size(positions), (Kind::Int64, places.device()))?;
            mask = keys.f_le_tensor(&places.f_unsqueeze(-1)?)?.f_unsqueeze(1)?;
            Sight::Masked(&mask)
        };
        let engine = self.engine;
        let pass = engine.network.pass(&engine.parameters, &places, None)?;
        let mut x = pass.embed(&tokens)?;
        for (index, cache) in self.caches.iter_mut().enumerate() {
            x = pass.block(index, &x, &mut |heads| {
                cache.keys.write(&cells, &heads.key)?;
                cache.values.write(&cells, &heads.value)?;
                let key = cache.keys.read(slots, positions)?;
                let value = cache.values.read(slots, positions)?;
                attend(engine.architecture(), &heads.query, &key, &value, &sight)
            })?;
        }
        pass.logits(&x.f_flatten(0, 1)?.f_index_select(0, &last)?)
    }
}

impl DecodeSession for Session<'_> {
    fn admit(&mut self) -> Result<RowId> {
        let slot = self.rows.free()?;
        let _guard = no_grad_guard();
        self.begin(slot).map_err(failed(OPERATION))?;
        Ok(self.rows.occupy(slot, 0))
    }

    fn fork(&mut self, row: RowId) -> Result<RowId> {
        let length = self.rows.length(row)?;
        let copy = self.rows.free()?;
        let filled = self.engine.first_position() + length;
        let _guard = no_grad_guard();
        for LayerCache { keys, values } in &mut self.caches {
            for cells in [keys, values] {
                cells.copy(row.0, copy, filled).map_err(failed(OPERATION))?;
            }
        }
        Ok(self.rows.occupy(copy, length))
    }

    fn step(&mut self, entries: &[RowTokens<'_>], logits: &mut Logits) -> Result<()> {
        let appended = self.rows.appended(entries)?;
        let vocabulary = self.engine.architecture().vocabulary;
        let logits = logits.resize(entries.len(), vocabulary);
        let _guard = no_grad_guard();
        self.compute(&appended, logits).map_err(failed(OPERATION))?;
        self.rows.grow(entries);
        Ok(())
    }

    fn release(&mut self, row: RowId) -> Result<()> {
        self.rows.release(row)
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("rows", &self.rows).finish_non_exhaustive()
    }
}

fn too_large(rows: usize, capacity: usize, e: tch::TchError) -> Error {
    error(
        ErrorKind::InvalidConfig,
        "open a decode session",
        format!("the keys and values of {rows} rows of {capacity} tokens do not fit the memory"),
    )
    .with_remedy("open it with fewer rows or a smaller capacity")
    .with_source(e)
}
