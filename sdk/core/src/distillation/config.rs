use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::COMPONENT;
use crate::{Attribute, Error, ErrorKind, Result};

/// Convolutions of one width over a text's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// Neighbouring tokens that one of them sees.
    pub width: usize,
    /// How many of them there are.
    pub channels: usize,
}

/// How the rows of a source count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// The weight of one of its texts in the loss.
    pub weight: f64,
    /// The most of its texts that an epoch draws; all when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_epoch: Option<usize>,
    /// Whether its values are on the learned scale already, as what an earlier classifier of that
    /// scale says of texts is: it is then read as that scale's own source is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub on_scale: bool,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self { weight: 1.0, per_epoch: None, on_scale: false }
    }
}

/// What classifier, and how it is trained. The defaults are what rows of a few sources can be learned
/// from in minutes; the settings of the classifier that detoxlm carries are in
/// `backends/onnx/embedded/distill.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DistillationConfig {
    /// What the classifier is called.
    pub name: String,
    /// Its version: another training of the same name is another version.
    pub version: String,
    /// The source whose scale the classifier learns; needed where there are several. Each other
    /// source reads that scale with a slope, an offset and a linear term of its own, which are
    /// thrown away after training: two scales are never mixed. A source that is `on_scale` has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
    /// How sources count that do not count as the default says.
    pub sources: BTreeMap<String, SourceConfig>,
    /// What is learned; all that the source of the scale judges when empty.
    pub attributes: Vec<Attribute>,
    /// Weights of attributes in the loss, where they are not 1.
    pub attribute_weights: BTreeMap<Attribute, f64>,
    /// Tokens that the byte-level BPE has.
    pub vocabulary: usize,
    /// Size of a token's vector.
    pub width: usize,
    /// The convolutions.
    pub convolutions: Vec<Convolution>,
    /// Size of the layer before the logits.
    pub hidden: usize,
    /// Tokens of a text that training reads.
    pub tokens: usize,
    /// Tokens of a window of a longer text, when the trained classifier reads it.
    pub window: usize,
    /// Passes over the rows.
    pub epochs: u64,
    /// Tokens of an optimiser step.
    pub batch_tokens: usize,
    /// The highest learning rate; it rises over the first 200 steps or a tenth of all, and falls in
    /// a straight line to a fiftieth.
    pub learning_rate: f64,
    /// What is written is a running mean of the weights, this much of which stays at each step.
    pub average: f64,
    /// Weight decay of what a source sees in a text of its own, as a share of the learning rate. With a
    /// little, a source of other guidelines tells the classifier next to nothing; with much, it is read
    /// by its slope and offset, and the classifier learns to rank as it does.
    pub own_decay: f64,
    /// Networks that the classifier consists of. They are alike but for their seeds, which are the
    /// job's and those that follow it, and a score is the mean of theirs (Lakshminarayanan et al. 2017,
    /// "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles"): it ranks better
    /// than one of them, and takes so many times as long. Without teachers, each is what a job of its
    /// seed alone trains.
    pub networks: usize,
    /// Classifiers of the same kind that are trained first. What they make of every text on the mean,
    /// those without labels too, is then learned from as well (Hinton et al. 2015, "Distilling the
    /// Knowledge in a Neural Network").
    pub teachers: usize,
    /// How a text counts with what the teachers make of it.
    pub taught: SourceConfig,
    /// The share of the scale's texts that is kept out of training and measured on.
    pub held_out: f64,
    /// Write a checkpoint every so many steps.
    pub checkpoint_every: u64,
}

impl Default for DistillationConfig {
    fn default() -> Self {
        let convolution = |(width, channels)| Convolution { width, channels };
        Self {
            name: "distilled".to_owned(),
            version: "1".to_owned(),
            scale: None,
            sources: BTreeMap::new(),
            attributes: Vec::new(),
            attribute_weights: BTreeMap::new(),
            vocabulary: 16_000,
            width: 128,
            convolutions: [(1, 128), (2, 96), (3, 64), (5, 32)].map(convolution).into(),
            hidden: 128,
            tokens: 96,
            window: 128,
            epochs: 6,
            batch_tokens: 6144,
            learning_rate: 2.5e-3,
            average: 0.995,
            own_decay: 0.1,
            networks: 1,
            teachers: 0,
            taught: SourceConfig::default(),
            held_out: 0.05,
            checkpoint_every: 200,
        }
    }
}

