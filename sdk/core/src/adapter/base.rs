use crate::{Digest, ModelDirectory, Result};

/// What an adapter's files say about the model that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterBase {
    /// What people call it: a name on the Hub where it came from there, or its directory's.
    pub name: String,
    /// `model_type` of its configuration.
    pub model_type: String,
    /// Its class in `transformers`.
    pub class: String,
    /// The width of its residual stream.
    pub width: usize,
    /// Of its content.
    pub digest: Digest,
}

impl AdapterBase {
    /// Describes the model in a directory, whose residual stream has this width.
    ///
    /// # Errors
    /// When its configuration does not say what it is, or a file cannot be read.
    pub fn of(model: &ModelDirectory, width: usize) -> Result<Self> {
        let class = model.config().pointer("/architectures/0").and_then(|class| class.as_str());
        Ok(Self {
            name: ModelDirectory::plain_name_of(model.path()),
            model_type: model.model_type()?.to_owned(),
            class: class.unwrap_or_default().to_owned(),
            width,
            digest: model.digest()?,
        })
    }
}
