//! Guests that do what they must not. Each is well-behaved on texts that do not begin with `!`: the host
//! finds the text, says which limit or rule it was, and goes on, with the same plugin and with others.

use std::time::Duration;

use detoxlm_core::ErrorKind;
use detoxlm_plugins::{FailurePolicy, HostConfig, Limits, PluginOptions};

use crate::guest::Guest;
use crate::support::{Place, abstain, judge};

/// Loads it under limits that are reached soon, and checks what becomes of a bad text among good ones.
async fn fails(guest: Guest, kind: ErrorKind, why: &str) {
    let place = Place::new();
    let mut limits = Limits::default();
    (limits.fuel_per_text, limits.fuel_per_byte) = (1_000_000, 1_000);
    (limits.memory_mib, limits.table_elements) = (4, 100);
    let options =
        |policy| PluginOptions::default().with_failure(policy).with_limits(limits.clone());
    let other = place.load(&Guest::default());
    let texts = ["1", "!", "2", "3", "! too", "4"];

    let lenient = place.try_load(&guest, options(FailurePolicy::Abstain)).unwrap();
    for _ in 0..2 {
        let judged = judge(&lenient, &texts).await.unwrap();
        assert!(judged[1].starts_with("failed: ") && judged[1].contains(why), "{}", judged[1]);
        assert_eq!(judged[4], judged[1]);
        assert_eq!([&judged[0], &judged[2], &judged[3], &judged[5]], ["0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(judge(&other, &["5", "!"]).await.unwrap()[0], "0.5");
    }

    let strict = place.try_load(&guest, options(FailurePolicy::Fail)).unwrap();
    let error = judge(&strict, &texts).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (kind, Some("test")), "{error}");
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.remedy().is_some());
    assert_eq!(judge(&strict, &["6", "7"]).await.unwrap(), ["0.6", "0.7"]);
    assert_eq!(judge(&other, &["5"]).await.unwrap(), ["0.5"]);
}

/// A verdict that is something else for bad texts.
macro_rules! on_bad {
    ($code:expr) => {
        concat!(
            "(if (call $is_bad (local.get $text)) (then ",
            $code,
            " ) (else (call $default (local.get $text) (local.get $length) (local.get $out))))"
        )
    };
}

const LIMIT: ErrorKind = ErrorKind::Unsupported;
const BROKEN: ErrorKind = ErrorKind::Incompatible;

#[tokio::test]
async fn an_endless_loop_ends_with_its_fuel() {
    let guest = Guest::on_bad(on_bad!("(loop $on (br $on))"));
    fails(guest, LIMIT, "used up its fuel (1000000 for a text and 1000 for each byte)").await;
}

#[tokio::test]
async fn time_exponential_in_the_length_ends_with_the_fuel() {
    let guest = Guest {
        declarations: "(func $power (param $n i32)
            (if (local.get $n) (then
              (call $power (i32.sub (local.get $n) (i32.const 1)))
              (call $power (i32.sub (local.get $n) (i32.const 1))))))",
        ..Guest::on_bad(
            "(call $power (local.get $length))
             (call $default (local.get $text) (local.get $length) (local.get $out))",
        )
    };
    let place = Place::new();
    let plugin = place.load(&guest);
    let long = "7".repeat(60);
    let judged = judge(&plugin, &["1 short one", &long, "2"]).await.unwrap();
    assert_eq!([&judged[0], &judged[2]], ["0.1", "0.2"]);
    assert!(judged[1].contains("fuel"), "{}", judged[1]);
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let grow = on_bad!("(loop $on (drop (memory.grow (i32.const 16))) (br $on))");
    fails(Guest::on_bad(grow), LIMIT, "more than 4 MiB of memory").await;
    let leap = on_bad!("(drop (memory.grow (i32.const 60000)))");
    fails(Guest::on_bad(leap), LIMIT, "more than 4 MiB of memory").await;
}

#[tokio::test]
async fn tables_end_at_their_limit() {
    let guest = Guest {
        declarations: "(table $t 10 funcref)",
        ..Guest::on_bad(on_bad!(
            "(loop $on (drop (table.grow $t (ref.null func) (i32.const 10))) (br $on))"
        ))
    };
    fails(guest, LIMIT, "tables of more than 100 elements").await;
}

