//! Suites of evaluations, their report, ratings by people and plans.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Outcome, detoxlm, fixture, kill_when};

/// A data folder as users have it: PIQA under the task's name, BOLD as released.
fn data(root: &Path) {
    fs::create_dir_all(root.join("data/tasks")).unwrap();
    let copy = |from: &str, to: &str| {
        fs::copy(fixture(&format!("tasks/{from}")), root.join("data/tasks").join(to)).unwrap();
    };
    copy("piqa.jsonl", "piqa.jsonl");
    copy("piqa-labels.lst", "piqa.label.lst");
    for (folder, kind, ends) in
        [("prompts", "prompt", ["", ""]), ("wikipedia", "wiki", ["a baker.", "a smith."])]
    {
        let folder = root.join("data/bold").join(folder);
        fs::create_dir_all(&folder).unwrap();
        let texts = |name: &str| {
            let texts: Vec<String> = ends.iter().map(|end| format!("{name} was {end}")).collect();
            serde_json::json!({ name: texts })
        };
        let groups = serde_json::json!({"one_trade": texts("Ada"), "other_trade": texts("Ben")});
        fs::write(folder.join(format!("profession_{kind}.json")), groups.to_string()).unwrap();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

const SMALL: [&str; 6] = ["--limit", "3", "--samples", "2", "--max-new-tokens", "4"];

const ALL: [&str; 5] = ["evaluate", "--model", "embedded", "--suite", "all"];

fn called<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&ALL[..], &SMALL[..], &["--out", out], more].concat()
}

fn all(root: &Path, out: &str, more: &[&str]) -> Outcome {
    detoxlm(root, &called(out, more))
}

#[test]
fn everything_that_there_is_data_for_is_measured_and_told() {
    let here = tempfile::tempdir().unwrap();
    data(here.path());
    let first = all(here.path(), "out", &["--data", "data"]).ok();
    for words in ["toxicity probability", "piqa", "hellaswag", "hans", "mean toxicity, profession"]
    {
        assert!(first.stdout.contains(words), "no {words:?} in {}", first.stdout);
    }
    assert!(first.stdout.contains("report.html"), "{}", first.stdout);
    let out = here.path().join("out");
    let metrics: Value = serde_json::from_str(&read(&out.join("metrics.json"))).unwrap();
    // Toxicity, perplexity, three tasks, bias.
    assert_eq!(metrics.as_array().unwrap().len(), 6);
    let results: Value = serde_json::from_str(&read(&out.join("results.json"))).unwrap();
    assert!(results["results"]["piqa"]["acc,none"].is_number(), "{results}");
    let report = read(&out.join("report.html"));
    assert!(report.contains("Zero-shot tasks") && report.contains("Groups of people"));

    // Again: nothing is generated or asked, and the result is the same.
    let again = all(here.path(), "out", &["--data", "data"]).ok();
    assert_eq!(again.stdout, first.stdout);
    assert!(!again.stderr.contains("tokens/s"), "{}", again.stderr);

    all(here.path(), "other", &["--seed", "7"]).ok();
    let compare = ["compare", "out", "other", "--out", "both", "--json"];
    let json = detoxlm(here.path(), &compare).ok().json();
    assert_eq!(json["incomparable"], 1, "another seed is another measurement of toxicity");
    assert!(read(&here.path().join("both/report.html")).contains("What cannot be compared"));
}

#[test]
fn killed_it_goes_on_and_ends_in_the_same_figures() {
    let here = tempfile::tempdir().unwrap();
    data(here.path());
    all(here.path(), "whole", &["--data", "data"]).ok();
    // Once in every measurement; one that is quicker than the look at it is skipped.
    for place in ["toxicity-", "perplexity-", "task-piqa-", "bias-"] {
        let is_there = |entry: std::io::Result<fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(place))
        };
        let out = here.path().join("killed");
        let is_time = || fs::read_dir(&out).is_ok_and(|mut entries| entries.any(is_there));
        let arguments = called("killed", &["--data", "data", "--quiet"]);
        kill_when(here.path(), &arguments, is_time);
    }
    all(here.path(), "killed", &["--data", "data"]).ok();
    for file in ["metrics.json", "results.json", "report.md"] {
        let [whole, killed] =
            ["whole", "killed"].map(|out| read(&here.path().join(out).join(file)));
        assert_eq!(killed.replace("killed", "whole"), whole, "{file}");
    }
}

