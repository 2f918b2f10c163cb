use super::functional::Functionality;
use super::identities::IdentityAreas;
use super::summary::summary_table;
use super::{Agreement, AttributeAgreement, Audit, FunctionalAudit, IdentityAudit, LabelledAudit};
use crate::Info;
use crate::plot::{Curve, DotRow, Ground, Panel, dot_chart, reliability_panels};
use crate::report::{Block, Cell, Picture, Table};

/// How many rows of a long table the short report shows.
const SHORT: usize = 12;

/// Everything that a report says, in its order.
pub(super) fn blocks(audit: &Audit) -> Vec<Block> {
    let mut blocks = vec![Block::Paragraph(made_of(audit)), Block::Table(summary_table(audit))];
    for found in &audit.labelled {
        labelled(found, &mut blocks);
    }
    for found in &audit.identities {
        identities(found, &mut blocks);
    }
    for found in &audit.functional {
        functional(found, audit.settings.threshold, &mut blocks);
    }
    if let Some(other) = &audit.against {
        blocks.push(Block::Heading(format!("Agreement with {}", other.name)));
        for found in &audit.agreement {
            agreement(found, &mut blocks);
        }
        if audit.agreement.is_empty() {
            let message = "The two scorers have no attribute in common.";
            blocks.push(Block::Paragraph(message.to_owned()));
        }
    }
    blocks
}

fn made_of(audit: &Audit) -> String {
    let settings = &audit.settings;
    let mut text = format!(
        "Scorer: {}. A score of {} or more counts as a yes. Calibration in {} parts of equal width.",
        audit.scorer, settings.threshold, settings.bins
    );
    if settings.bootstrap.resamples > 0 {
        text.push_str(&format!(
            " In brackets: {:.0}% bootstrap intervals over texts, {} resamples, seed {}.",
            100.0 * settings.bootstrap.level,
            settings.bootstrap.resamples,
            settings.bootstrap.seed
        ));
    }
    if let Some(other) = &audit.against {
        text.push_str(&format!(" Compared with {other}."));
    }
    text
}

/// What the figures of a set are made of.
fn data(info: &Info, unscored: u64) -> String {
    let left_out = match unscored {
        0 => String::new(),
        count => format!(" {count} have no score and are left out."),
    };
    format!("Data: {} ({}).{left_out}", info.version, info.digest.short())
}

fn labelled(found: &LabelledAudit, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading(found.data.name.clone()));
    let unscored = found.attributes.iter().map(|one| one.unscored).max().unwrap_or(0);
    let mut text = data(&found.data, unscored);
    text.push_str(&format!(" A label of {} or more means yes.", found.label_threshold));
    if !found.not_given.is_empty() {
        let names: Vec<&str> = found.not_given.iter().map(|name| name.as_str()).collect();
        text.push_str(&format!(" The scorer does not give {}.", names.join(", ")));
    }
    blocks.push(Block::Paragraph(text));
    let caption = format!("Figures on {}", found.data.name);
    let columns = [
        "attribute",
        "texts",
        "labelled so",
        "called so",
        "AUC",
        "average precision",
        "precision",
        "recall",
        "Pearson",
        "Spearman",
        "calibration error",
        "Brier",
    ];
    let mut table = Table::new(caption, columns);
    for one in &found.attributes {
        let share = |count: u64| (one.texts > 0).then(|| count as f64 / one.texts as f64);
        table.push(vec![
            Cell::text(one.attribute.as_str()),
            Cell::count(one.texts),
            Cell::share(share(one.positives)),
            Cell::share(share(one.called)),
            Cell::estimate(one.auc.value, one.auc.interval),
            Cell::figure(one.average_precision),
            Cell::share(one.precision),
            Cell::share(one.recall),
            Cell::figure(one.quality.pearson),
            Cell::figure(one.quality.spearman),
            Cell::figure(Some(one.quality.calibration_error)),
            Cell::figure(Some(one.quality.brier)),
        ]);
    }
    if table.is_empty() {
        return;
    }
    blocks.push(Block::Table(table));
    let panels: Vec<Panel<'_>> = found
        .attributes
        .iter()
        .map(|one| Panel {
            title: one.attribute.as_str(),
            curves: vec![Curve { name: "scorer", bins: &one.quality.reliability }],
        })
        .collect();
    let description = format!("Reliability on {}", found.data.name);
    let axes = ("mean score", "mean label");
    blocks.push(Block::Picture(Picture {
        svg: reliability_panels(&description, axes, &panels, Ground::Page),
        caption: format!(
            "{description}: on the diagonal, scores mean what they say. A larger dot stands for more texts."
        ),
    }));
}

