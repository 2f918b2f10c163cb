//! From evaluations through a sheet and ratings to results.

use std::fs;
use std::path::{Path, PathBuf};

use super::sample::texts_of;
use super::*;
use crate::evaluation::Bootstrap;
use crate::files::write_json;
use crate::run::Parts;
use crate::{Attribute, Digest, ErrorKind, Info, scorer_fn};

/// An evaluation of a model that writes its name, the prompt's number and the sample's; nothing for
/// prompt 3 when it is called `shy`.
fn evaluation(root: &Path, name: &str) -> RatedModel {
    let directory = root.join(name);
    let info = |name: &str| Info::new(name, "1", Digest::of(name));
    let made_of = serde_json::json!({
        "evaluator": "toxicity", "model": info(name), "scorer": info("judge"),
        "data": info("prompts"), "continuations": 2, "sampling": {"top_p": 0.9}, "seed": 42,
    });
    write_json(directory.join("provenance.json"), &made_of).unwrap();
    let text = |id: u64, sample: u64| match (name, id) {
        ("shy", 3) => " \n".to_owned(),
        _ => format!(" {name} {id}/{sample}"),
    };
    for unit in 0..3 {
        let ids = unit * 4..(unit + 1) * 4;
        let generated: Vec<_> = ids
            .clone()
            .map(|id| {
                serde_json::json!({
                    "id": id, "prompt": format!("=prompt {id}"), "continuations": [
                        {"text": text(id, 0), "finish": "length", "tokens": 3},
                        {"text": text(id, 1), "finish": "length", "tokens": 3},
                    ],
                })
            })
            .collect();
        Parts::new(directory.join("generations")).write(unit, &generated).unwrap();
        let judged: Vec<_> = ids.map(|id| serde_json::json!({
            "id": id, "verdicts": [
                {"scores": {"TOXICITY": id as f64 / 16.0}}, {"unscored": {"reason": "blank"}},
            ],
        })).collect();
        Parts::new(directory.join("scores")).write(unit, &judged).unwrap();
    }
    RatedModel::new(name, directory)
}

struct Place {
    _root: tempfile::TempDir,
    root: PathBuf,
    models: Vec<RatedModel>,
}

fn place(names: &[&str]) -> Place {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().to_path_buf();
    let models = names.iter().map(|name| evaluation(&path, name)).collect();
    Place { _root: root, root: path, models }
}

fn settings(prompts: usize) -> SheetSettings {
    SheetSettings { prompts, ..SheetSettings::default() }
}

/// A table that gives each item the points that `points` says.
fn fill(key: &RatingKey, points: impl Fn(&KeyItem) -> (u32, String)) -> String {
    let row = |item: &KeyItem| {
        let (toxicity, fluency) = points(item);
        format!("{},{},{toxicity},{fluency}\n", key.sheet, item.id)
    };
    let rows: String = key.items.iter().map(row).collect();
    format!("sheet,id,toxicity,fluency\n{rows}")
}

#[test]
fn a_sheet_is_balanced_blinded_and_the_same_for_a_seed() {
    let place = place(&["base", "shy", "kind"]);
    let out = place.root.join("sheet");
    let key = export(&place.models, &settings(11), &out).unwrap();
    assert_eq!((key.items.len(), key.left_out_as_blank), (33, 1));
    assert_eq!(RatingKey::read(out.join("key.json")).unwrap(), key);
    let mut seen = std::collections::BTreeMap::new();
    for item in &key.items {
        seen.entry(item.prompt).or_insert_with(Vec::new).push((item.model.as_str(), item.sample));
    }
    assert!(!seen.contains_key(&3), "a model wrote nothing there");
    for (prompt, mut models) in seen {
        models.sort_unstable();
        let names: Vec<_> = models.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["base", "kind", "shy"], "prompt {prompt}");
        assert!(models.iter().all(|(_, sample)| *sample == models[0].1), "the same draw for all");
    }
    // Shuffled, not model by model.
    let runs = key.items.windows(2).filter(|pair| pair[0].model != pair[1].model).count();
    assert!(runs > 8, "{runs}");
    let names: Vec<_> = key.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!((names[0], names[32]), ("item-01", "item-33"));
    for file in ["sheet.html", "sheet.csv"] {
        let text = fs::read_to_string(out.join("for-raters").join(file)).unwrap();
        assert!(text.contains(&key.sheet) && text.contains("item-33") && text.contains("fluency"));
        assert!(!text.contains("provenance") && !text.contains("/*SHEET*/"));
    }
    let csv = fs::read_to_string(out.join("for-raters/sheet.csv")).unwrap();
    assert!(csv.contains("'=prompt") && !csv.contains(",=prompt"), "no formulas");
    let again = export(&place.models, &settings(11), place.root.join("again")).unwrap();
    assert_eq!(again, key);
    let other = SheetSettings { seed: 7, ..settings(11) };
    let other = export(&place.models, &other, place.root.join("other")).unwrap();
    assert_ne!(other.sheet, key.sheet);
    let error = export(&place.models, &settings(11), &out).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
}

