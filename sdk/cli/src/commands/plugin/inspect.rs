use detoxlm::plugins::{FailurePolicy, Limits, Plugin};
use detoxlm::{Attribute, Result};
use serde_json::json;

use super::PluginArguments;
use crate::session::Report;
use crate::text::{table, thousands};

pub(super) fn run(arguments: &PluginArguments) -> Result<Report> {
    let plugin = arguments.load()?;
    let json = json!({
        "plugin": plugin.descriptor(),
        "digest": plugin.info().digest,
        "contract": plugin.speaks(),
        "sha256": plugin.sha256(),
        "imports": plugin.imports(),
        "manifest": plugin.manifest(),
    });
    Ok(Report::new(json, describe(&plugin)))
}

fn describe(plugin: &Plugin) -> String {
    let (who, manifest) = (plugin.descriptor(), plugin.manifest());
    let names: Vec<&str> = who.attributes.iter().map(Attribute::as_str).collect();
    let listed = |names: &[&str], none: &str| match names {
        [] => none.to_owned(),
        names => names.join(", "),
    };
    let strings = |all: &[String], none: &str| {
        listed(&all.iter().map(String::as_str).collect::<Vec<_>>(), none)
    };
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "not said".to_owned());
    let Limits { fuel_per_text, fuel_per_byte, memory_mib, text_kib, .. } = manifest.limits;
    let fuel = format!("{} and {} a byte", thousands(fuel_per_text), thousands(fuel_per_byte));
    let failure = match manifest.failure {
        FailurePolicy::Abstain => "no verdict as a scorer, dropped as a filter",
        _ => "an error",
    };
    table(&[
        ("plugin", format!("{} {}", who.name, who.version)),
        ("does", who.summary.clone()),
        ("gives", listed(&names, "no values")),
        ("rejects texts", if who.rejects { "yes" } else { "no" }.to_owned()),
        ("contract", format!("detoxlm:filter {}", plugin.speaks())),
        ("imports", strings(plugin.imports(), "nothing")),
        ("languages", strings(&manifest.languages, "any, or not said")),
        ("made from", said(&manifest.data)),
        ("known biases", strings(&manifest.biases, "not said")),
        ("licence", said(&manifest.licence)),
        ("settings", serde_json::Value::Object(manifest.settings.clone()).to_string()),
        ("fuel for a text", fuel),
        ("memory", format!("{memory_mib} MiB")),
        ("longest text", format!("{text_kib} KiB")),
        ("what it cannot judge", failure.to_owned()),
        ("SHA-256", plugin.sha256().to_owned()),
        ("digest in reports", plugin.info().digest.short().to_owned()),
    ])
}
