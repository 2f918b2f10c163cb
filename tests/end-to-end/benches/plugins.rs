//! What WebAssembly costs: the same filters natively and as components, on the same texts, on one thread,
//! in turns; and how long a plugin takes to load, and what 10,000 calls leave behind.
//!
//! ```sh
//! cargo bench -p detoxlm-end-to-end --bench plugins
//! ```

#![allow(clippy::print_stdout, reason = "a program that tells its result")]

use std::path::Path;
use std::time::{Duration, Instant};

use detoxlm::Sample;
use detoxlm::plugins::{HostConfig, Plugin, PluginHost, PluginOptions};
use detoxlm_guest::{Configured, Sample as Text, native};
use detoxlm_linear_toxicity::LinearToxicity;
use detoxlm_personal_data::PersonalData;
use detoxlm_repetition::Repetition;
use detoxlm_word_list::WordList;
use tokio::runtime::Runtime;

const BATCH: usize = 256;
const ROUNDS: usize = 30;
const CALLS: usize = 10_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let cache = tempfile::tempdir().expect("a directory");
    let host = || {
        let config = HostConfig::default().with_threads(1).with_cache(cache.path());
        PluginHost::new(config).expect("a host")
    };
    let samples = samples();
    let bytes: usize = samples.iter().map(|sample| sample.text.len()).sum();
    println!("{BATCH} texts a call, {} bytes a text on average\n", bytes / samples.len());
    println!(
        "| plugin | native, us a text | component | ratio | overhead, us | compiled, ms | cached, ms |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let row = |path: &str, judge: &dyn Fn(&[Text<'_>])| {
        let (plugin, first) = load(&host(), path);
        let (_, second) = load(&host(), path);
        let name = &plugin.info().name;
        let texts: Vec<_> = samples.iter().map(|sample| Text::new(&sample.text)).collect();
        let (mut natively, mut inside) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            natively = natively.min(time(|| judge(&texts)));
            inside = inside.min(time(|| ask(&runtime, &plugin, &samples)));
        }
        let each = |span: Duration| 1e6 * span.as_secs_f64() / BATCH as f64;
        let (native, component) = (each(natively), each(inside));
        println!(
            "| {name} | {native:.2} | {component:.2} | {:.2} | {:.2} | {:.1} | {:.1} |",
            component / native,
            component - native,
            1e3 * first.as_secs_f64(),
            1e3 * second.as_secs_f64(),
        );
    };
    row("host/tests/components/v0.1.0.wasm", &first_byte);
    row("samples/linear-toxicity", &native_code::<LinearToxicity, 1>());
    row("samples/word-list", &native_code::<WordList, 0>());
    row("samples/personal-data", &native_code::<PersonalData, 0>());
    row("samples/repetition", &native_code::<Repetition, 0>());
    let (plugin, _) = load(&host(), "samples/word-list");
    let few = &samples[..4];
    ask(&runtime, &plugin, few);
    let before = resident();
    for _ in 0..CALLS {
        ask(&runtime, &plugin, few);
    }
    println!("\nmemory after {CALLS} calls: {} KiB more than after one", resident() - before);
}

/// What the plugin `test` does: it hardly looks at a text.
fn first_byte(texts: &[Text<'_>]) {
    let value =
        |text: &str| text.bytes().next().map(|byte| f32::from(byte.wrapping_sub(b'0')) / 10.0);
    let values: Vec<_> = texts.iter().map(|sample| value(sample.text)).collect();
    std::hint::black_box(values);
}

/// Native code of a plugin, as a function of texts.
fn native_code<P: detoxlm_guest::Plugin<N>, const N: usize>() -> impl Fn(&[Text<'_>]) {
    let configured: Configured<P, N> = native("{}").expect("settings");
    move |texts: &[Text<'_>]| {
        std::hint::black_box(configured.score(texts).expect("verdicts"));
    }
}

fn load(host: &PluginHost, path: &str) -> (Plugin, Duration) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins")).join(path);
    let options = PluginOptions::default().with_settings(serde_json::Map::new());
    let begun = Instant::now();
    let plugin = host.load(folder, options).expect("a plugin");
    (plugin, begun.elapsed())
}

fn ask(runtime: &Runtime, plugin: &Plugin, samples: &[Sample]) {
    std::hint::black_box(runtime.block_on(plugin.judge(samples)).expect("judgements"));
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// KiB of this process in memory, where the system tells.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Texts of 20 to 900 bytes, no two alike.
fn samples() -> Vec<Sample> {
    const WORDS: [&str; 11] = [
        "they", "said", "that", "people", "would", "report", "this", "year", "with", "more", "news",
    ];
    let text = |at: usize| {
        let words = (0..4 + at * 13 % 170).map(|word| WORDS[(at * 7 + word * (at % 5 + 1)) % 11]);
        Sample::new(format!("{} {} {at}.", at % 10, words.collect::<Vec<_>>().join(" ")))
    };
    (0..BATCH).map(text).collect()
}