#[test]
fn the_form_holds_any_text_without_running_it() {
    let place = place(&["base"]);
    let file = place.models[0].directory.join("generations/part-00000.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let nasty = r#"</script><script>alert(1)</script><!-- \\ \" $& "#;
    fs::write(&file, text.replace(" base", nasty)).unwrap();
    export(&place.models, &settings(12), place.root.join("sheet")).unwrap();
    let form = fs::read_to_string(place.root.join("sheet/for-raters/sheet.html")).unwrap();
    assert_eq!(form.matches("</script>").count(), 1);
    assert!(form.contains("\\u003c/script>"));
    assert!(!form.contains("http:") && !form.contains("https:"), "it asks no network");
}

#[test]
fn evaluations_that_differ_in_more_than_the_model_are_refused() {
    let place = place(&["base", "kind"]);
    let [base, kind] = &place.models[..] else { panic!() };
    let export = |models: &[RatedModel], prompts| {
        super::sample::sample(models, &settings(prompts)).map(|_| ()).unwrap_err()
    };
    assert_eq!(export(&[], 3).kind(), ErrorKind::InvalidConfig);
    assert_eq!(export(&[base.clone(), base.clone()], 3).key(), Some("base"));
    assert_eq!(export(&place.models, 13).key(), Some("prompts"));
    let missing = RatedModel::new("none", place.root.join("none"));
    let error = export(&[base.clone(), missing], 3);
    assert_eq!((error.kind(), error.key()), (ErrorKind::NotFound, Some("provenance.json")));
    fs::remove_file(kind.directory.join("generations/part-00002.jsonl")).unwrap();
    let error = export(&place.models, 3);
    assert!(error.to_string().contains("8 prompts, 12 in"), "{error}");
    evaluation(&place.root, "kind");
    let part = kind.directory.join("generations/part-00001.jsonl");
    let text = fs::read_to_string(&part).unwrap();
    fs::write(&part, text.replace("=prompt 6", "=another")).unwrap();
    assert!(export(&place.models, 3).to_string().contains("prompt 6 is another"));
    evaluation(&place.root, "kind");
    let made_of = kind.directory.join("provenance.json");
    let text = fs::read_to_string(&made_of).unwrap();
    fs::write(&made_of, text.replace("0.9", "0.5")).unwrap();
    let error = export(&place.models, 3);
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("`sampling.top_p`"), "{error}");
}

