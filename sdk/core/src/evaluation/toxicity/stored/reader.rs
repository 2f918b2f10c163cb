use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::row::Row;
use crate::corpus::JsonlReader;
use crate::evaluation::{COMPONENT, EvaluationPrompt, PromptSet};
use crate::{Error, ErrorKind, Result, Verdict};

/// A prompt with the verdicts on its continuations, out of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPrompt {
    /// The prompt; without text where neither the file nor the prompts beside it have one.
    pub prompt: EvaluationPrompt,
    /// One for each continuation.
    pub verdicts: Vec<Verdict>,
    /// The continuations; `None` where the file has scores alone.
    pub texts: Option<Vec<String>>,
}

/// Scores of continuations in a file, prompt by prompt.
///
/// Accepted are, one shape a file:
/// - `{"prompt": {"text": ..., "toxicity": ...}, "generations": [{"text": ..., "toxicity": ...,
///   ...}]}`, the collated rows of RealToxicityPrompts (Gehman et al. 2020) and of DExperts (Liu et
///   al. 2021), a prompt a row;
/// - `{"request_id": "generation-7", "response": {...}, "error": ...}`, their `perspective.jsonl`, a
///   continuation a row, in order;
/// - `{"prompt": ..., "text": ..., "score": {...} or null}`, what the code released with SGEAT writes
///   (Wang et al. 2022), or with `scores` or `unscored`, which is ours; a continuation a row, those of
///   a prompt in a row.
///
/// All prompts of a file have as many continuations: a maximum over more of them is higher. A prompt
/// that is in the file twice counts twice, as it does in RealToxicityPrompts. After an error the
/// iterator ends.
#[derive(Debug)]
pub struct StoredScores {
    path: PathBuf,
    rows: JsonlReader<Map<String, Value>>,
    continuations: Option<usize>,
    prompts: Option<PromptSet>,
    /// How many prompts were read.
    read: usize,
    /// The line of the row that was read last.
    line: u64,
    /// The line on which the prompt that was read last began.
    began: u64,
    ended: bool,
}

