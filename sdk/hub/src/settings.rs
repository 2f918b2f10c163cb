//! Where the Hub and its cache are, and how to ask.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use detoxlm_core::{Error, ErrorKind, Result};

use crate::COMPONENT;

/// Where the Hub is when nobody says otherwise.
const ENDPOINT: &str = "https://huggingface.co";

/// What lets its holder read private and gated models. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token, without the white space that files end in; `None` if nothing else is there.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        (!token.is_empty()).then(|| Self(token.to_owned()))
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Where the Hub and its cache are, and how to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubSettings {
    /// The Hub's address, without a slash at its end.
    pub endpoint: String,
    /// The cache, shared with Python's `huggingface_hub`: the folder of the `models--*`.
    pub cache: PathBuf,
    /// For private and gated models.
    pub token: Option<Token>,
    /// Whether to look into the cache alone, and never to ask the Hub.
    pub offline: bool,
}

impl HubSettings {
    /// The public Hub with this cache, without a token.
    #[must_use]
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { endpoint: ENDPOINT.to_owned(), cache: cache.into(), token: None, offline: false }
    }

    /// Reads the environment as `huggingface_hub` does: `HF_ENDPOINT`; `HF_HUB_CACHE`, or else
    /// `$HF_HOME/hub`, where `HF_HOME` is `huggingface` in the user's cache directory when not set;
    /// `HF_TOKEN`, or else the file `$HF_HOME/token`; `HF_HUB_OFFLINE`.
    ///
    /// # Errors
    /// When the endpoint is no address, or there is no home directory to find the cache in.
    pub fn from_env() -> Result<Self> {
        Self::read(&|name| std::env::var_os(name), std::env::home_dir())
    }

    fn read(variable: &dyn Fn(&str) -> Option<OsString>, user: Option<PathBuf>) -> Result<Self> {
        let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |name| variable(name).and_then(|value| value.into_string().ok());
        let home = path("HF_HOME").or_else(|| {
            let caches = path("XDG_CACHE_HOME").or_else(|| Some(user?.join(".cache")));
            Some(caches?.join("huggingface"))
        });
        let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let Some(cache) = path("HF_HUB_CACHE").or_else(|| in_home("hub")) else {
            return Err(refuse("HF_HOME", "there is no home directory to find the cache in")
                .with_remedy("set HF_HOME to a directory"));
        };
        let mut settings = Self::new(cache);
        if let Some(endpoint) = text("HF_ENDPOINT").filter(|endpoint| !endpoint.is_empty()) {
            settings = settings.with_endpoint(&endpoint)?;
        }
        let stored =
            || in_home("token").and_then(|file| Token::new(&std::fs::read_to_string(file).ok()?));
        settings.token = text("HF_TOKEN").and_then(|token| Token::new(&token)).or_else(stored);
        settings.offline = text("HF_HUB_OFFLINE").is_some_and(|value| {
            ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
        });
        Ok(settings)
    }

    /// Asks the Hub at another address.
    ///
    /// # Errors
    /// When it does not begin with `http://` or `https://`.
    pub fn with_endpoint(mut self, endpoint: &str) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/');
        if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            return Err(refuse("HF_ENDPOINT", "it is not an address of http or https")
                .with_remedy(format!("for example {ENDPOINT}")));
        }
        endpoint.clone_into(&mut self.endpoint);
        Ok(self)
    }

    /// Asks with a token.
    #[must_use]
    pub fn with_token(mut self, token: Option<Token>) -> Self {
        self.token = token;
        self
    }

    /// Looks into the cache alone, or asks the Hub again.
    #[must_use]
    pub const fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }
}

fn refuse(key: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, "read the settings", message).with_key(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<HubSettings> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        HubSettings::read(&variable, Some(PathBuf::from("/home/me")))
    }

    #[test]
    fn the_cache_is_where_python_looks_for_it() {
        let cache = |variables: &[_]| read(variables).unwrap().cache;
        assert_eq!(cache(&[]), PathBuf::from("/home/me/.cache/huggingface/hub"));
        assert_eq!(cache(&[("HF_HOME", "")]), PathBuf::from("/home/me/.cache/huggingface/hub"));
        let xdg = ("XDG_CACHE_HOME", "/caches");
        assert_eq!(cache(&[xdg]), PathBuf::from("/caches/huggingface/hub"));
        assert_eq!(cache(&[xdg, ("HF_HOME", "/hf")]), PathBuf::from("/hf/hub"));
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/c")]), PathBuf::from("/c"));
        let error = HubSettings::read(&|_| None, None).unwrap_err();
        assert_eq!(error.key(), Some("HF_HOME"));
    }

    #[test]
    fn the_endpoint_is_an_address() {
        assert_eq!(read(&[]).unwrap().endpoint, "https://huggingface.co");
        let mirror = read(&[("HF_ENDPOINT", "http://mirror:8080/")]).unwrap();
        assert_eq!(mirror.endpoint, "http://mirror:8080");
        let error = read(&[("HF_ENDPOINT", "mirror")]).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("HF_ENDPOINT")));
    }

    #[test]
    fn offline_is_what_python_calls_true() {
        for (value, offline) in
            [("1", true), ("yes", true), ("True", true), ("0", false), ("", false)]
        {
            assert_eq!(read(&[("HF_HUB_OFFLINE", value)]).unwrap().offline, offline, "{value:?}");
        }
    }

    #[test]
    fn a_token_is_found_and_never_shown() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "hf_stored\n").unwrap();
        let home = home.path().to_str().unwrap();
        let stored = read(&[("HF_HOME", home), ("HF_TOKEN", " ")]).unwrap();
        assert_eq!(stored.token, Token::new("hf_stored"));
        let given = read(&[("HF_HOME", home), ("HF_TOKEN", "hf_given")]).unwrap();
        assert_eq!(given.token, Token::new("hf_given"));
        assert!(!format!("{given:?}").contains("hf_given"), "{given:?}");
    }
}
