//! A plugin that asks for the world around it gets nothing, and one that only could have asked works.

use detoxlm_core::ErrorKind;
use detoxlm_plugins::PluginOptions;

use crate::guest::Guest;
use crate::support::{Place, judge};

/// A guest that calls an import on texts that begin with `!`.
fn calling(world: &'static str, import: &'static str, call: &'static str) -> Guest {
    let verdict = "(if (call $is_bad (local.get $text)) (then CALL))
        (call $default (local.get $text) (local.get $length) (local.get $out))";
    Guest {
        imports: import,
        verdict: Box::leak(verdict.replace("CALL", call).into_boxed_str()),
        world: Some(world),
        ..Guest::default()
    }
}

/// World, import and call of everything that plugins have tried elsewhere; the interfaces are cut down to
/// the function that is called.
fn attempts() -> Vec<(&'static str, &'static str, Guest)> {
    vec![
        (
            "files",
            "wasi:filesystem/preopens@0.2.0#get-directories",
            calling(
                "package test:files;
                 world guest { import wasi:filesystem/preopens@0.2.0; include detoxlm:filter/scoring-filter@0.1.0; }
                 package wasi:filesystem@0.2.0 { interface preopens { get-directories: func() -> list<u32>; } }",
                "(import \"wasi:filesystem/preopens@0.2.0\" \"get-directories\" (func $call (param i32)))",
                "(call $call (i32.const 3072))",
            ),
        ),
        (
            "network",
            "wasi:sockets/instance-network@0.2.0#instance-network",
            calling(
                "package test:network;
                 world guest { import wasi:sockets/instance-network@0.2.0; include detoxlm:filter/scoring-filter@0.1.0; }
                 package wasi:sockets@0.2.0 { interface instance-network { instance-network: func() -> u32; } }",
                "(import \"wasi:sockets/instance-network@0.2.0\" \"instance-network\" (func $call (result i32)))",
                "(drop (call $call))",
            ),
        ),
        (
            "clock",
            "wasi:clocks/wall-clock@0.2.0#now",
            calling(
                "package test:clock;
                 world guest { import wasi:clocks/wall-clock@0.2.0; include detoxlm:filter/scoring-filter@0.1.0; }
                 package wasi:clocks@0.2.0 { interface wall-clock { now: func() -> u64; } }",
                "(import \"wasi:clocks/wall-clock@0.2.0\" \"now\" (func $call (result i64)))",
                "(drop (call $call))",
            ),
        ),
        (
            "random",
            "wasi:random/random@0.2.0#get-random-u64",
            calling(
                "package test:random;
                 world guest { import wasi:random/random@0.2.0; include detoxlm:filter/scoring-filter@0.1.0; }
                 package wasi:random@0.2.0 { interface random { get-random-u64: func() -> u64; } }",
                "(import \"wasi:random/random@0.2.0\" \"get-random-u64\" (func $call (result i64)))",
                "(drop (call $call))",
            ),
        ),
        (
            "environment",
            "wasi:cli/environment@0.2.0#get-environment",
            calling(
                "package test:environment;
                 world guest { import wasi:cli/environment@0.2.0; include detoxlm:filter/scoring-filter@0.1.0; }
                 package wasi:cli@0.2.0 { interface environment { get-environment: func() -> list<tuple<string, string>>; } }",
                "(import \"wasi:cli/environment@0.2.0\" \"get-environment\" (func $call (param i32)))",
                "(call $call (i32.const 3072))",
            ),
        ),
        (
            "something unheard of",
            "acme:things/thing#do-it",
            calling(
                "package test:thing;
                 world guest { import acme:things/thing; include detoxlm:filter/scoring-filter@0.1.0; }
                 package acme:things { interface thing { do-it: func(); } }",
                "(import \"acme:things/thing\" \"do-it\" (func $call))",
                "(call $call)",
            ),
        ),
    ]
}

#[tokio::test]
async fn calling_an_import_fails_the_text_and_names_the_import() {
    for (what, import, guest) in attempts() {
        let place = Place::new();
        let plugin = place.load(&guest);
        let (interface, _) = import.split_once('#').unwrap();
        assert_eq!(plugin.imports(), [interface]);
        let judged = judge(&plugin, &["1", "!", "2"]).await.unwrap();
        let expected = format!("failed: it called {import}, which no plugin has");
        assert_eq!(judged, ["0.1", expected.as_str(), "0.2"], "{what}");
        let strict = place.try_load(&guest, PluginOptions::default()).unwrap();
        let error = judge(&strict, &["1", "!"]).await.unwrap_err();
        assert!(error.to_string().contains(import), "{what}: {error}");
        assert!(error.remedy().unwrap().contains("build the plugin without it"));
        assert_eq!(judge(&strict, &["3"]).await.unwrap(), ["0.3"], "{what}");
    }
}

#[test]
fn imports_can_be_denied() {
    let place = Place::new();
    for (what, import, guest) in attempts() {
        let deny = PluginOptions::default().with_deny_imports(true);
        let error = place.try_load(&guest, deny).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{what}");
        assert!(error.to_string().contains(import.split('#').next().unwrap()), "{error}");
    }
    let deny = PluginOptions::default().with_deny_imports(true);
    assert!(place.try_load(&Guest::default(), deny).is_ok());
}

#[test]
fn an_import_at_the_start_is_refused_at_the_start() {
    let (_, import, guest) = attempts().swap_remove(2);
    let guest = Guest { configure: "(drop (call $call)) (call $ok)", ..guest };
    let error = Place::new().try_load(&guest, PluginOptions::default()).unwrap_err();
    assert!(error.to_string().contains(import), "{error}");
}
