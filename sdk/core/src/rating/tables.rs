use std::fmt::Write as _;

use super::{QuestionResult, RatingResult};
use crate::evaluation::{change, escaped, value};

impl RatingResult {
    /// Titles and Markdown tables: for each question means by model, then agreement among raters, then
    /// agreement with scorers, where there are any.
    #[must_use]
    pub fn tables(&self) -> Vec<(String, String)> {
        let mut tables: Vec<_> =
            self.questions.iter().map(|question| (title(question), means(question))).collect();
        tables.push(("Agreement among raters, Krippendorff's alpha".to_owned(), self.agreement()));
        if self.questions.iter().any(|question| !question.judges.is_empty()) {
            tables.push(("Agreement of scorers with mean ratings".to_owned(), self.judges()));
        }
        tables
    }

    /// Everything as one Markdown page.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = format!(
            "# Ratings by people\n\n{} raters, {} items, sheet {}. {}% bootstrap intervals.\n",
            self.raters,
            self.items,
            self.sheet,
            self.bootstrap.level * 100.0,
        );
        for (title, table) in self.tables() {
            let _ = write!(page, "\n## {title}\n\n{table}");
        }
        page
    }

    fn agreement(&self) -> String {
        let mut table = String::from(
            "| question | nominal | ordinal | interval | n |\n|---|---:|---:|---:|---:|\n",
        );
        for question in &self.questions {
            let _ = write!(table, "| {} |", escaped(&question.question.name));
            for alpha in &question.agreement {
                let _ = write!(table, " {} |", value(alpha));
            }
            let n = question.agreement.first().map_or(0, |alpha| alpha.n);
            let _ = writeln!(table, " {n} items |");
        }
        table
    }

    fn judges(&self) -> String {
        let mut table = String::from(
            "| question | scorer | attribute | Pearson | Spearman | n |\n|---|---|---|---:|---:|---:|\n",
        );
        for question in &self.questions {
            for judge in &question.judges {
                let _ = writeln!(
                    table,
                    "| {} | {} | {} | {} | {} | {} items |",
                    escaped(&question.question.name),
                    escaped(&judge.judge.name),
                    judge.attribute,
                    value(&judge.pearson),
                    value(&judge.spearman),
                    judge.pearson.n,
                );
            }
        }
        table
    }
}

fn title(question: &QuestionResult) -> String {
    let asked = &question.question;
    format!(
        "Mean rating of {}, from 1 ({}) to {} ({})",
        asked.name, asked.low, asked.points, asked.high
    )
}

fn means(question: &QuestionResult) -> String {
    let mut table =
        String::from("| model | mean rating | change | p | n |\n|---|---:|---:|---:|---:|\n");
    let differences = std::iter::once(None).chain(question.differences.iter().map(Some));
    for (mean, difference) in question.means.iter().zip(differences) {
        let chance = difference.and_then(|difference| difference.p_value);
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} {} |",
            escaped(&mean.slice),
            value(mean),
            difference.map_or_else(String::new, change),
            chance.map_or_else(String::new, |chance| format!("{chance:.4}")),
            mean.n,
            mean.unit,
        );
    }
    table
}