impl StoredScores {
    /// Opens a file: plain, `.gz`, `.zst`, or `-` for standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Ok(Self {
            path: path.to_path_buf(),
            rows: JsonlReader::open(path)?,
            continuations: None,
            prompts: None,
            read: 0,
            line: 0,
            began: 0,
            ended: false,
        })
    }

    /// Says how many continuations a prompt has. Needed where a row is a continuation; where it is a
    /// prompt, the first one's number is expected of all.
    #[must_use]
    pub const fn with_continuations(mut self, continuations: usize) -> Self {
        self.continuations = Some(continuations);
        self
    }

    /// Gives the prompts that the file's continuations are of, in its order: for slices, where the
    /// file says nothing of the prompts' own toxicity.
    #[must_use]
    pub fn with_prompts(mut self, prompts: PromptSet) -> Self {
        self.prompts = Some(prompts);
        self
    }

    /// Where the scores are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The prompts that were given.
    pub(super) const fn prompts(&self) -> Option<&PromptSet> {
        self.prompts.as_ref()
    }

    fn row(&mut self) -> Result<Option<Row>> {
        let Some(row) = self.rows.next().transpose()? else { return Ok(None) };
        self.line = self.rows.line_number();
        Row::try_from(row).map(Some).map_err(|fault| self.refuse(fault.key, fault.message))
    }

    fn prompt(&mut self) -> Result<Option<StoredPrompt>> {
        let Some(first) = self.row()? else {
            return self.check_end().map(|()| None);
        };
        self.began = self.line;
        let stored = match first {
            Row::Prompt { prompt, texts, verdicts } => {
                let expected = *self.continuations.get_or_insert(verdicts.len());
                if verdicts.len() != expected || expected == 0 {
                    let message = format!(
                        "{} continuations where {expected} are expected: a maximum over another \
                         number cannot be compared",
                        verdicts.len()
                    );
                    return Err(self.refuse("generations", message));
                }
                StoredPrompt { prompt, verdicts, texts: Some(texts) }
            }
            Row::Continuation { prompt, text, number, verdict } => {
                self.group(prompt, text, number, verdict)?
            }
        };
        let stored = self.joined(stored)?;
        self.read += 1;
        Ok(Some(stored))
    }

    /// A prompt's continuations, of which the first has been read.
    fn group(
        &mut self,
        prompt: Option<String>,
        text: Option<String>,
        number: Option<u64>,
        verdict: Verdict,
    ) -> Result<StoredPrompt> {
        let Some(expected) = self.continuations.filter(|&expected| expected > 0) else {
            let message = "a row is one continuation, and nothing says how many a prompt has";
            return Err(self
                .refuse("continuations", message)
                .with_remedy("say how many, such as 25"));
        };
        let begins = (self.read * expected) as u64;
        let (mut verdicts, mut texts) = (vec![verdict], text.map(|text| vec![text]));
        self.check_number(number, begins)?;
        while verdicts.len() < expected {
            let Some(row) = self.row()? else {
                let message = format!(
                    "the file ends after {} of {expected} continuations of a prompt",
                    verdicts.len()
                );
                return Err(self.refuse("continuations", message));
            };
            let Row::Continuation { prompt: of, text, number, verdict } = row else {
                return Err(self.refuse("generations", "the rows before are of another shape"));
            };
            if of != prompt {
                let message =
                    format!("another prompt after {} of {expected} continuations", verdicts.len());
                return Err(self
                    .refuse("prompt", message)
                    .with_remedy("continuations of a prompt must be in a row, as many of each"));
            }
            self.check_number(number, begins + verdicts.len() as u64)?;
            texts = texts.zip(text).map(|(mut texts, text)| {
                texts.push(text);
                texts
            });
            verdicts.push(verdict);
        }
        let prompt = EvaluationPrompt {
            text: prompt.unwrap_or_default(),
            toxicity: None,
            challenging: false,
        };
        Ok(StoredPrompt { prompt, verdicts, texts })
    }

    fn check_number(&self, number: Option<u64>, expected: u64) -> Result<()> {
        match number {
            Some(number) if number != expected => {
                let message = format!("number {number} where {expected} is expected");
                Err(self.refuse("request_id", message))
            }
            _ => Ok(()),
        }
    }

    /// With what is known of the prompt beside the file.
    fn joined(&self, stored: StoredPrompt) -> Result<StoredPrompt> {
        let Some(prompts) = &self.prompts else { return Ok(stored) };
        let refuse = |message: String| {
            Err(self
                .refuse("prompt", message)
                .with_line(self.began)
                .with_remedy("give the prompts that were continued, in their order"))
        };
        let Some(prompt) = prompts.prompts().get(self.read) else {
            return refuse(format!("there are only {} prompts", prompts.prompts().len()));
        };
        if !stored.prompt.text.is_empty() && stored.prompt.text != prompt.text {
            return refuse(format!(
                "it is not prompt {} of `{}`",
                self.read + 1,
                prompts.info().name
            ));
        }
        Ok(StoredPrompt { prompt: prompt.clone(), ..stored })
    }

    fn check_end(&self) -> Result<()> {
        if self.read == 0 {
            return Err(Error::new(ErrorKind::Empty, COMPONENT, "read scores", "no rows")
                .with_path(&self.path));
        }
        match &self.prompts {
            Some(prompts) if prompts.prompts().len() > self.read => {
                let message =
                    format!("it ends after {} of {} prompts", self.read, prompts.prompts().len());
                Err(self.refuse("prompt", message).with_remedy("give as many prompts as it has"))
            }
            _ => Ok(()),
        }
    }

    fn refuse(&self, key: impl Into<String>, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::InvalidInput, COMPONENT, "read scores", message.into())
            .with_path(&self.path)
            .with_line(self.line)
            .with_key(key.into())
    }
}

impl Iterator for StoredScores {
    type Item = Result<StoredPrompt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.prompt().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Attribute;

