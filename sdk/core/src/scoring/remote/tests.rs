use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::*;
use crate::layers::Backoff;
use crate::{Error, ErrorKind};

/// Counts tries of each text and answers by `rule` of text and try, both from 0.
struct Service<R> {
    tries: Mutex<Vec<u32>>,
    rule: R,
}

impl<R: Fn(usize, u32) -> Attempt<usize> + Send + Sync> Service<R> {
    fn new(rule: R) -> Self {
        Self { tries: Mutex::new(vec![0; 32]), rule }
    }

    fn answer(&self, text: usize) -> Attempt<usize> {
        let mut tries = self.tries.lock().unwrap();
        tries[text] += 1;
        (self.rule)(text, tries[text] - 1)
    }

    async fn ask(&self, asker: &Asker, count: usize) -> crate::Result<Vec<Outcome<usize>>> {
        asker.ask_each(count, |text| async move { self.answer(text) }).await
    }

    fn tries(&self, count: usize) -> Vec<u32> {
        self.tries.lock().unwrap()[..count].to_vec()
    }
}

fn passing(wait: Option<u64>) -> Attempt<usize> {
    Attempt::Passing { why: "HTTP 503".into(), wait: wait.map(Duration::from_secs) }
}

fn asker(concurrency: usize, per_second: Option<f64>) -> Asker {
    let backoff =
        Backoff { tries: 3, first: Duration::from_millis(10), longest: Duration::from_millis(20) };
    let patience = Patience { backoff, longest_wait: Duration::from_secs(60) };
    Asker::new("test", concurrency, per_second, patience).unwrap()
}

#[tokio::test(start_paused = true)]
async fn only_what_failed_is_asked_again_and_order_is_kept() {
    let service = Service::new(|text, tries| match (text % 3, tries) {
        (1, 0 | 1) => passing(None),
        _ => Attempt::Done(text),
    });
    for concurrency in [1, 4] {
        service.tries.lock().unwrap().fill(0);
        let answers = service.ask(&asker(concurrency, None), 7).await.unwrap();
        let expected: Vec<_> = (0..7).map(Outcome::Answered).collect();
        assert_eq!(answers, expected);
        assert_eq!(service.tries(7), [1, 3, 1, 1, 3, 1, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_that_never_succeeds_is_given_up_alone() {
    let service = Service::new(|text, _| match text {
        2 => passing(None),
        3 => Attempt::Hopeless("too much".into()),
        _ => Attempt::Done(text),
    });
    let answers = service.ask(&asker(2, None), 5).await.unwrap();
    assert_eq!(answers[2], Outcome::GaveUp("HTTP 503, asked 3 times".into()));
    assert_eq!(answers[3], Outcome::GaveUp("too much".into()));
    assert_eq!(answers[4], Outcome::Answered(4));
    assert_eq!(service.tries(5), [1, 1, 3, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_the_call_and_is_no_verdict() {
    // From the third text on: those before are not lost to a cache, and none after is asked.
    let service = Service::new(|text, _| match text {
        0 | 1 => Attempt::Done(text),
        _ => passing(None),
    });
    let error = service.ask(&asker(1, None), 20).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("HTTP 503, asked 3 times"), "{error}");
    assert_eq!(service.tries(7), [1, 1, 3, 3, 3, 0, 0]);
    // Two texts are too few to tell, but nothing at all was answered.
    let nothing = Service::new(|_, _| passing(None));
    let error = nothing.ask(&asker(1, None), 2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(nothing.ask(&asker(1, None), 0).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_fatal_ends_the_call_at_once() {
    let service = Service::new(|text, _| match text {
        1 => Attempt::Fatal(Error::new(ErrorKind::Denied, "test", "score", "no")),
        _ => Attempt::Done(text),
    });
    let error = service.ask(&asker(1, None), 9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(service.tries(4), [1, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_services_wait_is_kept_by_all_and_only_so_long() {
    let service = Service::new(|text, tries| match (text, tries) {
        (0, 0) => passing(Some(30)),
        _ => Attempt::Done(text),
    });
    let begin = Instant::now();
    let when = Mutex::new(Vec::new());
    let asker = asker(1, Some(10.0));
    let answers = asker
        .ask_each(2, |text| {
            when.lock().unwrap().push((text, begin.elapsed().as_secs()));
            let answer = service.answer(text);
            async move { answer }
        })
        .await
        .unwrap();
    assert_eq!(answers.len(), 2);
    assert_eq!(*when.lock().unwrap(), [(0, 0), (0, 30), (1, 30)]);

    let service = Service::new(|text, _| match text {
        0 => Attempt::Done(0),
        _ => passing(Some(3600)),
    });
    let begin = Instant::now();
    let answers = service.ask(&asker, 2).await.unwrap();
    assert_eq!(answers[1], Outcome::GaveUp("HTTP 503; it asks to wait 3600 s".into()));
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn tries_count_against_the_rate() {
    let service = Service::new(|text, tries| match tries {
        0 => passing(None),
        _ => Attempt::Done(text),
    });
    let begin = Instant::now();
    service.ask(&asker(8, Some(2.0)), 6).await.unwrap();
    // Twelve requests, of which two may go at once.
    assert_eq!(begin.elapsed().as_secs(), 5);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Asker::new("test", 1, Some(rate), Patience::default()).is_err());
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    // 1994-11-06 08:49:37 UTC, in HTTP's three forms.
    let date = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let now = date - Duration::from_secs(90);
    let wait = |value: &str| retry_after(value, now);
    for form in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(wait(form), Some(Duration::from_secs(90)), "{form}");
    }
    assert_eq!(wait(" 120 "), Some(Duration::from_secs(120)));
    assert_eq!(wait("0"), Some(Duration::ZERO));
    assert_eq!(wait(&"9".repeat(40)), Some(Duration::from_secs(u64::MAX)));
    assert_eq!(
        retry_after("Sun, 06 Nov 1994 08:49:37 GMT", SystemTime::now()),
        Some(Duration::ZERO)
    );
    for neither in ["", "soon", "-1", "1.5", "Sun, 06 Nov"] {
        assert_eq!(wait(neither), None, "{neither}");
    }
}

#[test]
fn statuses_pass_deny_refuse_or_lead_elsewhere() {
    use StatusClass::{Denied, Elsewhere, Passing, Refused, Success};
    for (status, class) in [
        (200, Success),
        (301, Elsewhere),
        (307, Elsewhere),
        (400, Refused),
        (401, Denied),
        (403, Denied),
        (404, Elsewhere),
        (408, Refused),
        (410, Denied),
        (413, Refused),
        (429, Passing),
        (500, Passing),
        (503, Passing),
        (599, Passing),
        (600, Refused),
    ] {
        assert_eq!(StatusClass::of(status), class, "{status}");
    }
}