/// Bytes, each a token of its own, and the padding: below this there is no byte-level vocabulary.
const SMALLEST_VOCABULARY: usize = 257;
/// Wider ones see more than a clause.
const WIDEST: usize = 64;

impl DistillationConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        for (key, value, least) in [
            ("vocabulary", self.vocabulary, SMALLEST_VOCABULARY),
            ("width", self.width, 1),
            ("hidden", self.hidden, 1),
            ("tokens", self.tokens, 1),
            ("window", self.window, 8),
            ("epochs", usize::try_from(self.epochs).unwrap_or(usize::MAX), 1),
            ("batch_tokens", self.batch_tokens, 1),
            ("networks", self.networks, 1),
            ("checkpoint_every", usize::try_from(self.checkpoint_every).unwrap_or(usize::MAX), 1),
        ] {
            if value < least {
                return Err(refuse(key, format!("{value} is less than {least}"), "raise it"));
            }
        }
        if self.convolutions.is_empty() {
            let remedy = "give at least one, such as {width = 1, channels = 64}";
            return Err(refuse("convolutions", "there are none".into(), remedy));
        }
        for &Convolution { width, channels } in &self.convolutions {
            if !(1..=WIDEST).contains(&width) || channels == 0 {
                let message = format!("a width of {width} with {channels} channels");
                let remedy = "widths are 1 to 64 tokens, and each has at least one channel";
                return Err(refuse("convolutions", message, remedy));
            }
        }
        let within = |key: &'static str, value: f64, range: (f64, f64)| {
            if value.is_finite() && value >= range.0 && value < range.1 {
                return Ok(());
            }
            let message = format!("{value} is not in [{}, {})", range.0, range.1);
            Err(refuse(key, message, "give a value in that range"))
        };
        within("average", self.average, (0.0, 1.0))?;
        within("held_out", self.held_out, (0.0, 1.0))?;
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let message = format!("{} is not a rate above 0", self.learning_rate);
            return Err(refuse("learning_rate", message, "0.0025 is the default"));
        }
        if !(self.own_decay >= 0.0 && self.own_decay.is_finite()) {
            let message = format!("{} is not 0 or more", self.own_decay);
            return Err(refuse("own_decay", message, "0.1 is the default"));
        }
        self.validate_weights()
    }

    fn validate_weights(&self) -> Result<()> {
        let is_weight = |weight: f64| weight > 0.0 && weight.is_finite();
        let taught = ("taught".to_owned(), &self.taught);
        let sources = self.sources.iter().map(|(name, one)| (format!("sources.{name}"), one));
        for (name, source) in sources.chain([taught]) {
            if !is_weight(source.weight) || source.per_epoch == Some(0) {
                return Err(refuse(
                    name,
                    "its weight and the texts of an epoch must be more than 0".into(),
                    "leave the rows of a source out of the file to train without it",
                ));
            }
        }
        for (attribute, &weight) in &self.attribute_weights {
            if !is_weight(weight) {
                return Err(refuse(
                    format!("attribute_weights.{attribute}"),
                    format!("{weight} is not a weight above 0"),
                    "name the attributes to learn in `attributes`",
                ));
            }
        }
        Ok(())
    }

    /// How a source counts.
    #[must_use]
    pub fn source(&self, name: &str) -> SourceConfig {
        self.sources.get(name).copied().unwrap_or_default()
    }
}

fn refuse(
    key: impl Into<std::borrow::Cow<'static, str>>,
    message: String,
    remedy: &'static str,
) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, "set up the training", message)
        .with_key(key)
        .with_remedy(remedy)
}
