//! Continuous batching: finished sequences make room for waiting ones between steps.

use std::collections::VecDeque;

use crate::causal_lm::{CausalLm, DecodeSession, Logits, RowId, RowTokens, Tokenizer};
use crate::decoding::draws::{Draw, Draws};
use crate::decoding::local::prompt_tokens;
use crate::decoding::rows::Rows;
use crate::random::{CounterRng, Domain};
use crate::worker::Cancellation;
use crate::{
    Error, ErrorKind, Event, FinishReason, Generation, GenerationRequest, Observer, Result,
};

/// A request, ready to be decoded.
struct Plan<'a> {
    request: &'a GenerationRequest,
    prompt: Vec<u32>,
    /// The most tokens to write: the request's limit, or what the context has room for.
    limit: usize,
    rng: CounterRng,
}

/// A prompt whose prefill is done and from which samples are still to be started.
struct Root {
    plan: usize,
    row: RowId,
    logits: Vec<f32>,
    started: usize,
}

/// A sequence being written.
struct Active {
    plan: usize,
    sample: usize,
    row: RowId,
    tokens: Vec<u32>,
}

/// Answers all requests, with as many sequences at once as there are rows, drawing tokens on so many threads;
/// see the contract of [`Generator`](crate::Generator).
pub(super) fn generate(
    model: &dyn CausalLm,
    requests: &[GenerationRequest],
    rows: &Rows,
    threads: usize,
    cancellation: &Cancellation,
    observer: &dyn Observer,
) -> Result<Vec<Vec<Generation>>> {
    let plans = requests.iter().map(|request| plan(model, request)).collect::<Result<Vec<_>>>()?;
    let samples: usize = plans.iter().map(|plan| plan.request.samples).sum();
    let Some(capacity) = plans.iter().map(|plan| plan.prompt.len() + plan.limit).max() else {
        return Ok(Vec::new());
    };
    // A prompt with several samples holds a row of its own until its last sample takes it over.
    let shares = plans.iter().any(|plan| plan.request.samples > 1);
    let least = if shares { 2 } else { 1 };
    let (session, rows) = rows.open(model, least..=samples.max(least), capacity, observer)?;
    let mut batch = Batch {
        tokenizer: model.tokenizer(),
        session,
        plans: &plans,
        waiting: (0..plans.len()).filter(|&i| plans[i].request.samples > 0).collect(),
        roots: VecDeque::new(),
        active: Vec::new(),
        free: rows,
        draws: Draws::new(threads),
        finished: plans.iter().map(|plan| vec![None; plan.request.samples]).collect(),
    };
    let mut logits = Logits::default();
    loop {
        cancellation.check()?;
        batch.start_samples()?;
        let new_roots = batch.admit_roots()?;
        if batch.active.is_empty() && new_roots.is_empty() {
            break;
        }
        batch.step(&new_roots, &mut logits)?;
        let before = batch.active.len() as u64;
        batch.continue_samples(&logits)?;
        batch.keep_roots(&new_roots, &logits);
        observer.observe(&Event::TokensGenerated { count: before });
    }
    let unwritten =
        || Error::new(ErrorKind::Internal, "decoding", "generate", "a sample is missing");
    batch
        .finished
        .into_iter()
        .map(|samples| samples.into_iter().map(|sample| sample.ok_or_else(unwritten)).collect())
        .collect()
}

fn plan<'a>(model: &dyn CausalLm, request: &'a GenerationRequest) -> Result<Plan<'a>> {
    request.sampling.validate()?;
    let prompt = prompt_tokens(model, &request.prompt)?;
    let context = model.capabilities().context_length;
    let room = context.saturating_sub(prompt.len());
    if room == 0 {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "decoding",
            "continue a prompt",
            format!("its {} tokens leave no room in the context of {context}", prompt.len()),
        )
        .with_key(format!("request {}", request.id))
        .with_remedy("shorten the prompt"));
    }
    Ok(Plan {
        request,
        prompt,
        limit: request.sampling.max_new_tokens.min(room),
        rng: CounterRng::new(request.seed, Domain::Decoding),
    })
}

struct Batch<'a> {
    tokenizer: &'a dyn Tokenizer,
    session: Box<dyn DecodeSession + 'a>,
    plans: &'a [Plan<'a>],
    waiting: VecDeque<usize>,
    roots: VecDeque<Root>,
    active: Vec<Active>,
    free: usize,
    draws: Draws,
    finished: Vec<Vec<Option<Generation>>>,
}

