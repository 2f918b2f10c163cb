//! Progress, told to whoever wants to show it.

use std::fmt::Debug;

use crate::pipeline::Stage;

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A stage begins; `done` of `total` units were there already (a resumed run).
    StageStarted {
        /// Which stage.
        stage: Stage,
        /// How many units there are, if known.
        total: Option<u64>,
        /// How many of them an earlier run did.
        done: u64,
        /// What is counted, in the plural: `documents`, `steps`, `bytes`.
        unit: &'static str,
    },
    /// `count` more units of a stage are done.
    StageAdvanced {
        /// Which stage.
        stage: Stage,
        /// How many more.
        count: u64,
    },
    /// A stage is complete.
    StageFinished {
        /// Which stage.
        stage: Stage,
    },
    /// A model wrote tokens; for rates while a unit is still under way.
    TokensGenerated {
        /// How many, over all sequences.
        count: u64,
    },
    /// An optimiser step was taken.
    TrainingStep {
        /// The step's number, from 1.
        step: u64,
        /// Mean next-token loss of the step's tokens, in nats.
        loss: f64,
        /// Tokens in the step.
        tokens: u64,
    },
    /// A part of a larger work begins, such as a cell of a study; its stages follow.
    PartStarted {
        /// What it is called.
        name: &'a str,
        /// Its number, from 1.
        number: u64,
        /// How many parts there are.
        total: u64,
    },
    /// Something worth knowing before it begins, such as how long it will take.
    Note {
        /// One sentence.
        message: &'a str,
    },
    /// Something that the user should know.
    Warning {
        /// One sentence.
        message: &'a str,
    },
}

/// Hears about progress. Called from any thread; must be quick.
pub trait Observer: Debug + Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

/// Hears and says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _: &Event<'_>) {}
}