fn identities(found: &IdentityAudit, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading(found.data.name.clone()));
    blocks.push(Block::Paragraph(format!(
        "{} Attribute: {}. Area on all {} sentences: {}. Areas after Borkan et al. 2019. Low BPSN: an \
         identity's harmless sentences score like others' toxic ones. Low BNSP: its toxic sentences \
         score like others' harmless ones. The first row is the generalised mean over identities, \
         power −5.",
        data(&found.data, found.unscored),
        found.attribute,
        found.sentences,
        found.auc.map_or_else(|| "missing".to_owned(), |auc| format!("{auc:.4}")),
    )));
    let sum = |count: fn(&IdentityAreas) -> u64| found.identities.iter().map(count).sum();
    let names = ["identity", "toxic", "harmless", "subgroup AUC", "BPSN AUC", "BNSP AUC"];
    let caption = format!("Areas by identity on {}", found.data.name);
    let mut table = Table::new(caption, names).shortened(SHORT + 1);
    table.push(vec![
        Cell::text("generalised mean"),
        Cell::count(sum(|areas| areas.toxic)),
        Cell::count(sum(|areas| areas.harmless)),
        Cell::figure(found.means.subgroup),
        Cell::figure(found.means.bpsn),
        Cell::figure(found.means.bnsp),
    ]);
    let mut dots = Vec::new();
    for areas in &found.identities {
        let values = vec![areas.subgroup_auc, areas.bpsn_auc, areas.bnsp_auc];
        table.push(vec![
            Cell::text(areas.identity.as_str()),
            Cell::count(areas.toxic),
            Cell::count(areas.harmless),
            Cell::figure(areas.subgroup_auc),
            Cell::figure(areas.bpsn_auc),
            Cell::figure(areas.bnsp_auc),
        ]);
        dots.push(DotRow { name: &areas.identity, values });
    }
    blocks.push(Block::Table(table));
    let series = ["subgroup", "BPSN", "BNSP"];
    let title = format!("Areas by identity, {}", found.attribute);
    blocks.push(Block::Picture(Picture {
        svg: dot_chart(&title, &series, &dots, Ground::Page),
        caption: "The same areas, the worst identity first; 1 is the best that an area can be."
            .into(),
    }));
}

fn functional(found: &FunctionalAudit, threshold: f64, blocks: &mut Vec<Block>) {
    blocks.push(Block::Heading(found.data.name.clone()));
    blocks.push(Block::Paragraph(format!(
        "{} {} of {threshold} or more counts as hateful; {} of {} cases are decided rightly.",
        data(&found.data, found.unscored),
        found.attribute,
        found.right.map_or_else(|| "none".to_owned(), |share| format!("{:.1}%", 100.0 * share)),
        found.cases,
    )));
    let caption = format!("Areas on {}", found.data.name);
    let mut areas = Table::new(caption, ["attribute", "AUC"]);
    areas.push(vec![
        Cell::text(found.attribute.as_str()),
        Cell::estimate(found.auc.value, found.auc.interval),
    ]);
    for (attribute, area) in &found.by_attribute {
        if *attribute != found.attribute {
            areas.push(vec![Cell::text(attribute.as_str()), Cell::figure(*area)]);
        }
    }
    blocks.push(Block::Table(areas));
    let names = ["functionality", "people say", "cases", "called hateful", "decided rightly"];
    let caption = format!("Functionalities of {}, the worst first", found.data.name);
    let mut table = Table::new(caption, names).shortened(SHORT);
    for Functionality { name, hateful, cases, called, right, .. } in &found.functionalities {
        let called = (*cases > 0).then(|| *called as f64 / *cases as f64);
        table.push(vec![
            Cell::text(name.as_str()),
            Cell::text(if *hateful { "hateful" } else { "not hateful" }),
            Cell::count(*cases),
            Cell::share(called),
            Cell::bar(*right),
        ]);
    }
    blocks.push(Block::Table(table));
}

fn agreement(found: &Agreement, blocks: &mut Vec<Block>) {
    blocks.push(Block::Subheading(found.data.name.clone()));
    let columns = [
        "attribute",
        "texts",
        "scored by one alone",
        "mean",
        "other's mean",
        "Pearson",
        "Spearman",
        "same side",
    ];
    let mut table = Table::new(format!("Agreement on {}", found.data.name), columns);
    for one in &found.attributes {
        table.push(vec![
            Cell::text(one.attribute.as_str()),
            Cell::count(one.texts),
            Cell::count(one.scored_by_one),
            Cell::figure(Some(one.means.0)),
            Cell::figure(Some(one.means.1)),
            Cell::figure(one.pearson),
            Cell::figure(one.spearman),
            Cell::share(Some(one.same_side)),
        ]);
    }
    blocks.push(Block::Table(table));
    for one in &found.attributes {
        differences(one, &found.data.name, blocks);
    }
}

fn differences(one: &AttributeAgreement, data: &str, blocks: &mut Vec<Block>) {
    if one.differences.is_empty() {
        return;
    }
    let quoted = one.differences.iter().any(|difference| difference.text.is_some());
    let mut names = vec!["line", "text's digest", "score", "other's score"];
    names.extend(quoted.then_some("text"));
    let caption = format!("Where they differ most on {data}, {}", one.attribute);
    let mut table = Table::new(caption, names).of_prose();
    for difference in &one.differences {
        let mut row = vec![
            Cell::count(difference.line),
            Cell::text(difference.digest.short()),
            Cell::figure(Some(difference.scores.0)),
            Cell::figure(Some(difference.scores.1)),
        ];
        row.extend(difference.text.as_deref().map(Cell::text));
        table.push(row);
    }
    blocks.push(Block::Table(table));
}
