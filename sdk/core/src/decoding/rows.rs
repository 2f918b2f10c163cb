//! How many sequences are decoded at once.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::causal_lm::{CausalLm, DecodeSession};
use crate::{ErrorKind, Event, Observer, Result};

/// The most that are decoded at once: as many as are wanted, or as fit the memory.
#[derive(Debug)]
pub(super) struct Rows(AtomicUsize);

impl Rows {
    pub(super) const fn new(wanted: usize) -> Self {
        Self(AtomicUsize::new(wanted))
    }

    /// Opens a session with as many rows as there may be, of the range that is of use; gives it and how many
    /// they are. Where they do not fit the memory, half as many are tried; what fits is said, and kept to.
    pub(super) fn open<'a>(
        &self,
        model: &'a dyn CausalLm,
        useful: RangeInclusive<usize>,
        capacity: usize,
        observer: &dyn Observer,
    ) -> Result<(Box<dyn DecodeSession + 'a>, usize)> {
        let (least, most) = useful.into_inner();
        let wanted = self.0.load(Ordering::Relaxed).clamp(least, most);
        let mut rows = wanted;
        loop {
            match model.decode_session(rows, capacity) {
                Err(error) if error.kind() == ErrorKind::OutOfMemory && rows > least => {
                    rows = (rows / 2).max(least);
                }
                opened => {
                    let session = opened?;
                    if rows < wanted {
                        self.0.store(rows, Ordering::Relaxed);
                        tell(model, [wanted, rows], capacity, observer);
                    }
                    return Ok((session, rows));
                }
            }
        }
    }
}

fn tell(
    model: &dyn CausalLm,
    [wanted, rows]: [usize; 2],
    capacity: usize,
    observer: &dyn Observer,
) {
    let mut message = format!(
        "{wanted} sequences of {capacity} tokens do not fit the memory: {rows} are decoded at once"
    );
    if !model.capabilities().batch_invariant {
        message.push_str(", which may change what is written");
    }
    observer.observe(&Event::Warning { message: &message });
}
