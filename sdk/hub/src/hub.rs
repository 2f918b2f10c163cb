use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm_core::{
    Cancellation, DirectoryLock, Error, ErrorKind, Event, Observer, Result, Stage, Worker,
};

use crate::COMPONENT;
use crate::cache::CachedModel;
use crate::files;
use crate::progress::FileProgress;
use crate::reference::{ModelName, Reference};
use crate::remote::{ListedFile, Listing, Remote};
use crate::settings::HubSettings;

/// Turns names of models into directories.
#[derive(Debug)]
pub struct Hub {
    settings: HubSettings,
    worker: Worker,
}

impl Hub {
    /// A Hub and a cache as these settings say.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(settings: HubSettings) -> Result<Self> {
        Ok(Self { settings, worker: Worker::spawn("detoxlm-hub")? })
    }

    /// A Hub and a cache as the environment says; see [`HubSettings::from_env`].
    ///
    /// # Errors
    /// When the environment is wrong, or the system refuses a thread.
    pub fn from_env() -> Result<Self> {
        Self::new(HubSettings::from_env()?)
    }

    /// The directory of a model: the one that is named, or the snapshot in the cache of a model on the
    /// Hub, whose missing files are fetched.
    ///
    /// A branch or tag is asked for each time, and what it means now is taken; when the Hub cannot be
    /// reached, what it meant last, with a warning. A commit that is complete in the cache is not
    /// asked for. Files are whole or not there, and a download that was interrupted goes on.
    ///
    /// Dropping the future ends the work after the file that is on its way.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such model or revision, or, offline, not in the cache;
    /// [`ErrorKind::Denied`] when it is private or gated; [`ErrorKind::Unavailable`] when the Hub
    /// cannot be reached; [`ErrorKind::Incompatible`] when its files are not of a kind that we load;
    /// [`ErrorKind::Locked`] when another process fetches it.
    pub async fn resolve(
        &self,
        reference: &Reference,
        observer: Arc<dyn Observer>,
    ) -> Result<PathBuf> {
        let name = match reference {
            Reference::Directory(directory) => return Ok(directory.clone()),
            Reference::Hub(name) => name.clone(),
        };
        let settings = self.settings.clone();
        self.worker.run(move |cancelled| resolve(&settings, &name, &*observer, cancelled)).await
    }
}

