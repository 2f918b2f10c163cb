//! How figures differ between groups of people: any evaluation whose slices are `domain/group`.

use super::tradeoff::estimate;
use super::{Block, Cell, Picture, Table};
use crate::evaluation::{Changes, Evaluation, distinct, label, title};
use crate::plot::{BarPart, BarRow, Ground, bar_chart};

const FILTERS: &str = "How often the scorer that chose the texts calls a harmless sentence toxic that names an \
     identity. What it calls toxic is not trained on: the model reads less about whom it takes for toxic, \
     and a gap here can become a gap of the model.";

/// How differently models treat groups, and beside it whom the scorers that chose the texts (`filters`)
/// take for toxic, since the one causes the other. Nothing where neither was measured.
pub(super) fn blocks(
    evaluations: &[Evaluation],
    changes: &[Changes],
    filters: &[Evaluation],
) -> Vec<Block> {
    let mut blocks = Vec::new();
    for same in alike(evaluations) {
        blocks.extend(same.first().map(|first| Block::Subheading(title(first))));
        blocks.extend(of_evaluator(&same, changes));
    }
    let filters = alike(filters);
    if !filters.is_empty() {
        blocks.push(Block::Subheading("Whom the filter takes for toxic".into()));
        blocks.push(Block::Paragraph(FILTERS.into()));
        blocks.extend(filters.iter().flat_map(|same| of_evaluator(same, &[])));
    }
    blocks
}

/// Evaluations by groups, those of one evaluator together.
fn alike(evaluations: &[Evaluation]) -> Vec<Vec<&Evaluation>> {
    let grouped = evaluations.iter().filter(|e| e.measurements.iter().any(|m| is_group(&m.slice)));
    distinct(grouped.map(|e| &e.provenance.evaluator.digest))
        .into_iter()
        .map(|digest| {
            evaluations.iter().filter(|e| e.provenance.evaluator.digest == *digest).collect()
        })
        .collect()
}

/// A table of the domains' own figures, such as the largest gap, and bars for each figure of the groups.
fn of_evaluator(same: &[&Evaluation], changes: &[Changes]) -> Vec<Block> {
    let changes = changes.iter().find(|c| {
        same.first().is_some_and(|e| e.provenance.evaluator.digest == c.evaluator.digest)
    });
    let mut blocks = Vec::new();
    let domains = domains(same, changes);
    if !domains.is_empty() {
        blocks.push(Block::Table(domains));
    }
    let figures = same.iter().flat_map(|e| &e.measurements).filter(|m| is_group(&m.slice));
    for name in distinct(figures.map(|m| m.name.as_str())) {
        blocks.push(Block::Picture(picture(same, name)));
    }
    blocks
}

fn is_group(slice: &str) -> bool {
    slice.split_once('/').is_some_and(|(domain, group)| !domain.is_empty() && !group.is_empty())
}

fn domain_of(slice: &str) -> &str {
    slice.split_once('/').map_or(slice, |(domain, _)| domain)
}

/// Figures of whole domains.
fn domains(same: &[&Evaluation], changes: Option<&Changes>) -> Table {
    let all = || same.iter().flat_map(|e| &e.measurements);
    let names = distinct(all().filter(|m| is_group(&m.slice)).map(|m| domain_of(&m.slice)));
    let mut columns = vec!["domain", "measurement"];
    columns.extend(same.iter().map(|e| e.subject.as_str()));
    columns.extend(changes.map(|_| "change"));
    let caption = same.first().map_or_else(String::new, |e| format!("{}: domains", title(e)));
    let mut table = Table::new(caption, columns);
    let rows = all().filter(|m| names.contains(&m.slice.as_str()));
    for (slice, name) in distinct(rows.map(|m| (m.slice.as_str(), m.name.as_str()))) {
        let mut cells = vec![Cell::text(slice), Cell::text(label(name))];
        cells.extend(same.iter().map(|e| Cell::measured(e.get(name, slice))));
        cells.extend(changes.map(|changes| Cell::changed(changes.get(name, slice))));
        table.push(cells);
    }
    table
}

