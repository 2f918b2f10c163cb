use detoxlm::Result;
use detoxlm::plugins::check::{Finding, Usage, check, usage};
use serde_json::json;

use super::TrialArguments;
use crate::session::Report;
use crate::text::{bytes, table, thousands};

pub(super) async fn run(arguments: &TrialArguments) -> Result<Report> {
    let plugin = arguments.plugin.load()?;
    let samples = arguments.samples()?;
    let findings = check(&plugin, &samples).await?;
    let broken = findings.iter().filter(|finding| finding.broken.is_some()).count();
    let usage = if broken == 0 { Some(usage(&plugin, &samples).await?) } else { None };
    let json = json!({"plugin": plugin.info(), "findings": findings, "usage": usage});
    let mut text = describe(&findings);
    if let Some(usage) = usage {
        text.push_str(&format!("\n{}", describe_usage(&usage)));
    }
    Ok(Report { is_failure: broken > 0, ..Report::new(json, text) })
}

fn describe(findings: &[Finding]) -> String {
    let line = |finding: &Finding| match &finding.broken {
        None => format!("ok      {}\n", finding.rule),
        Some(seen) => format!("broken  {}\n        {seen}\n", finding.rule),
    };
    findings.iter().map(line).collect()
}

fn describe_usage(usage: &Usage) -> String {
    table(&[
        ("texts", thousands(usage.texts as u64)),
        ("fuel to start", thousands(usage.fuel_to_start)),
        ("most fuel for a text", thousands(usage.fuel_for_a_text)),
        ("most fuel for a byte", thousands(usage.fuel_for_a_byte)),
        ("most of a text's fuel", format!("{}%", usage.fuel_percent)),
        ("most memory", bytes(usage.memory as u64)),
    ])
}
