//! What an author runs before publishing a plugin: does it keep the contract, and is it within its limits?

use std::sync::Arc;

use detoxlm_core::{Cancellation, Result, Sample};
use serde::Serialize;

use crate::fault::Fault;
use crate::judge::{Judgement, length, to_guest};
use crate::plugin::{Loaded, Plugin};

/// How one sentence of the contract fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What is asked of a plugin.
    pub rule: &'static str,
    /// What was seen that it does not hold for; nothing where it holds.
    pub broken: Option<String>,
}

/// The most that any of the texts took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// Texts that were asked about one by one.
    pub texts: usize,
    /// Fuel to start.
    pub fuel_to_start: u64,
    /// Fuel for a text.
    pub fuel_for_a_text: u64,
    /// Fuel for a text, by the bytes of the text and its prompt.
    pub fuel_for_a_byte: u64,
    /// Of the fuel that a text may use, the share in percent, rounded up.
    pub fuel_percent: u64,
    /// Bytes of memory.
    pub memory: usize,
}

/// Goes through what the contract asks of a plugin, with these texts and others that are odd.
///
/// # Errors
/// When the plugin cannot be run at all, or a call takes too long by the clock.
pub async fn check(plugin: &Plugin, samples: &[Sample]) -> Result<Vec<Finding>> {
    let mut texts = samples.to_vec();
    texts.extend(odd_texts(plugin.manifest().limits.text_bytes()));
    // So that it is told of each text what became of it.
    let lenient = plugin.abstaining();
    let together = lenient.judge(&texts).await?;
    let mut findings = vec![
        finding("It imports nothing.", imports(plugin)),
        finding("It judges every text within its limits.", failures(&texts, &together)),
    ];
    let again = lenient.judge(&texts).await?;
    let differs = |other: &[Judgement]| difference(&texts, &together, other);
    findings.push(finding("It says the same of the same text again.", differs(&again)));
    let mut alone = Vec::new();
    for sample in &texts {
        alone.extend(lenient.judge(std::slice::from_ref(sample)).await?);
    }
    findings
        .push(finding("What it says of a text alone it says of it in a batch.", differs(&alone)));
    let backwards: Vec<Sample> = texts.iter().rev().cloned().collect();
    let mut turned = lenient.judge(&backwards).await?;
    turned.reverse();
    findings.push(finding("The order of the texts changes nothing.", differs(&turned)));
    let judged: Vec<Sample> = texts
        .iter()
        .zip(&together)
        .filter(|(_, judgement)| is_answer(judgement))
        .map(|(sample, _)| sample.clone())
        .collect();
    findings.extend(on_one_instance(plugin, judged).await?);
    Ok(findings)
}

/// Measures what each text takes, asked alone.
///
/// # Errors
/// Those of [`check`], and when a text cannot be judged.
pub async fn usage(plugin: &Plugin, samples: &[Sample]) -> Result<Usage> {
    let asked: Vec<Sample> = samples
        .iter()
        .filter(|s| !s.is_blank() && length(s) <= plugin.manifest().limits.text_bytes())
        .cloned()
        .collect();
    inside(plugin, move |plugin, cancellation| {
        let limits = plugin.limits();
        let mut usage = Usage { texts: asked.len(), ..Usage::default() };
        for sample in &asked {
            let mut instance = plugin.start(Some(cancellation.clone()))?;
            usage.fuel_to_start =
                usage.fuel_to_start.max(limits.fuel_to_start - instance.fuel_left());
            let bytes = length(sample);
            let given = limits.fuel(bytes);
            instance.score(&[to_guest(sample)], given)?;
            let used = given - instance.fuel_left();
            usage.fuel_for_a_text = usage.fuel_for_a_text.max(used);
            usage.fuel_for_a_byte = usage.fuel_for_a_byte.max(used.div_ceil(bytes as u64));
            usage.fuel_percent = usage.fuel_percent.max(used.saturating_mul(100).div_ceil(given));
            usage.memory = usage.memory.max(limits.memory_bytes() - instance.memory_left());
        }
        Ok(usage)
    })
    .await
}

