use super::Audit;
use crate::evaluation::MISSING;
use crate::report::{Cell, Table};

impl Audit {
    /// The figures of each test set that a reader asks for first, as one Markdown table.
    #[must_use]
    pub fn summary(&self) -> String {
        summary_table(self).markdown()
    }
}

pub(super) fn summary_table(audit: &Audit) -> Table {
    let mut table =
        Table::new("The first figures of each test set", ["test set", "measure", "texts", "value"]);
    let mut row = |set: &str, measure: String, texts: u64, value: Cell| {
        table.push(vec![Cell::text(set), Cell::text(measure), Cell::count(texts), value]);
    };
    for found in &audit.labelled {
        // The first is TOXICITY, where there is any.
        if let Some(one) = found.attributes.first() {
            let name = &found.data.name;
            row(
                name,
                format!("{} AUC", one.attribute),
                one.texts,
                Cell::estimate(one.auc.value, one.auc.interval),
            );
            let error = Cell::figure(Some(one.quality.calibration_error));
            row(name, format!("{} calibration error", one.attribute), one.texts, error);
        }
    }
    for found in &audit.identities {
        let name = &found.data.name;
        for (kind, mean) in [
            ("subgroup", found.means.subgroup),
            ("BPSN", found.means.bpsn),
            ("BNSP", found.means.bnsp),
        ] {
            let measure = format!("{kind} AUC, generalised mean");
            row(name, measure, found.sentences, Cell::figure(mean));
        }
        let worst = found.identities.first().map_or(MISSING, |worst| &worst.identity);
        row(name, "worst identity".into(), found.sentences, Cell::text(worst));
    }
    for found in &audit.functional {
        let name = &found.data.name;
        row(
            name,
            format!("{} AUC", found.attribute),
            found.cases,
            Cell::estimate(found.auc.value, found.auc.interval),
        );
        row(name, "decided rightly".into(), found.cases, Cell::share(found.right));
    }
    for found in &audit.agreement {
        if let Some(one) = found.attributes.first() {
            let measure = format!("{} Pearson of the two scorers", one.attribute);
            row(&found.data.name, measure, one.texts, Cell::figure(one.pearson));
        }
    }
    table
}
