use std::fs;

use detoxlm_core::{Attribute, Sample, ToxicityScorer, Verdict};
use detoxlm_perspective::protocol::{AnalyzeRequest, AnalyzeResponse, ErrorEnvelope};
use detoxlm_perspective::{Replay, verdict_of};

use crate::block_on;

pub(crate) const ANSWER: &[u8] = br#"{"attributeScores":{"TOXICITY":{"summaryScore":{"value":0.5,"type":"PROBABILITY"},"spanScores":[{"begin":0,"end":9,"score":{"value":1e-3}}]}},"languages":["en"]}"#;

/// A row of a record.
pub(crate) const RECORD: &[u8] = br#"{"key":"0000000000000000000000000000000000000000000000000000000000000000","text_sha256":"0000000000000000000000000000000000000000000000000000000000000000","endpoint":"http://localhost/","question":{"attributes":["TOXICITY"],"languages":["en"],"span_annotations":false,"long_texts":"refuse"},"date":"2026-11-22T00:00:00Z","status":200,"response":{"attributeScores":{}}}
"#;

/// Reads these bytes as a request, an answer and an error, and takes what scores there are.
pub fn perspective_answer(data: &[u8]) {
    let _ = serde_json::from_slice::<AnalyzeRequest>(data);
    let _ = serde_json::from_slice::<ErrorEnvelope>(data);
    let Ok(answer) = serde_json::from_slice::<AnalyzeResponse>(data) else { return };
    if let Verdict::Scored(scores) = verdict_of(&answer, &Attribute::STANDARD) {
        assert!(scores.iter().all(|(_, value)| (0.0..=1.0).contains(&value)), "{scores:?}");
    }
    for scores in answer.attribute_scores.values() {
        let _ = scores.parts_of("a text with \u{1f600} in it").len();
    }
}

/// Opens a record that holds these bytes, and asks it for a text.
pub fn perspective_record(data: &[u8]) {
    let Ok(directory) = tempfile::tempdir() else { return };
    let path = directory.path().join("record.jsonl");
    if fs::write(&path, data).is_err() {
        return;
    }
    let Ok(replay) = Replay::open(&path) else { return };
    // Either way is fine.
    let _ = block_on(replay.score(&[Sample::new("Hello there.")]));
}
