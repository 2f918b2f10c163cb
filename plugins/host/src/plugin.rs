//! A loaded plugin.

use std::fmt;
use std::sync::Arc;

use detoxlm_core::{Attribute, Digest, DigestBuilder, Error, ErrorKind, Info, Result, Sample};
use futures_util::future::try_join_all;
use serde_json::Value;

use crate::COMPONENT;
use crate::bindings::ScoringFilterPre;
use crate::component::{self, Linked};
use crate::descriptor::Descriptor;
use crate::fault::Fault;
use crate::filter::PluginFilter;
use crate::host::PluginHost;
use crate::instance::{Instance, State};
use crate::judge::{Judgement, judge, length};
use crate::limits::Limits;
use crate::manifest::{FailurePolicy, Manifest, Named};
use crate::options::PluginOptions;
use crate::scorer::PluginScorer;
use crate::sha256::sha256;

/// The most texts of a call to a plugin.
pub(crate) const BATCH: usize = 256;

/// The most bytes of a call, unless one text alone has more.
const BATCH_BYTES: usize = 1 << 20;

const OPERATION: &str = "load a plugin";

/// A plugin, ready to judge. A clone is the same plugin.
#[derive(Clone, Debug)]
pub struct Plugin {
    loaded: Arc<Loaded>,
}

/// What is known of a plugin.
#[derive(Clone)]
pub(crate) struct Loaded {
    host: PluginHost,
    instances: ScoringFilterPre<State>,
    descriptor: Descriptor,
    manifest: Manifest,
    settings: String,
    imports: Vec<String>,
    speaks: String,
    component: String,
    info: Info,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Loaded {
    pub(crate) const fn host(&self) -> &PluginHost {
        &self.host
    }

    pub(crate) const fn instances(&self) -> &ScoringFilterPre<State> {
        &self.instances
    }

    pub(crate) const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.manifest.limits
    }

    pub(crate) const fn failure(&self) -> FailurePolicy {
        self.manifest.failure
    }

    pub(crate) fn settings(&self) -> &str {
        &self.settings
    }

    pub(crate) fn name(&self) -> &str {
        &self.descriptor.name
    }
}

impl Plugin {
    pub(crate) fn load(
        host: &PluginHost,
        named: Named,
        bytes: &[u8],
        options: PluginOptions,
    ) -> Result<Self> {
        let Named { component: path, mut manifest, said_in } = named;
        let in_manifest = |error: Error| match &said_in {
            Some(file) => error.with_path(file),
            None => error,
        };
        // Before its digest is told to anybody: a manifest may name any file.
        component::check_kind(bytes).map_err(|e| e.with_path(&path))?;
        let component = sha256(bytes);
        check_digest(&manifest, &component).map_err(in_manifest)?;
        let deny_imports = options.deny_imports;
        options.apply_to(&mut manifest);
        manifest.limits.within(&host.config().ceiling).map_err(in_manifest)?;
        let settings = Value::Object(manifest.settings.clone()).to_string();
        let linked = component::link(host.engine(), bytes, deny_imports);
        let Linked { instances, imports, speaks } = linked.map_err(|e| e.with_path(&path))?;
        let descriptor = host
            .here(|| first_start(host, &instances, &manifest.limits, &settings))
            .map_err(|e| e.with_path(&path))?;
        check_thresholds(&manifest, &descriptor).map_err(in_manifest)?;
        let info = Info::new(
            descriptor.name.clone(),
            descriptor.version.clone(),
            digest(&component, &manifest, &settings),
        );
        let loaded = Loaded {
            host: host.clone(),
            instances,
            descriptor,
            manifest,
            settings,
            imports,
            speaks,
            component,
            info,
        };
        Ok(Self { loaded: Arc::new(loaded) })
    }

    /// Who it is. The digest covers the component, its settings, limits and failure policy.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.loaded.info
    }

    /// Who it says it is.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.loaded.descriptor
    }

    /// What is said of it, with what the options put over that.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.loaded.manifest
    }

    /// The version of the contract that it was made for.
    #[must_use]
    pub fn speaks(&self) -> &str {
        &self.loaded.speaks
    }

    /// What it imports. Calling any of it is an error.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.loaded.imports
    }

    /// The SHA-256 of the component.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.loaded.component
    }

    /// The plugin as a scorer.
    ///
    /// # Errors
    /// When it gives no values ([`ErrorKind::Unsupported`]).
    pub fn scorer(&self) -> Result<PluginScorer> {
        if self.descriptor().attributes.is_empty() {
            return Err(self.unusable(
                "use it as a scorer",
                "it gives no values, it only rejects texts",
                "use it as a filter",
            ));
        }
        Ok(PluginScorer::new(self.clone()))
    }

    /// The plugin as a filter.
    ///
    /// # Errors
    /// When it would never drop anything: it does not reject texts, and no value is said at which to
    /// drop one ([`ErrorKind::Unsupported`]).
    pub fn filter(&self) -> Result<PluginFilter> {
        if !self.descriptor().rejects && self.manifest().drop.is_empty() {
            return Err(self.unusable(
                "use it as a filter",
                "it rejects no texts, it only gives values",
                "say under [drop] in its plugin.toml at which value a text is dropped, such as \
                 `TOXICITY = 0.5`",
            ));
        }
        Ok(PluginFilter::new(self.clone()))
    }

    /// What it says of each text, in their order. Dropping the future ends what is running.
    ///
    /// # Errors
    /// When it cannot judge a text and its policy is [`FailurePolicy::Fail`], or a call takes too long
    /// by the clock.
    pub async fn judge(&self, samples: &[Sample]) -> Result<Vec<Judgement>> {
        let calls = batches(samples).map(|batch| {
            let (loaded, batch) = (Arc::clone(&self.loaded), batch.to_vec());
            self.loaded.host.run(move |cancellation| judge(&loaded, &batch, cancellation))
        });
        Ok(try_join_all(calls).await?.into_iter().flatten().collect())
    }

    pub(crate) const fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// The same plugin under [`FailurePolicy::Abstain`].
    pub(crate) fn abstaining(&self) -> Self {
        let mut loaded = Loaded::clone(&self.loaded);
        loaded.manifest.failure = FailurePolicy::Abstain;
        Self { loaded: Arc::new(loaded) }
    }

    fn unusable(
        &self,
        operation: &'static str,
        message: &'static str,
        remedy: &'static str,
    ) -> Error {
        Error::new(ErrorKind::Unsupported, COMPONENT, operation, message)
            .with_key(self.loaded.name().to_owned())
            .with_remedy(remedy)
    }
}