fn picture(same: &[&Evaluation], name: &str) -> Picture {
    let slices = distinct(
        same.iter()
            .flat_map(|e| &e.measurements)
            .filter(|m| m.name == name && is_group(&m.slice))
            .map(|m| m.slice.as_str()),
    );
    let parts: Vec<BarPart> = distinct(slices.iter().map(|slice| domain_of(slice)))
        .into_iter()
        .map(|domain| BarPart {
            title: domain.replace('_', " "),
            rows: slices
                .iter()
                .filter_map(|slice| Some((*slice, slice.split_once('/')?)))
                .filter(|(_, (of, _))| *of == domain)
                .map(|(slice, (_, group))| BarRow {
                    name: group.replace('_', " "),
                    values: same.iter().map(|e| e.get(name, slice).and_then(estimate)).collect(),
                })
                .collect(),
        })
        .collect();
    let series: Vec<&str> = same.iter().map(|e| e.subject.as_str()).collect();
    let evaluated = same.first().map_or_else(String::new, |e| title(e));
    let title = format!("{} by group: {evaluated}", capitalised(label(name)));
    let mut values = parts.iter().flat_map(|part| &part.rows).flat_map(|row| &row.values).flatten();
    let lines = match values.any(|value| value.interval.is_some()) {
        true => " Lines are intervals, or standard errors where there are none.",
        false => "",
    };
    Picture {
        svg: bar_chart(&title, label(name), &series, &parts, Ground::Page),
        caption: format!("{title}.{lines}"),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::super::test_values::{changed, evaluation, figure};
    use super::*;

    #[test]
    fn groups_have_bars_and_domains_a_table() {
        let figures = |shift: f64| {
            vec![
                figure(("mean_toxicity", "gender/American_actors"), 0.1 + shift),
                figure(("mean_toxicity", "gender/American_actresses"), 0.2 + shift),
                figure(("mean_toxicity", "race/Asian_Americans"), 0.3 + shift),
                figure(("largest_gap", "gender"), 0.1),
            ]
        };
        let evaluations =
            [evaluation("base", "a", figures(0.0)), evaluation("new", "a", figures(0.1))];
        let changes = [changed("a", ("largest_gap", "gender"), 0.0, None)];
        let blocks = blocks(&evaluations, &changes, &[]);
        assert_eq!(blocks.len(), 3, "{blocks:?}");
        let Block::Table(table) = &blocks[1] else { panic!("{blocks:?}") };
        assert!(table.markdown().contains("| gender | largest_gap | 0.100 | 0.100 | 0.000 |"));
        let Block::Picture(picture) = &blocks[2] else { panic!("{blocks:?}") };
        // Three groups of two, and the legend.
        assert_eq!(picture.svg.matches("<rect").count(), 6 + 2);
        assert!(picture.svg.contains("American actresses"));
    }

    #[test]
    fn evaluations_without_groups_have_nothing_to_show() {
        let plain = evaluation("base", "a", vec![figure(("mean_toxicity", "full"), 0.1)]);
        assert!(blocks(&[plain], &[], &[]).is_empty());
    }

    #[test]
    fn whom_the_filter_takes_for_toxic_stands_beside() {
        let rate = |slice| figure(("false_positive_rate", slice), 0.2);
        let gap = figure(("false_positive_rate_gap", "identity"), 0.1);
        let filter = evaluation("judge", "b", vec![rate("identity/old"), rate("identity"), gap]);
        let blocks = blocks(&[], &[], &[filter]);
        let [
            Block::Subheading(_),
            Block::Paragraph(_),
            Block::Table(table),
            Block::Picture(picture),
        ] = blocks.as_slice()
        else {
            panic!("{blocks:?}")
        };
        assert!(table.markdown().contains("| identity | largest gap of false positives | 0.100 |"));
        assert!(picture.svg.contains("old"));
    }
}
