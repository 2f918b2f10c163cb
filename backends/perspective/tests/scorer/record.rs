//! What was answered is in the file, is not asked for again, and is said again without a service.

use std::fs;

use detoxlm_core::{Attribute, ErrorKind, Sample, ToxicityScorer as _, Unscored, Verdict};
use detoxlm_perspective::protocol::{ErrorEnvelope, MAX_TEXT_BYTES};
use detoxlm_perspective::{LongTexts, Perspective, PerspectiveOptions, Recorder, Replay};
use serde_json::{Value, json};

use crate::support::{Reaction, Server, good, samples, score};

const TEXTS: [&str; 5] = ["one", "two", "naïve 😀", " ", "one"];

#[tokio::test]
async fn a_record_has_everything_that_was_said_but_the_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/record.jsonl");
    let server = Server::start(|asked| {
        let mut body = serde_json::to_value(good(&asked.request)).unwrap();
        body["somethingNew"] = json!({"precise": 0.123_456_789_012_345_67});
        Reaction::json(200, serde_json::to_vec_pretty(&body).unwrap())
    });
    let recorder = Recorder::open(server.scorer(), &path).unwrap();
    score(&recorder, &["one"]).await;
    let text = fs::read_to_string(&path).unwrap();
    let row: Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(row["text_sha256"], sha256("one"));
    assert_eq!(row["endpoint"], server.endpoint().as_str());
    assert_eq!(row["status"], 200);
    assert_eq!(row["question"]["languages"], json!(["en"]));
    assert_eq!(row["question"]["attributes"].as_array().unwrap().len(), 7);
    assert_eq!(row["response"]["somethingNew"]["precise"], 0.123_456_789_012_345_67);
    assert_eq!(row["response"]["detectedLanguages"], json!(["en"]));
    let date = row["date"].as_str().unwrap();
    assert!(date.len() == 20 && date.starts_with("20") && date.ends_with('Z'), "{date}");
    assert!(!text.contains("\"one\""));
    // The key is the request's, as anybody can compute it.
    let mut request = serde_json::to_value(&server.asked()[0].request).unwrap();
    request.as_object_mut().unwrap().remove("doNotStore");
    assert_eq!(row["key"], sha256(&request.to_string()));
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn what_is_recorded_is_not_asked_for_again_and_replays_to_the_bit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let server = Server::good();
    let live = score(&server.scorer(), &TEXTS).await;
    let before = server.asked().len();
    let recorder = Recorder::open(server.scorer(), &path).unwrap();
    assert_eq!(recorder.missing(&samples(&TEXTS)).await.unwrap(), [0, 1, 2]);
    let recorded = recorder.record(&samples(&TEXTS)).await.unwrap();
    let asked: Vec<_> = recorded.iter().map(|recorded| recorded.asked).collect();
    assert_eq!(asked, [true, true, true, false, false]);
    assert_eq!(recorded.into_iter().map(|recorded| recorded.verdict).collect::<Vec<_>>(), live);
    assert_eq!(server.asked().len(), before + 3);
    assert_eq!(recorder.info(), server.scorer().info());
    drop(recorder);
    let recorder = Recorder::open(server.scorer(), &path).unwrap();
    assert_eq!(score(&recorder, &TEXTS).await, live);
    assert_eq!(server.asked().len(), before + 3);
    drop(server);
    let replay = Replay::open(&path).unwrap();
    assert_eq!(score(&replay, &TEXTS).await, live);
    assert_eq!(replay.capabilities().attributes.len(), 7);

    let mut more = TEXTS.to_vec();
    more.extend(["three", "four"]);
    assert_eq!(replay.missing(&samples(&more)).await.unwrap(), [5, 6]);
    let why = format!("the record has no answer for the text of SHA-256 {}", sha256("three"));
    assert_eq!(score(&replay, &more).await[5], Verdict::Unscored(Unscored::Abstained(why)));
}

#[tokio::test]
async fn refusals_are_kept_and_failures_are_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let server = Server::start(|asked| {
        let refusal = ErrorEnvelope::unsupported_language("THREAT", &["tr".into()]);
        match asked.text() {
            "foreign" => Reaction::json(400, serde_json::to_vec(&refusal).unwrap()),
            "nameless" => Reaction::json(400, "<html>"),
            "failing" => Reaction::json(500, ""),
            _ => Reaction::good(&asked.request),
        }
    });
    let texts = ["foreign", "nameless", "failing", "good"];
    for _ in 0..2 {
        let recorder = Recorder::open(server.scorer(), &path).unwrap();
        let verdicts = score(&recorder, &texts).await;
        assert_eq!(verdicts[0], Verdict::Unscored(Unscored::Language("tr".into())));
        assert!(matches!(verdicts[2], Verdict::Unscored(Unscored::Failed(_))));
    }
    assert_eq!(server.counts(&texts), [1, 2, 8, 1]);
    let replay = Replay::open(&path).unwrap();
    assert_eq!(replay.missing(&samples(&texts)).await.unwrap(), [1, 2]);
    let verdicts = score(&replay, &texts).await;
    assert_eq!(verdicts[0], Verdict::Unscored(Unscored::Language("tr".into())));
}