/// Starts the first instance, and asks it who it is, before and after it is configured.
fn first_start(
    host: &PluginHost,
    instances: &ScoringFilterPre<State>,
    limits: &Limits,
    settings: &str,
) -> Result<Descriptor> {
    let refuse = |doing: &'static str, fault: Fault| {
        let kind = match fault {
            Fault::Settings(_) => ErrorKind::InvalidConfig,
            Fault::Deadline => ErrorKind::Unavailable,
            _ => ErrorKind::Incompatible,
        };
        let why = match &fault {
            Fault::Fuel => format!("it used up its fuel ({} to start)", limits.fuel_to_start),
            fault => fault.describe(limits),
        };
        let remedy = match &fault {
            Fault::Fuel => "raise `fuel_to_start` under [limits] in its plugin.toml",
            Fault::Memory => "raise `memory_mib` under [limits] in its plugin.toml",
            Fault::Table => "raise `table_elements` under [limits] in its plugin.toml",
            fault => fault.remedy(),
        };
        Error::new(kind, COMPONENT, doing, why).with_remedy(remedy)
    };
    let mut instance = Instance::new(instances, limits, host.deadline(), None)
        .map_err(|fault| refuse("start a plugin", fault))?;
    let describe = |instance: &mut Instance| {
        let said = instance.describe().map_err(|f| refuse("ask a plugin who it is", f))?;
        Descriptor::try_from(said)
    };
    let descriptor = describe(&mut instance)?;
    instance.configure(settings).map_err(|fault| refuse("configure a plugin", fault))?;
    if describe(&mut instance)? != descriptor {
        let message = "it is another one after it was configured";
        return Err(Error::new(
            ErrorKind::Incompatible,
            COMPONENT,
            "ask a plugin who it is",
            message,
        )
        .with_remedy("this is a fault of the plugin: see `describe` in filter.wit"));
    }
    Ok(descriptor)
}

/// Cuts texts into calls of at most [`BATCH`] texts and, but for single texts, [`BATCH_BYTES`].
fn batches(samples: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    let mut rest = samples;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |sample: &Sample| {
            bytes += length(sample);
            bytes <= BATCH_BYTES
        };
        let count = rest.iter().take(BATCH).map(fits).take_while(|&fits| fits).count();
        let (batch, after) = rest.split_at(count.max(1).min(rest.len()));
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

fn check_digest(manifest: &Manifest, component: &str) -> Result<()> {
    let Some(wanted) = &manifest.sha256 else { return Ok(()) };
    if wanted.eq_ignore_ascii_case(component) {
        return Ok(());
    }
    let message = format!("the component's SHA-256 is {component}, and the manifest says {wanted}");
    Err(Error::new(ErrorKind::Incompatible, COMPONENT, OPERATION, message)
        .with_key("sha256")
        .with_remedy(
            "get the component that the manifest is about; if you built it anew, `detoxlm plugin pack` \
             writes its SHA-256",
        ))
}

fn check_thresholds(manifest: &Manifest, descriptor: &Descriptor) -> Result<()> {
    let refuse = |message: String, attribute: &Attribute, remedy: String| {
        Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, OPERATION, message)
            .with_key(format!("drop.{attribute}"))
            .with_remedy(remedy))
    };
    for (attribute, value) in &manifest.drop {
        if !(0.0..=1.0).contains(value) {
            let remedy = "give a value in [0, 1]".into();
            return refuse(format!("{value} is no value of an attribute"), attribute, remedy);
        }
        if !descriptor.attributes.contains(attribute) {
            let given: Vec<&str> = descriptor.attributes.iter().map(Attribute::as_str).collect();
            let remedy = match given.as_slice() {
                [] => "leave it out: it gives no values".to_owned(),
                given => format!("it gives {}", given.join(", ")),
            };
            return refuse("the plugin gives no such value".into(), attribute, remedy);
        }
    }
    Ok(())
}

/// What its judgements depend on.
fn digest(component: &str, manifest: &Manifest, settings: &str) -> Digest {
    let Limits {
        fuel_per_text,
        fuel_per_byte,
        fuel_to_start,
        memory_mib,
        table_elements,
        text_kib,
    } = manifest.limits;
    let mut digest = DigestBuilder::new();
    // How instructions are counted may change from host to host.
    digest.update("plugin").update(env!("CARGO_PKG_VERSION"));
    digest.update(component).update(settings);
    digest.update(format!("{:?}", manifest.failure));
    for limit in [fuel_per_text, fuel_per_byte, fuel_to_start] {
        digest.update(limit.to_le_bytes());
    }
    for limit in [memory_mib, table_elements, text_kib] {
        digest.update(limit.to_le_bytes());
    }
    digest.finish()
}
