//! What published classifiers leave unsaid.

use detoxlm_core::{Attribute, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::head::attribute_named;
use crate::{Activation, COMPONENT};

/// A published classifier whose outputs are known.
///
/// Exports often lose the labels' names (`LABEL_0`, `LABEL_1`) or never had any. A preset says which
/// output is which attribute, and is refused for a model whose own labels say otherwise. In
/// `scorer.json` it is `{"preset": "rtp-deberta"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Preset {
    /// Detoxify's `original` and unitary's `toxic-bert`: the six labels of the Jigsaw challenge of 2018.
    #[serde(alias = "toxic-bert")]
    DetoxifyOriginal,
    /// Detoxify's `unbiased` and unitary's `unbiased-toxic-roberta`: seven kinds of toxicity, and nine
    /// identities that a text mentions, which are not scored.
    DetoxifyUnbiased,
    /// `roberta-hate-speech-dynabench-r4-target` (Vidgen et al. 2021), the default of Hugging Face's
    /// toxicity measurement: its `hate` as toxicity.
    RobertaHate,
    /// `deberta-v3-large_toxicity-scorer` (Leong et al. 2023), fitted to Perspective's scores of 2020 in
    /// RealToxicityPrompts.
    RtpDeberta,
}

/// What an output means.
type Output = Option<Attribute>;

const TOXIC_OF_TWO: &[Output] = &[None, Some(Attribute::TOXICITY)];

impl Preset {
    /// The outputs in order: the attribute, or none.
    const fn outputs(self) -> &'static [Output] {
        match self {
            Self::DetoxifyOriginal => &[
                Some(Attribute::TOXICITY),
                Some(Attribute::SEVERE_TOXICITY),
                Some(Attribute::PROFANITY),
                Some(Attribute::THREAT),
                Some(Attribute::INSULT),
                Some(Attribute::IDENTITY_ATTACK),
            ],
            Self::DetoxifyUnbiased => &[
                Some(Attribute::TOXICITY),
                Some(Attribute::SEVERE_TOXICITY),
                Some(Attribute::PROFANITY),
                Some(Attribute::IDENTITY_ATTACK),
                Some(Attribute::INSULT),
                Some(Attribute::THREAT),
                Some(Attribute::SEXUALLY_EXPLICIT),
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
            ],
            Self::RobertaHate | Self::RtpDeberta => TOXIC_OF_TWO,
        }
    }

    pub(crate) const fn activation(self) -> Activation {
        match self {
            Self::DetoxifyOriginal | Self::DetoxifyUnbiased => Activation::Sigmoid,
            Self::RobertaHate | Self::RtpDeberta => Activation::Softmax,
        }
    }

    /// The columns that are scored, once the model's labels are those of the preset: as many, and none
    /// with the name of another attribute.
    pub(crate) fn columns(self, labels: &[String]) -> Result<Vec<(usize, Attribute)>> {
        let outputs = self.outputs();
        let refuse = |message: String| {
            Err(Error::new(
                ErrorKind::Incompatible,
                COMPONENT,
                "map labels to attributes",
                format!("{message}; labels found: {}", labels.join(", ")),
            )
            .with_key("preset")
            .with_remedy("name the preset of this model, or its labels in `labels`"))
        };
        if labels.len() != outputs.len() {
            return refuse(format!("the preset's model has {} labels", outputs.len()));
        }
        for (label, output) in labels.iter().zip(outputs) {
            let named = attribute_named(label, labels.len());
            if named.is_some() && named != *output {
                let output = output.as_ref().map_or("no attribute", Attribute::as_str);
                return refuse(format!("`{label}` would be {output}"));
            }
        }
        let scored = outputs.iter().cloned().enumerate();
        Ok(scored.filter_map(|(column, output)| Some((column, output?))).collect())
    }
}
