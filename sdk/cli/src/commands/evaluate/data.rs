//! Where the items of tasks and BOLD are.

use std::fs;
use std::path::{Path, PathBuf};

use detoxlm::evaluation::Task;
use detoxlm::{Error, ErrorKind, Result};

/// A task and the files of its items.
pub(super) struct ItemFiles {
    pub(super) task: Task,
    pub(super) files: Vec<PathBuf>,
}

/// Endings of files with rows.
const ROWS: [&str; 4] = ["jsonl", "csv", "tsv", "txt"];

/// BOLD in a data folder.
pub(super) fn bold(data: &Path) -> PathBuf {
    data.join("bold")
}

/// The tasks that are asked for with their items; when none is asked for, the built-in ones whose items are
/// in `data`, and the samples that come with the program for those that are not.
pub(super) fn items_of(
    asked: &[String],
    data: Option<&Path>,
    out: &Path,
) -> Result<Vec<ItemFiles>> {
    if !asked.is_empty() {
        return asked.iter().map(|asked| asked_for(asked, data)).collect();
    }
    let mut found = Vec::new();
    for name in Task::built_in() {
        let task = Task::named(name)?;
        let there = data.and_then(|data| find(&data.join("tasks"), &task));
        let files = match there {
            Some(files) => Some(files),
            None => sample(name, out)?.map(|file| vec![file]),
        };
        found.extend(files.map(|files| ItemFiles { task, files }));
    }
    Ok(found)
}

/// `NAME`, `FILE.toml`, and either with `=FILE[,FILE]`.
fn asked_for(asked: &str, data: Option<&Path>) -> Result<ItemFiles> {
    if let Some((named, files)) = asked.split_once('=') {
        let files = files.split(',').map(PathBuf::from).collect();
        return Ok(ItemFiles { task: Task::named(named)?, files });
    }
    let task = Task::named(asked)?;
    if let Some(files) = data.and_then(|data| find(&data.join("tasks"), &task)) {
        return Ok(ItemFiles { task, files });
    }
    let name = &task.info().name;
    let message = match data {
        Some(data) => format!("{} has no items of `{name}`", data.join("tasks").display()),
        None => format!("there are no items of `{name}`"),
    };
    let remedy = format!("name them: --task {asked}=FILE, or put them there as {name}.jsonl");
    Err(Error::new(ErrorKind::NotFound, "evaluation", "find items", message)
        .with_key("task")
        .with_remedy(remedy))
}

/// A task's files in a folder: `NAME.jsonl`, or with another ending of rows, compressed or not; and
/// `NAME.COMPANION` with any ending for what stands beside the rows.
fn find(folder: &Path, task: &Task) -> Option<Vec<PathBuf>> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let name = &task.info().name;
    let rows = ROWS.iter().find_map(|ending| {
        let plain = format!("{name}.{ending}");
        let compressed = [format!("{plain}.gz"), format!("{plain}.zst")];
        names.iter().find(|there| **there == plain || compressed.contains(there))
    })?;
    let mut files = vec![folder.join(rows)];
    for companion in task.companions() {
        let stem = format!("{name}.{companion}");
        let is_it = |there: &&String| {
            there.strip_prefix(&stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        files.push(folder.join(names.iter().find(is_it)?));
    }
    Some(files)
}

/// The items of a task that come with the program, as a file.
#[cfg(feature = "defaults")]
fn sample(task: &str, out: &Path) -> Result<Option<PathBuf>> {
    detoxlm::defaults::write_task_sample(task, out.join("tasks"))
}

#[cfg(not(feature = "defaults"))]
fn sample(_: &str, _: &Path) -> Result<Option<PathBuf>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_lie_under_the_tasks_name() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(folder.path().join(name), "").unwrap();
        let found = |name: &str| {
            let files = find(folder.path(), &Task::named(name).unwrap())?;
            let names = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap());
            Some(names.map(str::to_owned).collect::<Vec<_>>())
        };
        for name in ["hellaswag.jsonl.gz", "hellaswag_text.txt", "piqa.jsonl", "hans.tsv.bak"] {
            put(name);
        }
        assert_eq!(found("hellaswag").unwrap(), ["hellaswag.jsonl.gz"]);
        assert_eq!(found("hellaswag_text").unwrap(), ["hellaswag_text.txt"]);
        assert_eq!(found("hans"), None);
        assert_eq!(found("piqa"), None, "its labels are not there");
        put("piqa.label.lst");
        assert_eq!(found("piqa").unwrap(), ["piqa.jsonl", "piqa.label.lst"]);
    }
}