/// The rules that need more than one call of an instance.
async fn on_one_instance(plugin: &Plugin, samples: Vec<Sample>) -> Result<Vec<Finding>> {
    inside(plugin, move |plugin, cancellation| {
        let few = || samples.iter().take(64);
        let fuel_of = |sample| plugin.limits().fuel(length(sample));
        let fuel = few().map(fuel_of).fold(plugin.limits().fuel_per_text, u64::saturating_add);
        let batch: Vec<_> = few().map(to_guest).collect();
        let start = || plugin.start(Some(cancellation.clone()));
        let mut instance = start()?;
        let none = instance.score(&[], fuel);
        let empty = match none {
            Ok(verdicts) if verdicts.is_empty() => None,
            Ok(verdicts) => Some(format!("{} verdicts", verdicts.len())),
            Err(fault) => Some(fault.to_string()),
        };
        let mut instance = start()?;
        let first = instance.score(&batch, fuel);
        let second = instance.score(&batch, fuel);
        let remembers = match (first, second) {
            (Ok(first), Ok(second)) => {
                let differing = first.iter().zip(&second).position(|(one, other)| one != other);
                differing
                    .map(|at| format!("text {}: {:?}, then {:?}", at + 1, first[at], second[at]))
            }
            (Err(fault), _) | (_, Err(fault)) => Some(fault.to_string()),
        };
        let malformed = ["", "[]", "{", "null", "\"text\""].into_iter().find_map(|settings| {
            wrong_settings(plugin, settings, cancellation)
                .map(|seen| format!("{settings:?}: {seen}"))
        });
        let unknown = r#"{"no key of this name is in any plugin": 1}"#;
        let unknown = wrong_settings(plugin, unknown, cancellation);
        Ok(vec![
            finding("It answers no texts with no verdicts.", empty),
            finding("It says the same of the same texts when it is asked again.", remembers),
            finding("It refuses settings that are no JSON object.", malformed),
            finding("It refuses settings that it does not know.", unknown),
        ])
    })
    .await
}

/// What a plugin does with settings that it must refuse, if it does not refuse them.
fn wrong_settings(plugin: &Loaded, settings: &str, cancellation: &Cancellation) -> Option<String> {
    match plugin.start_with(settings, Some(cancellation.clone())) {
        Err(Fault::Settings(_)) => None,
        Err(fault) => Some(fault.to_string()),
        Ok(_) => Some("it took them".into()),
    }
}

/// Runs something on a thread of the host, and names the plugin in what goes wrong.
async fn inside<T: Send + 'static>(
    plugin: &Plugin,
    work: impl FnOnce(&Loaded, &Cancellation) -> Result<T, Fault> + Send + 'static,
) -> Result<T> {
    let loaded = Arc::clone(plugin.loaded());
    let on_thread = move |cancellation: &Cancellation| {
        work(&loaded, cancellation).map_err(|fault| {
            let why = fault.describe(loaded.limits());
            crate::judge::error(&loaded, &fault, why)
        })
    };
    plugin.loaded().host().run(on_thread).await
}

const fn finding(rule: &'static str, broken: Option<String>) -> Finding {
    Finding { rule, broken }
}

fn imports(plugin: &Plugin) -> Option<String> {
    (!plugin.imports().is_empty())
        .then(|| format!("{}; calling any of it is an error", plugin.imports().join(", ")))
}

fn failures(texts: &[Sample], judgements: &[Judgement]) -> Option<String> {
    let failed = |(sample, judgement): (&Sample, &Judgement)| match judgement {
        Judgement::Failed(why) => Some(format!("{}: {why}", excerpt(&sample.text))),
        _ => None,
    };
    let mut failed = texts.iter().zip(judgements).filter_map(failed);
    let first = failed.next()?;
    Some(match failed.count() {
        0 => first,
        more => format!("{first}; and {more} more texts"),
    })
}

fn difference(texts: &[Sample], one: &[Judgement], other: &[Judgement]) -> Option<String> {
    let at = one.iter().zip(other).position(|(one, other)| one != other)?;
    Some(format!("{}: {:?}, and {:?}", excerpt(&texts[at].text), one[at], other[at]))
}

const fn is_answer(judgement: &Judgement) -> bool {
    !matches!(judgement, Judgement::Blank | Judgement::TooLong | Judgement::Failed(_))
}

fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("{short:?}{}", if short.len() < text.len() { "…" } else { "" })
}

/// Texts that are easily forgotten.
fn odd_texts(longest: usize) -> Vec<Sample> {
    let texts = [
        ".",
        "a",
        "0",
        "\u{0}",
        "a\u{0}b",
        "\u{feff}text",
        "line\r\nline\n\n\tline",
        "é e\u{301} ﬁ Ａ ß ẞ İ ı",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
        "שלום עולם مرحبا بالعالم",
        "\u{202e}txet desrever\u{202c}",
        "z\u{200b}e\u{200d}r\u{ad}o",
        "a\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}",
        "\u{10ffff}\u{e000}",
        "你好，世界。 こんにちは 안녕하세요",
        "{\"text\": \"\\u0000\"}",
        "<script>alert(1)</script> &amp; %00",
        "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a",
    ];
    let long = |unit: &str| unit.repeat(longest / unit.len());
    let mut samples: Vec<Sample> = texts.into_iter().map(Sample::new).collect();
    samples.extend(["a", "word ", "é", "!"].map(|unit| Sample::new(long(unit))));
    samples.push(Sample::new("and the end").with_prompt("The beginning "));
    samples
}
