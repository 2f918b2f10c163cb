use std::path::Path;

use serde::Serialize;

use super::sample::{Sample, Texts, sample};
use super::{COMPONENT, KeyItem, Question, RatedModel, RatingKey, SheetSettings};
use crate::files::{create_new_directory, write_atomically, write_json};
use crate::info::DigestBuilder;
use crate::{Error, ErrorKind, Result};

/// The form, with `/*SHEET*/` where the items go.
const FORM: &str = include_str!("sheet.html");
const PLACE: &str = "/*SHEET*/";

/// Writes a rating sheet of several models into a new directory: `for-raters/sheet.html`, a form that
/// needs no network, `for-raters/sheet.csv`, the same for a spreadsheet, and `key.json`, which says
/// which item is whose and stays here.
///
/// Prompts are drawn by the seed, the same for every model, and so is which of a prompt's
/// continuations; then all items are shuffled. A prompt for which a model's drawn continuation is
/// blank is left out for all of them and counted in the key: there is nothing to rate in it.
///
/// # Errors
/// When a setting is impossible, two models have one name, their evaluations differ in more than the
/// model or are not finished, fewer prompts can be rated than are asked for, or the directory exists.
pub fn export(
    models: &[RatedModel],
    settings: &SheetSettings,
    directory: impl AsRef<Path>,
) -> Result<RatingKey> {
    let sample = sample(models, settings)?;
    let sheet = sheet_name(&sample, &settings.questions);
    let form = form(&sheet, &sample, &settings.questions)?;
    let table = table(&sheet, &sample, &settings.questions)?;
    let key = RatingKey {
        sheet,
        seed: settings.seed,
        questions: settings.questions.clone(),
        models: sample.models,
        left_out_as_blank: sample.left_out_as_blank,
        items: sample.items.into_iter().map(|(item, _)| item).collect(),
    };
    create_new_directory(directory, |place| {
        let for_raters = place.join("for-raters");
        write_atomically(for_raters.join("sheet.html"), form)?;
        write_atomically(for_raters.join("sheet.csv"), table)?;
        write_json(place.join("key.json"), &key)
    })?;
    Ok(key)
}

/// What tells ratings of this sheet from those of another.
fn sheet_name(sample: &Sample, questions: &[Question]) -> String {
    let mut digest = DigestBuilder::new();
    for question in questions {
        digest.update(&question.name).update(&question.text).update([question.points]);
    }
    for (item, texts) in &sample.items {
        digest.update(&item.id).update(&texts.prompt).update(&texts.continuation);
    }
    digest.finish().short().to_owned()
}

#[derive(Serialize)]
struct FormData<'a> {
    sheet: &'a str,
    questions: &'a [Question],
    items: Vec<FormItem<'a>>,
}

#[derive(Serialize)]
struct FormItem<'a> {
    id: &'a str,
    prompt: &'a str,
    continuation: &'a str,
}

fn form(sheet: &str, sample: &Sample, questions: &[Question]) -> Result<String> {
    let item = |(item, texts): &'_ (KeyItem, Texts)| -> (String, String, String) {
        (item.id.clone(), texts.prompt.clone(), texts.continuation.clone())
    };
    let items: Vec<_> = sample.items.iter().map(item).collect();
    let items = items
        .iter()
        .map(|(id, prompt, continuation)| FormItem { id, prompt, continuation })
        .collect();
    let data = serde_json::to_string(&FormData { sheet, questions, items })
        .map_err(|e| internal(e.to_string()))?;
    // Within JSON `<` is in strings alone. Escaped, no text of a model can end the script.
    Ok(FORM.replacen(PLACE, &data.replace('<', "\\u003c"), 1))
}

fn table(sheet: &str, sample: &Sample, questions: &[Question]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| internal(e.to_string());
    let columns = ["sheet", "id", "prompt", "continuation"];
    let names = questions.iter().map(|question| question.name.as_str());
    writer.write_record(columns.into_iter().chain(names)).map_err(failed)?;
    for (item, texts) in &sample.items {
        let (prompt, continuation) = (inert(&texts.prompt), inert(&texts.continuation));
        let cells = [sheet, &item.id, &prompt, &continuation];
        let blank = questions.iter().map(|_| "");
        writer.write_record(cells.into_iter().chain(blank)).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| internal(e.to_string()))
}

/// A cell that no spreadsheet takes for a formula.
fn inert(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

fn internal(message: String) -> Error {
    Error::new(ErrorKind::Internal, COMPONENT, "write a sheet", message)
}
