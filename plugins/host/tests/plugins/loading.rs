//! From a path to a plugin: manifests, settings, digests, roles, the cache of compiled plugins.

use detoxlm_core::{Attribute, Decision, ErrorKind, Filter as _};
use detoxlm_plugins::{HostConfig, PluginHost, PluginOptions, pack};
use serde_json::{Map, json};

use crate::guest::Guest;
use crate::support::{Place, judge, samples};

fn digest(place: &Place, options: PluginOptions) -> String {
    place.try_load(&Guest::default(), options).unwrap().info().digest.to_string()
}

#[test]
fn a_plugin_is_named_by_its_file_its_folder_or_its_manifest() {
    let place = Place::new();
    let file = place.write("a.wasm", Guest::default().component());
    let manifest = place.write("plugin.toml", "component = \"a.wasm\"\nfailure = \"abstain\"\n");
    for path in [file.as_path(), place.path(), manifest.as_path()] {
        let plugin = place.host.load(path, PluginOptions::default()).unwrap();
        assert_eq!(plugin.manifest().failure, detoxlm_plugins::FailurePolicy::Abstain);
        assert_eq!((plugin.info().name.as_str(), plugin.info().version.as_str()), ("test", "1.0"));
        assert_eq!(plugin.speaks(), "0.1.0");
    }
    // A manifest beside it that is about another one says nothing of it.
    let other = place.write("b.wasm", Guest::default().component());
    let plugin = place.host.load(other, PluginOptions::default()).unwrap();
    assert_eq!(plugin.manifest().failure, detoxlm_plugins::FailurePolicy::Fail);
}

#[test]
fn a_manifest_is_believed_and_checked() {
    let place = Place::new();
    let component = Guest::default().component();
    place.write("a.wasm", &component);
    let refused = |lines: &str| {
        place.write("plugin.toml", format!("component = \"a.wasm\"\n{lines}\n"));
        let error = place.host.load(place.path(), PluginOptions::default()).unwrap_err();
        assert!(error.path().is_some_and(|path| path.ends_with("plugin.toml")), "{error}");
        error
    };
    let wrong = "0".repeat(64);
    let error = refused(&format!("sha256 = \"{wrong}\""));
    assert_eq!((error.kind(), error.key()), (ErrorKind::Incompatible, Some("sha256")), "{error}");
    assert!(error.to_string().contains(&wrong), "{error}");
    assert_eq!(refused("[limits]\nmemory_mib = 100000").key(), Some("limits.memory_mib"));
    assert_eq!(refused("[limits]\ntext_kib = 0").key(), Some("limits.text_kib"));
    assert_eq!(refused("[drop]\nTOXICITY = 1.5").key(), Some("drop.TOXICITY"));
    let error = refused("[drop]\nINSULT = 0.5");
    assert!(error.remedy().unwrap().contains("it gives TOXICITY"), "{error}");
    assert_eq!(refused("colour = 1").line_number(), Some(2));
}

/// What a manifest names is read only if it is a file and a component, and its digest is told only then.
#[cfg(unix)]
#[test]
fn a_manifest_cannot_make_the_host_read_anything() {
    let place = Place::new();
    place.write("secret.txt", "a password");
    let secret = place.path().join("secret.txt");
    for (named, word) in [("/dev/zero", "regular file"), (secret.to_str().unwrap(), "WebAssembly")]
    {
        let wrong = "0".repeat(64);
        place.write("plugin.toml", format!("component = {named:?}\nsha256 = \"{wrong}\"\n"));
        let error = place.host.load(place.path(), PluginOptions::default()).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert!(!error.to_string().contains("SHA-256"), "{error}");
    }
}

#[test]
fn what_is_packed_is_loaded() {
    let place = Place::new();
    let out = place.path().join("a.wasm");
    let component = place.write("built.wasm", Guest::default().component());
    // What is wrong with the manifest is said before anything is written.
    place.write("plugin.toml", "component = \"a.wasm\"\ncolour = 1\n");
    assert_eq!(pack::pack(&component, &out).unwrap_err().line_number(), Some(2));
    assert!(!out.exists());
    place.write("plugin.toml", "component = \"a.wasm\"\nsha256 = \"\"\n# mine\n");
    let packed = pack::pack(&component, &out).unwrap();
    assert!(packed.manifest);
    let plugin = place.host.load(place.path(), PluginOptions::default()).unwrap();
    assert_eq!(plugin.sha256(), packed.sha256);
    // A module that says nothing of the contract cannot be packed.
    let module = place.write("module.wasm", Guest::default().module());
    let error = pack::pack(&module, &out).unwrap_err();
    assert_eq!(error.path(), Some(module.as_path()));
    assert!(error.remedy().unwrap().contains("filter.wit"), "{error}");
}

