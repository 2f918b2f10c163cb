use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::outcomes::{Answer, Outcomes};
use super::{TaskItem, TaskSet, TaskSettings};
use crate::calls::expect_answers;
use crate::causal_lm::Likelihood;
use crate::evaluation::work::{self, Units, WorkDirectory, WorkKey, json, stated};
use crate::evaluation::{COMPONENT, Changes, Evaluation, EvaluationContext, Evaluator, Provenance};
use crate::info::DigestBuilder;
use crate::{Error, ErrorKind, Event, Info, Observer, Result, Stage, Subject};

const ANSWERS: &str = "answers";

/// Asks a model the items of a task without examples and without generating: a choice is what the model
/// finds most probable, as lm-evaluation-harness has it.
///
/// A context too long for the model is cut at its beginning, and `cut_context_rate` tells how many
/// were. A choice that alone is longer than the model's context is an error.
///
/// The context's directory holds `provenance.json`, `answers/part-NNNNN.jsonl` and `metrics.json`.
#[derive(Clone, Debug)]
pub struct TaskEvaluator {
    info: Info,
    set: TaskSet,
    settings: TaskSettings,
}

impl TaskEvaluator {
    /// Measures on the items of `set`.
    ///
    /// # Errors
    /// When a setting is impossible.
    pub fn new(set: TaskSet, settings: TaskSettings) -> Result<Self> {
        settings.validate()?;
        let task = set.task().info();
        let mut digest = DigestBuilder::new();
        digest
            .update(task.digest.as_str())
            .update(set.info().digest.as_str())
            .update(json(&settings)?.to_string());
        let info = Info::new(format!("task {}", task.name), &task.version, digest.finish());
        Ok(Self { info, set, settings })
    }

    fn units(&self) -> Units {
        Units { items: self.set.len(), size: self.settings.items_per_unit }
    }

    async fn ask_all(
        &self,
        likelihood: &dyn Likelihood,
        work: &WorkDirectory,
        observer: &Arc<dyn Observer>,
    ) -> Result<()> {
        let stage = Stage::Evaluate;
        let (missing, done) = work.missing(&[ANSWERS], self.units());
        let total = Some(self.set.len() as u64);
        observer.observe(&Event::StageStarted { stage, total, done, unit: "items" });
        let mut items = self.set.items()?;
        let mut read = 0;
        for unit in missing {
            let range = self.units().range(unit);
            items.skip_items(range.start - read)?;
            read = range.end;
            let asked = items.by_ref().take(range.len()).collect::<Result<Vec<_>>>()?;
            let rows = self.ask(range.start as u64, &asked, likelihood).await?;
            work.write(ANSWERS, unit, &rows)?;
            observer.observe(&Event::StageAdvanced { stage, count: rows.len() as u64 });
        }
        observer.observe(&Event::StageFinished { stage });
        Ok(())
    }

    async fn ask(
        &self,
        first: u64,
        items: &[TaskItem],
        likelihood: &dyn Likelihood,
    ) -> Result<Vec<Answer>> {
        let questions: Vec<_> =
            items.iter().flat_map(|item| item.questions.iter().cloned()).collect();
        let answers = likelihood.continuation(&questions).await?;
        expect_answers(likelihood.info(), questions.len(), answers.len())?;
        let mut rest = answers.as_slice();
        let mut rows = Vec::with_capacity(items.len());
        for (id, item) in (first..).zip(items) {
            let (own, later) = rest.split_at(item.questions.len());
            rest = later;
            for (number, answer) in own.iter().enumerate() {
                let refuse = |kind, message: String, remedy| {
                    let error = Error::new(kind, COMPONENT, "rate a choice", message);
                    Err(self.set.place(error.with_remedy(remedy), item.line))
                };
                if answer.tokens == 0 {
                    let message = format!("nothing of choice {number} is a token of its own");
                    let remedy =
                        "the model's tokenizer joins it with the context: begin it with a space";
                    return refuse(ErrorKind::InvalidInput, message, remedy);
                }
                if !answer.log_prob.is_finite() {
                    let message = format!("its log-probability is {}", answer.log_prob);
                    let remedy = "the model's weights may hold values that are not finite";
                    return refuse(ErrorKind::Incompatible, message, remedy);
                }
            }
            rows.push(Answer::new(id, item, own));
        }
        Ok(rows)
    }

    fn read(&self, work: &WorkDirectory) -> Result<Outcomes> {
        let task = self.set.task();
        let mut outcomes = Outcomes::new(task.metrics(), task.has_choices());
        for unit in 0..self.units().count() {
            let range = self.units().range(unit);
            let is_sound = |number, row: &Answer| row.id == (range.start + number) as u64;
            for row in work.read(ANSWERS, unit, range.len(), is_sound)? {
                outcomes.push(&row);
            }
        }
        Ok(outcomes)
    }

    /// What answers depend on; metrics are made of them anew.
    fn work_key(&self, model: &Info) -> Result<WorkKey> {
        Ok(WorkKey::from_iter([
            ("evaluator".to_owned(), json(&"task")?),
            ("task".to_owned(), json(self.set.task().info())?),
            ("model".to_owned(), json(model)?),
            ("data".to_owned(), json(self.set.info())?),
            ("items_per_unit".to_owned(), json(&self.settings.items_per_unit)?),
        ]))
    }

    fn provenance(&self, model: &Info) -> Result<Provenance> {
        let mut settings = stated(&self.settings)?;
        let task = self.set.task();
        settings.insert("task".to_owned(), json(task.info())?);
        settings.insert("metrics".to_owned(), json(&task.metrics())?);
        settings.insert("examples".to_owned(), 0.into());
        settings.insert("limit".to_owned(), json(&self.set.limit())?);
        settings.insert("long_contexts".to_owned(), "cut at the beginning".into());
        Ok(Provenance {
            evaluator: self.info.clone(),
            model: model.clone(),
            scorer: None,
            data: self.set.info().clone(),
            settings,
        })
    }
}

#[async_trait]
impl Evaluator for TaskEvaluator {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn evaluate(&self, subject: &Subject, context: &EvaluationContext) -> Result<Evaluation> {
        let likelihood = subject.likelihood_to("measure a task")?;
        let provenance = self.provenance(likelihood.info())?;
        let work = WorkDirectory::open(&context.directory, self.work_key(likelihood.info())?)?;
        self.ask_all(likelihood, &work, &context.observer).await?;
        let (evaluator, parts) = (self.clone(), work.clone());
        let measure =
            move || Ok(evaluator.read(&parts)?.measurements(&evaluator.settings.bootstrap));
        work.conclude(subject, provenance, measure).await
    }

    /// The differences of the task's metrics, paired over items.
    async fn changes(&self, base: &Path, other: &Path) -> Result<Changes> {
        let evaluator = self.clone();
        work::changes(self.info.clone(), base, other, move |base, other| {
            let bootstrap = &evaluator.settings.bootstrap;
            Ok(evaluator.read(&base)?.changes(&evaluator.read(&other)?, bootstrap))
        })
        .await
    }
}
