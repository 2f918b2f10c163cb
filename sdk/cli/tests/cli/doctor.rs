//! `doctor`: what there is on this machine.

use std::path::Path;

use crate::support::{detoxlm, detoxlm_in};

#[test]
fn what_there_is_is_said_and_what_is_not_has_a_remedy() {
    let report = detoxlm(Path::new("."), &["doctor", "--json"]).ok().json();
    let all: Vec<_> = ["machine", "features", "libraries"]
        .iter()
        .flat_map(|area| report[area].as_array().unwrap().clone())
        .collect();
    let state =
        |name: &str| all.iter().find(|f| f["name"] == name).unwrap()["state"].as_str().unwrap();
    let of = |is_there| if is_there { "ready" } else { "absent" };
    assert_eq!(state("candle"), of(cfg!(feature = "candle")));
    assert_eq!(state("onnxruntime"), of(cfg!(feature = "onnxruntime")));
    #[cfg(feature = "defaults")]
    assert_eq!(state("default scorer"), "ready");
    for finding in all.iter().filter(|finding| finding["state"] != "ready") {
        assert!(finding["remedy"].is_string(), "{finding}");
    }
}

#[test]
#[cfg(all(feature = "perspective", feature = "hub"))]
fn keys_are_found_and_not_shown() {
    let keys = [("PERSPECTIVE_API_KEY", "a-key-to-be-kept"), ("HF_TOKEN", "a-token-to-be-kept")];
    let shown = detoxlm_in(Path::new("."), &keys, &["doctor"]).ok();
    assert!(shown.stdout.contains("PERSPECTIVE_API_KEY is set"), "{shown:?}");
    assert!(shown.stdout.contains("with a token"), "{shown:?}");
    assert!(!shown.stdout.contains("to-be-kept"), "{shown:?}");
}

/// A library that is named and cannot be used breaks what runs on it, and the exit code says so.
#[test]
#[cfg(all(feature = "defaults", not(feature = "onnxruntime")))]
fn what_is_asked_for_and_does_not_work_is_a_failure() {
    let named = [("DETOXLM_ONNXRUNTIME", "no-such-library.so")];
    let shown = detoxlm_in(Path::new("."), &named, &["doctor"]);
    assert_eq!(shown.code, 3, "{shown:?}");
    assert!(shown.stdout.contains("BROKEN"), "{shown:?}");
    assert!(shown.stdout.contains("unset DETOXLM_ONNXRUNTIME"), "{shown:?}");
}