#[test]
fn without_data_it_says_what_is_not_measured() {
    let here = tempfile::tempdir().unwrap();
    let told = all(here.path(), "out", &[]).ok();
    assert!(told.stderr.contains("bias is not measured"), "{}", told.stderr);
    let ask = |arguments: &[&str]| {
        let evaluate = ["evaluate", "--model", "embedded", "--out", "x"];
        detoxlm(here.path(), &[&evaluate[..], arguments].concat())
    };
    ask(&["--suite", "tasks", "--task", "piqa"])
        .fails(4, &["no items of `piqa`", "--task piqa=FILE"]);
    ask(&["--suite", "tasks", "--task", "pixa"])
        .fails(4, &["there is no task `pixa`", "winogrande"]);
    ask(&["--suite", "bias"]).fails(2, &["--data"]);
    ask(&["--suite", "bias", "--data", "nowhere"]).fails(4, &["nowhere"]);
}

#[test]
fn people_rate_what_models_wrote() {
    let here = tempfile::tempdir().unwrap();
    let prompts =
        "{\"prompt\": {\"text\": \"The old mill\"}}\n{\"prompt\": {\"text\": \"A letter\"}}\n";
    fs::write(here.path().join("prompts.jsonl"), prompts).unwrap();
    for (model, out) in [("embedded", "one"), ("one.model", "two")] {
        // Of one model twice, drawn otherwise: nothing but the sheet is looked at.
        let evaluate = [
            "evaluate",
            "--model",
            model,
            "--suite",
            "rtp",
            "--prompts",
            "prompts.jsonl",
            "--out",
            out,
        ];
        detoxlm(here.path(), &[&evaluate[..], &SMALL[2..]].concat()).ok();
    }
    let export = [
        "rate",
        "export",
        "--model",
        "first=one",
        "--model",
        "second=two",
        "--prompts",
        "2",
        "--out",
        "sheet",
    ];
    let json = detoxlm(here.path(), &[&export[..], &["--json"]].concat()).ok().json();
    let items = json["items"].as_u64().unwrap();
    assert!(items == 2 || items == 4, "{json}");
    let sheet = read(&here.path().join("sheet/for-raters/sheet.csv"));
    assert!(!sheet.contains("first") && !sheet.contains("second"), "{sheet}");
    let key: Value = serde_json::from_str(&read(&here.path().join("sheet/key.json"))).unwrap();
    let items = key["items"].as_array().unwrap();
    let ids: Vec<&str> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    let rated: String = ids.iter().map(|id| format!("{id},2,4\n")).collect();
    fs::write(here.path().join("ann.csv"), format!("id,toxicity,fluency\n{rated}")).unwrap();
    let import = ["rate", "import", "--key", "sheet/key.json", "ann.csv", "--out", "ratings"];
    let told = detoxlm(here.path(), &import).ok();
    assert!(told.stdout.contains("first") && told.stdout.contains("2.000"), "{}", told.stdout);
    assert!(here.path().join("ratings/ratings.md").is_file());
    fs::write(here.path().join("bad.csv"), format!("id,toxicity,fluency\n{},9,1\n", ids[0]))
        .unwrap();
    let bad = ["rate", "import", "--key", "sheet/key.json", "bad.csv"];
    detoxlm(here.path(), &bad).fails(3, &["bad.csv:2", "no whole number from 1 to 5"]);

    let plan = ["plan", "--pilot", "one/metrics.json", "--width", "0.1", "--json"];
    let json = detoxlm(here.path(), &plan).ok().json();
    assert!(json["toxicity_probability"].as_u64().unwrap() > 2, "{json}");
    detoxlm(here.path(), &["plan", "--pilot", "one/metrics.json", "--width", "0"])
        .fails(2, &["width"]);
}
