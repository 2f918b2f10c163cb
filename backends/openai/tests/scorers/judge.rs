use detoxlm_core::{Attribute, ErrorKind, Unscored, Verdict};
use detoxlm_openai::{Judge, JudgeOptions, Protocol, Words};
use serde_json::json;

use crate::server::{Answer, Request, Server};
use crate::{impatient, score, value};

/// As a guard model that is the surer the louder the text; of a text with an `x` it says something
/// else.
fn judged(request: &Request) -> Answer {
    let text = request.body["messages"][0]["content"].as_str().unwrap();
    let word = |text: &str, p: f64| json!({"token": text, "logprob": p.max(1e-9).ln()});
    let unsafe_ = value(text);
    let answer = if text.contains('x') {
        vec![word("Sorry", 0.9), word("I", 0.1)]
    } else {
        vec![word("unsafe", unsafe_), word("safe", 1.0 - unsafe_)]
    };
    let place = |top: Vec<_>| json!({"token": "", "logprob": 0.0, "top_logprobs": top});
    let content = [place(vec![word("\n\n", 1.0)]), place(answer)];
    Answer::new(
        200,
        json!({"choices": [{"message": {"content": ""}, "logprobs": {"content": content}}]}),
    )
}

fn guard(base: &str) -> JudgeOptions {
    let mut options = JudgeOptions::llama_guard(base, "guard");
    options.server.patience = impatient();
    options
}

#[tokio::test]
async fn the_probability_of_unsafe_is_the_toxicity() {
    let server = Server::start(|_, request| judged(request));
    let judge = Judge::new(None, &guard(&server.base)).unwrap();
    let verdicts = score(&judge, &["aa", "aB", "x", " "]).await;
    let near = |verdict: &Verdict, expected: f32| {
        (verdict.get(&Attribute::TOXICITY).unwrap() - expected).abs() < 1e-6
    };
    assert!(near(&verdicts[0], 0.0) && near(&verdicts[1], 0.5), "{verdicts:?}");
    assert!(
        matches!(&verdicts[2], Verdict::Unscored(Unscored::Abstained(why)) if why.contains("neither"))
    );
    assert_eq!(verdicts[3], Verdict::Unscored(Unscored::Blank));
    let request = server.requests.lock().unwrap()[0].clone();
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.body["temperature"], 0);
    assert_eq!(
        (&request.body["logprobs"], &request.body["top_logprobs"]),
        (&json!(true), &json!(20))
    );
}

#[tokio::test]
async fn a_prompt_of_ones_own_goes_to_completions() {
    let server = Server::start(|_, request| {
        assert_eq!(request.body["prompt"], "Rude? aB\nAnswer:");
        let top = json!([{" Yes": 0.75_f64.ln(), " no": 0.25_f64.ln()}]);
        Answer::new(200, json!({"choices": [{"text": " Yes", "logprobs": {"top_logprobs": top}}]}))
    });
    let mut options = JudgeOptions::yes_or_no(&server.base, "base")
        .with_protocol(Protocol::Completion)
        .with_question("Rude? {text}\nAnswer:");
    options.server.patience = impatient();
    let judge = Judge::new(None, &options).unwrap();
    let verdict = score(&judge, &["aB"]).await.remove(0);
    assert!((verdict.get(&Attribute::TOXICITY).unwrap() - 0.75).abs() < 1e-6);
    assert_eq!(server.requests.lock().unwrap()[0].path, "/v1/completions");
}

#[tokio::test]
async fn a_server_without_log_probabilities_is_noticed() {
    let server = Server::start(|_, _| {
        Answer::new(200, json!({"choices": [{"message": {"content": "safe"}, "logprobs": null}]}))
    });
    let judge = Judge::new(None, &guard(&server.base)).unwrap();
    let verdict = score(&judge, &["a"]).await.remove(0);
    assert!(
        matches!(verdict, Verdict::Unscored(Unscored::Abstained(why)) if why.contains("log-probabilities"))
    );
}

#[test]
fn what_cannot_be_a_question_is_refused_by_key() {
    let options = || JudgeOptions::yes_or_no("http://localhost:1/v1", "m");
    let words = |yes: &[&str], no: &[&str]| {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Words { yes: list(yes), no: list(no) }
    };
    let mut nameless = options();
    nameless.server.model = " ".into();
    let mut short = options();
    short.alternatives = 1;
    for (options, key) in [
        (options().with_question("Is it?"), "question"),
        (options().with_words(words(&[], &["no"])), "words.yes"),
        (options().with_words(words(&["no"], &["no"])), "words"),
        (nameless, "model"),
        (short, "max_tokens, alternatives"),
    ] {
        let error = Judge::new(None, &options).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some(key)));
    }
}

#[tokio::test]
async fn it_keeps_the_contract_of_scorers() {
    let server = Server::start(|_, request| judged(request));
    let judge = Judge::new(None, &guard(&server.base)).unwrap();
    detoxlm_conformance::scorer(&judge).await.unwrap();
}
