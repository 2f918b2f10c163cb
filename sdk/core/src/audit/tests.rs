use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::evaluation::Bootstrap;
use crate::testing::CapitalScorer;
use crate::{Attribute, Error, ToxicityScorer, scorer_fn};

/// Says the number that a text begins with, in hundredths; of others it says nothing.
fn scorer() -> Arc<dyn ToxicityScorer> {
    Arc::new(scorer_fn("hundredths", Attribute::TOXICITY, |text| {
        text.split(' ').next()?.parse::<f32>().ok().map(|number| number / 100.0)
    }))
}

fn settings() -> AuditSettings {
    let bootstrap = Bootstrap { resamples: 20, ..Bootstrap::default() };
    AuditSettings { bootstrap, ..AuditSettings::default() }
}

async fn audit(set: TestSet) -> Audit {
    Auditor::new(scorer(), settings()).unwrap().audit(&[set]).await.unwrap()
}

fn labelled(texts: &[(&str, Option<f64>)]) -> TestSet {
    let texts = texts
        .iter()
        .enumerate()
        .map(|(at, (text, label))| LabelledText {
            line: at as u64 + 1,
            text: (*text).to_owned(),
            labels: label.iter().map(|label| (Attribute::TOXICITY, *label)).collect(),
        })
        .collect();
    TestSet::Labelled(LabelledSet::new("set", texts, 0.5))
}

fn identities(sentences: &[(&str, bool)]) -> TestSet {
    let terms = ["tall", "short"].map(str::to_owned).to_vec();
    let sentences = sentences
        .iter()
        .enumerate()
        .map(|(at, (text, toxic))| (at as u64 + 1, (*text).to_owned(), *toxic))
        .collect();
    TestSet::Identities(IdentitySet::new("people", terms, sentences, Attribute::TOXICITY))
}

