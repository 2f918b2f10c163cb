use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value as JinjaValue;
use minijinja::{AutoEscape, Environment, ErrorKind as JinjaErrorKind, UndefinedBehavior};
use regex::Regex;

use crate::evaluation::COMPONENT;
use crate::{Error, ErrorKind, Result};

/// Templates in Jinja, as lm-evaluation-harness has them: a field that is not there is an error, a
/// line break at the end stays, strings have the methods of Python's, and there is a filter
/// `regex_replace`.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // For errors to say which field is missing.
    environment.set_debug(true);
    // It cannot fail with the delimiters left as they are.
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("regex_replace", regex_replace());
    environment
}

/// Every match of `pattern`, in the syntax of the `regex` crate, becomes `replacement`, in which `$1`
/// stands for the first group. Patterns are compiled once.
fn regex_replace() -> impl Fn(&str, &str, &str) -> std::result::Result<String, minijinja::Error> {
    let compiled = Mutex::new(BTreeMap::<String, Regex>::new());
    move |text, pattern, replacement| {
        let mut compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let regex = match compiled.get(pattern) {
            Some(regex) => regex.clone(),
            None => {
                let regex = Regex::new(pattern).map_err(|e| {
                    let message = format!("`{pattern}` is not a regular expression");
                    minijinja::Error::new(JinjaErrorKind::InvalidOperation, message).with_source(e)
                })?;
                compiled.insert(pattern.to_owned(), regex.clone());
                regex
            }
        };
        drop(compiled);
        Ok(regex.replace_all(text, replacement).into_owned())
    }
}

/// Renders the template that is named `key`.
pub(super) fn render(
    environment: &Environment<'static>,
    key: &str,
    fields: &JinjaValue,
) -> Result<String> {
    environment
        .get_template(key)
        .and_then(|template| template.render(fields.clone()))
        .map_err(|e| failure(key, e))
}

/// The texts that an expression lists.
pub(super) fn list(
    environment: &Environment<'static>,
    key: &str,
    expression: &str,
    fields: &JinjaValue,
) -> Result<Vec<JinjaValue>> {
    let value = environment
        .compile_expression_owned(expression.to_owned())
        .and_then(|expression| expression.eval(fields.clone()))
        .map_err(|e| failure(key, e))?;
    let is_list = value.kind() == minijinja::value::ValueKind::Seq;
    match value.try_iter() {
        Ok(values) if is_list => Ok(values.collect()),
        _ => {
            let message = format!("`{expression}` is a {}, not a list", value.kind());
            Err(Error::new(ErrorKind::InvalidInput, COMPONENT, "ask an item", message)
                .with_key(key.to_owned())
                .with_remedy("give an expression of a list, such as a field that holds one"))
        }
    }
}

fn failure(key: &str, error: minijinja::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, COMPONENT, "ask an item", said(&error))
        .with_key(key.to_owned())
        .with_remedy("give the row what the task asks for, or the task another template")
        .with_source(error)
}

/// What is wrong and with what, without the name of the template, which is the key.
pub(super) fn said(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> std::result::Result<String, minijinja::Error> {
        let fields = minijinja::context! { text => "Ab cD <e>", n => 2, list => ["x", "y", "z"] };
        environment().render_str(template, fields)
    }

    /// What templates of lm-evaluation-harness use, as Jinja2 renders it.
    #[test]
    fn templates_of_the_harness_render_as_in_python() {
        for (template, expected) in [
            ("{{text}}\nAnswer:\n", "Ab cD <e>\nAnswer:\n"),
            ("{{text.split(' ')[:-1]|join(' ')}}", "Ab cD"),
            ("{{' '+text.split(' ')[-1]}}", " <e>"),
            ("{{text[1:4]}}{{text[-2:]}}", "b ce>"),
            ("{{list[n]}} {{['True', 'Neither', 'False'][n]}}", "z False"),
            ("{{text.capitalize()}} {{text.strip()|lower}}", "Ab cd <e> ab cd <e>"),
            (r#"{{"a [b] [c]d" | regex_replace("\\[.*?\\]", "")}}"#, "a  d"),
            ("{{ text.index('c') if false else 'no' }}", "no"),
        ] {
            assert_eq!(rendered(template).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_that_names_it() {
        let error = rendered("{{ text }} {{ missing }}").unwrap_err();
        assert_eq!(said(&error), "`missing` is undefined");
        let error = rendered("{{ text | regex_replace('(', '') }}").unwrap_err();
        assert!(said(&error).contains("not a regular expression"), "{error}");
    }
}
