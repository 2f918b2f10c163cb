//! From a row of logits to attribute values.

use detoxlm_core::{Attribute, Error, ErrorKind, Result};

use crate::files::CONFIG;
use crate::source::ClassifierSource;
use crate::{Activation, COMPONENT, OnnxOptions};

/// The names that published toxicity classifiers give their labels, in lower case: Detoxify's and
/// unitary's (`severe_toxicity`, `obscene`, `identity_attack`, `sexual_explicit`), those of the Jigsaw
/// challenge of 2018 (`toxic`, `severe_toxic`, `identity_hate`) and Perspective's own.
const KNOWN: &[(&str, Attribute)] = &[
    ("toxicity", Attribute::TOXICITY),
    ("toxic", Attribute::TOXICITY),
    ("severe_toxicity", Attribute::SEVERE_TOXICITY),
    ("severe_toxic", Attribute::SEVERE_TOXICITY),
    ("identity_attack", Attribute::IDENTITY_ATTACK),
    ("identity_hate", Attribute::IDENTITY_ATTACK),
    ("insult", Attribute::INSULT),
    ("obscene", Attribute::PROFANITY),
    ("profanity", Attribute::PROFANITY),
    ("threat", Attribute::THREAT),
    ("sexual_explicit", Attribute::SEXUALLY_EXPLICIT),
    ("sexually_explicit", Attribute::SEXUALLY_EXPLICIT),
];

/// What classifiers of two labels call the bad one: their only statement, hence their toxicity (as
/// the `toxicity` measurement of Hugging Face's evaluate takes `hate`). Among other labels these
/// names would be attributes of their own, which we cannot guess.
const KNOWN_OF_TWO: &[&str] = &["abusive", "hate", "hateful", "offensive"];

/// The last step of a classifier: activation and choice of columns.
#[derive(Debug)]
pub(crate) struct Head {
    labels: Vec<String>,
    /// Column of the output and the attribute that it is.
    columns: Vec<(usize, Attribute)>,
    activation: Resolved,
}

/// An [`Activation`] that is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolved {
    Sigmoid,
    Softmax,
    Identity,
    Clip,
}

/// How far a regression's output may be outside of [0, 1]; farther out it is on another scale.
const OVERSHOOT: f32 = 0.5;

impl Head {
    pub(crate) fn new(source: &ClassifierSource, options: &OnnxOptions) -> Result<Self> {
        let labels = source.labels()?;
        let columns = match options.preset {
            _ if !options.labels.is_empty() => chosen_columns(&labels, options)?,
            Some(preset) => preset.columns(&labels)?,
            None => known_columns(&labels),
        };
        let found = || format!("labels found: {}", labels.join(", "));
        if columns.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "map labels to attributes",
                format!("no label has a known name; {}", found()),
            )
            .with_path(source.files.path(CONFIG))
            .with_key("id2label")
            .with_remedy(
                "say which label is which attribute, for example in scorer.json: \
                 {\"labels\": {\"LABEL_1\": \"TOXICITY\"}}",
            ));
        }
        for (at, (column, attribute)) in columns.iter().enumerate() {
            if let Some((other, _)) = columns[..at].iter().find(|(_, earlier)| earlier == attribute)
            {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    COMPONENT,
                    "map labels to attributes",
                    format!("`{}` and `{}` are both {attribute}", labels[*other], labels[*column]),
                )
                .with_path(source.files.path(CONFIG))
                .with_key("labels")
                .with_remedy("name the labels to score in scorer.json or OnnxOptions"));
            }
        }
        let activation = match (options.activation, options.preset) {
            (Activation::Auto, Some(preset)) => preset.activation(),
            (activation, _) => activation,
        };
        let activation = resolve(activation, source, labels.len(), columns.len())?;
        Ok(Self { labels, columns, activation })
    }

    /// The model's labels, in the order of its output.
    pub(crate) fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The attributes in the order of the values that [`Head::values`] gives.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.columns.iter().map(|(_, attribute)| attribute)
    }

    /// What it does, for a digest.
    pub(crate) fn description(&self) -> String {
        format!("{:?} {:?}", self.activation, self.columns)
    }

    /// The attributes' values of one row of the model's output, or why there are none.
    pub(crate) fn values(&self, row: &[f32]) -> Result<Vec<f32>, String> {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|x| (x - highest).exp()).sum();
        self.columns
            .iter()
            .map(|&(column, ref attribute)| {
                let x = row.get(column).copied().unwrap_or(f32::NAN);
                let value = match self.activation {
                    Resolved::Sigmoid => 1.0 / (1.0 + (-x).exp()),
                    Resolved::Softmax => (x - highest).exp() / sum,
                    Resolved::Identity => x,
                    Resolved::Clip if (-OVERSHOOT..=1.0 + OVERSHOOT).contains(&x) => {
                        x.clamp(0.0, 1.0)
                    }
                    Resolved::Clip => x,
                };
                if (0.0..=1.0).contains(&value) {
                    Ok(value)
                } else {
                    Err(format!("the model's output for {attribute} is {x}, which gives {value}"))
                }
            })
            .collect()
    }
}

