//! One instance of a plugin: started, asked once, thrown away.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use detoxlm_core::Cancellation;
use wasmtime::{Result as WasmResult, Store};

use crate::bindings::{Descriptor, Sample, ScoringFilter, ScoringFilterPre, Verdict};
use crate::engine::{MEMORIES, PARTS};
use crate::fault::Fault;
use crate::limits::Limits;

/// Bytes of an answer, about.
const ANSWER: usize = 1 << 20;

/// Fuel between two looks at the clock: some milliseconds, since a unit is an instruction or a byte.
const SLICE: u64 = 10_000_000;

/// What an instance has used and may use.
#[derive(Debug)]
pub(crate) struct State {
    memory_left: usize,
    table_left: usize,
}

impl wasmtime::ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> WasmResult<bool> {
        take(&mut self.memory_left, desired.saturating_sub(current), Fault::Memory)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> WasmResult<bool> {
        take(&mut self.table_left, desired.saturating_sub(current), Fault::Table)
    }

    fn instances(&self) -> usize {
        PARTS as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }

    fn tables(&self) -> usize {
        PARTS as usize
    }
}

/// Growing beyond a limit traps: a plugin that is told of it would only fail in a less clear way.
fn take(left: &mut usize, wanted: usize, fault: Fault) -> WasmResult<bool> {
    *left = left.checked_sub(wanted).ok_or(fault)?;
    Ok(true)
}

/// A running plugin.
pub(crate) struct Instance {
    store: Store<State>,
    guest: ScoringFilter,
    watch: Watch,
}

/// Until when a plugin may run.
struct Watch {
    deadline: Instant,
    cancellation: Option<Cancellation>,
}

impl Watch {
    /// Runs a plugin on this thread. It is suspended after each [`SLICE`] of its fuel, and goes on
    /// unless its time is up or nobody waits for it.
    fn run<T>(&self, call: impl Future<Output = WasmResult<T>>) -> WasmResult<T> {
        let mut call = pin!(call);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(answer) = call.as_mut().poll(&mut context) {
                return answer;
            }
            if self.cancellation.as_ref().is_some_and(|c| c.check().is_err()) {
                return Err(Fault::Abandoned.into());
            }
            if Instant::now() >= self.deadline {
                return Err(Fault::Deadline.into());
            }
        }
    }
}

impl Instance {
    /// Makes an instance that may run until `deadline`.
    pub(crate) fn new(
        instances: &ScoringFilterPre<State>,
        limits: &Limits,
        deadline: Instant,
        cancellation: Option<Cancellation>,
    ) -> Result<Self, Fault> {
        let state = State {
            memory_left: limits.memory_bytes(),
            table_left: limits.table_elements as usize,
        };
        let mut store = Store::new(instances.engine(), state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(ANSWER);
        let watch = Watch { deadline, cancellation };
        store.set_fuel(limits.fuel_to_start).map_err(|e| Fault::of(&e))?;
        store.fuel_async_yield_interval(Some(SLICE)).map_err(|e| Fault::of(&e))?;
        let guest = watch.run(instances.instantiate_async(&mut store));
        let guest = guest.map_err(|e| Fault::of_start(&e))?;
        Ok(Self { store, guest, watch })
    }

    pub(crate) fn describe(&mut self) -> Result<Descriptor, Fault> {
        let scoring = self.guest.detoxlm_filter_scoring();
        self.watch.run(scoring.call_describe(&mut self.store)).map_err(|e| Fault::of(&e))
    }

    pub(crate) fn configure(&mut self, settings: &str) -> Result<(), Fault> {
        let scoring = self.guest.detoxlm_filter_scoring();
        let answer = self.watch.run(scoring.call_configure(&mut self.store, settings));
        Ok(answer.map_err(|e| Fault::of(&e))??)
    }

    /// Asks about texts, with so much fuel.
    pub(crate) fn score(&mut self, batch: &[Sample<'_>], fuel: u64) -> Result<Vec<Verdict>, Fault> {
        self.store.set_fuel(fuel).map_err(|e| Fault::of(&e))?;
        let scoring = self.guest.detoxlm_filter_scoring();
        let answer = self.watch.run(scoring.call_score(&mut self.store, batch));
        Ok(answer.map_err(|e| Fault::of(&e))??)
    }

    /// The fuel that is left of what it got last.
    pub(crate) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or_default()
    }

    /// Bytes that its memories may still grow by.
    pub(crate) fn memory_left(&self) -> usize {
        self.store.data().memory_left
    }
}