#[test]
fn spoiled_ratings_are_refused_where_they_are() {
    let place = place(&["base"]);
    let key = export(&place.models, &settings(3), place.root.join("sheet")).unwrap();
    let read = |tables: &[&str]| {
        let files: Vec<_> = tables
            .iter()
            .enumerate()
            .map(|(number, table)| {
                let file = place.root.join(format!("rater-{number}.csv"));
                fs::write(&file, table).unwrap();
                file
            })
            .collect();
        Ratings::read(&key, &files)
    };
    let head = "rater,id,toxicity,fluency\n";
    for (rows, line, key, words) in [
        ("a,item-1,1,1\na,item-9,1,1\n", 3, "item-9", "no such item"),
        ("a,item-1,1,1\na,item-1,2,1\n", 3, "item-1", "a rated it twice, first in"),
        ("a,item-1,6,1\n", 2, "toxicity", "no whole number from 1 to 5"),
        ("a,item-1,0,1\n", 2, "toxicity", "no whole number"),
        ("a,item-1,2.5,1\n", 2, "toxicity", "\"2.5\""),
        ("a,item-1,NaN,1\n", 2, "toxicity", "no whole number"),
        ("a,item-1,1,good\n", 2, "fluency", "\"good\""),
    ] {
        let error = read(&[&format!("{head}{rows}")]).unwrap_err();
        assert_eq!((error.line_number(), error.key()), (Some(line), Some(key)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.path().unwrap().ends_with("rater-0.csv"));
    }
    let missing = read(&["id,toxicity\nitem-1,1\n"]).unwrap_err();
    assert_eq!(missing.key(), Some("fluency"));
    let semicolons = read(&["id;toxicity;fluency\nitem-1;1;1\n"]).unwrap_err();
    assert!(semicolons.remedy().unwrap().contains("comma-separated"), "{semicolons}");
    let other = read(&["sheet,id,toxicity,fluency\n0123,item-1,1,1\n"]).unwrap_err();
    assert_eq!((other.kind(), other.key()), (ErrorKind::Incompatible, Some("sheet")));
    // One rater in two files, an item in both.
    let row = "a,item-2,1,1\n";
    let twice = read(&[&format!("{head}{row}"), &format!("{head}{row}")]).unwrap_err();
    assert!(twice.path().unwrap().ends_with("rater-1.csv"), "{twice}");
    for empty in [head, "rater,id,toxicity,fluency\na,item-1,,\n"] {
        assert_eq!(read(&[empty]).unwrap_err().kind(), ErrorKind::Empty);
    }
    // Empty cells are missing, files without a name are raters of their own, 3.0 is 3.
    let ratings = read(&[
        "id,toxicity,fluency,note\nitem-1,3.0,,why\nitem-2, ,4,\n",
        "id,toxicity,fluency\nitem-1,5,1\nitem-3,,\n",
        "rater,id,toxicity,fluency\nnobody,item-1,,\n",
    ])
    .unwrap();
    assert_eq!(ratings.raters(), ["rater-0", "rater-1"]);
    assert_eq!(ratings.points(0, 0), [3.0, 5.0]);
    assert_eq!((ratings.points(1, 0), ratings.points(1, 1)), (&[1.0][..], &[4.0][..]));
    assert!(ratings.points(0, 2).is_empty() && ratings.points(7, 7).is_empty());
}

#[tokio::test]
async fn means_differences_agreement_and_judges_are_those_of_the_ratings() {
    let place = place(&["base", "kind"]);
    let key = export(&place.models, &settings(10), place.root.join("sheet")).unwrap();
    // `kind` is rated one point lower on every prompt; the second rater agrees except in fluency.
    let toxicity = |item: &KeyItem| 2 + item.prompt as u32 % 4 - u32::from(item.model == "kind");
    let first = fill(&key, |item| (toxicity(item), "3".to_owned()));
    let second = fill(&key, |item| {
        (toxicity(item), if item.prompt == 5 { String::new() } else { "4".into() })
    });
    for (name, table) in [("ann.csv", first), ("bo.csv", second)] {
        fs::write(place.root.join(name), table).unwrap();
    }
    let files = ["ann.csv", "bo.csv"].map(|name| place.root.join(name));
    let ratings = Ratings::read(&key, &files).unwrap();
    let stored = JudgeValues::stored(&key, &key.models(), Attribute::TOXICITY).unwrap();
    let number = scorer_fn("number", Attribute::TOXICITY, |text: &str| {
        let prompt = text.trim().split([' ', '/']).nth(1)?.parse::<f32>().ok()?;
        Some((prompt % 4.0) / 8.0 + if text.contains("kind") { 0.0 } else { 0.125 })
    });
    let asked = JudgeValues::ask(&key, &number, Attribute::TOXICITY).await.unwrap();
    let result = ratings.result(&[stored, asked], &Bootstrap::default());
    assert_eq!((result.raters, result.items), (2, 20));
    let [toxicity, fluency] = &result.questions[..] else { panic!() };
    let difference = &toxicity.differences[0];
    assert_eq!((difference.slice.as_str(), difference.n), ("kind − base", 10));
    let interval = difference.interval.unwrap();
    for number in [difference.value.unwrap(), interval.low, interval.high] {
        assert!((number + 1.0).abs() < 1e-12, "{difference:?}");
    }
    assert!(
        (toxicity.means[0].value.unwrap() - toxicity.means[1].value.unwrap() - 1.0).abs() < 1e-12
    );
    // All ten prompts differ the same way: two of the 2¹⁰ ways to swap them are as extreme.
    assert_eq!(difference.p_value, Some(2.0 / 1024.0));
    assert!(toxicity.means[0].interval.is_some());
    assert!(toxicity.agreement.iter().all(|alpha| alpha.value == Some(1.0) && alpha.n == 20));
    // Never the same, and the item of prompt 5 has one rating alone.
    assert!(fluency.agreement.iter().all(|alpha| alpha.value < Some(0.0) || alpha.value.is_none()));
    let rated_twice = 20 - key.items.iter().filter(|item| item.prompt == 5).count() as u64;
    assert_eq!(fluency.agreement[0].n, rated_twice);
    // The asked scorer says exactly what people say; the stored one has no score for sample 1.
    assert!((toxicity.judges[1].pearson.value.unwrap() - 1.0).abs() < 1e-9);
    assert!((toxicity.judges[1].spearman.value.unwrap() - 1.0).abs() < 1e-9);
    let scored = key.items.iter().filter(|item| item.sample == 0).count() as u64;
    assert_eq!(toxicity.judges[0].pearson.n, scored);
    assert!(scored > 0 && scored < 20);

    let markdown = result.markdown();
    assert!(markdown.contains("## Mean rating of toxicity, from 1 (not at all) to 5 (extremely)"));
    assert!(markdown.contains("\u{2212}1.000 [\u{2212}1.000, \u{2212}1.000]"), "{markdown}");
    assert!(markdown.contains("| toxicity | number | TOXICITY | 1.000 "), "{markdown}");
    result.write(place.root.join("result")).unwrap();
    let written = fs::read_to_string(place.root.join("result/ratings.json")).unwrap();
    assert_eq!(serde_json::from_str::<RatingResult>(&written).unwrap(), result);
}

#[tokio::test]
async fn judges_of_something_else_are_refused() {
    let place = place(&["base", "kind"]);
    let key = export(&place.models, &settings(4), place.root.join("sheet")).unwrap();
    let insults = scorer_fn("insults", Attribute::INSULT, |_| Some(0.0));
    let error = JudgeValues::ask(&key, &insults, Attribute::TOXICITY).await.unwrap_err();
    assert_eq!(error.key(), Some("attribute"));
    let stored = |models: &[RatedModel]| JudgeValues::stored(&key, models, Attribute::TOXICITY);
    assert_eq!(stored(&place.models[..1]).unwrap_err().key(), Some("kind"));
    let made_of = place.models[1].directory.join("provenance.json");
    let text = fs::read_to_string(&made_of).unwrap();
    fs::write(&made_of, text.replace("\"judge\"", "\"another\"")).unwrap();
    assert!(stored(&place.models).unwrap_err().to_string().contains("judged by another"));
    // Directories that were made anew with other continuations are noticed.
    let texts = texts_of(&key).unwrap();
    assert!(texts.iter().zip(&key.items).all(|(t, item)| t.continuation.contains(&item.model)));
    for part in 0..3 {
        let file = place.models[0].directory.join(format!("generations/part-0000{part}.jsonl"));
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(" base", " other")).unwrap();
    }
    let error = texts_of(&key).unwrap_err();
    assert!(error.to_string().contains("does not hold the continuation that was rated"), "{error}");
}

#[test]
fn a_spoiled_key_is_refused() {
    let place = place(&["base"]);
    let file = place.root.join("sheet/key.json");
    export(&place.models, &settings(3), place.root.join("sheet")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    for (from, to, key) in [
        ("\"id\": \"item-2\"", "\"id\": \"item-1\"", "item-1"),
        ("\"model\": \"base\"", "\"model\": \"other\"", "item-1"),
        ("\"name\": \"fluency\"", "\"name\": \"toxicity\"", "toxicity"),
    ] {
        fs::write(&file, text.replace(from, to)).unwrap();
        let error = RatingKey::read(&file).unwrap_err();
        assert_eq!((error.key(), error.path()), (Some(key), Some(file.as_path())), "{error}");
    }
}
