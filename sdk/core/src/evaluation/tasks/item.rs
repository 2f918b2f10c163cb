use crate::evaluation::COMPONENT;
use crate::{Error, ErrorKind, Result};

/// A row of a task's file as a model is asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskItem {
    /// The line of the file that the row begins on, from 1.
    pub line: u64,
    /// One (context, continuation) for every choice; one in all for a task without choices.
    pub questions: Vec<(String, String)>,
    /// The number of the right choice.
    pub right: usize,
    /// Of every choice, without the delimiter: its characters.
    pub(super) characters: Vec<u32>,
    /// The same in bytes of UTF-8.
    pub(super) bytes: Vec<u32>,
}

impl TaskItem {
    pub(super) fn new(
        line: u64,
        contexts: Vec<String>,
        choices: Vec<String>,
        delimiter: &str,
        right: usize,
    ) -> Result<Self> {
        if choices.is_empty() {
            return Err(unanswerable("there are no choices".to_owned()));
        }
        if let Some(number) = choices.iter().position(String::is_empty) {
            return Err(unanswerable(format!("choice {number} has a length of zero")));
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let characters = choices.iter().map(|choice| count(choice.chars().count())).collect();
        let bytes = choices.iter().map(|choice| count(choice.len())).collect();
        let questions = contexts
            .into_iter()
            .zip(choices)
            .map(|(context, choice)| question(context, &format!("{delimiter}{choice}")))
            .collect();
        Ok(Self { line, questions, right, characters, bytes })
    }
}

/// White space at a context's end belongs to the continuation, where the tokens of most models have it
/// (`_encode_pair` of lm-evaluation-harness).
fn question(mut context: String, continuation: &str) -> (String, String) {
    // What Python's `rstrip` strips and `trim_end` does not: the separators of ASCII.
    let is_space = |c: char| c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c);
    let kept = context.trim_end_matches(is_space).len();
    let continuation = format!("{}{continuation}", &context[kept..]);
    context.truncate(kept);
    (context, continuation)
}

fn unanswerable(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, COMPONENT, "ask an item", message)
        .with_remedy("correct the row, or leave it out with `data.keep`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_over_to_the_continuation() {
        let item = |context: &str| {
            let choices = vec!["né".to_owned()];
            TaskItem::new(1, vec![context.to_owned()], choices, " ", 0).unwrap()
        };
        let asked = item("Q: \n");
        assert_eq!(asked.questions, [("Q:".to_owned(), " \n né".to_owned())]);
        assert_eq!((asked.characters, asked.bytes), (vec![2], vec![3]));
        assert_eq!(item("").questions, [(String::new(), " né".to_owned())]);
    }

    #[test]
    fn a_choice_of_nothing_is_refused() {
        let contexts = vec!["a".to_owned(); 2];
        let choices = vec!["b".to_owned(), String::new()];
        let error = TaskItem::new(1, contexts, choices, " ", 0).unwrap_err();
        assert!(error.to_string().contains("choice 1 has a length of zero"), "{error}");
    }
}
