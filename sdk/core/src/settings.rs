//! Settings that a directory was made with: written once, compared ever after.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::files::{read_json, write_json};
use crate::{Error, ErrorKind, Result};

/// Writes `settings` to `path`, or, when the file is there, checks that it says the same.
///
/// # Errors
/// When the file cannot be read or written, or says something else: the keys that differ are named.
pub(crate) fn write_or_compare(
    component: &'static str,
    path: &Path,
    settings: &impl Serialize,
) -> Result<()> {
    let operation = "go on with an earlier run";
    let current = as_it_reads(settings).map_err(|e| {
        Error::new(ErrorKind::Internal, component, operation, e.to_string()).with_source(e)
    })?;
    if !path.is_file() {
        return write_json(path, &current);
    }
    let earlier: Value = read_json(path)?;
    let differences = differences(&earlier, &current);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        component,
        operation,
        format!("it was made with other settings: {}", differences.join("; ")),
    )
    .with_path(path)
    .with_remedy("use the same settings, or another directory"))
}

/// A value as its text reads: `to_value` would widen an f32 of 0.9 to 0.8999999761581421.
pub(crate) fn as_it_reads(value: &impl Serialize) -> serde_json::Result<Value> {
    serde_json::from_str(&serde_json::to_string(value)?)
}

/// Which keys differ, as `a.b: 1 before, 2 now`.
pub(crate) fn differences(before: &Value, now: &Value) -> Vec<String> {
    differing_keys(before, now)
        .into_iter()
        .map(|Difference { key, before, now }| format!("`{key}`: {before} before, {now} now"))
        .collect()
}

/// A key of two values, as JSON; one that a side lacks is `not set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// As `a.b`.
    pub(crate) key: String,
    pub(crate) before: String,
    pub(crate) now: String,
}

/// Which keys differ.
pub(crate) fn differing_keys(before: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    collect("", before, now, &mut found);
    found
}

fn collect(path: &str, before: &Value, now: &Value, found: &mut Vec<Difference>) {
    if let (Value::Object(before), Value::Object(now)) = (before, now) {
        let added = now.keys().filter(|key| !before.contains_key(*key));
        for key in before.keys().chain(added) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let null = Value::Null;
            collect(&path, before.get(key).unwrap_or(&null), now.get(key).unwrap_or(&null), found);
        }
    } else if before != now {
        let shown = |value: &Value| match value {
            Value::Null => "not set".to_owned(),
            other => other.to_string(),
        };
        found.push(Difference { key: path.to_owned(), before: shown(before), now: shown(now) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn floats_are_stated_as_they_read() {
        assert_eq!(as_it_reads(&0.9_f32).unwrap().to_string(), "0.9");
    }

    #[test]
    fn differing_keys_are_named_with_both_values() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.json");
        let first = json!({"seed": 1, "sampling": {"top_p": 0.9, "top_k": 5}});
        write_or_compare("test", &path, &first).unwrap();
        write_or_compare("test", &path, &first).unwrap();
        let second = json!({"seed": 2, "sampling": {"top_p": 0.9}});
        let error = write_or_compare("test", &path, &second).unwrap_err().to_string();
        assert!(error.contains("`seed`: 1 before, 2 now"), "{error}");
        assert!(error.contains("`sampling.top_k`: 5 before, not set now"), "{error}");
        assert!(!error.contains("top_p"), "{error}");
    }
}
