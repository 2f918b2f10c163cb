//! Bytes that are no plugin.

use std::panic::{AssertUnwindSafe, catch_unwind};

use detoxlm_core::ErrorKind;
use detoxlm_plugins::PluginOptions;

use crate::guest::Guest;
use crate::support::{Place, abstain, judge};

#[test]
fn a_core_module_is_told_from_a_component() {
    let place = Place::new();
    let path = place.write("core.wasm", Guest::default().module());
    let error = place.host.load(&path, PluginOptions::default()).unwrap_err();
    assert_eq!(error.path(), Some(path.as_path()));
    assert!(error.to_string().contains("core module, not a component"), "{error}");
    assert!(error.remedy().unwrap().contains("detoxlm plugin pack"));
}

#[test]
fn other_files_are_refused_by_name() {
    let place = Place::new();
    for (bytes, word) in [
        (&b""[..], "not WebAssembly"),
        (b"\0asm", "unknown version"),
        (b"\0asm\x0d\0\x02\0", "unknown version"),
        (b"#!/bin/sh\n", "not WebAssembly"),
        (b"\0asm\x0d\0\x01\0", "it exports nothing"),
        (b"\0asm\x0d\0\x01\0\xff\xff\xff", "not valid"),
    ] {
        let path = place.write("other.wasm", bytes);
        let error = place.host.load(&path, PluginOptions::default()).unwrap_err();
        assert!(error.to_string().contains(word), "{bytes:?}: {error}");
        assert_eq!(error.path(), Some(path.as_path()));
    }
    let missing = place.path().join("missing.wasm");
    let error = place.host.load(&missing, PluginOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::NotFound, Some(missing.as_path())));
}

/// Wherever it is cut, and whatever bit is flipped, it loads as a plugin or is refused; the host goes on.
/// Damaged ones that load are asked too.
#[tokio::test]
async fn cut_and_flipped_plugins_are_refused_or_harmless() {
    let place = Place::new();
    let whole = Guest::default().component();
    let good = place.load(&Guest::default());
    let mut loaded = 0;
    let mut damaged: Vec<Vec<u8>> =
        (0..whole.len()).step_by(37).map(|end| whole[..end].to_vec()).collect();
    for at in (0..whole.len()).step_by(11) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        damaged.push(flipped);
    }
    for (number, bytes) in damaged.into_iter().enumerate() {
        let path = place.write("damaged.wasm", &bytes);
        let outcome = catch_unwind(AssertUnwindSafe(|| place.host.load(&path, abstain())));
        let outcome = outcome.unwrap_or_else(|_| panic!("number {number} panicked"));
        match outcome {
            Ok(plugin) => {
                loaded += 1;
                // Right or wrong, but an answer.
                let _ = judge(&plugin, &["1", "2"]).await;
            }
            Err(error) => assert_eq!(error.path(), Some(path.as_path()), "{error}"),
        }
    }
    assert!(loaded > 0, "some damage is to what does not matter");
    assert_eq!(judge(&good, &["1"]).await.unwrap(), ["0.1"]);
}

#[test]
fn random_bytes_are_refused() {
    let place = Place::new();
    let mut state: u64 = 7;
    for length in 0..200_usize {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        for _ in 0..length {
            // Knuth's MMIX generator.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bytes.push((state >> 56) as u8);
        }
        let path = place.write("random.wasm", &bytes);
        assert!(place.host.load(&path, PluginOptions::default()).is_err());
    }
}
