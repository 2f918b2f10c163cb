//! Recording from a service, here a replacement on loopback, and rating by the record after.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Outcome, detoxlm_in, detoxlm_with, rows};

const KEY: &str = "AIza-never-shown";

/// A service that gives every text 0.25, refuses Turkish, and goes away after so many answers.
fn service(answers: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1alpha1/comments:analyze", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            // Who is killed hangs up in the middle of a request; the next one is answered all the same.
            let _ = answer(stream.unwrap(), number < answers);
        }
    });
    (endpoint, asked)
}

fn answer(mut stream: TcpStream, is_there: bool) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut line) = (0, String::from(" "));
    while !line.trim().is_empty() || line == " " {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request: Value = serde_json::from_slice(&body).unwrap();
    let names = request["requestedAttributes"].as_object().unwrap().keys();
    let score = json!({"summaryScore": {"value": 0.25, "type": "PROBABILITY"}});
    let scores: Value = names.map(|name| (name.clone(), score.clone())).collect();
    let (status, body) = match request["comment"]["text"].as_str().unwrap() {
        _ if !is_there => (403, json!({"error": {"code": 403, "message": "API has ended"}})),
        "merhaba" => (
            400,
            json!({"error": {"code": 400, "message": "m", "details": [{"errorType":
                "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE", "languageNotSupportedByAttributeError":
                {"detectedLanguages": ["tr"], "attribute": "THREAT"}}]}}),
        ),
        _ => (200, json!({"attributeScores": scores, "languages": ["en"]})),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} S\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes())
}

fn record(here: &Path, endpoint: &str, more: &[&str]) -> Outcome {
    let arguments = ["record", "--in", "in.jsonl", "--record", "r.jsonl", "--endpoint", endpoint];
    detoxlm_in(here, &[("PERSPECTIVE_API_KEY", KEY)], &[&arguments[..], more].concat())
}

const TEXTS: &str = r#"{"text":"one"}
{"text":"two","id":2}
{"text":"one"}
{"text":" "}
{"text":"merhaba"}
"#;

#[test]
fn a_record_is_filled_once_and_rates_without_the_service() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("in.jsonl"), TEXTS).unwrap();
    let (endpoint, asked) = service(usize::MAX);
    let plan = record(here.path(), &endpoint, &["--dry-run", "--rate", "2"]).ok();
    assert_eq!(
        plan.stdout,
        "3 texts to ask, 1 known, at most 2.0 requests a second: at least 1.5 s\n"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 0);

    let first = record(here.path(), &endpoint, &["--json"]).ok();
    assert!(first.stderr.contains("3 texts to ask, 1 known"), "{}", first.stderr);
    let expected = json!({"texts": 5, "distinct": 4, "asked": 3, "known": 1, "scored": 2,
        "unscored": {"blank": 1, "unsupported language": 1}});
    assert_eq!(first.json()["summary"], expected);
    let second = record(here.path(), &endpoint, &["--json"]).ok().json();
    assert_eq!(second["summary"]["asked"], 0);
    assert_eq!(second["summary"]["scored"], 2);
    assert_eq!(asked.load(Ordering::SeqCst), 3);

    let file = fs::read_to_string(here.path().join("r.jsonl")).unwrap();
    assert_eq!(rows(&file).len(), 3);
    assert!(!file.contains(KEY));
    let arguments = ["score", "--scorer", "perspective-replay:r.jsonl", "--in", "-", "--out", "-"];
    let more = format!("{TEXTS}{{\"text\":\"three\"}}\n");
    let rated = detoxlm_with(here.path(), &more, &arguments).ok().rows();
    assert_eq!(rated[1]["scores"]["TOXICITY"], 0.25);
    assert_eq!(rated[1]["id"], 2);
    assert_eq!(rated[4]["unscored"], json!({"reason": "language", "detail": "tr"}));
    assert_eq!(rated[5]["unscored"]["reason"], "abstained");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_service_that_ends_keeps_what_it_gave_and_says_what_to_do() {
    let here = tempfile::tempdir().unwrap();
    let texts: String = (0..9).map(|number| format!("{{\"text\":\"text {number}\"}}\n")).collect();
    fs::write(here.path().join("in.jsonl"), texts).unwrap();
    let (endpoint, _) = service(5);
    let outcome = record(here.path(), &endpoint, &["--attributes", "toxicity,threat"]);
    outcome.fails(1, &["HTTP 403: API has ended", "help: ", "2026-12-31", "replay"]);
    assert!(!format!("{outcome:?}").contains(KEY));
    let kept = fs::read_to_string(here.path().join("r.jsonl")).unwrap();
    assert_eq!(rows(&kept).len(), 5);
    // Another service, or another question, is another record.
    let (other, _) = service(usize::MAX);
    record(here.path(), &other, &["--attributes", "toxicity,threat"])
        .fails(3, &["r.jsonl", "endpoint"]);
    record(here.path(), &endpoint, &[]).fails(3, &["r.jsonl", "question", "INSULT"]);
}

#[test]
fn a_kill_loses_what_was_under_way_and_no_answer_more() {
    let here = tempfile::tempdir().unwrap();
    let texts: String = (0..60).map(|number| format!("{{\"text\":\"text {number}\"}}\n")).collect();
    fs::write(here.path().join("in.jsonl"), texts).unwrap();
    let (endpoint, asked) = service(usize::MAX);
    let mut child = Command::new(env!("CARGO_BIN_EXE_detoxlm"))
        .current_dir(here.path())
        .args(["record", "--quiet", "--in", "in.jsonl", "--record", "r.jsonl", "--rate", "20"])
        .args(["--endpoint", &endpoint])
        .spawn()
        .unwrap();
    while asked.load(Ordering::SeqCst) < 25 {
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = || fs::read_to_string(here.path().join("r.jsonl")).unwrap().lines().count();
    assert!((17..60).contains(&kept()), "{}", kept());
    record(here.path(), &endpoint, &[]).ok();
    assert_eq!(kept(), 60);
    // At most the eight under way were asked for twice.
    let asked = asked.load(Ordering::SeqCst);
    assert!((60..=68).contains(&asked), "{asked}");
}

#[test]
fn arguments_that_cannot_be_are_refused_before_anything_is_asked() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("in.jsonl"), TEXTS).unwrap();
    let (endpoint, asked) = service(usize::MAX);
    for (more, word) in [
        (["--rate", "0"], "must be above 0"),
        (["--languages", "not a language"], "not a language code"),
        (["--attributes", "a b"], "letters, digits"),
    ] {
        let outcome = record(here.path(), &endpoint, &more);
        outcome.fails(2, &[word]);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // A file that is no record is not added to.
    let arguments = ["record", "--in", "in.jsonl", "--record", "in.jsonl", "--endpoint", &endpoint];
    detoxlm_in(here.path(), &[], &arguments).fails(3, &["in.jsonl:1", "not an answer"]);
    assert_eq!(fs::read_to_string(here.path().join("in.jsonl")).unwrap(), TEXTS);
    record(here.path(), "http://example.org/analyze", &[]).fails(2, &["endpoint", "https"]);
    let without = ["record", "--in", "in.jsonl", "--record", "r.jsonl"];
    let outcome = detoxlm_in(here.path(), &[("PERSPECTIVE_API_KEY", "")], &without);
    outcome.fails(2, &["PERSPECTIVE_API_KEY"]);
}
