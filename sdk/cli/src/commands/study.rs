use std::path::PathBuf;
use std::sync::Arc;

use detoxlm::Result;
use detoxlm::study::{Study, StudyModel};
use serde_json::json;

use crate::compute::ComputeArguments;
use crate::config::{StudyFile, Surroundings};
use crate::model;
use crate::session::{Report, Session};
use crate::text::align_columns;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which models, corpora and methods, in TOML
    #[arg(value_name = "CONFIG.toml")]
    config: PathBuf,
    /// The directory of the study, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    study: Option<PathBuf>,
    #[command(flatten)]
    compute: ComputeArguments,
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let file = StudyFile::read(&arguments.config)?;
    // What is wrong with a value is told with the file that holds it.
    let in_file = |e: detoxlm::Error| match e.path() {
        None => e.with_path(&arguments.config),
        Some(_) => e,
    };
    let directory = match &arguments.study {
        Some(directory) => directory,
        None => file.study().map_err(in_file)?,
    };
    let config = file.config();
    config.validate().map_err(in_file)?;
    let framework =
        arguments.compute.framework_of(&file.compute, &arguments.config, &session.registry)?;
    let scorer = session.registry.scorer(&file.scorer)?;
    let mut study =
        Study::new(config, &framework, Arc::clone(&scorer)).with_observer(session.observer());
    let surroundings = Surroundings {
        filter: (file.scorer.as_str(), &scorer),
        framework: &framework,
        folder: file.folder(),
        session,
    };
    for evaluator in file.evaluation.evaluators(surroundings).await.map_err(in_file)? {
        study = study.with_evaluator(evaluator);
    }
    let mut models = Vec::new();
    for section in &file.models {
        let directory = model::directory(&section.model, file.folder(), session).await;
        models.push(StudyModel {
            name: section.name.clone(),
            directory: directory.map_err(in_file)?,
        });
    }
    let summary = study.run(&models, directory).await?;
    let tables = summary.tables.iter();
    let mut text: String =
        tables.map(|(title, table)| format!("{title}\n{}\n", align_columns(table))).collect();
    text.push_str(&format!("Everything else is in {}\n", directory.join("report.md").display()));
    Ok(Report::new(json!({"study": directory, "cells": summary.cells}), text))
}
