//! A verdict depends on the text alone: not on threads, on batches, on load, or on who asks when.

use std::time::Duration;

use detoxlm_plugins::{HostConfig, Limits};
use futures_util::future::join_all;

use crate::guest::Guest;
use crate::support::{Place, abstain, judge};

/// Works for the square of a text's length, so that fuel for some texts is enough and for others not.
fn laborious() -> Guest {
    Guest {
        declarations: "(func $work (param $n i32) (local $left i32)
            (local.set $left (i32.mul (local.get $n) (local.get $n)))
            (loop $on (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $on (i32.gt_s (local.get $left) (i32.const 0)))))",
        ..Guest::on_bad(
            "(call $work (local.get $length))
             (call $default (local.get $text) (local.get $length) (local.get $out))",
        )
    }
}

/// Of 1 to 200 bytes; work of `6 n²` against fuel of `30,000 + 300 n` lets through those up to 100 or so.
fn texts() -> Vec<String> {
    (0..600_usize).map(|n| format!("{}{}", n % 10, "x".repeat(n * 7 % 200))).collect()
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    (limits.fuel_per_text, limits.fuel_per_byte) = (30_000, 300);
    limits
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_batches_and_load_change_nothing() {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut seen: Vec<Vec<String>> = Vec::new();
    for threads in [1, 8] {
        let place = Place::with(HostConfig::default().with_threads(threads));
        let plugin = place.try_load(&laborious(), abstain().with_limits(limits())).unwrap();
        let other = place.load(&Guest::default());
        for batch in [1, 7, 256, 600] {
            // Other calls, to the same plugin and to another one, are under way all the time.
            let load = async {
                join_all((0..6).map(|_| judge(&plugin, &texts[..100]))).await;
                join_all((0..6).map(|_| judge(&other, &texts[..100]))).await;
            };
            let asked = async {
                let calls = texts.chunks(batch).map(|chunk| judge(&plugin, chunk));
                let answers = join_all(calls).await;
                answers.into_iter().flat_map(Result::unwrap).collect()
            };
            let ((), answers) = futures_util::future::join(load, asked).await;
            seen.push(answers);
        }
    }
    let failed = seen[0].iter().filter(|judged| judged.starts_with("failed")).count();
    assert!((100..500).contains(&failed), "{failed} of 600 had too little fuel");
    for other in &seen[1..] {
        assert_eq!(*other, seen[0]);
    }
}

/// More calls at once than there are threads or instances wait for their turn.
#[tokio::test(flavor = "multi_thread")]
async fn many_callers_wait_for_their_turn() {
    let place =
        Place::with(HostConfig::default().with_threads(2).with_deadline(Duration::from_secs(60)));
    let plugins: Vec<_> = (0..20).map(|_| place.load(&Guest::default())).collect();
    let calls = (0..400).map(|n| judge(&plugins[n % 20], &["1", "2", "3"]));
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), ["0.1", "0.2", "0.3"]);
    }
}
