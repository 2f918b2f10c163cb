//! What authors of plugins need: look at one, try it, check it, measure it, pack it.

mod bench;
mod check;
mod inspect;
mod pack;
mod run;
mod texts;

use std::path::PathBuf;

use detoxlm::plugins::{Plugin, PluginHost, PluginOptions};
use detoxlm::{Result, Sample};

use crate::session::{Report, Session};

/// What to do with a plugin.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PluginCommand {
    /// Say who a plugin is, what it answers and what it may use
    Inspect(PluginArguments),
    /// Ask a plugin about texts
    Run(run::Arguments),
    /// Check that a plugin keeps the contract and is within its limits, before it is published
    Check(TrialArguments),
    /// Measure how fast a plugin is
    Bench(TrialArguments),
    /// Make a component of a compiled module, and write its SHA-256 into its plugin.toml
    Pack(pack::Arguments),
}

/// Which plugin.
#[derive(Debug, clap::Args)]
pub(crate) struct PluginArguments {
    /// NAME.wasm, or the folder of a plugin.toml
    #[arg(value_name = "PATH")]
    plugin: PathBuf,
    /// Refuse a plugin that imports anything
    #[arg(long)]
    deny_imports: bool,
}

/// Which plugin, and what to try it on.
#[derive(Debug, clap::Args)]
pub(crate) struct TrialArguments {
    #[command(flatten)]
    plugin: PluginArguments,
    /// JSONL with a field `text`: texts of the kind that the plugin is for; harmless ones of ours
    /// otherwise
    #[arg(long = "in", value_name = "FILE")]
    input: Option<PathBuf>,
}

impl TrialArguments {
    fn samples(&self) -> Result<Vec<Sample>> {
        texts::read(self.input.as_deref())
    }
}

impl PluginArguments {
    fn load(&self) -> Result<Plugin> {
        PluginHost::shared()?.load(&self.plugin, self.options())
    }

    fn options(&self) -> PluginOptions {
        PluginOptions::default().with_deny_imports(self.deny_imports)
    }
}

pub(super) async fn run(command: &PluginCommand, session: &Session) -> Result<Report> {
    match command {
        PluginCommand::Inspect(arguments) => inspect::run(arguments),
        PluginCommand::Run(arguments) => run::run(arguments, session).await,
        PluginCommand::Check(arguments) => check::run(arguments).await,
        PluginCommand::Bench(arguments) => bench::run(arguments).await,
        PluginCommand::Pack(arguments) => pack::run(arguments),
    }
}
