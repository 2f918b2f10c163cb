use std::path::PathBuf;

use detoxlm::Result;
use detoxlm::plugins::pack::pack;
use serde_json::json;

use crate::session::Report;
use crate::text::{bytes, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What the compiler wrote
    #[arg(value_name = "MODULE.wasm")]
    module: PathBuf,
    /// Where the component goes
    #[arg(long, value_name = "FILE.wasm")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Report> {
    let packed = pack(&arguments.module, &arguments.out)?;
    let json = json!({
        "out": arguments.out,
        "bytes": packed.bytes,
        "sha256": packed.sha256,
        "manifest": packed.manifest,
    });
    let manifest =
        if packed.manifest { "its SHA-256 is up to date" } else { "there is none about it" };
    let text = table(&[
        ("component", arguments.out.display().to_string()),
        ("size", bytes(packed.bytes as u64)),
        ("SHA-256", packed.sha256),
        ("plugin.toml", manifest.to_owned()),
    ]);
    Ok(Report::new(json, text))
}
