//! A loaded classifier: texts in, verdicts out, on the calling thread and its rayon pool.

use detoxlm_core::{
    Attribute, Digest, DigestBuilder, Error, ErrorKind, Result, Scores, Unscored, Verdict,
};
use rayon::prelude::*;

use crate::engine::{Engine, Graph, Logits};
use crate::files::MODEL;
use crate::head::Head;
use crate::source::ClassifierSource;
use crate::windows::{Window, Windower};
use crate::{COMPONENT, Combine, OnnxOptions, batches};

#[derive(Debug)]
pub(crate) struct Classifier {
    windower: Windower,
    graph: Graph,
    head: Head,
    combine: Combine,
    batch_tokens: usize,
}

/// What is known of a text before the model runs.
enum Read {
    /// Where its windows lie among those of the call.
    Windows(std::ops::Range<usize>),
    Unscored(Unscored),
}

impl Classifier {
    pub(crate) fn open(
        source: &ClassifierSource,
        engine: &Engine,
        options: &OnnxOptions,
    ) -> Result<Self> {
        let head = Head::new(source, options)?;
        let windower = Windower::open(source, options)?;
        let graph = engine.load(&source.files.model(), options.thread_count())?;
        let combine = options.windows.combine;
        let batch_tokens = options.batch_tokens;
        let mut classifier = Self { windower, graph, head, combine, batch_tokens };
        classifier.try_out(source)?;
        Ok(classifier)
    }

    /// Runs the graph before anybody waits for it: tokenizer, graph and labels may be of different
    /// models, and each alone looks well.
    fn try_out(&mut self, source: &ClassifierSource) -> Result<()> {
        let refuse = |message: String| {
            Error::new(ErrorKind::Incompatible, COMPONENT, "try out the classifier", message)
                .with_path(source.files.path(MODEL))
        };
        let pad_id = self.windower.pad_id();
        let highest = self.windower.highest_id();
        let window = |ids: Vec<u32>| Window { type_ids: vec![0; ids.len()], ids };
        let mut ordinary = (0..highest).filter(|&id| id != pad_id).cycle();
        let [long, equal, short] =
            [4, 4, 3].map(|length| window(ordinary.by_ref().take(length).collect()));
        let logits = self.graph.run(&[&long], pad_id).map_err(refuse)?;
        let labels = self.head.labels();
        if logits.columns != labels.len() {
            return Err(refuse(format!(
                "the graph gives {} values a text, but config.json has {} labels ({})",
                logits.columns,
                labels.len(),
                labels.join(", ")
            ))
            .with_key("id2label")
            .with_remedy("use the config.json and the model.onnx of the same model"));
        }
        self.graph.run(&[&window(vec![highest; 4])], pad_id).map_err(|message| {
            refuse(format!(
                "it fails on {highest}, the highest id in the tokenizer's vocabulary: {message}"
            ))
            .with_remedy("use the tokenizer.json and the model.onnx of the same model")
        })?;
        self.graph.check_grouping(&long, &equal, &short, pad_id).map_err(refuse)
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.head.attributes()
    }

    /// What its verdicts depend on, up to rounding.
    pub(crate) fn digest(&self, source: &ClassifierSource, engine: &Engine) -> Result<Digest> {
        let mut builder = DigestBuilder::new();
        source.files.add_to(&mut builder)?;
        builder
            .update(engine.name())
            .update(self.head.description())
            .update(self.windower.description())
            .update(format!("{:?}", self.combine));
        Ok(builder.finish())
    }

    /// One verdict per text, in order. `cancelled` is asked between batches.
    pub(crate) fn score(
        &self,
        texts: &[String],
        cancelled: &(impl Fn() -> bool + Sync),
    ) -> Result<Vec<Verdict>> {
        let (read, windows) = self.read(texts);
        let rows = self.run(&windows, cancelled)?;
        read.into_iter()
            .map(|read| match read {
                Read::Unscored(reason) => Ok(Verdict::Unscored(reason)),
                Read::Windows(range) => self.verdict(&rows[range]),
            })
            .collect()
    }

    /// Tokenises, in parallel.
    fn read(&self, texts: &[String]) -> (Vec<Read>, Vec<Window>) {
        let tokenised: Vec<Result<Vec<Window>, Unscored>> = texts
            .par_iter()
            .map(|text| {
                if text.trim().is_empty() {
                    return Err(Unscored::Blank);
                }
                let windows = self.windower.windows(text).map_err(|e| {
                    Unscored::Failed(format!("the tokenizer cannot encode it: {e}"))
                })?;
                if windows.is_empty() {
                    return Err(Unscored::Abstained("the tokenizer leaves nothing of it".into()));
                }
                Ok(windows)
            })
            .collect();
        let mut all = Vec::new();
        let read = tokenised
            .into_iter()
            .map(|windows| match windows {
                Ok(windows) => {
                    let begin = all.len();
                    all.extend(windows);
                    Read::Windows(begin..all.len())
                }
                Err(reason) => Read::Unscored(reason),
            })
            .collect();
        (read, all)
    }

    /// The model's rows for windows, in their order.
    fn run(
        &self,
        windows: &[Window],
        cancelled: &(impl Fn() -> bool + Sync),
    ) -> Result<Vec<Vec<f32>>> {
        let lengths: Vec<usize> = windows.iter().map(|window| window.ids.len()).collect();
        let plan = batches::plan(&lengths, self.batch_tokens, self.graph.grouping());
        let results: Vec<Result<Logits>> = plan
            .par_iter()
            .map(|batch| {
                let fail = |kind, message: String| {
                    Err(Error::new(kind, COMPONENT, "run the classifier", message))
                };
                if cancelled() {
                    return fail(ErrorKind::Cancelled, "the call was dropped".into());
                }
                let members: Vec<&Window> = batch.iter().map(|&index| &windows[index]).collect();
                self.graph
                    .run(&members, self.windower.pad_id())
                    .or_else(|message| fail(ErrorKind::Internal, message))
            })
            .collect();
        let mut rows = vec![Vec::new(); windows.len()];
        for (batch, logits) in plan.iter().zip(results) {
            let logits = logits?;
            for (&index, row) in batch.iter().zip(logits.values.chunks(logits.columns.max(1))) {
                rows[index] = row.to_vec();
            }
        }
        Ok(rows)
    }

    /// Combines the windows of one text.
    fn verdict(&self, rows: &[Vec<f32>]) -> Result<Verdict> {
        let values: Result<Vec<Vec<f32>>, String> =
            rows.iter().map(|row| self.head.values(row)).collect();
        let values = match values {
            Ok(values) => values,
            Err(reason) => return Ok(Verdict::Unscored(Unscored::Failed(reason))),
        };
        let combined = self.head.attributes().enumerate().map(|(at, attribute)| {
            let of_windows = values.iter().map(|window| window[at]);
            let value = match self.combine {
                Combine::Max => of_windows.fold(0.0, f32::max),
                // A sum of values in [0, 1] may round to just above their number.
                Combine::Mean => (of_windows.sum::<f32>() / values.len() as f32).min(1.0),
            };
            (attribute.clone(), value)
        });
        Ok(Scores::new(combined)?.into())
    }
}