#[test]
fn the_digest_covers_what_verdicts_depend_on() {
    let place = Place::new();
    let default = digest(&place, PluginOptions::default());
    assert_eq!(default, digest(&place, PluginOptions::default()));
    let settings = Map::from_iter([("words".to_owned(), json!(["x"]))]);
    let mut limits = detoxlm_plugins::Limits::default();
    limits.fuel_per_byte += 1;
    for other in [
        PluginOptions::default().with_settings(settings),
        PluginOptions::default().with_limits(limits),
        PluginOptions::default().with_failure(detoxlm_plugins::FailurePolicy::Abstain),
    ] {
        assert_ne!(digest(&place, other.clone()), default, "{other:?}");
    }
    let other = place.load(&Guest { name: "other", ..Guest::default() });
    assert_ne!(other.info().digest.to_string(), default);
    let at = |value| PluginOptions::default().with_drop(Attribute::TOXICITY, value);
    let filter = |options| {
        let plugin = place.try_load(&Guest::default(), options).unwrap();
        plugin.filter().unwrap().info().digest.clone()
    };
    assert_ne!(filter(at(0.5)), filter(at(0.6)));
}

#[tokio::test]
async fn a_role_that_it_cannot_play_is_refused() {
    let place = Place::new();
    let silent = place.load(&Guest { rejects: false, ..Guest::default() });
    let error = silent.filter().unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Unsupported, Some("test")));
    assert!(error.remedy().unwrap().contains("[drop]"));
    let guest = Guest {
        attributes: vec![],
        verdict: "(call $string (local.get $out) (i32.const 0) (i32.const 0) (i32.const 0))",
        ..Guest::default()
    };
    let words = place.load(&guest);
    assert!(words.scorer().unwrap_err().remedy().unwrap().contains("filter"));
    assert_eq!(judge(&words, &["a", " "]).await.unwrap(), ["passed", "blank"]);
}

#[tokio::test]
async fn a_filter_drops_at_a_value_and_what_it_could_not_look_at() {
    let place = Place::new();
    let guest = Guest::on_bad(
        "(if (call $is_bad (local.get $text)) (then unreachable)
          (else (call $default (local.get $text) (local.get $length) (local.get $out))))",
    );
    let mut limits = detoxlm_plugins::Limits::default();
    limits.text_kib = 1;
    let options = crate::support::abstain().with_drop(Attribute::TOXICITY, 0.5).with_limits(limits);
    let filter = place.try_load(&guest, options).unwrap().filter().unwrap();
    let long = "1".repeat(1025);
    let decisions = filter.decide(&samples(&["4", "5", "!", " ", &long])).await.unwrap();
    let reason = |at: usize| match &decisions[at] {
        Decision::Drop(why) => why.as_str(),
        Decision::Keep => "kept",
    };
    assert_eq!(reason(0), "kept");
    assert_eq!(reason(1), "TOXICITY of 0.500, at least 0.5");
    assert!(reason(2).starts_with("not judged: it trapped"), "{}", reason(2));
    assert_eq!((reason(3), reason(4)), ("kept", "not judged: it is too long"));
}

#[test]
fn compiled_plugins_are_kept_and_found_again() {
    let place = Place::new();
    let cache = place.path().join("cache");
    let file = place.write("a.wasm", Guest::default().component());
    let load = || {
        let host = PluginHost::new(HostConfig::default().with_cache(&cache)).unwrap();
        host.load(&file, PluginOptions::default()).unwrap().info().clone()
    };
    let count = || walk(&cache);
    let first = load();
    let kept = count();
    assert!(kept > 0);
    assert_eq!(load(), first);
    assert_eq!(count(), kept, "the second one compiled nothing");
    // A cache that cannot be used is said.
    let error = PluginHost::new(HostConfig::default().with_cache(&file)).unwrap_err();
    assert_eq!(error.path(), Some(file.as_path()), "{error}");
}

/// Compiled plugins below a folder.
fn walk(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).map_or(0, |entries| {
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| match path.is_dir() {
                true => walk(&path),
                false => usize::from(path.extension().is_none()),
            })
            .sum()
    })
}
