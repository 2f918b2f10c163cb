//! From texts to what a plugin says of each.

use detoxlm_core::remote::one_line;
use detoxlm_core::{Cancellation, Error, ErrorKind, Result, Sample, Scores};
use serde::Serialize;

use crate::COMPONENT;
use crate::bindings;
use crate::descriptor::Descriptor;
use crate::fault::Fault;
use crate::instance::Instance;
use crate::manifest::FailurePolicy;
use crate::plugin::Loaded;

/// What a plugin says of one text.
///
/// As JSON, `{"scored":{"TOXICITY":0.03}}`, `{"rejected":"2 listed words"}` or `"passed"`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Judgement {
    /// These values, and nothing against it.
    Scored(Scores),
    /// Nothing against it; the plugin gives no values.
    Passed,
    /// It should not be used, for this reason.
    Rejected(String),
    /// The plugin has no opinion, for this reason.
    Abstained(String),
    /// The plugin could not judge it, for this reason ([`FailurePolicy::Abstain`]).
    Failed(String),
    /// The text and its prompt are longer than the plugin's limit; it was not asked.
    TooLong,
    /// Nothing but white space; it was not asked.
    Blank,
}

/// Judges texts in as few calls as their limits allow.
pub(crate) fn judge(
    plugin: &Loaded,
    samples: &[Sample],
    cancellation: &Cancellation,
) -> Result<Vec<Judgement>> {
    let mut judgements: Vec<Option<Judgement>> =
        samples.iter().map(|sample| unasked(sample, plugin.limits().text_bytes())).collect();
    let asked: Vec<usize> = (0..samples.len()).filter(|&at| judgements[at].is_none()).collect();
    // What is still to be asked, the first on top.
    let mut parts = vec![asked.as_slice()];
    while let Some(part) = parts.pop() {
        match ask(plugin, part.iter().map(|&at| &samples[at]), cancellation) {
            Ok(answers) => {
                for (&at, answer) in part.iter().zip(answers) {
                    judgements[at] = Some(answer);
                }
            }
            Err(fault) if part.len() > 1 && fault.is_of_text() => {
                let (first, rest) = part.split_at(part.len() / 2);
                parts.extend([rest, first]);
            }
            Err(fault) => {
                let why = fault.describe(plugin.limits());
                match part {
                    [at] if fault.is_of_text() && plugin.failure() == FailurePolicy::Abstain => {
                        judgements[*at] = Some(Judgement::Failed(why));
                    }
                    _ => return Err(error(plugin, &fault, why)),
                }
            }
        }
    }
    Ok(judgements.into_iter().flatten().collect())
}

/// What is known of a text without asking.
fn unasked(sample: &Sample, longest: usize) -> Option<Judgement> {
    if sample.is_blank() {
        return Some(Judgement::Blank);
    }
    (length(sample) > longest).then_some(Judgement::TooLong)
}

pub(crate) fn to_guest(sample: &Sample) -> bindings::Sample<'_> {
    bindings::Sample { prompt: &sample.prompt, text: &sample.text }
}

/// Bytes of a text and its prompt.
pub(crate) fn length(sample: &Sample) -> usize {
    sample.prompt.len() + sample.text.len()
}

/// Asks a fresh instance about texts. It gets the fuel of the shortest one: what it then answers in
/// time, it answers in time of each alone.
fn ask<'a>(
    plugin: &Loaded,
    samples: impl Iterator<Item = &'a Sample>,
    cancellation: &Cancellation,
) -> Result<Vec<Judgement>, Fault> {
    let mut shortest = usize::MAX;
    let batch: Vec<_> =
        samples.inspect(|sample| shortest = shortest.min(length(sample))).map(to_guest).collect();
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut instance = plugin.start(Some(cancellation.clone()))?;
    let verdicts = instance.score(&batch, plugin.limits().fuel(shortest))?;
    if verdicts.len() != batch.len() {
        let counts = format!("{} verdicts on {} texts", verdicts.len(), batch.len());
        return Err(Fault::Answer(counts));
    }
    let descriptor = plugin.descriptor();
    verdicts.into_iter().map(|verdict| accept(verdict, descriptor)).collect()
}

/// Holds an answer to the contract.
fn accept(verdict: bindings::Verdict, descriptor: &Descriptor) -> Result<Judgement, Fault> {
    match verdict {
        bindings::Verdict::Scores(values) => {
            let attributes = &descriptor.attributes;
            if values.len() != attributes.len() {
                let counts = format!("{} values of {} attributes", values.len(), attributes.len());
                return Err(Fault::Answer(counts));
            }
            if values.is_empty() {
                return Ok(Judgement::Passed);
            }
            let scores = Scores::new(attributes.iter().cloned().zip(values));
            let refused = |e: Error| {
                let attribute = e.key().unwrap_or_default().to_owned();
                Fault::Answer(format!("{attribute}: {}", e.message()))
            };
            scores.map(Judgement::Scored).map_err(refused)
        }
        bindings::Verdict::Reject(_) if !descriptor.rejects => Err(Fault::Answer(
            "it rejected a text, and its descriptor says that it does not".into(),
        )),
        bindings::Verdict::Reject(why) => Ok(Judgement::Rejected(one_line(&why))),
        bindings::Verdict::Abstain(why) => Ok(Judgement::Abstained(one_line(&why))),
    }
}

/// The error of a fault, with the plugin's name and what to do.
pub(crate) fn error(plugin: &Loaded, fault: &Fault, why: String) -> Error {
    let kind = match fault {
        Fault::Fuel | Fault::Memory | Fault::Table | Fault::Stack | Fault::Output => {
            ErrorKind::Unsupported
        }
        Fault::Settings(_) => ErrorKind::InvalidConfig,
        Fault::Deadline => ErrorKind::Unavailable,
        Fault::Abandoned => ErrorKind::Cancelled,
        Fault::Import(_)
        | Fault::Trap(_)
        | Fault::Answer(_)
        | Fault::Failure(_)
        | Fault::Contract(_) => ErrorKind::Incompatible,
    };
    Error::new(kind, COMPONENT, "judge a text", why)
        .with_key(plugin.name().to_owned())
        .with_remedy(fault.remedy())
}

impl Loaded {
    /// A configured instance.
    pub(crate) fn start(&self, cancellation: Option<Cancellation>) -> Result<Instance, Fault> {
        self.start_with(self.settings(), cancellation)
    }

    /// An instance with other settings.
    pub(crate) fn start_with(
        &self,
        settings: &str,
        cancellation: Option<Cancellation>,
    ) -> Result<Instance, Fault> {
        let deadline = self.host().deadline();
        let mut instance = Instance::new(self.instances(), self.limits(), deadline, cancellation)?;
        instance.configure(settings)?;
        Ok(instance)
    }
}
