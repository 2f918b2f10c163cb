//! What there is to learn from: rows, checked and divided.

use std::collections::{BTreeMap, BTreeSet};

use detoxlm_core::distillation::{DistillationConfig, LabelledRow};
use detoxlm_core::{Attribute, Digest, ErrorKind, Event, Observer, Result};

use crate::error::error;

const OPERATION: &str = "read the rows";

/// Rows to train on and rows to measure on.
#[derive(Debug)]
pub(super) struct Material {
    /// In the order of the logits.
    pub(super) attributes: Vec<Attribute>,
    /// That of the scale first, the others by name.
    pub(super) sources: Vec<String>,
    pub(super) training: Vec<LabelledRow>,
    pub(super) held_out: Vec<LabelledRow>,
}

impl Material {
    /// Reads all rows, wherever they come from; blank texts, and rows that judge nothing that is
    /// learned, are left out.
    pub(super) fn read(
        rows: impl Iterator<Item = Result<LabelledRow>>,
        config: &DistillationConfig,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let all = rows.collect::<Result<Vec<_>>>()?;
        let names: BTreeSet<&str> = all.iter().map(|row| row.source.as_str()).collect();
        let scale = scale(config.scale.as_deref(), &names)?.to_owned();
        unknown_sources(config, &names)?;
        let mut sources = vec![scale.clone()];
        sources.extend(names.iter().filter(|&&name| name != scale).map(|&name| name.to_owned()));
        let attributes = attributes(&config.attributes, &all, &scale)?;

        let is_learned = |row: &LabelledRow| {
            !row.text.trim().is_empty() && row.values(&attributes).iter().any(Option::is_some)
        };
        let (rows, useless): (Vec<_>, Vec<_>) = all.into_iter().partition(is_learned);
        if !useless.is_empty() {
            let count = useless.len();
            let message = format!("{count} rows are blank or judge nothing that is learned");
            observer.observe(&Event::Warning { message: &message });
        }
        // By content alone, so that another seed, order or file measures on the same texts.
        let share = config.held_out;
        let kept_out: BTreeSet<String> = rows
            .iter()
            .filter(|row| row.source == scale)
            .map(LabelledRow::key)
            .filter(|key| Digest::of(key).position() < share)
            .collect();
        let (held_out, training): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| kept_out.contains(&row.key()));
        let held_out: Vec<_> = held_out.into_iter().filter(|row| row.source == scale).collect();
        if !training.iter().any(|row| row.source == scale) {
            let message = format!("no row of the source \"{scale}\" is left to train on");
            return Err(error(ErrorKind::Empty, OPERATION, message)
                .with_key("held_out")
                .with_remedy("give more rows, or hold fewer of them out"));
        }
        Ok(Self { attributes, sources, training, held_out })
    }

    /// Rows of each source.
    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for row in &self.training {
            *counts.entry(row.source.clone()).or_default() += 1;
        }
        counts
    }
}

/// The source whose scale is learned.
fn scale<'a>(wanted: Option<&str>, names: &BTreeSet<&'a str>) -> Result<&'a str> {
    let listed = || format!("the rows have {}", list(names.iter().copied()));
    let refuse = |kind, message: &'static str| error(kind, OPERATION, message).with_key("scale");
    match (wanted, names.len()) {
        (_, 0) => Err(error(ErrorKind::Empty, OPERATION, "there are no rows")),
        (None, 1) => Ok(names.first().copied().unwrap_or_default()),
        (None, _) => {
            let message = "there are several sources, and one scale is to be learned";
            Err(refuse(ErrorKind::InvalidConfig, message)
                .with_remedy(format!("name its source; {}", listed())))
        }
        (Some(wanted), _) => names.get(wanted).copied().ok_or_else(|| {
            refuse(ErrorKind::NotFound, "no row has this source").with_remedy(listed())
        }),
    }
}