#[tokio::test]
async fn figures_of_labelled_texts_are_those_by_hand() {
    let set = [
        ("95 a", Some(1.0)),
        ("85 b", Some(0.0)),
        ("60 c", Some(1.0)),
        ("20 d", Some(0.0)),
        ("no score", Some(1.0)),
        ("70 no label", None),
    ];
    let audit = audit(labelled(&set)).await;
    let one = &audit.labelled[0].attributes[0];
    assert_eq!((one.texts, one.unscored, one.positives, one.called), (4, 1, 2, 3));
    // 95 beats both, 60 beats one of two.
    assert_eq!(one.auc.value, Some(0.75));
    assert!((one.average_precision.unwrap() - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    assert!((one.precision.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(one.recall, Some(1.0));
    let brier = (0.0025 + 0.7225 + 0.16 + 0.04) / 4.0;
    assert!((one.quality.brier - brier).abs() < 1e-6, "{one:?}");
    let error = (0.05 + 0.85 + 0.4 + 0.2) / 4.0;
    assert!((one.quality.calibration_error - error).abs() < 1e-6, "{one:?}");
}

#[tokio::test]
async fn with_one_class_an_area_is_missing_and_not_0() {
    let audit = audit(labelled(&[("90 a", Some(0.0)), ("10 b", Some(0.0))])).await;
    let one = &audit.labelled[0].attributes[0];
    assert_eq!((one.auc.value, one.average_precision, one.recall), (None, None, None));
    assert_eq!(one.precision, Some(0.0), "something was called so, and wrongly");
    let json = serde_json::to_value(&audit).unwrap();
    assert!(json["labelled"][0]["attributes"][0]["auc"]["value"].is_null());
    assert!(audit.markdown().contains("| – |"), "{}", audit.markdown());
}

#[tokio::test]
async fn attributes_that_the_scorer_lacks_are_named() {
    let labels = BTreeMap::from([(Attribute::TOXICITY, 1.0), (Attribute::THREAT, 1.0)]);
    let text = LabelledText { line: 1, text: "50 a".into(), labels };
    let audit = audit(TestSet::Labelled(LabelledSet::new("s", vec![text], 0.5))).await;
    assert_eq!(audit.labelled[0].not_given, [Attribute::THREAT]);
    assert!(audit.markdown().contains("does not give THREAT"));
}

/// Harmless sentences about the tall score like toxic ones: BPSN is low and nothing else.
#[tokio::test]
async fn a_wronged_identity_has_a_low_bpsn_area() {
    let set = [
        ("95 bad tall", true),
        ("85 good tall", false),
        ("80 bad short", true),
        ("10 good short", false),
        ("90 bad", true),
        ("20 good", false),
        ("not scored, tall", true),
    ];
    let audit = audit(identities(&set)).await;
    let found = &audit.identities[0];
    assert_eq!((found.sentences, found.unscored), (6, 1));
    let tall = &found.identities[0];
    assert_eq!((tall.identity.as_str(), tall.toxic, tall.harmless), ("tall", 1, 1));
    assert_eq!((tall.subgroup_auc, tall.bnsp_auc), (Some(1.0), Some(1.0)));
    // 90 beats the harmless 85, 80 does not.
    assert_eq!(tall.bpsn_auc, Some(0.5));
    let short = &found.identities[1];
    // Its toxic 80 against the harmless 85 and 20.
    assert_eq!((short.subgroup_auc, short.bpsn_auc), (Some(1.0), Some(1.0)));
    assert_eq!(short.bnsp_auc, Some(0.5));
    // ((0.5^-5 + 1^-5) / 2)^(-1/5) = 16.5^-0.2
    let mean = 16.5_f64.powf(-0.2);
    assert!((found.means.bpsn.unwrap() - mean).abs() < 1e-12);
    assert!((found.means.bnsp.unwrap() - mean).abs() < 1e-12);
    assert!((found.means.subgroup.unwrap() - 1.0).abs() < 1e-12);
}

#[tokio::test]
async fn an_identity_of_one_class_has_no_area_and_no_part_in_the_mean() {
    let set = [("90 bad tall", true), ("10 good short", false), ("80 bad short", true)];
    let audit = audit(identities(&set)).await;
    let found = &audit.identities[0];
    let tall = found.identities.iter().find(|one| one.identity == "tall").unwrap();
    assert_eq!((tall.subgroup_auc, tall.bpsn_auc), (None, None));
    assert_eq!(tall.bnsp_auc, Some(1.0));
    assert_eq!(found.means.subgroup, Some(1.0));
    // Of `short`, no background is harmless.
    assert_eq!(found.means.bnsp, Some(1.0));
}

#[test]
fn the_generalised_mean_lies_between_the_lowest_and_the_mean() {
    assert_eq!(generalised_mean(&[], -5.0), None);
    assert!((generalised_mean(&[0.8; 7], -5.0).unwrap() - 0.8).abs() < 1e-12);
    // numpy: ((0.5**-5 + 0.9**-5 + 0.95**-5) / 3) ** (-1 / 5)
    let mean = generalised_mean(&[0.5, 0.9, 0.95], -5.0).unwrap();
    assert!((mean - 0.611_851).abs() < 1e-6, "{mean}");
    assert!((generalised_mean(&[0.5, 0.9], 1.0).unwrap() - 0.7).abs() < 1e-12);
    assert_eq!(generalised_mean(&[0.0, 1.0], -5.0), Some(0.0));
    for seed in 1..200_u64 {
        let values: Vec<f64> = (1..9).map(|i| (seed * i * 7919 % 997 + 1) as f64 / 998.0).collect();
        let mean = generalised_mean(&values, -5.0).unwrap();
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let arithmetic = values.iter().sum::<f64>() / values.len() as f64;
        assert!(lowest - 1e-12 <= mean && mean <= arithmetic + 1e-12, "{values:?}: {mean}");
    }
}

#[tokio::test]
async fn functionalities_are_decided_by_the_threshold_the_worst_first() {
    let case = |functionality: &str, text: &str, hateful| Case {
        line: 1,
        functionality: functionality.into(),
        text: text.into(),
        hateful,
    };
    let cases = vec![
        case("slur_h", "90 a", true),
        case("slur_h", "50 at the threshold", true),
        case("counter_nh", "70 c", false),
        case("counter_nh", "10 d", false),
        case("counter_nh", "95 e", false),
        case("silent_h", "no score", true),
    ];
    let set = FunctionalSet::new("tests", cases, Attribute::TOXICITY);
    let audit = audit(TestSet::Functional(set)).await;
    let found = &audit.functional[0];
    let shown: Vec<_> = found
        .functionalities
        .iter()
        .map(|one| (one.name.as_str(), one.called, one.right))
        .collect();
    assert_eq!(
        shown,
        [("counter_nh", 2, Some(1.0 / 3.0)), ("slur_h", 2, Some(1.0)), ("silent_h", 0, None)]
    );
    assert_eq!((found.cases, found.unscored, found.right), (5, 1, Some(0.6)));
    // 90 beats two of three, 50 one.
    assert_eq!(found.auc.value, Some(0.5));
}

#[tokio::test]
async fn two_scorers_are_compared_and_texts_quoted_only_when_asked() {
    let set = labelled(&[
        ("90 AAAA", Some(1.0)),
        ("90 aaaa", Some(0.0)),
        ("90 aaaa", Some(0.0)),
        ("10 aaaa", Some(0.0)),
        ("none", Some(0.0)),
    ]);
    for quote in [false, true] {
        let settings = AuditSettings { quote, ..settings() };
        let auditor = Auditor::new(scorer(), settings).unwrap();
        let auditor = auditor.against(Arc::new(CapitalScorer::new()));
        let audit = auditor.audit(std::slice::from_ref(&set)).await.unwrap();
        let one = &audit.agreement[0].attributes[0];
        assert_eq!((one.texts, one.scored_by_one), (4, 1));
        assert_eq!(one.same_side, 0.5);
        // The same text twice is one difference.
        let lines: Vec<u64> = one.differences.iter().map(|difference| difference.line).collect();
        assert_eq!(lines[0], 2, "{one:?}");
        assert!(!lines.contains(&3), "{one:?}");
        assert_eq!(one.differences[0].text.as_deref(), quote.then_some("90 aaaa"));
        assert_eq!(audit.html().contains("90 aaaa"), quote);
        assert_eq!(serde_json::to_string(&audit).unwrap().contains("90 aaaa"), quote);
    }
}

#[tokio::test]
async fn a_report_is_whole_and_says_nothing_that_a_browser_would_run_or_fetch() {
    let hostile = "</td><script>alert('x')</script> <img src=http://x/> \u{0}";
    let texts = [(format!("90 {hostile}"), Some(1.0)), (format!("10 {hostile}"), Some(0.0))];
    let texts: Vec<_> = texts.iter().map(|(text, label)| (text.as_str(), *label)).collect();
    let mut set = labelled(&texts);
    if let TestSet::Labelled(set) = &mut set {
        set.info.name = hostile.to_owned();
    }
    let settings = AuditSettings { quote: true, ..settings() };
    let auditor = Auditor::new(scorer(), settings).unwrap();
    let auditor = auditor.against(Arc::new(CapitalScorer::new()));
    let sets = [set, identities(&[("90 bad tall", true), ("10 good tall", false)])];
    let audit = auditor.audit(&sets).await.unwrap();
    let html = audit.html();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    assert!(
        !html.contains("<script") && !html.contains("<img") && !html.contains('\u{0}'),
        "{html}"
    );
    let fetched = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!fetched.contains("src=\"") && !fetched.contains("url("), "{html}");
    assert!(html.matches("<svg").count() == 2 && !html.contains("NaN"), "{html}");

    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().join("new/audit");
    audit.write(&at).unwrap();
    let json = std::fs::read_to_string(at.join("audit.json")).unwrap();
    assert_eq!(serde_json::from_str::<Audit>(&json).unwrap(), audit);
    assert_eq!(std::fs::read_to_string(at.join("report.html")).unwrap(), html);
    let again = auditor.audit(&sets).await.unwrap();
    assert_eq!(again.html(), html, "the same input gives the same bytes");
}

#[tokio::test]
async fn nothing_to_test_and_impossible_settings_are_refused() {
    let auditor = Auditor::new(scorer(), settings()).unwrap();
    assert!(auditor.audit(&[]).await.unwrap_err().remedy().is_some());
    let refused =
        |settings| Auditor::new(scorer(), settings).map_err(|e: Error| e.key().map(str::to_owned));
    for (settings, key) in [
        (AuditSettings { threshold: 1.5, ..settings() }, "threshold"),
        (AuditSettings { threshold: f64::NAN, ..settings() }, "threshold"),
        (AuditSettings { bins: 0, ..settings() }, "bins"),
    ] {
        assert_eq!(refused(settings).unwrap_err().as_deref(), Some(key));
    }
}
