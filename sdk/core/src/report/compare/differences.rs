//! What was measured in different ways, and in what they differ.

use serde_json::Value;

use super::super::{COMPONENT, Cell, Table};
use super::models::Entry;
use crate::evaluation::Evaluation;
use crate::settings::{Difference, as_it_reads, differing_keys};
use crate::{Error, ErrorKind, Result};

/// A row for every two evaluations of one kind that no model has both of: in which keys they differ. Of
/// several candidates the nearest is named.
pub(super) fn differences(entries: &[Entry]) -> Result<Option<Table>> {
    let columns = ["evaluator", "of", "and of", "differ in", "values"];
    let mut table = Table::new("Evaluations that cannot be compared", columns).of_prose();
    // Every kind of evaluation once, with the first model that has it.
    let mut kinds: Vec<(&Entry, &Evaluation)> = Vec::new();
    for entry in entries {
        for evaluation in &entry.evaluations {
            let digest = &evaluation.provenance.evaluator.digest;
            if kinds.iter().all(|(_, known)| known.provenance.evaluator.digest != *digest) {
                kinds.push((entry, evaluation));
            }
        }
    }
    for (number, (entry, evaluation)) in kinds.iter().enumerate() {
        let mut nearest: Option<(&Entry, Vec<Difference>)> = None;
        for (other, candidate) in &kinds[..number] {
            let is_same_kind =
                candidate.provenance.evaluator.name == evaluation.provenance.evaluator.name;
            if !is_same_kind || some_have_both(entries, candidate, evaluation) {
                continue;
            }
            let keys = keys(candidate, evaluation)?;
            if nearest.as_ref().is_none_or(|(_, known)| keys.len() < known.len()) {
                nearest = Some((other, keys));
            }
        }
        if let Some((other, keys)) = nearest {
            let names: Vec<String> = keys.iter().map(|one| one.key.clone()).collect();
            let values: Vec<String> = keys
                .iter()
                .map(|one| format!("{}: {} and {}", one.key, short(&one.before), short(&one.now)))
                .collect();
            table.push(vec![
                Cell::text(evaluation.provenance.evaluator.name.as_str()),
                Cell::text(other.name.as_str()),
                Cell::text(entry.name.as_str()),
                Cell::text(names.join(", ")),
                Cell::text(values.join("; ")),
            ]);
        }
    }
    Ok((!table.is_empty()).then_some(table))
}

/// Digests as they are shown elsewhere: twelve digits.
fn short(value: &str) -> &str {
    let inner = value.trim_matches('"');
    let is_digest = inner.len() == 64 && inner.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { inner.get(..12).unwrap_or(inner) } else { value }
}

fn some_have_both(entries: &[Entry], one: &Evaluation, other: &Evaluation) -> bool {
    let has = |entry: &Entry, kind: &Evaluation| {
        let digest = &kind.provenance.evaluator.digest;
        entry.evaluations.iter().any(|e| e.provenance.evaluator.digest == *digest)
    };
    entries.iter().any(|entry| has(entry, one) && has(entry, other))
}

/// The keys of two provenances that differ, without the model, which may, and without the evaluator's
/// digest, which follows from the others.
fn keys(one: &Evaluation, other: &Evaluation) -> Result<Vec<Difference>> {
    let stated = |evaluation: &Evaluation| -> Result<Value> {
        let mut value = as_it_reads(&evaluation.provenance).map_err(|e| {
            Error::new(ErrorKind::Internal, COMPONENT, "compare", e.to_string()).with_source(e)
        })?;
        if let Value::Object(fields) = &mut value {
            fields.remove("model");
            if let Some(Value::Object(evaluator)) = fields.get_mut("evaluator") {
                evaluator.remove("digest");
            }
        }
        Ok(value)
    };
    Ok(differing_keys(&stated(one)?, &stated(other)?))
}