fn unknown_sources(config: &DistillationConfig, names: &BTreeSet<&str>) -> Result<()> {
    match config.sources.keys().find(|name| !names.contains(name.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(error(ErrorKind::NotFound, OPERATION, "no row has this source")
            .with_key(format!("sources.{unknown}"))
            .with_remedy(format!("the rows have {}", list(names.iter().copied())))),
    }
}

/// What is learned: what is asked for, or all that the scale's source judges, the standard ones in
/// their order and then the others.
fn attributes(wanted: &[Attribute], rows: &[LabelledRow], scale: &str) -> Result<Vec<Attribute>> {
    let of_scale = rows.iter().filter(|row| row.source == scale);
    let judged: BTreeSet<&Attribute> =
        of_scale.flat_map(|row| row.scores.iter().map(|(attribute, _)| attribute)).collect();
    if let Some(missing) = wanted.iter().find(|attribute| !judged.contains(attribute)) {
        let judged = list(judged.iter().map(|attribute| attribute.as_str()));
        return Err(error(
            ErrorKind::NotFound,
            OPERATION,
            format!("the source \"{scale}\" never judges {missing}"),
        )
        .with_key("attributes")
        .with_remedy(format!("it judges {judged}")));
    }
    if !wanted.is_empty() {
        return Ok(wanted.to_vec());
    }
    let standard = Attribute::STANDARD.into_iter().filter(|attribute| judged.contains(attribute));
    let others = judged.iter().filter(|attribute| !Attribute::STANDARD.contains(attribute));
    Ok(standard.chain(others.map(|&attribute| attribute.clone())).collect())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use detoxlm_core::Scores;

    use super::*;

    #[derive(Debug, Default)]
    struct Warnings(Mutex<Vec<String>>);

    impl Observer for Warnings {
        fn observe(&self, event: &Event<'_>) {
            if let Event::Warning { message } = event {
                self.0.lock().unwrap().push((*message).to_owned());
            }
        }
    }

    fn row(text: &str, attribute: &Attribute, source: &str) -> LabelledRow {
        let scores = Scores::new([(attribute.clone(), 0.5)]).unwrap();
        LabelledRow::new(text, scores, source)
    }

    /// A hundred texts that two sources judge, an attribute that only one of them has, and a blank.
    fn rows() -> Vec<LabelledRow> {
        let mut rows = vec![row(" \n", &Attribute::TOXICITY, "main")];
        for at in 0..100 {
            let text = format!("text {at}");
            rows.push(row(&text, &Attribute::TOXICITY, "main"));
            rows.push(row(&text.to_uppercase(), &Attribute::TOXICITY, "other"));
            rows.push(row(&text, &Attribute::THREAT, "other"));
        }
        rows.push(row("x", &"OWN".parse().unwrap(), "main"));
        rows.push(row("x", &Attribute::INSULT, "main"));
        rows
    }

    fn read(rows: Vec<LabelledRow>) -> (Material, Vec<String>) {
        let config = DistillationConfig {
            scale: Some("main".to_owned()),
            held_out: 0.3,
            ..DistillationConfig::default()
        };
        let observer = Warnings::default();
        let material = Material::read(rows.into_iter().map(Ok), &config, &observer).unwrap();
        (material, observer.0.into_inner().unwrap())
    }

    #[test]
    fn no_source_trains_on_a_text_that_is_measured_on() {
        let (material, warnings) = read(rows());
        let keys: BTreeSet<String> = material.held_out.iter().map(LabelledRow::key).collect();
        assert!((15..45).contains(&keys.len()), "{}", keys.len());
        assert!(material.held_out.iter().all(|row| row.source == "main"));
        assert!(material.training.iter().all(|row| !keys.contains(&row.key())));
        // The blank one, and what nobody asks for: the scale has no THREAT.
        assert_eq!(warnings, ["101 rows are blank or judge nothing that is learned"]);
        let own: Attribute = "OWN".parse().unwrap();
        assert_eq!(material.attributes, [Attribute::TOXICITY, Attribute::INSULT, own]);
        assert_eq!(material.sources, ["main", "other"]);
    }

    #[test]
    fn which_texts_are_held_out_does_not_depend_on_their_order() {
        let keys = |rows: Vec<LabelledRow>| -> BTreeSet<String> {
            read(rows).0.held_out.iter().map(LabelledRow::key).collect()
        };
        assert_eq!(keys(rows()), keys(rows().into_iter().rev().collect()));
    }
}
