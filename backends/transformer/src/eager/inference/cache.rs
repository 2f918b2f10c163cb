//! Keys and values of growing sequences, in memory that never moves.

use crate::architecture::Architecture;
use crate::eager::place::Place;
use crate::eager::tensor::{Computed, Made, Tensor};

/// The keys and values that one layer keeps.
#[derive(Debug)]
pub(super) struct LayerCache<T> {
    pub(super) keys: Cells<T>,
    pub(super) values: Cells<T>,
}

impl<T: Tensor> LayerCache<T> {
    pub(super) fn new<P: Place<Tensor = T>>(
        architecture: &Architecture,
        slots: usize,
        room: usize,
        place: &P,
    ) -> Computed<Self, P> {
        let cells = || Cells::new(architecture, slots, room, place);
        Ok(Self { keys: cells()?, values: cells()? })
    }
}

/// A vector per head for every position of every slot, and one more cell, which takes what nobody will
/// read.
#[derive(Debug)]
pub(super) struct Cells<T> {
    /// (slots * room + 1, kv heads, head width).
    cells: T,
    /// The same without the last, as (slots, room, kv heads, head width).
    slots: T,
    room: usize,
}

impl<T: Tensor> Cells<T> {
    /// Zeros: what a mask hides is multiplied by 0, which only what is finite survives.
    fn new<P: Place<Tensor = T>>(
        architecture: &Architecture,
        slots: usize,
        room: usize,
        place: &P,
    ) -> Computed<Self, P> {
        let (heads, width) = (architecture.kv_heads, architecture.head_width);
        let count = slots.saturating_mul(room);
        let cells = place.zeros(&[count.saturating_add(1), heads, width], place.precision())?;
        let view = cells.narrow(0, 0, count)?.reshape(&[slots, room, heads, width])?;
        Ok(Self { cells, slots: view, room })
    }

    /// Writes what is (sequences, kv heads, tokens, head width) into the cells that `index` names for
    /// each token.
    pub(super) fn write(&mut self, index: &T, new: &T) -> Made<(), T> {
        let [sequences, heads, tokens, width] = new.shape()[..] else { return Ok(()) };
        let rows = new.transpose(1, 2)?.reshape(&[sequences * tokens, heads, width])?;
        self.cells.scatter_rows(index, &rows)
    }

    /// The first positions of these slots: (slots, kv heads, positions, head width). Neighbours from the
    /// first slot on are read where they are, others are brought together.
    pub(super) fn read(&self, slots: &Slots<T>, positions: usize) -> Made<T, T> {
        let filled = self.slots.narrow(1, 0, positions)?;
        let cells = match slots {
            Slots::First(count) => filled.narrow(0, 0, *count)?,
            Slots::These(index) => filled.rows(index)?,
        };
        cells.transpose(1, 2)
    }

    /// Copies the first positions of a slot to another.
    pub(super) fn copy(&mut self, from: usize, to: usize, positions: usize) -> Made<(), T> {
        let rows = self.cells.narrow(0, from * self.room, positions)?;
        self.cells.set_rows(to * self.room, &rows)
    }

    /// Fills the first positions of a slot: (kv heads, positions, head width).
    pub(super) fn fill(&mut self, slot: usize, values: &T) -> Made<(), T> {
        let values = values.to(self.cells.precision())?.transpose(0, 1)?;
        self.cells.set_rows(slot * self.room, &values)
    }
}

/// Slots of a cache.
#[derive(Debug)]
pub(super) enum Slots<T> {
    /// So many from the first on.
    First(usize),
    /// Those with these numbers.
    These(T),
}