impl<'a> Batch<'a> {
    /// Starts samples of prefilled prompts while rows are free. The last sample of a prompt takes
    /// over its row.
    fn start_samples(&mut self) -> Result<()> {
        while let Some(mut root) = self.roots.pop_front() {
            let samples = self.plans[root.plan].request.samples;
            while root.started < samples {
                let row = if root.started + 1 == samples {
                    root.row
                } else if self.free > 0 {
                    self.free -= 1;
                    self.session.fork(root.row)?
                } else {
                    self.roots.push_front(root);
                    return Ok(());
                };
                let sequence =
                    Active { plan: root.plan, sample: root.started, row, tokens: Vec::new() };
                root.started += 1;
                let wanted = self.wanted(&sequence, &root.logits);
                let token = self.draws.one(wanted)?;
                if let Some(sequence) = self.extend(sequence, token)? {
                    self.active.push(sequence);
                }
            }
        }
        Ok(())
    }

    /// Admits waiting prompts while rows would be left for their samples.
    fn admit_roots(&mut self) -> Result<Vec<(usize, RowId)>> {
        let mut admitted = Vec::new();
        let mut wanted = 0;
        while self.roots.is_empty() && self.free > wanted {
            let Some(plan) = self.waiting.pop_front() else { break };
            admitted.push((plan, self.session.admit()?));
            self.free -= 1;
            wanted += self.plans[plan].request.samples - 1;
        }
        Ok(admitted)
    }

    /// One forward pass: the last token of every active sequence, and the new prompts.
    fn step(&mut self, new_roots: &[(usize, RowId)], logits: &mut Logits) -> Result<()> {
        let continued = self.active.iter().map(|sequence| RowTokens {
            row: sequence.row,
            // An active sequence has at least the token it was started with.
            tokens: &sequence.tokens[sequence.tokens.len() - 1..],
        });
        let begun = new_roots
            .iter()
            .map(|&(plan, row)| RowTokens { row, tokens: &self.plans[plan].prompt });
        let entries: Vec<_> = continued.chain(begun).collect();
        self.session.step(&entries, logits)
    }

    fn continue_samples(&mut self, logits: &Logits) -> Result<()> {
        let wanted: Vec<_> = self
            .active
            .iter()
            .enumerate()
            .map(|(index, sequence)| self.wanted(sequence, logits.row(index)))
            .collect();
        let tokens = self.draws.all(&wanted)?;
        let mut going = Vec::with_capacity(self.active.len());
        for (sequence, token) in std::mem::take(&mut self.active).into_iter().zip(tokens) {
            going.extend(self.extend(sequence, token)?);
        }
        self.active = going;
        Ok(())
    }

    fn keep_roots(&mut self, new_roots: &[(usize, RowId)], logits: &Logits) {
        let first = logits.rows() - new_roots.len();
        for (offset, &(plan, row)) in new_roots.iter().enumerate() {
            let logits = logits.row(first + offset).to_vec();
            self.roots.push_back(Root { plan, row, logits, started: 0 });
        }
    }

    /// What the next token of a sequence is drawn from.
    fn wanted<'l>(&self, sequence: &Active, logits: &'l [f32]) -> Draw<'l>
    where
        'a: 'l,
    {
        let plan = &self.plans[sequence.plan];
        let uniform =
            plan.rng.uniform(plan.request.id, sequence.sample as u32, sequence.tokens.len() as u32);
        // Padding rows of an embedding have logits, too, but no text stands for them.
        let known = &logits[..logits.len().min(self.tokenizer.size())];
        Draw { logits: known, sampling: &plan.request.sampling, uniform }
    }

    /// Adds the next token; gives the sequence back unless that ended it.
    fn extend(&mut self, mut sequence: Active, token: u32) -> Result<Option<Active>> {
        let plan = &self.plans[sequence.plan];
        let finish = if self.tokenizer.eos().contains(&token) {
            FinishReason::Stop
        } else {
            sequence.tokens.push(token);
            if sequence.tokens.len() < plan.limit {
                return Ok(Some(sequence));
            }
            if plan.limit < plan.request.sampling.max_new_tokens {
                FinishReason::Context
            } else {
                FinishReason::Length
            }
        };
        self.session.release(sequence.row)?;
        self.free += 1;
        let text = continuation_text(self.tokenizer, &plan.prompt, &sequence.tokens)?;
        self.finished[sequence.plan][sequence.sample] =
            Some(Generation { text, finish, tokens: sequence.tokens.len() });
        Ok(None)
    }
}

/// The text that `continuation` adds to `prompt`.
///
/// Some tokenizers drop the space before a first word, so the continuation alone may decode
/// differently from what it adds.
fn continuation_text(
    tokenizer: &dyn Tokenizer,
    prompt: &[u32],
    continuation: &[u32],
) -> Result<String> {
    // The last tokens decide how what follows is joined; the rest of a long prompt does not matter.
    let context = &prompt[prompt.len().saturating_sub(8)..];
    let before = tokenizer.decode(context)?;
    let whole = tokenizer.decode(&[context, continuation].concat())?;
    match whole.strip_prefix(&before) {
        Some(added) => Ok(added.to_owned()),
        None => tokenizer.decode(continuation),
    }
}