fn resolve(
    settings: &HubSettings,
    name: &ModelName,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<PathBuf> {
    let cached = CachedModel::new(&settings.cache, name);
    let known = complete(&cached);
    if settings.offline {
        return known?.ok_or_else(|| offline(&cached, name));
    }
    if name.commit().is_some()
        && let Ok(Some(snapshot)) = known
    {
        return Ok(snapshot);
    }
    let remote = Remote::new(settings, name, cached.staging())?;
    match (remote.listing(), known) {
        (Ok(listing), _) => fetch(&cached, &remote, &listing, observer, cancellation)
            .map_err(|e| if e.key().is_none() { e.with_key(name.to_string()) } else { e }),
        (Err(error), Ok(Some(snapshot))) if error.is_retryable() => {
            let message = format!(
                "{}; {name} is taken from the cache, at commit {}",
                error.message(),
                snapshot.file_name().unwrap_or_default().display()
            );
            observer.observe(&Event::Warning { message: &message });
            Ok(snapshot)
        }
        (Err(error), _) => Err(with_both_meanings(error)),
    }
}

/// The snapshot of the revision, if the cache knows one and nothing of it is missing.
fn complete(cached: &CachedModel) -> Result<Option<PathBuf>> {
    match cached.known_snapshot() {
        Some(snapshot) if files::missing(&snapshot)?.is_empty() => Ok(Some(snapshot)),
        _ => Ok(None),
    }
}

/// Fetches what the snapshot of a listing lacks, and lets the revision mean it.
fn fetch(
    cached: &CachedModel,
    remote: &Remote,
    listing: &Listing,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<PathBuf> {
    let snapshot = cached.snapshot(&listing.commit);
    let names = files::of_repository(listing.files.iter().map(|file| file.name.as_str()))?;
    let download = |wanted: &[&ListedFile]| {
        let files: Vec<_> = lacking(&snapshot, wanted).collect();
        if files.is_empty() {
            return Ok(());
        }
        let _lock = DirectoryLock::acquire(&cached.staging())?;
        fetch_files(cached, remote, &listing.commit, &files, observer, cancellation)?;
        remote.clear()
    };
    let mut wanted = listed(listing, names.iter().copied())?;
    if names.contains(&files::INDEX) {
        // It comes first, as it says which shards there are.
        download(&listed(listing, [files::INDEX])?)?;
        let shards = files::shards(&snapshot.join(files::INDEX))?;
        wanted.extend(listed(listing, shards.iter().map(String::as_str))?);
    }
    download(&wanted)?;
    cached.point_at(&listing.commit)?;
    Ok(snapshot)
}

fn fetch_files(
    cached: &CachedModel,
    remote: &Remote,
    commit: &str,
    files: &[&ListedFile],
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<()> {
    let total = files.iter().map(|file| file.size).sum::<Option<u64>>();
    let stage = Stage::Fetch;
    observer.observe(&Event::StageStarted { stage, total, done: 0, unit: "bytes" });
    for file in files {
        let mut progress = FileProgress::new(observer);
        // Another revision may have had the same content.
        let blob = match file.etag().and_then(|etag| cached.blob(etag, file.size)) {
            Some(blob) => blob,
            None => cached.adopt(&remote.download(file, commit, &mut progress, cancellation)?)?,
        };
        cached.link(&blob, commit, &file.name)?;
        progress.complete(file.size.unwrap_or(0));
    }
    observer.observe(&Event::StageFinished { stage });
    Ok(())
}

/// The entries of files in a listing.
fn listed<'a, 'b>(
    listing: &'a Listing,
    names: impl IntoIterator<Item = &'b str>,
) -> Result<Vec<&'a ListedFile>> {
    let find = |name: &str| {
        listing.files.iter().find(|file| file.name == name).ok_or_else(|| {
            let message = format!("the repository has no {name}, which its index names");
            Error::new(ErrorKind::Incompatible, COMPONENT, "fetch the model", message)
        })
    };
    names.into_iter().map(find).collect()
}

/// Those that are not in the snapshot, or not as long as the Hub says.
fn lacking<'a>(snapshot: &Path, wanted: &[&'a ListedFile]) -> impl Iterator<Item = &'a ListedFile> {
    wanted.iter().copied().filter(|file| match snapshot.join(&file.name).metadata() {
        Ok(found) => file.size.is_some_and(|size| size != found.len()),
        Err(_) => true,
    })
}

/// The error when the cache does not have a model and the Hub must not be asked.
fn offline(cached: &CachedModel, name: &ModelName) -> Error {
    let (place, message) = match cached.known_snapshot() {
        Some(snapshot) => {
            let missing = files::missing(&snapshot).unwrap_or_default().join(", ");
            (snapshot, format!("the cache lacks {missing}, and HF_HUB_OFFLINE is set"))
        }
        None => (
            cached.folder().to_path_buf(),
            "it is not in the cache, and HF_HUB_OFFLINE is set".to_owned(),
        ),
    };
    with_both_meanings(
        Error::new(ErrorKind::NotFound, COMPONENT, "find the model", message)
            .with_path(place)
            .with_key(name.to_string())
            .with_remedy(
                "fetch it once without HF_HUB_OFFLINE, copy this directory from a machine that has \
                 it",
            ),
    )
}

/// What was taken for a name on the Hub may have been meant as a directory.
fn with_both_meanings(error: Error) -> Error {
    let or_directory = "or name a directory with config.json, tokenizer.json and *.safetensors: \
                        there is none of this name";
    let remedy = match error.remedy() {
        Some(remedy) => format!("{remedy}, {or_directory}"),
        None => or_directory.to_owned(),
    };
    error.with_remedy(remedy)
}