fn known_columns(labels: &[String]) -> Vec<(usize, Attribute)> {
    labels
        .iter()
        .enumerate()
        .filter_map(|(column, label)| Some((column, attribute_named(label, labels.len())?)))
        .collect()
}

/// The attribute that a label names, if it is a known name among so many labels.
pub(crate) fn attribute_named(label: &str, labels: usize) -> Option<Attribute> {
    let name = label.trim().to_lowercase().replace([' ', '-'], "_");
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    let of_two =
        (labels == 2 && KNOWN_OF_TWO.contains(&name.as_str())).then_some(Attribute::TOXICITY);
    known.map(|(_, attribute)| attribute.clone()).or(of_two)
}

fn chosen_columns(labels: &[String], options: &OnnxOptions) -> Result<Vec<(usize, Attribute)>> {
    let mut columns = options
        .labels
        .iter()
        .map(|(label, attribute)| {
            let column = labels.iter().position(|known| known == label).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidConfig,
                    COMPONENT,
                    "map labels to attributes",
                    "the model has no such label",
                )
                .with_key(label.clone())
                .with_remedy(format!("labels found: {}", labels.join(", ")))
            })?;
            Ok((column, attribute.clone()))
        })
        .collect::<Result<Vec<_>>>()?;
    columns.sort_by_key(|(column, _)| *column);
    Ok(columns)
}

