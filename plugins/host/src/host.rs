//! Where plugins run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use detoxlm_core::{Cancellation, Error, ErrorKind, Result, Worker};
use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::COMPONENT;
use crate::engine::engine;
use crate::limits::Limits;
use crate::manifest::find;
use crate::options::PluginOptions;
use crate::plugin::Plugin;

/// How plugins are run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostConfig {
    /// Threads that plugins run on, all plugins together; 0 is one for each core.
    pub threads: usize,
    /// What no plugin gets more of.
    pub ceiling: Limits,
    /// How long one call may take by the clock. Fuel ends what computes too much; this ends what fuel
    /// does not see, such as a single operation on all of a plugin's memory.
    pub deadline: Duration,
    /// Where compiled plugins are kept; nowhere when not given. What is there is run as it is: nobody
    /// else may write to it.
    pub cache: Option<PathBuf>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            threads: 0,
            ceiling: Limits::ceiling(),
            deadline: Duration::from_secs(10),
            cache: None,
        }
    }
}

impl HostConfig {
    /// Sets how many threads plugins run on.
    #[must_use]
    pub const fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets what no plugin gets more of.
    #[must_use]
    pub fn with_ceiling(mut self, ceiling: Limits) -> Self {
        self.ceiling = ceiling;
        self
    }

    /// Sets how long one call may take.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Keeps compiled plugins in a directory.
    #[must_use]
    pub fn with_cache(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache = Some(directory.into());
        self
    }
}

/// Loads plugins and owns the threads that they run on. A clone is the same host.
#[derive(Clone)]
pub struct PluginHost {
    shared: Arc<Shared>,
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

struct Shared {
    config: HostConfig,
    engine: Engine,
    idle: Mutex<Vec<Arc<Worker>>>,
    /// As many as there are idle workers.
    permits: Semaphore,
    /// Held by whoever has an instance on a thread that is not ours.
    loading: Mutex<()>,
    threads: usize,
}

impl PluginHost {
    /// Starts an engine and its threads.
    ///
    /// # Errors
    /// When the system refuses a thread, or the cache's directory cannot be used.
    pub fn new(config: HostConfig) -> Result<Self> {
        let threads = match config.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        // One more than there are threads: whoever loads a plugin asks it who it is.
        let most = u32::try_from(threads).unwrap_or(u32::MAX).saturating_add(1);
        let engine = engine(most, &config.ceiling, config.cache.as_deref())?;
        let idle: Result<Vec<_>> = (0..threads)
            .map(|number| Worker::spawn(format!("detoxlm-plugins-{number}")).map(Arc::new))
            .collect();
        let shared = Shared {
            config,
            engine,
            idle: Mutex::new(idle?),
            permits: Semaphore::new(threads),
            loading: Mutex::new(()),
            threads,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The host of all plugins that are named in configurations: made once, with a cache of compiled
    /// plugins where the system keeps the user's caches.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn shared() -> Result<Self> {
        static SHARED: OnceLock<PluginHost> = OnceLock::new();
        if let Some(host) = SHARED.get() {
            return Ok(host.clone());
        }
        let config = HostConfig { cache: crate::engine::user_cache(), ..HostConfig::default() };
        let host = Self::new(config)?;
        Ok(SHARED.get_or_init(|| host).clone())
    }

    /// Loads a plugin: a component, with the `plugin.toml` beside it if there is one about it; a
    /// manifest; or a folder with a `plugin.toml`. Compiles it, unless the cache has it, and asks it who
    /// it is; blocks meanwhile.
    ///
    /// # Errors
    /// When a file cannot be read or is not what the manifest says; when the component is none, is
    /// damaged, or speaks another version of the contract; when it asks for more than the host gives;
    /// when it fails at its start or refuses its settings. The file is named.
    pub fn load(&self, path: impl AsRef<Path>, options: PluginOptions) -> Result<Plugin> {
        let named = find(path.as_ref())?;
        let bytes = read(&named.component)?;
        Plugin::load(self, named, &bytes, options)
    }

    /// How plugins are run.
    #[must_use]
    pub fn config(&self) -> &HostConfig {
        &self.shared.config
    }

    /// Threads that plugins run on.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.shared.threads
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// When a call that begins now is out of time.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.shared.config.deadline
    }

    /// Runs something that has one instance at a time on the caller's thread.
    pub(crate) fn here<T>(&self, work: impl FnOnce() -> T) -> T {
        let _alone = self.shared.loading.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// Runs `work` on the next thread that is free. Dropping the future sets the cancellation.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Cancellation) -> Result<T> + Send + 'static,
    {
        let gone =
            || Error::new(ErrorKind::Internal, COMPONENT, "run a plugin", "no thread is left");
        let _permit = self.shared.permits.acquire().await.map_err(|_| gone())?;
        let idle = Idle::take(&self.shared.idle).ok_or_else(gone)?;
        idle.worker.run(work).await
    }
}

/// The most bytes of a component: interpreters come with 20 MB.
const LARGEST: u64 = 256 << 20;

/// A component's bytes. A device or a pipe could go on for ever.
fn read(path: &Path) -> Result<Vec<u8>> {
    const OPERATION: &str = "load a plugin";
    let failed = |e| Error::io(COMPONENT, OPERATION, path, e);
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let refused = if !metadata.is_file() {
        Some("it is not a regular file")
    } else if metadata.len() > LARGEST {
        Some("it is larger than 256 MiB")
    } else {
        None
    };
    match refused {
        None => std::fs::read(path).map_err(failed),
        Some(message) => {
            let error = Error::new(ErrorKind::InvalidInput, COMPONENT, OPERATION, message);
            Err(error
                .with_path(path)
                .with_remedy("name a component, or a folder with a plugin.toml"))
        }
    }
}

/// A worker that goes back when it is done with, or given up.
struct Idle<'a> {
    worker: Arc<Worker>,
    home: &'a Mutex<Vec<Arc<Worker>>>,
}

impl<'a> Idle<'a> {
    fn take(home: &'a Mutex<Vec<Arc<Worker>>>) -> Option<Self> {
        let worker = home.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Self { worker, home })
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        let mut home = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        home.push(Arc::clone(&self.worker));
    }
}
