//! Keys and values of growing sequences, in memory that never moves.

use detoxlm_transformer::architecture::Architecture;
use tch::Tensor;

use crate::error::Computed;
use crate::place::Place;
use crate::tensors::size;

/// The keys and values that one layer keeps.
#[derive(Debug)]
pub(super) struct LayerCache {
    pub(super) keys: Cells,
    pub(super) values: Cells,
}

impl LayerCache {
    pub(super) fn new(
        architecture: &Architecture,
        slots: usize,
        room: usize,
        place: Place,
    ) -> Computed<Self> {
        let cells = || Cells::new(architecture, slots, room, place);
        Ok(Self { keys: cells()?, values: cells()? })
    }
}

/// A vector per head for every position of every slot, and one more cell, which takes what nobody will
/// read.
#[derive(Debug)]
pub(super) struct Cells {
    /// (slots * room + 1, kv heads, head width).
    cells: Tensor,
    /// The same without the last, as (slots, room, kv heads, head width).
    slots: Tensor,
}

impl Cells {
    /// Zeros: what a mask hides is multiplied by 0, which only what is finite survives.
    fn new(architecture: &Architecture, slots: usize, room: usize, place: Place) -> Computed<Self> {
        let (heads, width) = (size(architecture.kv_heads), size(architecture.head_width));
        let count = size(slots).saturating_mul(size(room));
        let cells =
            Tensor::f_zeros([count.saturating_add(1), heads, width], (place.kind, place.device))?;
        let view =
            cells.f_narrow(0, 0, count)?.f_reshape([size(slots), size(room), heads, width])?;
        Ok(Self { cells, slots: view })
    }

    /// Writes what is (sequences, kv heads, tokens, head width) into the cells that `index` names for
    /// each token.
    pub(super) fn write(&mut self, index: &Tensor, new: &Tensor) -> Computed<()> {
        let _ = self.cells.f_index_copy_(0, index, &new.f_transpose(1, 2)?.f_flatten(0, 1)?)?;
        Ok(())
    }

    /// The first positions of these slots: (slots, kv heads, positions, head width). Neighbours from the
    /// first slot on are read where they are, others are brought together.
    pub(super) fn read(&self, slots: &Slots, positions: usize) -> Computed<Tensor> {
        let cells = match slots {
            Slots::First(count) => self.slots.f_narrow(0, 0, size(*count))?,
            Slots::These(index) => {
                self.slots.f_narrow(1, 0, size(positions))?.f_index_select(0, index)?
            }
        };
        cells.f_narrow(1, 0, size(positions))?.f_transpose(1, 2)
    }

    /// Copies the first positions of a slot to another.
    pub(super) fn copy(&mut self, from: usize, to: usize, positions: usize) -> Computed<()> {
        let part = |slot: usize| self.slots.f_get(size(slot))?.f_narrow(0, 0, size(positions));
        part(to)?.f_copy_(&part(from)?)
    }

    /// Fills the first positions of a slot: (kv heads, positions, head width).
    pub(super) fn fill(&mut self, slot: usize, values: &Tensor) -> Computed<()> {
        let (_, positions, _) = values.size3()?;
        let values = values.f_transpose(0, 1)?;
        self.slots.f_get(size(slot))?.f_narrow(0, 0, positions)?.f_copy_(&values)
    }
}

/// Slots of a cache.
#[derive(Debug)]
pub(super) enum Slots {
    /// So many from the first on.
    First(usize),
    /// Those with these numbers.
    These(Tensor),
}
