use std::path::PathBuf;

use detoxlm::Result;
use detoxlm::candle::convert_llama2c;
use serde_json::json;

use crate::session::Report;
use crate::text::table;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The checkpoint, such as stories260K.bin
    #[arg(long, value_name = "FILE")]
    bin: PathBuf,
    /// Its tokenizer, such as tok512.bin
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Where the model directory goes; it must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Report> {
    convert_llama2c(&arguments.bin, &arguments.tokenizer, &arguments.out)?;
    let json = json!({"model": arguments.out});
    Ok(Report::new(json, table(&[("model", arguments.out.display().to_string())])))
}