fn resolve(
    activation: Activation,
    source: &ClassifierSource,
    labels: usize,
    attributes: usize,
) -> Result<Resolved> {
    Ok(match (activation, source.problem_type()) {
        (Activation::Sigmoid, _) => Resolved::Sigmoid,
        (Activation::Softmax, _) => Resolved::Softmax,
        (Activation::None, _) => Resolved::Identity,
        (Activation::Clip, _) | (Activation::Auto, Some("regression")) => Resolved::Clip,
        // A softmax over one label is 1 whatever the text.
        (Activation::Auto, _) if labels == 1 => Resolved::Sigmoid,
        (Activation::Auto, Some("multi_label_classification")) => Resolved::Sigmoid,
        (Activation::Auto, Some("single_label_classification")) => Resolved::Softmax,
        (Activation::Auto, None) if attributes == 1 => Resolved::Softmax,
        (Activation::Auto, None) => Resolved::Sigmoid,
        (Activation::Auto, Some(other)) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                COMPONENT,
                "choose the activation",
                format!("`{other}` does not say how outputs become probabilities"),
            )
            .with_path(source.files.path(CONFIG))
            .with_key("problem_type")
            .with_remedy("set `activation` in scorer.json to sigmoid, softmax, clip or none"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    fn head(config: &str, options: &OnnxOptions) -> Result<Head> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("model.onnx", ""), ("tokenizer.json", ""), ("config.json", config)] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        Head::new(&ClassifierSource::open_directory(directory.path())?, options)
    }

    fn labelled(labels: &[&str], problem: &str) -> String {
        let labels: Vec<_> =
            labels.iter().enumerate().map(|(i, label)| format!("\"{i}\": \"{label}\"")).collect();
        format!("{{\"id2label\": {{{}}}{problem}}}", labels.join(", "))
    }

    #[test]
    fn published_names_become_attributes_and_others_are_left_out() {
        let unbiased = ["toxicity", "severe_toxicity", "obscene", "sexual_explicit", "male"];
        let found = head(&labelled(&unbiased, ""), &OnnxOptions::default()).unwrap();
        let expected = [
            Attribute::TOXICITY,
            Attribute::SEVERE_TOXICITY,
            Attribute::PROFANITY,
            Attribute::SEXUALLY_EXPLICIT,
        ];
        assert!(found.attributes().eq(&expected));
        assert_eq!(found.activation, Resolved::Sigmoid);
        let jigsaw = ["Toxic", "severe toxic", "identity-hate", "hate"];
        let found = head(&labelled(&jigsaw, ""), &OnnxOptions::default()).unwrap();
        assert_eq!(found.columns[2], (2, Attribute::IDENTITY_ATTACK));
        assert_eq!(found.columns.len(), 3, "hate among four labels is nobody's");
    }

    #[test]
    fn two_exclusive_labels_are_a_softmax() {
        let found = head(&labelled(&["nothate", "hate"], ""), &OnnxOptions::default()).unwrap();
        assert_eq!(found.columns, [(1, Attribute::TOXICITY)]);
        assert_eq!(found.activation, Resolved::Softmax);
        let [value] = found.values(&[0.0, 3.0_f32.ln()]).unwrap()[..] else { panic!() };
        assert!((value - 0.75).abs() < 1e-6);
    }

    #[test]
    fn the_problem_type_and_the_options_decide_in_this_order() {
        let multi = ", \"problem_type\": \"multi_label_classification\"";
        let config = labelled(&["neutral", "toxic"], multi);
        let activation = |options| head(&config, &options).unwrap().activation;
        assert_eq!(activation(OnnxOptions::default()), Resolved::Sigmoid);
        let softmax = OnnxOptions::default().with_activation(Activation::Softmax);
        assert_eq!(activation(softmax), Resolved::Softmax);
        let single = ", \"problem_type\": \"single_label_classification\"";
        let one = head(&labelled(&["toxic"], single), &OnnxOptions::default()).unwrap();
        assert_eq!(one.activation, Resolved::Sigmoid);
        let ranking = labelled(&["toxic", "b"], ", \"problem_type\": \"ranking\"");
        let error = head(&ranking, &OnnxOptions::default()).unwrap_err();
        assert_eq!(error.key(), Some("problem_type"));
    }

    #[test]
    fn a_regression_may_overshoot_but_not_be_on_another_scale() {
        let config = labelled(&["toxic"], ", \"problem_type\": \"regression\"");
        let regression = head(&config, &OnnxOptions::default()).unwrap();
        for (output, value) in [(0.25, 0.25), (1.2, 1.0), (-0.1, 0.0)] {
            assert_eq!(regression.values(&[output]).unwrap(), [value]);
        }
        for output in [4.0, -1.0, f32::NAN] {
            assert!(regression.values(&[output]).unwrap_err().contains("TOXICITY"));
        }
    }

    #[test]
    fn a_preset_knows_labels_without_names_and_notices_another_model() {
        let preset = |labels: &[&str], preset| {
            head(&labelled(labels, ""), &OnnxOptions::default().with_preset(preset))
        };
        let nameless: Vec<_> = (0..16).map(|label| format!("LABEL_{label}")).collect();
        let nameless: Vec<_> = nameless.iter().map(String::as_str).collect();
        let unbiased = preset(&nameless, Preset::DetoxifyUnbiased).unwrap();
        assert_eq!(unbiased.columns.len(), 7);
        assert_eq!(unbiased.columns[3], (3, Attribute::IDENTITY_ATTACK));
        assert_eq!(unbiased.activation, Resolved::Sigmoid);
        let fitted = preset(&nameless[..2], Preset::RtpDeberta).unwrap();
        assert_eq!(fitted.columns, [(1, Attribute::TOXICITY)]);
        assert_eq!(fitted.activation, Resolved::Softmax);
        let jigsaw = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"];
        assert!(preset(&jigsaw, Preset::DetoxifyOriginal).is_ok());
        let error = preset(&jigsaw, Preset::RobertaHate).unwrap_err();
        assert!(error.to_string().contains("has 2 labels"), "{error}");
        let error = preset(&["hate", "nothate"], Preset::RobertaHate).unwrap_err().to_string();
        assert!(error.contains("`hate` would be no attribute"), "{error}");
        // What is named label by label goes before it.
        let options = OnnxOptions::default()
            .with_preset(Preset::RtpDeberta)
            .with_label("LABEL_0", Attribute::INSULT);
        let named = head(&labelled(&nameless[..2], ""), &options).unwrap();
        assert_eq!(named.columns, [(0, Attribute::INSULT)]);
    }

    #[test]
    fn labels_without_a_known_name_ask_for_a_mapping() {
        let error = head("{}", &OnnxOptions::default()).unwrap_err().to_string();
        assert!(error.contains("labels found: LABEL_0, LABEL_1"), "{error}");
        let mapped = OnnxOptions::default().with_label("LABEL_1", Attribute::TOXICITY);
        assert_eq!(head("{}", &mapped).unwrap().columns, [(1, Attribute::TOXICITY)]);
        let wrong = OnnxOptions::default().with_label("LABEL_7", Attribute::TOXICITY);
        let error = head("{}", &wrong).unwrap_err();
        assert_eq!(error.key(), Some("LABEL_7"));
        assert!(error.to_string().contains("LABEL_0, LABEL_1"), "{error}");
        let error = head(&labelled(&["toxic", "toxicity", "x"], ""), &OnnxOptions::default());
        assert!(error.unwrap_err().to_string().contains("`toxic` and `toxicity`"));
    }

    #[test]
    fn what_is_no_probability_is_an_error_and_never_a_value() {
        let config = labelled(&["toxic", "insult"], "");
        let sigmoid = head(&config, &OnnxOptions::default()).unwrap();
        assert!(sigmoid.values(&[f32::NAN, 0.0]).unwrap_err().contains("TOXICITY is NaN"));
        assert_eq!(sigmoid.values(&[f32::INFINITY, f32::NEG_INFINITY]).unwrap(), [1.0, 0.0]);
        let none = OnnxOptions::default().with_activation(Activation::None);
        let none = head(&config, &none).unwrap();
        assert_eq!(none.values(&[0.25, 1.0]).unwrap(), [0.25, 1.0]);
        assert!(none.values(&[0.25, 1.5]).unwrap_err().contains("INSULT is 1.5"));
    }
}
