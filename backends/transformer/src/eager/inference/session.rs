//! Growing sequences over one cache.

use std::fmt;

use detoxlm_core::causal_lm::{DecodeSession, Logits, RowId, RowTokens};
use detoxlm_core::{Precision, Result};

use super::cache::{LayerCache, Slots};
use super::engine::Engine;
use crate::cache_memory::CacheMemory;
use crate::eager::attention::{Heads, Sight};
use crate::eager::ids::id;
use crate::eager::place::Place;
use crate::eager::tensor::{Computed, Tensor};
use crate::rows::{Appended, Rows};

const OPERATION: &str = "decode";

/// Tokens of one pass over prompts, padding included.
const PASS_TOKENS: usize = 8192;

/// A [`DecodeSession`] with a cache of fixed size; rows are its slots.
pub(in crate::eager) struct Session<'a, P: Place> {
    engine: &'a Engine<P>,
    caches: Vec<LayerCache<P::Tensor>>,
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

impl<'a, P: Place> Session<'a, P> {
    pub(in crate::eager) fn new(
        engine: &'a Engine<P>,
        rows: usize,
        capacity: usize,
    ) -> Result<Self> {
        let architecture = engine.architecture();
        let vocabulary = architecture.vocabulary;
        let table = Rows::new(rows, capacity, engine.context_length(), vocabulary)?;
        let room = engine.first_position() + capacity;
        let place = &engine.network.place;
        let memory = CacheMemory {
            component: P::COMPONENT,
            architecture,
            prefix: engine.first_position(),
            number: if place.precision() == Precision::Bf16 { 2 } else { 4 },
        };
        memory.bytes(rows, capacity)?;
        // A GPU says by itself what it has no room for.
        if !place.is_gpu() {
            memory.check_processor(rows, capacity)?;
        }
        let caches = (0..architecture.blocks.len())
            .map(|_| LayerCache::new(architecture, rows, room, place))
            .collect::<Computed<_, P>>()
            .map_err(|e| memory.refused(rows, capacity).with_source(e))?;
        Ok(Self { engine, caches, room, slots: rows, rows: table })
    }

    /// Puts the prefix in front of a slot.
    fn begin(&mut self, slot: usize) -> Computed<(), P> {
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
    fn compute(&mut self, appended: &[Appended<'_>], logits: &mut [f32]) -> Computed<(), P> {
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
                return rows.values_into(logits);
            }
            for (row, &index) in pass.iter().enumerate() {
                let place = &mut logits[index * vocabulary..][..vocabulary];
                rows.narrow(0, row, 1)?.values_into(place)?;
            }
        }
        Ok(())
    }

    /// The logits after the last token of each of these rows.
    fn pass(&mut self, rows: &[usize], appended: &[Appended<'_>]) -> Computed<P::Tensor, P> {
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
            let slots: Vec<u32> = lanes.iter().map(|lane| id(lane.slot)).collect();
            Slots::These(self.engine.network.place.ids(&slots, &[slots.len()])?)
        };
        self.forward(&lanes, &slots, &owners)
    }

    /// The logits after the last token of the lanes that `owners` names.
    fn forward(
        &mut self,
        lanes: &[Lane<'_>],
        slots: &Slots<P::Tensor>,
        owners: &[usize],
    ) -> Computed<P::Tensor, P> {
        let (count, longest) =
            (lanes.len(), lanes.iter().map(|lane| lane.tokens.len()).max().unwrap_or(0));
        let filled = |lane: &Lane<'_>| lane.start + lane.tokens.len();
        let positions = lanes.iter().map(filled).max().unwrap_or(0);
        // The cell behind all slots takes what is written for padding.
        let nowhere = self.slots * self.room;
        let mut numbers = vec![0; 3 * count * longest];
        let (tokens, rest) = numbers.split_at_mut(count * longest);
        let (places, cells) = rest.split_at_mut(count * longest);
        cells.fill(id(nowhere));
        for (index, lane) in lanes.iter().enumerate() {
            for (offset, &token) in lane.tokens.iter().enumerate() {
                let at = index * longest + offset;
                tokens[at] = token;
                places[at] = id(lane.start + offset);
                cells[at] = id(lane.slot * self.room + lane.start + offset);
            }
        }
        let last =
            |&owner: &usize| id((owner * longest + lanes[owner].tokens.len()).saturating_sub(1));
        numbers.extend(owners.iter().map(last));
        // One way to the device for all of them.
        let numbers = self.engine.network.place.ids(&numbers, &[numbers.len()])?;
        let area = count * longest;
        let part = |index: usize| numbers.narrow(0, index * area, area);
        let (tokens, places, cells) = (part(0)?, part(1)?, part(2)?);
        let last = numbers.narrow(0, 3 * area, owners.len())?;
        let shape = [count, longest];
        let (tokens, places) = (tokens.reshape(&shape)?, places.reshape(&shape)?);

        let mask;
        let sight = if lanes.iter().all(|lane| lane.start == 0 && !lane.tokens.is_empty()) {
            Sight::Causal
        } else if lanes.iter().all(|lane| filled(lane) == positions) && longest == 1 {
            Sight::All
        } else {
            mask = places.up_to(positions)?.reshape(&[count, 1, longest, positions])?;
            Sight::Masked(&mask)
        };
        let engine = self.engine;
        let pass = engine.network.pass(&engine.parameters, &places, None)?;
        let scale = f64::from(engine.architecture().attention_scale());
        let mut x = pass.embed(&tokens)?;
        for (index, cache) in self.caches.iter_mut().enumerate() {
            x = pass.block(index, &x, &mut |heads| {
                cache.keys.write(&cells, &heads.key)?;
                cache.values.write(&cells, &heads.value)?;
                let key = cache.keys.read(slots, positions)?;
                let value = cache.values.read(slots, positions)?;
                P::Tensor::attend(&Heads { query: heads.query.clone(), key, value }, &sight, scale)
            })?;
        }
        let width = engine.architecture().width;
        pass.logits(&x.reshape(&[count * longest, width])?.rows(&last)?)
    }
}

impl<P: Place> DecodeSession for Session<'_, P> {
    fn admit(&mut self) -> Result<RowId> {
        let slot = self.rows.free()?;
        self.engine.place().run(|| self.begin(slot)).map_err(P::failed(OPERATION))?;
        Ok(self.rows.occupy(slot, 0))
    }

    fn fork(&mut self, row: RowId) -> Result<RowId> {
        let length = self.rows.length(row)?;
        let copy = self.rows.free()?;
        let filled = self.engine.first_position() + length;
        for LayerCache { keys, values } in &mut self.caches {
            for cells in [keys, values] {
                cells.copy(row.0, copy, filled).map_err(P::failed(OPERATION))?;
            }
        }
        Ok(self.rows.occupy(copy, length))
    }

    fn step(&mut self, entries: &[RowTokens<'_>], logits: &mut Logits) -> Result<()> {
        let appended = self.rows.appended(entries)?;
        let vocabulary = self.engine.architecture().vocabulary;
        let logits = logits.resize(entries.len(), vocabulary);
        let computed = self.engine.place().run(|| self.compute(&appended, logits));
        computed.map_err(P::failed(OPERATION))?;
        self.rows.grow(entries);
        Ok(())
    }

    fn release(&mut self, row: RowId) -> Result<()> {
        self.rows.release(row)
    }
}

impl<P: Place> fmt::Debug for Session<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("rows", &self.rows).finish_non_exhaustive()
    }
}
