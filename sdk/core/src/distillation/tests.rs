use super::*;
use crate::{Attribute, Digest, ErrorKind, Info, Scores};

fn scores(values: &[(Attribute, f32)]) -> Scores {
    Scores::new(values.iter().cloned()).unwrap()
}

fn job(root: &std::path::Path) -> DistillationJob {
    let rows = root.join("rows.jsonl");
    std::fs::write(&rows, "{\"text\":\"a\",\"scores\":{\"TOXICITY\":1}}\n").unwrap();
    DistillationJob {
        rows: vec![rows],
        unlabelled: Vec::new(),
        config: DistillationConfig::default(),
        seed: 1,
        work: root.join("work"),
        output: root.join("out"),
    }
}

#[test]
fn impossible_values_are_refused_by_key_with_a_remedy() {
    type Change = fn(&mut DistillationConfig);
    let cases: [(&str, Change); 13] = [
        ("vocabulary", |c| c.vocabulary = 256),
        ("width", |c| c.width = 0),
        ("tokens", |c| c.tokens = 0),
        ("epochs", |c| c.epochs = 0),
        ("own_decay", |c| c.own_decay = -1.0),
        ("networks", |c| c.networks = 0),
        ("convolutions", |c| c.convolutions.clear()),
        ("convolutions", |c| c.convolutions[0].width = 65),
        ("average", |c| c.average = 1.0),
        ("held_out", |c| c.held_out = f64::NAN),
        ("learning_rate", |c| c.learning_rate = 0.0),
        ("sources.a", |c| {
            c.sources.insert("a".into(), SourceConfig { weight: 0.0, ..SourceConfig::default() });
        }),
        ("attribute_weights.TOXICITY", |c| {
            c.attribute_weights.insert(Attribute::TOXICITY, -1.0);
        }),
    ];
    DistillationConfig::default().validate().unwrap();
    for (key, change) in cases {
        let mut config = DistillationConfig::default();
        change(&mut config);
        let error = config.validate().unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some(key)));
        assert!(error.remedy().is_some(), "{key}");
    }
}

#[test]
fn a_job_without_its_files_is_refused_before_any_work() {
    let root = tempfile::tempdir().unwrap();
    let mut missing = job(root.path());
    missing.validate().unwrap();
    missing.unlabelled.push(root.path().join("none.jsonl"));
    assert_eq!(missing.validate().unwrap_err().kind(), ErrorKind::NotFound);
    missing.rows.clear();
    assert_eq!(missing.validate().unwrap_err().key(), Some("rows"));
    assert!(!missing.work.exists());
}

#[test]
fn a_work_directory_belongs_to_one_job_and_one_process() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path());
    let trainer = Info::new("test", "1", Digest::of("test"));
    let held = job.begin(&trainer).unwrap();
    assert_eq!(job.begin(&trainer).unwrap_err().kind(), ErrorKind::Locked);
    drop(held);
    job.begin(&trainer).unwrap();
    let other = DistillationJob { seed: 2, ..job };
    let error = other.begin(&trainer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("`seed`: 1 before, 2 now"), "{error}");
}

#[test]
fn a_row_without_a_source_has_none_and_missing_is_not_0() {
    let row: LabelledRow =
        serde_json::from_str(r#"{"text":" A  b","scores":{"THREAT":0},"id":3}"#).unwrap();
    assert_eq!(row.source, "unnamed");
    assert_eq!(row.values(&[Attribute::TOXICITY, Attribute::THREAT]), [None, Some(0.0)]);
    assert_eq!(row.key(), "a b");
    let written = serde_json::to_string(&row).unwrap();
    assert_eq!(written, r#"{"text":" A  b","scores":{"THREAT":0.0}}"#);
    let missing = serde_json::from_str::<LabelledRow>(r#"{"text":"a","scores":{}}"#);
    assert!(missing.unwrap_err().to_string().contains("at least one attribute"));
}

#[test]
fn what_could_not_be_scored_is_passed_over_and_a_row_without_either_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rows.jsonl");
    let scored = r#"{"text":"a","scorer":"s 1","scores":{"THREAT":0.5}}"#;
    let unscored = r#"{"text":" ","scorer":"s 1","unscored":{"reason":"blank"}}"#;
    for (third, expected) in [
        (r#"{"text":"a"}"#, "missing field `scores`"),
        (r#"{"text":"a","scores":{"THREAT":1},"unscored":{}}"#, "exclude each other"),
    ] {
        std::fs::write(&file, [scored, unscored, third].join("\n")).unwrap();
        let mut rows = read_labelled(&file).unwrap();
        assert_eq!(rows.next().unwrap().unwrap().text, "a");
        let refused = rows.next().unwrap().unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains(":3"), "{refused}");
    }
}

#[test]
fn figures_are_of_the_texts_that_have_both_values() {
    let mut pairs = HeldOutScores::default();
    let (toxicity, threat) = (Attribute::TOXICITY, Attribute::THREAT);
    for (theirs, ours) in [(0.9, 0.7), (0.6, 0.4), (0.2, 0.5), (0.1, 0.1)] {
        let reference = [(toxicity.clone(), theirs)];
        pairs.add(&scores(&reference), &scores(&[(toxicity.clone(), ours), (threat.clone(), 0.5)]));
    }
    let figures = pairs.figures(&[toxicity, threat]);
    assert_eq!((figures[0].texts, figures[0].positives), (4, 2));
    assert_eq!(figures[0].auc, Some(0.75));
    assert!(figures[0].pearson.is_some_and(|pearson| (0.6..0.8).contains(&pearson)));
    assert_eq!((figures[1].texts, figures[1].auc, figures[1].pearson), (0, None, None));
}
