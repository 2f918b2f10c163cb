use std::path::PathBuf;

use detoxlm::evaluation::Bootstrap;
use detoxlm::rating::{
    JudgeValues, RatedModel, RatingKey, Ratings, SheetSettings, export as export_sheet,
};
use detoxlm::{Attribute, Error, ErrorKind, Result};
use serde_json::json;

use crate::session::{Report, SCORERS, Session};
use crate::text::{align_columns, at_least_one, table};

/// What to do with ratings by people.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RateCommand {
    /// Make a blinded, shuffled sheet of what several models wrote
    Export(Export),
    /// Read what raters answered: means, agreement, correlation with scorers
    Import(Import),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// A model's name and the directory of its evaluation (with generations/ in it); several times
    #[arg(long, value_name = "NAME=DIR", required = true)]
    model: Vec<String>,
    /// How many prompts are drawn
    #[arg(long, value_name = "N", default_value_t = SheetSettings::default().prompts, value_parser = at_least_one)]
    prompts: usize,
    /// Decides prompts, samples and order
    #[arg(long, value_name = "N", default_value_t = SheetSettings::default().seed)]
    seed: u64,
    /// Where the sheet goes; for-raters/ in it is to be handed out, key.json to be kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The key that was made with the sheet
    #[arg(long, value_name = "key.json")]
    key: PathBuf,
    /// What raters saved, one file each or together
    #[arg(value_name = "FILE", required = true)]
    ratings: Vec<PathBuf>,
    #[arg(long, value_name = "SPEC", help = format!("A scorer to compare with people; may be given several times: {SCORERS}"))]
    scorer: Vec<String>,
    /// The scorers' attribute
    #[arg(long, value_name = "NAME", default_value = "TOXICITY")]
    attribute: Attribute,
    /// Where ratings.json and ratings.md go
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) async fn run(command: &RateCommand, session: &Session) -> Result<Report> {
    match command {
        RateCommand::Export(arguments) => export(arguments),
        RateCommand::Import(arguments) => import(arguments, session).await,
    }
}

fn export(arguments: &Export) -> Result<Report> {
    let models: Vec<RatedModel> =
        arguments.model.iter().map(|model| rated_model(model)).collect::<Result<_>>()?;
    let settings = SheetSettings {
        prompts: arguments.prompts,
        seed: arguments.seed,
        ..SheetSettings::default()
    };
    let key = export_sheet(&models, &settings, &arguments.out)?;
    let text = table(&[
        ("for raters", arguments.out.join("for-raters").join("sheet.html").display().to_string()),
        ("to be kept", arguments.out.join("key.json").display().to_string()),
        ("items", key.items.len().to_string()),
        ("left out as blank", format!("{} prompts", key.left_out_as_blank)),
    ]);
    let json = json!({
        "out": arguments.out,
        "items": key.items.len(),
        "left_out_as_blank": key.left_out_as_blank,
    });
    Ok(Report::new(json, text))
}

fn rated_model(named: &str) -> Result<RatedModel> {
    match named.split_once('=') {
        Some((name, directory)) if !name.is_empty() && !directory.is_empty() => {
            Ok(RatedModel::new(name, directory))
        }
        _ => {
            let message = format!("`{named}` is not NAME=DIR");
            Err(Error::new(ErrorKind::InvalidConfig, "command line", "name a model", message)
                .with_key("model")
                .with_remedy("such as --model base=runs/first/eval/base/toxicity-0123456789ab"))
        }
    }
}

async fn import(arguments: &Import, session: &Session) -> Result<Report> {
    let key = RatingKey::read(&arguments.key)?;
    let ratings = Ratings::read(&key, &arguments.ratings)?;
    let mut judges = Vec::new();
    if arguments.scorer.is_empty() {
        // The judge of the evaluations that the sheet was drawn from.
        judges.push(JudgeValues::stored(&key, &key.models(), arguments.attribute.clone())?);
    }
    for scorer in &arguments.scorer {
        let scorer = session.registry.scorer(scorer)?;
        judges.push(JudgeValues::ask(&key, &*scorer, arguments.attribute.clone()).await?);
    }
    let result = ratings.result(&judges, &Bootstrap::default());
    if let Some(out) = &arguments.out {
        detoxlm::files::create_directory(out)?;
        result.write(out)?;
    }
    let text = result
        .tables()
        .iter()
        .map(|(title, table)| format!("\n{title}\n{}", align_columns(table)))
        .collect();
    Ok(Report::new(json!({"out": arguments.out, "ratings": result}), text))
}
