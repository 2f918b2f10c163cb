//! What is asked of the Hub, through `hf-hub`.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use detoxlm_core::{Cancellation, Error, ErrorKind, Result};
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::COMPONENT;
use crate::cache::{cache_in, repo};
use crate::failure::{Failure, Next};
use crate::progress::FileProgress;
use crate::reference::{ModelName, is_commit};
use crate::settings::HubSettings;

/// How often a file is begun or gone on with before its failure is the user's.
const ATTEMPTS: u32 = 5;
/// The pause after the first failed attempt; the later ones are longer.
const PAUSE: Duration = Duration::from_millis(200);
/// A Hub that does not answer within this time is not reachable.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the Hub says of a model at a revision.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    /// The commit that the revision means.
    #[serde(rename = "sha")]
    pub(crate) commit: String,
    #[serde(rename = "siblings")]
    pub(crate) files: Vec<ListedFile>,
}

/// A file of a repository. Mirrors may leave out all but its name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedFile {
    #[serde(rename = "rfilename")]
    pub(crate) name: String,
    pub(crate) size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Debug, Deserialize)]
struct LargeFile {
    sha256: Option<String>,
}

impl ListedFile {
    /// The name of its content in the cache, which is its ETag.
    pub(crate) fn etag(&self) -> Option<&str> {
        let of_large = self.lfs.as_ref().and_then(|file| file.sha256.as_deref());
        let etag = of_large.or(self.blob_id.as_deref())?;
        etag.chars().all(|c| c.is_ascii_alphanumeric()).then_some(etag)
    }
}

/// The Hub's side of a model. What it downloads lies in a staging cache, where nobody looks.
pub(crate) struct Remote {
    api: Api,
    name: ModelName,
    with_token: bool,
    staging: PathBuf,
}

impl Remote {
    pub(crate) fn new(settings: &HubSettings, name: &ModelName, staging: PathBuf) -> Result<Self> {
        let token = settings.token.as_ref().map(|token| token.secret().to_owned());
        let with_token = token.is_some();
        let api = ApiBuilder::from_cache(cache_in(staging.clone()))
            .with_endpoint(settings.endpoint.clone())
            .with_token(token)
            .with_progress(false)
            .with_user_agent("detoxlm", env!("CARGO_PKG_VERSION"))
            .build();
        let remote = |api| Self { api, name: name.clone(), with_token, staging };
        api.map(remote).map_err(|e| Failure::of(e, name, with_token).error)
    }

    /// Asks which commit the revision is and which files it has.
    pub(crate) fn listing(&self) -> Result<Listing> {
        let asked = self.repo(self.name.revision()).info_request();
        let config = asked.config();
        let config = config.timeout_connect(Some(PATIENCE)).timeout_recv_response(Some(PATIENCE));
        let answer = config.build().query("blobs", "true").call();
        let listing: Listing = answer
            .and_then(|mut answer| answer.body_mut().read_json())
            .map_err(|e| Failure::of(Box::new(e).into(), &self.name, self.with_token).error)?;
        if !is_commit(&listing.commit) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                COMPONENT,
                "ask the Hub",
                "its answer names no commit",
            )
            .with_key(self.name.to_string()));
        }
        Ok(listing)
    }

    /// Downloads a file of a commit; where it lies, whole. An interrupted download is gone on with.
    pub(crate) fn download(
        &self,
        file: &ListedFile,
        commit: &str,
        progress: &mut FileProgress<'_>,
        cancellation: &Cancellation,
    ) -> Result<PathBuf> {
        let repo = self.repo(commit);
        let mut attempt = 1;
        loop {
            cancellation.check()?;
            let fetched = repo
                .download_with_progress(&file.name, &mut *progress)
                .map_err(|e| Failure::of(e, &self.name, self.with_token))
                .and_then(|pointer| check(&pointer, file));
            let failure = match fetched {
                Ok(whole) => return Ok(whole),
                Err(failure) => failure,
            };
            if failure.next == Next::GiveUp || attempt == ATTEMPTS {
                return Err(failure.error);
            }
            if failure.next == Next::BeginAgain {
                self.clear()?;
            }
            thread::sleep(PAUSE * attempt);
            attempt += 1;
        }
    }

    /// Forgets what was downloaded, in whole or in part.
    pub(crate) fn clear(&self) -> Result<()> {
        let folder = self.staging.join(repo(self.name.repository(), "").folder_name());
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(COMPONENT, "remove what was downloaded in part", folder, e))
            }
            _ => Ok(()),
        }
    }

    fn repo(&self, revision: &str) -> ApiRepo {
        self.api.repo(repo(self.name.repository(), revision))
    }
}

/// The content behind a downloaded file's link, if it is what the Hub announced: of that length, and
/// of that SHA-256 if its ETag is one, as those of large files are.
fn check(pointer: &Path, file: &ListedFile) -> Result<PathBuf, Failure> {
    let unreadable = |e| Failure::local(pointer, e);
    let blob = fs::canonicalize(pointer).map_err(unreadable)?;
    let length = fs::metadata(&blob).map_err(unreadable)?.len();
    if file.size.is_some_and(|size| size != length) {
        return Err(Failure::damaged(&file.name));
    }
    let etag = blob.file_name().unwrap_or_default().to_string_lossy();
    if etag.len() == 64 && sha256(&blob).map_err(unreadable)? != *etag {
        return Err(Failure::damaged(&file.name));
    }
    Ok(blob)
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(bytes);
        let read = bytes.len();
        reader.consume(read);
    }
}
