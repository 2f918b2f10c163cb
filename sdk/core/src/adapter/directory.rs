use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AdapterBase, BottleneckConfig, LoraConfig, Object, PrefixConfig, unsupported};
use crate::files::{read_json, write_json};
use crate::info::DigestBuilder;
use crate::{Digest, Error, ErrorKind, Result};

const CONFIG: &str = "adapter_config.json";
/// What we write beside what the formats ask for.
const ORIGIN: &str = "detoxlm.json";

/// What kind of adapter, and all that is needed to compute with it but its tensors.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AdapterConfig {
    /// Low-rank updates.
    Lora(LoraConfig),
    /// Keys and values in front of the text.
    Prefix(PrefixConfig),
    /// Small networks between the layers.
    Bottleneck(BottleneckConfig),
}

impl AdapterConfig {
    /// The file that holds the tensors.
    #[must_use]
    pub const fn weights_file(&self) -> &'static str {
        match self {
            Self::Lora(_) | Self::Prefix(_) => "adapter_model.safetensors",
            Self::Bottleneck(_) => "adapter.safetensors",
        }
    }

    fn read(config: &Object) -> Result<Self> {
        match config.get("peft_type").map(|kind| (kind, kind.as_str())) {
            Some((_, Some("LORA"))) => LoraConfig::read(config).map(Self::Lora),
            Some((_, Some("PREFIX_TUNING"))) => PrefixConfig::read(config).map(Self::Prefix),
            Some((other, _)) => Err(unsupported("peft_type", other)
                .with_remedy("supported: LORA, PREFIX_TUNING, and AdapterHub's bottlenecks")),
            None if config.contains_key("config") => {
                BottleneckConfig::read(config).map(Self::Bottleneck)
            }
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                "adapter",
                "read the configuration",
                "neither PEFT's nor AdapterHub's",
            )
            .with_key("peft_type")),
        }
    }

    fn write(&self, base: &AdapterBase) -> Value {
        match self {
            Self::Lora(lora) => lora.write(base),
            Self::Prefix(prefix) => prefix.write(base),
            Self::Bottleneck(bottleneck) => bottleneck.write(base),
        }
    }
}

/// Where an adapter comes from.
#[derive(Serialize, Deserialize)]
struct Origin {
    /// Digest of the base model.
    base: Digest,
}

/// A directory with `adapter_config.json` and the adapter's weights, made by us, by PEFT or by
/// AdapterHub's `adapters`.
#[derive(Clone, Debug)]
pub struct AdapterDirectory {
    path: PathBuf,
    config: AdapterConfig,
    base: Option<Digest>,
}

impl AdapterDirectory {
    /// Looks at a directory: reads the configuration, finds the weights.
    ///
    /// # Errors
    /// When something is missing or malformed, or asks for what is not built; key and file are named.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.is_dir() {
            return Err(missing(path, "no such directory"));
        }
        let file = path.join(CONFIG);
        let config: Object = read_json(&file)?;
        let config = AdapterConfig::read(&config).map_err(|error| error.with_path(&file))?;
        if !path.join(config.weights_file()).is_file() {
            return Err(missing(&path.join(config.weights_file()), "no such file"));
        }
        let origin = path.join(ORIGIN);
        let base = if origin.is_file() {
            let origin: Origin = read_json(origin)?;
            Some(origin.base)
        } else {
            None
        };
        Ok(Self { path: path.to_path_buf(), config, base })
    }

    /// Whether a directory holds an adapter and not a model.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        path.join(CONFIG).is_file() && !path.join("config.json").is_file()
    }

    /// Writes the configuration, and what the base was, into an existing directory. The weights go
    /// into [`AdapterConfig::weights_file`] beside it.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(directory: &Path, config: &AdapterConfig, base: &AdapterBase) -> Result<()> {
        write_json(directory.join(CONFIG), &config.write(base))?;
        write_json(directory.join(ORIGIN), &Origin { base: base.digest.clone() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is.
    #[must_use]
    pub const fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// The file with the tensors.
    #[must_use]
    pub fn weights(&self) -> PathBuf {
        self.path.join(self.config.weights_file())
    }

    /// That it was made for the model with this digest. Adapters that were made elsewhere do not say:
    /// they have to fit by names and shapes.
    ///
    /// # Errors
    /// When it says that it was made for another; both digests are named.
    pub fn check_base(&self, base: &Digest) -> Result<()> {
        match &self.base {
            Some(made_for) if made_for != base => Err(Error::new(
                ErrorKind::Incompatible,
                "adapter",
                "load",
                format!("it was made for the model {made_for:?}, and this one is {base:?}"),
            )
            .with_path(self.path.join(ORIGIN))
            .with_remedy("load it with the model that it was trained on")),
            _ => Ok(()),
        }
    }

    /// The digest of what decides its answers, given a base.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn digest(&self) -> Result<Digest> {
        let mut builder = DigestBuilder::new();
        builder.update("adapter").update_file(&self.path.join(CONFIG))?;
        builder.update("weights").update_file(&self.weights())?;
        Ok(builder.finish())
    }
}

fn missing(path: &Path, message: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, "adapter", "open", message)
        .with_path(path)
        .with_remedy("name a directory with adapter_config.json and the adapter's safetensors")
}
