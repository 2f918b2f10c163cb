//! What plugins say of themselves is checked before anything is asked of them.

use detoxlm_core::ErrorKind;
use detoxlm_plugins::{Limits, PluginOptions};

use crate::guest::Guest;
use crate::support::Place;

fn refused(guest: Guest) -> detoxlm_core::Error {
    Place::new().try_load(&guest, PluginOptions::default()).unwrap_err()
}

#[test]
fn a_descriptor_that_cannot_be_is_refused() {
    let guest = Guest::default;
    for (guest, key) in [
        (Guest { name: "", ..guest() }, "name"),
        (Guest { name: "two words", ..guest() }, "name"),
        (Guest { name: "../../etc", ..guest() }, "name"),
        (Guest { version: "", ..guest() }, "version"),
        (Guest { version: "1\n2", ..guest() }, "version"),
        (Guest { attributes: vec!["TOXICITY", "toxicity"], ..guest() }, "attributes"),
        (Guest { attributes: vec!["a b"], ..guest() }, "a b"),
        (Guest { attributes: vec![], rejects: false, ..guest() }, "attributes"),
    ] {
        let error = refused(guest);
        assert_eq!(error.key(), Some(key), "{error}");
        assert!(error.path().is_some_and(|path| path.ends_with("guest.wasm")), "{error}");
        assert!(error.remedy().is_some(), "{error}");
    }
    assert_eq!(
        refused(Guest {
            name: "a name that is longer than sixty-four bytes, which is a lot for it",
            ..guest()
        })
        .key(),
        Some("name")
    );
}

#[test]
fn a_plugin_that_becomes_another_one_is_refused() {
    let guest = Guest {
        describe: "(if (global.get $configured) (then (i32.store8 (i32.const 64) (i32.const 66))))",
        declarations: "(global $configured (mut i32) (i32.const 0))",
        configure: "(global.set $configured (i32.const 1)) (call $ok)",
        ..Guest::default()
    };
    // The strings of the descriptor are data at 64, so the name changes.
    assert!(refused(guest).to_string().contains("another one after it was configured"));
}

#[test]
fn a_plugin_that_fails_at_its_start_is_refused_with_the_reason() {
    for (configure, kind, word) in [
        (
            "(call $failure (i32.const 0))",
            ErrorKind::InvalidConfig,
            "it refused its settings: oops",
        ),
        ("(call $failure (i32.const 1))", ErrorKind::Incompatible, "it failed: oops"),
        ("unreachable", ErrorKind::Incompatible, "`unreachable` instruction"),
        ("(loop $on (br $on)) unreachable", ErrorKind::Incompatible, "200000000 to start"),
        (
            "(drop (memory.grow (i32.const 2000))) (call $ok)",
            ErrorKind::Incompatible,
            "more than 64 MiB of memory",
        ),
    ] {
        let error = refused(Guest { configure, ..Guest::default() });
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(error.remedy().is_some(), "{error}");
    }
    let start = Guest {
        declarations: "(func $start (loop $on (br $on))) (start $start)",
        ..Guest::default()
    };
    assert!(refused(start).to_string().contains("200000000 to start"));
}

#[test]
fn memory_that_it_begins_with_counts() {
    let mut limits = Limits::default();
    limits.memory_mib = 1;
    let guest = Guest { pages: 20, ..Guest::default() };
    let options = PluginOptions::default().with_limits(limits);
    let error = Place::new().try_load(&guest, options).unwrap_err();
    assert!(error.to_string().contains("more than 1 MiB of memory"), "{error}");
}
