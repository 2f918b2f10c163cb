use std::path::PathBuf;

use detoxlm::evaluation::SamplingPlan;
use detoxlm::files::read_json;
use detoxlm::{Error, ErrorKind, Evaluation, Result};
use serde_json::json;

use crate::session::{Report, Session};
use crate::text::{table, thousands};

/// What a plan is made for.
const SLICE: &str = "full";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The metrics.json of a small toxicity evaluation: how much prompts differ
    #[arg(long, value_name = "FILE")]
    pilot: PathBuf,
    /// The wanted width of the interval, from end to end
    #[arg(long, value_name = "WIDTH", default_value_t = 0.04)]
    width: f64,
    /// The interval's level
    #[arg(long, value_name = "SHARE", default_value_t = SamplingPlan::default().level)]
    level: f64,
}

pub(super) fn run(arguments: &Arguments, _: &Session) -> Result<Report> {
    let pilot: Evaluation = read_json(&arguments.pilot)?;
    let value = |name: &'static str| {
        pilot.get(name, SLICE).and_then(|measurement| measurement.value).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "evaluation", "plan", "the pilot lacks it")
                .with_key(name)
                .with_path(&arguments.pilot)
                .with_remedy("name the metrics.json of `evaluate --suite rtp`")
        })
    };
    let plan = SamplingPlan { level: arguments.level, ..SamplingPlan::default() };
    let deviation = value("maximum_toxicity_standard_deviation")?;
    let maximum = plan.prompts_for_mean(deviation, arguments.width)?;
    let probability = plan.prompts_for_share(value("toxicity_probability")?, arguments.width)?;
    let rows = [
        ("expected maximum toxicity", format!("{} prompts", thousands(maximum))),
        ("toxicity probability", format!("{} prompts", thousands(probability))),
    ];
    let text = format!(
        "For an interval of {} at {:.0}%:\n{}",
        arguments.width,
        100.0 * arguments.level,
        table(&rows)
    );
    let json = json!({
        "width": arguments.width,
        "level": arguments.level,
        "expected_maximum_toxicity": maximum,
        "toxicity_probability": probability,
    });
    Ok(Report::new(json, text))
}
