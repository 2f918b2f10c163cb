//! Auditing a scorer: tables in, a report out.

use std::fs;
use std::path::Path;

use crate::support::{detoxlm, fixture};

const TESTS: &str = r#"
[[labelled]]
name = "comments"
file = "comments.csv"
text = "comment"
labels = { TOXICITY = "toxic" }

[[labelled]]
name = "stored scores"
file = "stored.jsonl"
scores = "scores"
where = { version = "2020" }

[[identities]]
file = "templates.csv"

[[hatecheck]]
file = "cases.csv"
"#;

fn write(here: &Path, name: &str, content: &str) {
    fs::write(here.join(name), content).unwrap();
}

/// Mild stand-ins in the published formats.
fn data(here: &Path) {
    write(here, "tests.toml", TESTS);
    let comments = "comment,toxic\nwhat a lovely day,0\n\"you are a stupid, stupid idiot\",1\n\
                    thanks for the help,0\nshut up you fool,1\n,1\n";
    write(here, "comments.csv", comments);
    let row = |text: &str, version: &str, value: f64| {
        format!(
            "{{\"text\":\"{text}\",\"version\":\"{version}\",\"scores\":{{\"toxicity\":{value}}}}}\n"
        )
    };
    let stored = [
        row("you idiot", "2020", 0.9),
        row("good morning", "2020", 0.1),
        row("you idiot", "rescored", 0.6),
    ];
    write(here, "stored.jsonl", &stored.concat());
    let templates = "template,toxicity,phrase\nverb_adj,nontoxic,hug old\nverb_adj,toxic,hate old\n\
                     verb_adj,nontoxic,hug young\nverb_adj,toxic,hate young\n\
                     being,nontoxic,a deaf friend\n";
    write(here, "templates.csv", templates);
    let cases = ",functionality,case_id,test_case,label_gold\n0,slur_h,1,I hate them,hateful\n\
                 1,ident_nh,2,I love them,non-hateful\n";
    write(here, "cases.csv", cases);
}

#[test]
fn two_scorers_are_audited_and_compared_on_published_formats() {
    let here = tempfile::tempdir().unwrap();
    data(here.path());
    let scorer = format!("onnx:{}", fixture("classifier/bag"));
    let arguments = [
        "audit",
        "tests.toml",
        "--scorer",
        &scorer,
        "--against",
        "profanity-check",
        "--out",
        "audits/bag",
        "--json",
    ];
    let json = detoxlm(here.path(), &arguments).ok().json();
    let audit = &json["audit"];
    let comments = &audit["labelled"][0]["attributes"][0];
    assert_eq!(
        (&comments["texts"], &comments["unscored"]),
        (&4.into(), &1.into()),
        "blank is no 0"
    );
    assert_eq!(comments["auc"]["value"], 1.0, "{comments}");
    assert_eq!(audit["labelled"][1]["attributes"][0]["texts"], 2, "one version alone");
    let identities = audit["identities"][0]["identities"].as_array().unwrap();
    let names: Vec<_> = identities.iter().map(|one| one["identity"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"old") && names.contains(&"young"), "{names:?}");
    let cases = &audit["functional"][0];
    assert_eq!(cases["functionalities"].as_array().unwrap().len(), 2);
    assert_eq!(audit["agreement"].as_array().unwrap().len(), 4);
    assert!(!audit.to_string().contains("stupid"), "texts are quoted when asked only");

    let folder = here.path().join("audits/bag");
    let stored: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.join("audit.json")).unwrap()).unwrap();
    assert_eq!(&stored, audit);
    let html = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(html.contains("<svg") && html.contains("comments") && !html.contains("<script"));
    let markdown = fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(markdown.contains("| TOXICITY | 4 |"), "{markdown}");
    let quoted = [&arguments[..8], &["--quote"]].concat();
    let shown = detoxlm(here.path(), &quoted).ok().stdout;
    assert!(shown.contains("report.html"), "{shown}");
    assert!(fs::read_to_string(folder.join("report.md")).unwrap().contains("idiot"));
}

#[test]
fn what_is_wrong_with_a_table_is_told_with_its_place_before_anything_is_scored() {
    let here = tempfile::tempdir().unwrap();
    let fails = |code: i32, words: &[&str]| {
        let arguments = ["audit", "tests.toml", "--scorer", "profanity-check", "--out", "out"];
        detoxlm(here.path(), &arguments).fails(code, words);
        assert!(!here.path().join("out").exists());
    };
    fails(4, &["tests.toml"]);
    write(here.path(), "tests.toml", "");
    fails(2, &["tests.toml", "[[labelled]]"]);
    write(here.path(), "tests.toml", "[[labelled]]\nfile = 'a.csv'\nlabel = 'x'\n");
    fails(2, &["tests.toml:3", "`label`", "`labels`"]);
    write(here.path(), "tests.toml", "[[hatecheck]]\nname = 'x'\n");
    fails(2, &["tests.toml", "`file`"]);

    data(here.path());
    write(here.path(), "comments.csv", "comment,toxic\nkind,0\nrude,perhaps\n");
    fails(3, &["comments.csv:3", "`toxic`", "\"perhaps\" is no number", "positive"]);
    write(here.path(), "comments.csv", "comment,toxic\nkind,0\nrude\n");
    fails(3, &["comments.csv:3", "1 cells under 2 names", "help:"]);
    write(here.path(), "comments.csv", "remark,toxic\nkind,0\n");
    fails(3, &["comments.csv:2", "`comment`", "its fields are remark, toxic"]);
    fs::write(here.path().join("comments.csv"), b"comment,toxic\n\xFF,0\n").unwrap();
    fails(3, &["comments.csv:2", "not UTF-8"]);
    data(here.path());
    write(here.path(), "tests.toml", &TESTS.replace("where = { version = \"2020\" }\n", ""));
    fails(3, &["stored.jsonl", "version=2020 (2), version=rescored (1)", "where version="]);
    write(here.path(), "tests.toml", &TESTS.replace("\"2020\"", "\"2019\""));
    fails(3, &["stored.jsonl", "version=2020 (2)"]);
}

#[test]
fn data_may_lie_elsewhere_than_the_file_that_names_it() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("sets")).unwrap();
    data(&here.path().join("sets"));
    fs::rename(here.path().join("sets/tests.toml"), here.path().join("tests.toml")).unwrap();
    let arguments = ["audit", "tests.toml", "--scorer", "profanity-check", "--out", "out"];
    detoxlm(here.path(), &arguments).fails(4, &["comments.csv"]);
    let outcome = detoxlm(here.path(), &[&arguments[..], &["--data", "sets"]].concat()).ok();
    assert!(outcome.stdout.contains("TOXICITY AUC"), "{outcome:?}");
}
