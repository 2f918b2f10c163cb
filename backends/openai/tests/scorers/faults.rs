use detoxlm_core::remote::Secret;
use detoxlm_core::{Attribute, ErrorKind, Sample, ToxicityScorer as _, Unscored, Verdict};
use detoxlm_openai::Moderation;

use crate::server::{Answer, Request, Server};
use crate::{message, moderated, options, score};

/// A server that does something else with the text `odd`.
fn with_odd(odd: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Server {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    Server::start(move |_, request: &Request| {
        if request.body["input"] == "odd" {
            return odd(tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        }
        moderated(request)
    })
}

#[tokio::test]
async fn what_passes_is_asked_again_and_nothing_else_is() {
    let busy = || {
        let mut answer = Answer::new(429, message("slow down"));
        answer.headers.push(("retry-after", "0".into()));
        answer
    };
    let broken = || Answer { breaks_after: Some(5), ..Answer::new(200, "{\"results\": []}") };
    for (first, second) in [
        (busy(), Answer::new(500, "")),
        (broken(), Answer::new(503, "{}")),
        (Answer::new(200, "{\"results\""), Answer::new(200, "<html>")),
    ] {
        let good = Answer::new(200, r#"{"results": [{"category_scores": {"hate": 0.5}}]}"#);
        let server = with_odd(move |tries| [&first, &second, &good][tries.min(2)].clone());
        let scorer = Moderation::new(None, &options(&server.base)).unwrap();
        let verdicts = score(&scorer, &["aa", "odd", "BB"]).await;
        assert_eq!(verdicts[1].get(&Attribute::TOXICITY), Some(0.5), "{verdicts:?}");
        assert_eq!(server.count(), 5, "three tries of one text, one of each other");
    }
}

#[tokio::test]
async fn a_text_that_never_passes_is_failed_and_a_refused_one_abstained() {
    let server = with_odd(|_| Answer::new(500, ""));
    let scorer = Moderation::new(None, &options(&server.base)).unwrap();
    let verdicts = score(&scorer, &["aa", "odd"]).await;
    assert!(matches!(verdicts[1], Verdict::Unscored(Unscored::Failed(_))), "{verdicts:?}");
    assert_eq!(server.count(), 4);
    let server = with_odd(|_| Answer::new(400, message("input is not allowed")));
    let scorer = Moderation::new(None, &options(&server.base)).unwrap();
    let verdicts = score(&scorer, &["aa", "odd"]).await;
    let Verdict::Unscored(Unscored::Abstained(why)) = &verdicts[1] else { panic!("{verdicts:?}") };
    assert_eq!(why, "HTTP 400: input is not allowed");
    assert_eq!(server.count(), 2, "a refusal is not asked again");
}

#[tokio::test]
async fn who_is_denied_or_sent_elsewhere_is_told_at_once() {
    let redirect = || {
        let mut answer = Answer::new(302, "");
        answer.headers.push(("location", "https://example.org/?k=sk-a-secret-key".into()));
        answer
    };
    for (answer, kind) in [
        (Answer::new(401, message("wrong key sk-a-secret-key")), ErrorKind::Denied),
        (Answer::new(404, message("no such model")), ErrorKind::NotFound),
        (redirect(), ErrorKind::InvalidConfig),
    ] {
        let server = Server::start(move |_, _| answer.clone());
        let key = Secret::new("sk-a-secret-key").unwrap();
        let scorer = Moderation::new(Some(key), &options(&server.base)).unwrap();
        let error = scorer.score(&[Sample::new("aa")]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!format!("{error} {error:?}").contains("sk-a-secret"), "{error}");
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn a_service_that_is_away_fails_the_call() {
    let server = Server::start(|_, _| Answer::new(503, ""));
    let scorer = Moderation::new(None, &options(&server.base)).unwrap();
    let error = scorer.score(&[Sample::new("aa"), Sample::new("BB")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_huge_answer_is_not_read() {
    let server = with_odd(|_| Answer::new(200, " ".repeat(1 << 20)));
    let mut options = options(&server.base);
    options.server.http.longest_answer = 1 << 16;
    let scorer = Moderation::new(None, &options).unwrap();
    let verdicts = score(&scorer, &["aa", "odd"]).await;
    assert!(
        matches!(&verdicts[1], Verdict::Unscored(Unscored::Failed(why)) if why.contains("65536")),
        "{verdicts:?}"
    );
}