#[tokio::test]
async fn what_was_answered_before_the_end_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let server = Server::start(|asked| match asked.text() {
        "three" => Reaction::json(403, ""),
        _ => Reaction::good(&asked.request),
    });
    let options = server.options().with_concurrency(1);
    let live = Perspective::new(None, &options).unwrap();
    let recorder = Recorder::open(live, &path).unwrap();
    let error = recorder.score(&samples(&["one", "two", "three", "four"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(recorder.missing(&samples(&["one", "two", "three"])).await.unwrap(), [2]);
}

#[tokio::test]
async fn half_a_line_is_cut_and_its_text_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let server = Server::good();
    score(&Recorder::open(server.scorer(), &path).unwrap(), &["one", "two"]).await;
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in [first, first + 1, first + 77, whole.len() - 1] {
        fs::write(&path, &whole[..end]).unwrap();
        let one = Replay::open(&path).unwrap();
        assert_eq!(one.missing(&samples(&["one", "two"])).await.unwrap().len(), 1);
        assert_eq!(fs::read(&path).unwrap().len(), end, "a replay changes nothing");
        let recorder = Recorder::open(server.scorer(), &path).unwrap();
        score(&recorder, &["one", "two"]).await;
        let rows = fs::read_to_string(&path).unwrap();
        assert_eq!(
            rows.lines().filter(|row| serde_json::from_str::<Value>(row).is_ok()).count(),
            2
        );
    }
}

#[tokio::test]
async fn a_record_is_of_one_service_one_question_and_one_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let [server, other] = [Server::good(), Server::good()];
    let recorder = Recorder::open(server.scorer(), &path).unwrap();
    score(&recorder, &["one"]).await;
    let open = |options: &PerspectiveOptions| {
        Recorder::open(Perspective::new(None, options).unwrap(), &path).unwrap_err()
    };
    let error = open(&server.options());
    assert_eq!((error.kind(), error.path()), (ErrorKind::Locked, Some(path.as_path())));
    drop(recorder);
    let error = open(&other.options());
    assert_eq!((error.kind(), error.key()), (ErrorKind::Incompatible, Some("endpoint")));
    let error = open(&server.options().with_attributes([Attribute::TOXICITY]));
    assert_eq!((error.kind(), error.key()), (ErrorKind::Incompatible, Some("question")));

    // Two records in one file.
    let mixed = directory.path().join("mixed.jsonl");
    let options = server.options().with_languages(["de"]);
    let live = Perspective::new(None, &options).unwrap();
    score(&Recorder::open(live, &mixed).unwrap(), &["one"]).await;
    let both = [fs::read(&path).unwrap(), fs::read(&mixed).unwrap()].concat();
    fs::write(&mixed, both).unwrap();
    assert_eq!(Replay::open(&mixed).unwrap_err().kind(), ErrorKind::Incompatible);
}

#[tokio::test]
async fn the_digest_of_a_replay_is_of_what_was_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let server = Server::good();
    score(&Recorder::open(server.scorer(), &path).unwrap(), &["one", "two"]).await;
    let digest = || Replay::open(&path).unwrap().info().digest.clone();
    let before = digest();
    let text = fs::read_to_string(&path).unwrap();
    let mut rows: Vec<&str> = text.lines().collect();
    rows.reverse();
    let date = serde_json::from_str::<Value>(rows[0]).unwrap()["date"].to_string();
    fs::write(&path, rows.join("\n").replace(&date, "\"2020-01-01T00:00:00Z\"") + "\n").unwrap();
    assert_eq!(digest(), before);
    fs::write(&path, text.replacen("\"value\":0.", "\"value\":0.1", 1)).unwrap();
    assert_ne!(digest(), before);
    fs::write(&path, rows[0].to_owned() + "\n").unwrap();
    assert_ne!(digest(), before);
}

#[tokio::test]
async fn texts_that_are_cut_to_the_same_are_one_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let server = Server::good();
    let options = server.options().with_long_texts(LongTexts::Cut);
    let live = Perspective::new(None, &options).unwrap();
    let recorder = Recorder::open(live, &path).unwrap();
    let texts = ["a", "b"].map(|end| Sample::new("x".repeat(MAX_TEXT_BYTES) + end));
    let verdicts = recorder.score(&texts).await.unwrap();
    assert_eq!(verdicts.len(), 2);
    assert_eq!(verdicts[0], verdicts[1]);
    assert_eq!(server.asked().len(), 1);
    assert_eq!(Replay::open(&path).unwrap().score(&texts).await.unwrap(), verdicts);
}

#[test]
fn what_is_no_record_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    assert_eq!(Replay::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
    fs::write(&path, "").unwrap();
    assert_eq!(Replay::open(&path).unwrap_err().kind(), ErrorKind::Empty);
    for line in ["{}", "[1]", "\u{0}", "{\"key\": 1}"] {
        fs::write(&path, format!("{line}\n")).unwrap();
        let error = Replay::open(&path).unwrap_err();
        assert_eq!((error.kind(), error.line_number()), (ErrorKind::InvalidInput, Some(1)));
        let server = Server::good();
        let error = Recorder::open(server.scorer(), &path).unwrap_err();
        assert_eq!((error.kind(), error.line_number()), (ErrorKind::InvalidInput, Some(1)));
    }
}
