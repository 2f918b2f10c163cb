use std::time::{Duration, Instant};

use detoxlm::plugins::check::usage;
use detoxlm::plugins::{HostConfig, Plugin, PluginHost};
use detoxlm::{Error, Result, Sample};
use serde_json::json;

use super::TrialArguments;
use crate::session::Report;
use crate::text::{bytes, rate, table, thousands};

/// How long each figure is measured.
const SPAN: Duration = Duration::from_secs(2);

pub(super) async fn run(arguments: &TrialArguments) -> Result<Report> {
    let samples = arguments.samples()?;
    let cache = tempfile::tempdir().map_err(|e| {
        Error::io("command line", "make a temporary folder", std::env::temp_dir(), e)
    })?;
    let load = || -> Result<(Plugin, Duration)> {
        let host = HostConfig::default().with_threads(1).with_cache(cache.path());
        let host = PluginHost::new(host)?;
        let start = Instant::now();
        let plugin = host.load(&arguments.plugin.plugin, arguments.plugin.options())?;
        Ok((plugin, start.elapsed()))
    };
    let (_, compiling) = load()?;
    let (plugin, loading) = load()?;
    let in_batches = texts_per_second(&plugin, samples.chunks(256)).await?;
    let alone = texts_per_second(&plugin, samples.chunks(1)).await?;
    let usage = usage(&plugin, &samples).await?;
    let json = json!({
        "plugin": plugin.info(),
        "compile_seconds": compiling.as_secs_f64(),
        "load_seconds": loading.as_secs_f64(),
        "texts_per_second": in_batches,
        "texts_per_second_alone": alone,
        "usage": usage,
    });
    let milliseconds = |span: Duration| format!("{:.1} ms", 1e3 * span.as_secs_f64());
    let text = table(&[
        ("plugin", plugin.info().to_string()),
        ("first load, compiled", milliseconds(compiling)),
        ("load from the cache", milliseconds(loading)),
        ("texts a second, one thread", rate(in_batches)),
        ("the same, one a call", rate(alone)),
        ("most fuel for a text", thousands(usage.fuel_for_a_text)),
        ("most memory", bytes(usage.memory as u64)),
    ]);
    Ok(Report::new(json, text))
}

async fn texts_per_second<'a>(
    plugin: &Plugin,
    calls: impl Iterator<Item = &'a [Sample]> + Clone,
) -> Result<f64> {
    let (start, mut texts) = (Instant::now(), 0);
    for call in calls.cycle() {
        texts += plugin.judge(call).await?.len();
        if start.elapsed() >= SPAN {
            break;
        }
    }
    Ok(texts as f64 / start.elapsed().as_secs_f64())
}
