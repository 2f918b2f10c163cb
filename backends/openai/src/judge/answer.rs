use std::collections::BTreeMap;

use serde::Deserialize;

/// The tokens that a model might have written at one place, with their log-probabilities.
pub(crate) type Alternatives = BTreeMap<String, f64>;

/// What may be left between yes and no when one of them is not among the alternatives.
const LARGEST_DOUBT: f64 = 0.01;

/// What a judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Words that mean toxic, such as `yes` or `unsafe`.
    pub yes: Vec<String>,
    /// Words that mean not toxic.
    pub no: Vec<String>,
}

impl Words {
    /// The share of yes in the probability of yes and no, at the first place where either is among the
    /// alternatives.
    ///
    /// Tokens count for a word that they begin (`un` for `unsafe`) or are, whatever their case and the
    /// white space around them, unless they begin words of both. A word that is not among the
    /// alternatives is less probable than all of these: it counts as 0 where that changes the value
    /// by less than 0.01, and otherwise there is no value.
    pub(crate) fn value(&self, places: &[Alternatives]) -> Result<f64, String> {
        for place in places {
            let (mut yes, mut no) = (0.0, 0.0);
            for (token, logarithm) in place {
                match (begins_one_of(&self.yes, token), begins_one_of(&self.no, token)) {
                    (true, false) => yes += logarithm.exp(),
                    (false, true) => no += logarithm.exp(),
                    _ => {}
                }
            }
            if yes == 0.0 && no == 0.0 {
                continue;
            }
            let least = place.values().copied().fold(f64::INFINITY, f64::min).exp();
            let doubt = if yes == 0.0 || no == 0.0 { least / (yes + no + least) } else { 0.0 };
            if doubt < LARGEST_DOUBT {
                return Ok(yes / (yes + no));
            }
            return Err(format!(
                "only one of {} and {} is among the {} most probable tokens",
                self.yes.join("/"),
                self.no.join("/"),
                place.len()
            ));
        }
        Err(format!("it answers neither {} nor {}", self.yes.join("/"), self.no.join("/")))
    }
}

fn begins_one_of(words: &[String], token: &str) -> bool {
    let token = token.trim().to_lowercase();
    !token.is_empty() && words.iter().any(|word| word.to_lowercase().starts_with(&token))
}

/// An answer of `chat/completions`, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatAnswer {
    pub(crate) choices: Vec<ChatChoice>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChatChoice {
    logprobs: Option<ChatLogprobs>,
}

#[derive(Debug, Deserialize)]
struct ChatLogprobs {
    content: Option<Vec<ChatToken>>,
}

#[derive(Debug, Deserialize)]
struct ChatToken {
    #[serde(default)]
    top_logprobs: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
struct Alternative {
    token: String,
    logprob: f64,
}

impl ChatAnswer {
    /// The alternatives, token by token; none where the server sent no log-probabilities.
    pub(crate) fn places(&self) -> Vec<Alternatives> {
        let logprobs = self.choices.first().and_then(|choice| choice.logprobs.as_ref());
        let tokens = logprobs.and_then(|logprobs| logprobs.content.as_deref()).unwrap_or_default();
        let place = |token: &ChatToken| {
            let mut place = Alternatives::new();
            for Alternative { token, logprob } in &token.top_logprobs {
                // Two tokens may be written the same.
                let known = place.get(token).map_or(0.0, |known: &f64| known.exp());
                place.insert(token.clone(), (known + logprob.exp()).ln());
            }
            place
        };
        tokens.iter().map(place).collect()
    }
}

/// An answer of `completions`.
#[derive(Debug, Deserialize)]
pub(crate) struct CompletionAnswer {
    pub(crate) choices: Vec<CompletionChoice>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CompletionChoice {
    logprobs: Option<CompletionLogprobs>,
}

#[derive(Debug, Deserialize)]
struct CompletionLogprobs {
    top_logprobs: Option<Vec<Option<Alternatives>>>,
}

impl CompletionAnswer {
    /// The alternatives, token by token; none where the server sent no log-probabilities.
    pub(crate) fn places(self) -> Vec<Alternatives> {
        let logprobs = self.choices.into_iter().next().and_then(|choice| choice.logprobs);
        let places = logprobs.and_then(|logprobs| logprobs.top_logprobs).unwrap_or_default();
        places.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words { yes: vec!["unsafe".into()], no: vec!["safe".into()] }
    }

    fn place(tokens: &[(&str, f64)]) -> Alternatives {
        tokens.iter().map(|(token, p)| ((*token).to_owned(), p.ln())).collect()
    }

    #[test]
    fn the_value_is_the_share_of_yes_where_the_answer_begins() {
        // Llama Guard writes an empty line first.
        let places =
            [place(&[("\n\n", 0.98), (" ", 0.01)]), place(&[("unsafe", 0.6), ("safe", 0.2)])];
        assert!((words().value(&places).unwrap() - 0.75).abs() < 1e-12);
        let split = [place(&[("un", 0.3), (" Safe", 0.4), ("SAFE", 0.2), ("x", 0.1)])];
        assert!((words().value(&split).unwrap() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_word_that_is_not_listed_counts_only_where_it_cannot_matter() {
        let clear = [place(&[("safe", 0.999), ("x", 1e-5)])];
        assert!(words().value(&clear).unwrap().abs() < 1e-12);
        let doubtful = [place(&[("safe", 0.6), ("x", 0.3)])];
        assert!(words().value(&doubtful).unwrap_err().contains("only one of"));
    }

    #[test]
    fn no_answer_is_no_value() {
        for places in [vec![], vec![place(&[("Hello", 1.0)])]] {
            assert!(words().value(&places).unwrap_err().contains("neither unsafe nor safe"));
        }
        // What begins both says nothing.
        let both = Words { yes: vec!["toxic".into()], no: vec!["to be kind".into()] };
        assert!(both.value(&[place(&[("to", 0.9)])]).is_err());
    }

    #[test]
    fn answers_of_both_protocols_are_read() {
        let chat = r#"{"choices": [{"logprobs": {"content": [{"token": "safe", "logprob": -0.1,
            "top_logprobs": [{"token": "safe", "logprob": -0.1}, {"token": "unsafe", "logprob": -2.0}]}]}}]}"#;
        let chat: ChatAnswer = serde_json::from_str(chat).unwrap();
        let completion = r#"{"choices": [{"text": "safe", "logprobs": {"top_logprobs": [{"safe": -0.1, "unsafe": -2.0}]}}]}"#;
        let completion: CompletionAnswer = serde_json::from_str(completion).unwrap();
        let (one, other) = (words().value(&chat.places()), words().value(&completion.places()));
        assert!((one.unwrap() - other.unwrap()).abs() < 1e-9);
        let silent: ChatAnswer =
            serde_json::from_str(r#"{"choices": [{"logprobs": null}]}"#).unwrap();
        assert!(silent.places().is_empty());
    }
}
