use std::path::PathBuf;

use detoxlm::{Result, candle};
use serde_json::json;

use crate::model::ModelArgument;
use crate::session::{Report, Session};
use crate::text::table;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,
    /// The LoRA adapter to fold into the model
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// Where the merged model goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let model = arguments.model.directory(session).await?;
    let check = candle::merge(model, &arguments.adapter, &arguments.out)?;
    let text = table(&[
        ("model", arguments.out.display().to_string()),
        (
            "largest difference",
            format!(
                "{:.1e} of logits up to {:.1}, against base and adapter",
                check.largest_difference, check.largest_logit
            ),
        ),
    ]);
    let json = json!({
        "out": arguments.out,
        "largest_difference": check.largest_difference,
        "largest_logit": check.largest_logit,
    });
    Ok(Report::new(json, text))
}
