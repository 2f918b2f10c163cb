//! Which directory a model is in, however it is named.

use std::path::{Path, PathBuf};

use detoxlm::Result;

use crate::session::Session;

/// The model of a command.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ModelArgument {
    /// The model: a directory with config.json, tokenizer.json and *.safetensors, or a name on the
    /// Hugging Face Hub (owner/name, owner/name@revision), which is fetched; see HF_HOME,
    /// HF_ENDPOINT, HF_HUB_OFFLINE and HF_TOKEN
    #[arg(long, value_name = "DIR|NAME")]
    model: PathBuf,
}

/// The model of a command, and what is loaded with it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AdaptedModelArgument {
    #[command(flatten)]
    pub(crate) model: ModelArgument,
    /// An adapter to load with the model: a directory with adapter_config.json, from detoxlm, PEFT or
    /// AdapterHub
    #[arg(long, value_name = "DIR")]
    pub(crate) adapter: Option<PathBuf>,
}

impl AdaptedModelArgument {
    /// The same with another model.
    pub(crate) fn with_model(&self, directory: PathBuf) -> Self {
        Self { model: ModelArgument { model: directory }, adapter: self.adapter.clone() }
    }
}

impl ModelArgument {
    /// The same, where `embedded` is the model that comes with the program, unless there is such a
    /// directory. It is unpacked into `place`, once.
    ///
    /// # Errors
    /// Those of [`directory`](Self::directory), and when it cannot be unpacked.
    pub(crate) async fn directory_or_embedded(
        &self,
        place: PathBuf,
        session: &Session,
    ) -> Result<PathBuf> {
        #[cfg(feature = "defaults")]
        if self.model.as_os_str() == "embedded" && !self.model.exists() {
            if !place.exists() {
                detoxlm::defaults::write_model(&place)?;
            }
            return Ok(place);
        }
        #[cfg(not(feature = "defaults"))]
        drop(place);
        self.directory(session).await
    }

    /// The directory of the model; what is not there and on the Hub is fetched.
    ///
    /// # Errors
    /// When it is neither a directory nor a model on the Hub, or cannot be fetched.
    pub(crate) async fn directory(&self, session: &Session) -> Result<PathBuf> {
        directory(&self.model, Path::new(""), session).await
    }
}

/// The directory of a model that is named in `folder`; what is not there and on the Hub is fetched.
///
/// # Errors
/// When it is neither a directory nor a model on the Hub, or cannot be fetched.
#[cfg(feature = "hub")]
pub(crate) async fn directory(
    reference: &Path,
    folder: &Path,
    session: &Session,
) -> Result<PathBuf> {
    use detoxlm::hub::{Hub, Reference};

    match Reference::parse(reference, folder)? {
        Reference::Directory(directory) => Ok(directory),
        // Only now: without a name on the Hub, its environment may be anything.
        name => Hub::from_env()?.resolve(&name, session.observer()).await,
    }
}

/// The directory of a model that is named in `folder`.
#[cfg(not(feature = "hub"))]
#[allow(clippy::unused_async, reason = "with the Hub it waits")]
pub(crate) async fn directory(reference: &Path, folder: &Path, _: &Session) -> Result<PathBuf> {
    Ok(folder.join(reference))
}