#[tokio::test]
async fn the_stack_ends_at_its_limit() {
    let guest = Guest {
        declarations: "(func $deep (param i64 i64 i64 i64) (result i64)
            (i64.add (i64.const 1)
              (call $deep (local.get 3) (local.get 0) (local.get 1) (local.get 2))))",
        ..Guest::on_bad(on_bad!(
            "(drop (call $deep (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))"
        ))
    };
    fails(guest, LIMIT, "too deep for the stack").await;
}

#[tokio::test]
async fn an_answer_ends_at_its_limit() {
    // A reason of a MiB and more: of what is in memory, but more than the host takes.
    let long = on_bad!(
        "(drop (memory.grow (i32.const 20)))
         (call $string (local.get $out) (i32.const 1) (i32.const 0) (i32.const 1200000))"
    );
    fails(Guest::on_bad(long), LIMIT, "larger than the host takes").await;
    // A list whose every element is the same long string.
    let guest = Guest {
        score: "(if (result i32) (call $is_bad (i32.load offset=8 (local.get $samples))) (then
            (call $list (i32.const 0) (i32.const 5000)))
          (else (call $each (local.get $samples) (local.get $count))))",
        ..Guest::default()
    };
    let judged = judge(&Place::new().load(&guest), &["!", "1"]).await.unwrap();
    assert!(judged[0].starts_with("failed: "), "{judged:?}");
    assert_eq!(judged[1], "0.1");
}

#[tokio::test]
async fn what_it_hands_over_must_be_in_its_memory() {
    let outside =
        on_bad!("(call $string (local.get $out) (i32.const 1) (i32.const -16) (i32.const 1000))");
    fails(Guest::on_bad(outside), BROKEN, "out of bounds").await;
}

#[tokio::test]
async fn what_it_hands_over_must_be_of_its_type() {
    let case =
        on_bad!("(call $string (local.get $out) (i32.const 9) (i32.const 16) (i32.const 4))");
    fails(Guest::on_bad(case), BROKEN, "discriminant").await;
    let text = Guest {
        declarations: "(data (i32.const 32) \"\\ff\\fe\\c0\")",
        ..Guest::on_bad(on_bad!(
            "(call $string (local.get $out) (i32.const 1) (i32.const 32) (i32.const 3))"
        ))
    };
    fails(text, BROKEN, "utf-8").await;
}

#[tokio::test]
async fn values_must_be_numbers_in_the_unit_interval() {
    for (value, shown) in [("nan", "NaN"), ("inf", "inf"), ("-0.1", "-0.1"), ("1.0001", "1.0001")] {
        let code = on_bad!("(call $value (local.get $out) (f32.const VALUE))");
        let code: &'static str = Box::leak(code.replace("VALUE", value).into_boxed_str());
        let why = format!("TOXICITY: {shown} is not in [0, 1]");
        fails(Guest::on_bad(code), BROKEN, &why).await;
    }
}

#[tokio::test]
async fn every_attribute_must_have_one_value() {
    let none = on_bad!("(call $string (local.get $out) (i32.const 0) (i32.const 0) (i32.const 0))");
    fails(Guest::on_bad(none), BROKEN, "0 values of 1 attributes").await;
    let two = on_bad!("(call $string (local.get $out) (i32.const 0) (i32.const 0) (i32.const 2))");
    fails(Guest::on_bad(two), BROKEN, "2 values of 1 attributes").await;
}

#[tokio::test]
async fn every_text_must_have_one_verdict() {
    for (score, counts) in [
        ("(call $list (i32.const 3072) (i32.const 0))", "0 verdicts on 1 texts"),
        (
            "(drop (call $each (local.get $samples) (local.get $count)))
          (call $list (i32.const 3072) (i32.const 3))",
            "3 verdicts on 1 texts",
        ),
    ] {
        let guest = Guest { score, ..Guest::default() };
        let judged = judge(&Place::new().load(&guest), &["1"]).await.unwrap();
        assert_eq!(judged, [format!("failed: it broke the contract: {counts}")]);
    }
}

#[tokio::test]
async fn only_a_plugin_that_says_so_rejects() {
    let reject =
        on_bad!("(call $string (local.get $out) (i32.const 1) (i32.const 16) (i32.const 4))");
    let guest = Guest::on_bad(reject);
    let judged = judge(&Place::new().load(&guest), &["!", "1"]).await.unwrap();
    assert_eq!(judged, ["rejected: oops", "0.1"]);
    fails(Guest { rejects: false, ..guest }, BROKEN, "its descriptor says that it does not").await;
}