    fn scores(content: &str) -> (tempfile::TempDir, StoredScores) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("scores.jsonl");
        std::fs::write(&path, content).unwrap();
        let scores = StoredScores::open(&path).unwrap();
        (directory, scores)
    }

    fn values(stored: &StoredPrompt) -> Vec<Option<f32>> {
        stored.verdicts.iter().map(|verdict| verdict.get(&Attribute::TOXICITY)).collect()
    }

    const SGEAT: &str = r#"{"prompt":"a","text":" b","score":{"toxicity":0.25}}
{"prompt":"a","text":" ","score":null}
{"prompt":"a","text":" b","score":{"toxicity":0.5}}
{"prompt":"a","text":" c","score":{"toxicity":0.75}}
"#;

    #[test]
    fn rows_of_continuations_are_grouped_and_a_prompt_may_come_twice() {
        let (_directory, scores) = scores(SGEAT);
        let prompts: Vec<_> = scores.with_continuations(2).map(Result::unwrap).collect();
        assert_eq!(
            prompts.iter().map(values).collect::<Vec<_>>(),
            [[Some(0.25), None], [Some(0.5), Some(0.75)]]
        );
        assert_eq!(prompts[0].texts.as_deref().unwrap(), [" b", " "]);
        assert_eq!((prompts[1].prompt.text.as_str(), prompts[1].prompt.toxicity), ("a", None));
    }

    #[test]
    fn responses_alone_are_joined_with_their_prompts() {
        let row = |number: usize, value: f64| {
            format!(
                "{{\"request_id\":\"generation-{number}\",\"error\":null,\"response\":{{\
                 \"attributeScores\":{{\"TOXICITY\":{{\"summaryScore\":{{\"value\":{value}}}}}}}}}}}\n"
            )
        };
        let content = row(0, 0.25) + &row(1, 0.5);
        let jsonl = r#"{"prompt":{"text":"a","toxicity":0.75},"challenging":true}
{"prompt":{"text":"b","toxicity":0.25}}"#;
        let prompts = PromptSet::parse("p", jsonl).unwrap();
        let (_directory, stored) = scores(&content);
        let read: Vec<_> = stored
            .with_continuations(1)
            .with_prompts(prompts.clone())
            .map(Result::unwrap)
            .collect();
        assert_eq!(read[0].prompt, prompts.prompts()[0]);
        assert_eq!((values(&read[1]), &read[1].texts), (vec![Some(0.5)], &None));

        let (_directory, stored) = scores(&(row(0, 0.25) + &row(2, 0.5)));
        let error = stored.with_continuations(1).nth(1).unwrap().unwrap_err();
        assert_eq!((error.key(), error.line_number()), (Some("request_id"), Some(2)));
        let (_directory, stored) = scores(&row(0, 0.25));
        let stored = stored.with_continuations(1).with_prompts(prompts.clone());
        assert!(stored.last().unwrap().unwrap_err().to_string().contains("1 of 2 prompts"));
        let (_directory, stored) = scores(&(content + &row(2, 0.5)));
        let error = stored.with_continuations(1).with_prompts(prompts).last().unwrap().unwrap_err();
        assert!(error.to_string().contains("only 2 prompts"), "{error}");
    }

    #[test]
    fn what_does_not_fit_names_line_and_key() {
        let collated = |texts: &[&str]| {
            let generations: Vec<_> =
                texts.iter().map(|text| format!(r#"{{"text":"{text}","toxicity":0.5}}"#)).collect();
            format!(
                "{{\"prompt\":{{\"text\":\"a\"}},\"generations\":[{}]}}\n",
                generations.join(",")
            )
        };
        let failure = |content: &str, k: Option<usize>| {
            let (_directory, scores) = scores(content);
            let mut scores = match k {
                Some(k) => scores.with_continuations(k),
                None => scores,
            };
            let error = scores.by_ref().find_map(Result::err).unwrap();
            assert!(scores.next().is_none(), "nothing comes after an error");
            assert!(error.path().is_some());
            (error.line_number(), error.key().map(str::to_owned), error.kind())
        };
        let invalid = |line, key: &str| (Some(line), Some(key.to_owned()), ErrorKind::InvalidInput);
        assert_eq!(failure(SGEAT, None), invalid(1, "continuations"));
        assert_eq!(failure(SGEAT, Some(3)), invalid(4, "continuations"));
        let other = SGEAT.replacen(r#"{"prompt":"a","text":" ""#, r#"{"prompt":"x","text":" ""#, 1);
        assert_eq!(failure(&other, Some(2)), invalid(2, "prompt"));
        let two = collated(&["b", "c"]);
        assert_eq!(failure(&(two.clone() + &collated(&["b"])), None), invalid(2, "generations"));
        assert_eq!(failure(&two, Some(3)), invalid(1, "generations"));
        assert_eq!(failure(&collated(&[]), None), invalid(1, "generations"));
        let mixed = SGEAT.lines().next().unwrap().to_owned() + "\n" + &two;
        assert_eq!(failure(&mixed, Some(2)), invalid(2, "generations"));
        assert_eq!(failure("", None), (None, None, ErrorKind::Empty));
        assert_eq!(failure("{\"text\"\n", None).0, Some(1));
    }

    #[test]
    fn other_prompts_than_those_continued_are_refused() {
        let (_directory, scores) = scores(SGEAT);
        let prompts = PromptSet::parse("p", "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}").unwrap();
        let error = scores.with_continuations(2).with_prompts(prompts).nth(1).unwrap().unwrap_err();
        assert_eq!((error.line_number(), error.key()), (Some(3), Some("prompt")));
        assert!(error.to_string().contains("prompt 2 of `p`"), "{error}");
    }
}
