use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::{COMPONENT, Question, RatingKey};
use crate::corpus::{FieldRow, FieldRows};
use crate::{Error, ErrorKind, Result};

/// What raters answered to a sheet.
#[derive(Clone, Debug)]
pub struct Ratings {
    pub(super) key: RatingKey,
    raters: Vec<String>,
    /// By question, then by item: the points that raters gave.
    pub(super) points: Vec<Vec<Vec<f64>>>,
}

impl Ratings {
    /// Reads tables that the form saved, or that were filled in by hand: columns `id` and one for every
    /// question, and perhaps `rater` (else a file is one rater, called as it is) and `sheet`. Other
    /// columns are ignored.
    ///
    /// An empty cell is a missing rating. An item may have any number of raters.
    ///
    /// # Errors
    /// With file, line and column: an id that is not of the sheet, or twice by one rater, in one file or
    /// in two; a point that is no whole number or out of range; a missing column; ratings of another
    /// sheet; no rating at all.
    pub fn read<P: AsRef<Path>>(
        key: &RatingKey,
        files: impl IntoIterator<Item = P>,
    ) -> Result<Self> {
        let mut reading = Reading::new(key);
        for file in files {
            reading.read(file.as_ref())?;
        }
        reading.finish()
    }

    /// Who rated at least one item.
    #[must_use]
    pub fn raters(&self) -> &[String] {
        &self.raters
    }

    /// The points that an item got for a question, in no order that means anything.
    #[must_use]
    pub fn points(&self, question: usize, item: usize) -> &[f64] {
        self.points.get(question).and_then(|items| items.get(item)).map_or(&[], Vec::as_slice)
    }

    /// The mean of an item's points; `None` when nobody rated it.
    pub(super) fn mean(&self, question: usize, item: usize) -> Option<f64> {
        let points = self.points(question, item);
        (!points.is_empty()).then(|| points.iter().sum::<f64>() / points.len() as f64)
    }
}

struct Reading<'a> {
    key: &'a RatingKey,
    numbers: HashMap<&'a str, usize>,
    /// Where a rater's answer to an item was found.
    seen: HashMap<(String, usize), String>,
    raters: Vec<String>,
    points: Vec<Vec<Vec<f64>>>,
}

impl<'a> Reading<'a> {
    fn new(key: &'a RatingKey) -> Self {
        let points = key.questions.iter().map(|_| vec![Vec::new(); key.items.len()]).collect();
        let (seen, raters) = (HashMap::new(), Vec::new());
        Self { key, numbers: key.numbers(), seen, raters, points }
    }

    fn read(&mut self, file: &Path) -> Result<()> {
        let mut rows = 0;
        for row in FieldRows::open(file)? {
            let row = row?;
            rows += 1;
            self.take(&row, file).map_err(|e| e.with_path(file).with_line(row.line))?;
        }
        if rows == 0 {
            let message = "there are no rows";
            return Err(
                Error::new(ErrorKind::Empty, COMPONENT, "read ratings", message).with_path(file)
            );
        }
        Ok(())
    }

    fn take(&mut self, row: &FieldRow, file: &Path) -> Result<()> {
        let sheet = row.get("sheet").map(cell).unwrap_or_default();
        if !sheet.is_empty() && sheet != self.key.sheet {
            let message = format!("ratings of sheet {sheet}, the key is of {}", self.key.sheet);
            return Err(Error::new(ErrorKind::Incompatible, COMPONENT, "read ratings", message)
                .with_key("sheet")
                .with_remedy("use the key.json that was written with that sheet"));
        }
        let id = cell(column(row, "id")?);
        let Some(&item) = self.numbers.get(id.as_str()) else {
            let message = "the sheet has no such item";
            return Err(invalid(message.to_owned()).with_key(id));
        };
        let named = row.get("rater").map(cell).filter(|rater| !rater.is_empty());
        let rater = named
            .unwrap_or_else(|| file.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        let place = format!("{}:{}", file.display(), row.line);
        if let Some(earlier) = self.seen.insert((rater.clone(), item), place) {
            let message = format!("{rater} rated it twice, first in {earlier}");
            return Err(invalid(message)
                .with_key(id)
                .with_remedy("keep one of the two; two raters need two names"));
        }
        let questions = self.key.questions.iter();
        let answers =
            questions.map(|question| answer(row, question)).collect::<Result<Vec<_>>>()?;
        if answers.iter().any(Option::is_some) && !self.raters.contains(&rater) {
            self.raters.push(rater);
        }
        for (points, answer) in self.points.iter_mut().zip(answers) {
            points[item].extend(answer);
        }
        Ok(())
    }

    fn finish(self) -> Result<Ratings> {
        if self.raters.is_empty() {
            let message = "nobody rated anything";
            return Err(Error::new(ErrorKind::Empty, COMPONENT, "read ratings", message)
                .with_remedy("give at least one table with points in it"));
        }
        Ok(Ratings { key: self.key.clone(), raters: self.raters, points: self.points })
    }
}

/// The point that a row gives to a question; `None` where the cell is empty.
fn answer(row: &FieldRow, question: &Question) -> Result<Option<f64>> {
    let written = cell(column(row, &question.name)?);
    if written.is_empty() {
        return Ok(None);
    }
    // Spreadsheets may write 3 as 3.0.
    let point: Option<f64> = written.parse().ok();
    let range = 1.0..=f64::from(question.points);
    match point.filter(|point| point.fract() == 0.0 && range.contains(point)) {
        Some(point) => Ok(Some(point)),
        None => {
            let start: String = written.chars().take(20).collect();
            let message = format!("{start:?} is no whole number from 1 to {}", question.points);
            Err(invalid(message)
                .with_key(question.name.clone())
                .with_remedy("leave the cell empty where there is no rating"))
        }
    }
}

fn column<'a>(row: &'a FieldRow, name: &str) -> Result<&'a Value> {
    row.get(name).ok_or_else(|| {
        let names: Vec<&str> = row.names().filter(|name| !name.is_empty()).collect();
        let remedy = if names.iter().any(|name| name.contains(';')) {
            "save it comma-separated: its columns are separated by semicolons".to_owned()
        } else {
            format!("its columns are {}", names.join(", "))
        };
        invalid("there is no such column".to_owned()).with_key(name.to_owned()).with_remedy(remedy)
    })
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, COMPONENT, "read ratings", message)
}