#[tokio::test]
async fn a_trap_in_the_middle_of_a_batch_costs_one_text() {
    let guest = || Guest::on_bad(on_bad!("unreachable"));
    fails(guest(), BROKEN, "`unreachable` instruction").await;
    let plugin = Place::new().load(&guest());
    let texts: Vec<&str> = (0..1000).map(|n| if n % 97 == 50 { "!" } else { "5" }).collect();
    for (text, judged) in texts.iter().zip(judge(&plugin, &texts).await.unwrap()) {
        assert_eq!(judged == "0.5", *text == "5", "{judged}");
    }
}

#[tokio::test]
async fn a_failure_of_its_own_is_of_the_text() {
    let guest = Guest {
        score: "(if (result i32) (call $is_bad (i32.load offset=8 (local.get $samples))) (then
            (call $failure (i32.const 1)))
          (else (call $each (local.get $samples) (local.get $count))))",
        ..Guest::default()
    };
    let plugin = Place::new().load(&guest);
    assert_eq!(judge(&plugin, &["!", "1"]).await.unwrap(), ["failed: it failed: oops", "0.1"]);
}

/// A reason goes to terminals and files: it is one line without what a terminal obeys.
#[tokio::test]
async fn a_reason_is_only_text() {
    let guest = Guest {
        declarations: "(data (i32.const 32) \"a\\1b[2J\\07\\0ab\")",
        ..Guest::on_bad(on_bad!(
            "(call $string (local.get $out) (i32.const 1) (i32.const 32) (i32.const 8))"
        ))
    };
    let judged = judge(&Place::new().load(&guest), &["!"]).await.unwrap();
    assert_eq!(judged, ["rejected: a [2J b"]);
}

#[tokio::test]
async fn nothing_is_kept_from_call_to_call() {
    // It counts its calls and gives the count away.
    let guest = Guest {
        declarations: "(global $calls (mut i32) (i32.const 0))",
        score: "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (call $each (local.get $samples) (local.get $count))",
        verdict: "(call $value (local.get $out)
            (f32.div (f32.convert_i32_s (global.get $calls)) (f32.const 10)))",
        ..Guest::default()
    };
    let plugin = Place::new().load(&guest);
    for _ in 0..5 {
        assert_eq!(judge(&plugin, &["x", "y"]).await.unwrap(), ["0.1", "0.1"]);
    }
}

/// With fuel for hours, only the clock ends it; and how fast a machine is must not decide what is kept, so
/// it is an error under every policy. One instruction that fills all of memory keeps nobody from looking
/// at the clock: each byte of it is a unit of fuel.
#[tokio::test]
async fn what_outlasts_the_clock_ends_loudly() {
    let mut limits = Limits::ceiling();
    limits.fuel_per_text = u64::MAX / 2;
    limits.memory_mib = 128;
    let config = HostConfig::default().with_threads(2).with_ceiling(limits.clone());
    let place = Place::with(config.with_deadline(Duration::from_millis(300)));
    let guest = Guest::on_bad(on_bad!(
        "(drop (memory.grow (i32.const 1000)))
         (loop $on (memory.fill (i32.const 65536) (i32.const 7) (i32.const 60000000)) (br $on))"
    ));
    let plugin = place.try_load(&guest, abstain().with_limits(limits)).unwrap();
    let error = judge(&plugin, &["1", "!"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("clock"), "{error}");
    assert_eq!(judge(&plugin, &["1"]).await.unwrap(), ["0.1"]);
    assert_eq!(judge(&place.load(&Guest::default()), &["2"]).await.unwrap(), ["0.2"]);
}

/// With fuel for hours and an hour on the clock, only giving it up ends it.
#[tokio::test]
async fn who_gives_a_call_up_gets_the_thread_back() {
    let mut limits = Limits::ceiling();
    limits.fuel_per_text = u64::MAX / 2;
    let config = HostConfig::default().with_threads(1).with_ceiling(limits.clone());
    let place = Place::with(config.with_deadline(Duration::from_secs(3600)));
    let guest = Guest::on_bad(on_bad!("(loop $on (br $on))"));
    let plugin = place.try_load(&guest, abstain().with_limits(limits)).unwrap();
    let long = tokio::time::timeout(Duration::from_millis(100), judge(&plugin, &["!"])).await;
    assert!(long.is_err());
    assert_eq!(judge(&plugin, &["1"]).await.unwrap(), ["0.1"]);
}
