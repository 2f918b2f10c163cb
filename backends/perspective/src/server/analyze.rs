//! `comments:analyze`: a text in, its scores out.

use std::collections::BTreeMap;

use axum::http::HeaderValue;
use detoxlm_core::{Attribute, Sample, Scores, Verdict};

use super::answer::{Answer, LEFT_OUT};
use super::app::App;
use super::gather::Unanswered;
use super::refusal;
use crate::protocol::{
    AnalyzeRequest, AnalyzeResponse, AttributeScores, RequestedAttribute, Score, ScoreType,
    SpanScore, TextType, fits, known_attribute, utf16_of_bytes,
};

/// BCP 47's word for a language that nobody determined.
const UNDETERMINED: &str = "und";

/// What is asked of the scorer, and what was asked that it lacks.
struct Wanted<'a> {
    attributes: Vec<(&'a Attribute, &'a RequestedAttribute)>,
    left_out: Vec<&'a str>,
}

/// Answers a request by its body.
pub(super) async fn analyze(app: &App, body: &[u8]) -> Answer {
    answer(app, body).await.unwrap_or_else(|refusal| refusal)
}

async fn answer(app: &App, body: &[u8]) -> Result<Answer, Answer> {
    let mut request = parse(body)
        .map_err(|why| refusal::malformed(format!("Invalid JSON payload received. {why}")))?;
    let text = std::mem::take(&mut request.comment.text);
    if text.trim().is_empty() {
        return Err(refusal::empty_comment());
    }
    if !fits(&text) {
        return Err(refusal::long_comment(text.len()));
    }
    if request.comment.text_type == Some(TextType::Html) {
        return Err(refusal::not_plain_text());
    }
    let mut wanted = wanted(app, &request)?;
    let first = wanted.attributes.first().map_or("", |(attribute, _)| attribute.as_str());
    if request.languages.iter().any(|language| !app.config.knows(language)) {
        return Err(refusal::unsupported_language(first, &request.languages));
    }
    let verdict = app.gather.score(Sample::new(text.as_str())).await.map_err(|why| match why {
        Unanswered::Full => refusal::queue_full(app.config.queue),
        Unanswered::Failed(error) => refusal::failed(&error),
    })?;
    let scores = match verdict {
        Verdict::Scored(scores) => scores,
        Verdict::Unscored(why) => return Err(refusal::unscored(&why, &text, first)),
    };
    let attribute_scores = attribute_scores(&scores, &mut wanted, &text);
    if attribute_scores.is_empty() {
        return Err(refusal::without_value("it is scored on other attributes only"));
    }
    let left_out = wanted.left_out.join(", ");
    let languages = [&request.languages, &app.config.languages];
    let response = AnalyzeResponse {
        attribute_scores,
        languages: languages
            .into_iter()
            .find(|languages| !languages.is_empty())
            .map_or_else(|| vec![UNDETERMINED.to_owned()], Clone::clone),
        detected_languages: vec![UNDETERMINED.to_owned()],
        client_token: request.client_token,
    };
    let answer = Answer::ok(&response);
    Ok(match HeaderValue::from_str(&left_out) {
        Ok(names) if !names.is_empty() => answer.with_header(LEFT_OUT, names),
        _ => answer,
    })
}

fn parse(body: &[u8]) -> Result<AnalyzeRequest, String> {
    // Serde would take a list for an object, field by field.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err("A list where an object is expected.".to_owned());
    }
    serde_json::from_slice(body).map_err(|e| e.to_string())
}

/// Checks the requested attributes against those that there are.
fn wanted<'a>(app: &'a App, request: &'a AnalyzeRequest) -> Result<Wanted<'a>, Answer> {
    if request.requested_attributes.is_empty() {
        return Err(refusal::no_attributes());
    }
    let unknown = |name: &str| {
        let has: Vec<_> = app.attributes.iter().map(ToString::to_string).collect();
        refusal::unknown_attribute(name, &has)
    };
    let may_leave_out = !app.config.strict_attributes;
    let mut wanted = Wanted { attributes: Vec::new(), left_out: Vec::new() };
    for (name, how) in &request.requested_attributes {
        if !matches!(how.score_type, None | Some(ScoreType::Probability)) {
            return Err(refusal::not_a_probability(name));
        }
        match app.attributes.iter().find(|attribute| attribute.as_str() == name) {
            Some(attribute) => wanted.attributes.push((attribute, how)),
            None if may_leave_out && known_attribute(name).is_some() => wanted.left_out.push(name),
            None => return Err(unknown(name)),
        }
    }
    match (wanted.attributes.is_empty(), wanted.left_out.first()) {
        (true, Some(name)) => Err(unknown(name)),
        _ => Ok(wanted),
    }
}

/// The values by name. An attribute below its threshold is there without a value; one that the scorer
/// gave no value is not there.
fn attribute_scores(
    scores: &Scores,
    wanted: &mut Wanted<'_>,
    text: &str,
) -> BTreeMap<String, AttributeScores> {
    let mut answer = BTreeMap::new();
    for &(attribute, how) in &wanted.attributes {
        let Some(value) = scores.get(attribute).map(f64::from) else {
            wanted.left_out.push(attribute.as_str());
            continue;
        };
        let shown = how.score_threshold.is_none_or(|threshold| value >= threshold);
        let scores = if shown { of_whole(value, text) } else { AttributeScores::default() };
        answer.insert(attribute.to_string(), scores);
    }
    answer
}

/// A value of the whole text. The service lists the whole as a span even when no spans are asked
/// for, and clients read the first span.
fn of_whole(value: f64, text: &str) -> AttributeScores {
    let units = utf16_of_bytes(text, 0..text.len());
    let span = SpanScore {
        begin: units.as_ref().map(|units| units.start),
        end: units.as_ref().map(|units| units.end),
        score: Some(Score::probability(value)),
    };
    AttributeScores { span_scores: vec![span], ..AttributeScores::of(value) }
}
