//! The evolution rule of filter.wit, with plugins of other versions than this host's.

use detoxlm_core::ErrorKind;
use detoxlm_plugins::PluginOptions;

use crate::guest::{Guest, WIT};
use crate::support::{Place, abstain, judge};

/// A component that was built when 0.1.0 was all there was. It stays as it is: every host that speaks
/// 0.1 must load it.
const OLDEST: &[u8] = include_bytes!("../components/v0.1.0.wasm");

/// Only for the release after a change of the contract, under a new name: what is there stays.
#[test]
#[ignore = "writes the component of this version"]
fn write_the_component_of_this_version() {
    std::fs::write("tests/components/v0.1.0.wasm", Guest::default().component()).unwrap();
}

/// The contract of another version.
fn contract(version: &str, change: impl Fn(String) -> String) -> String {
    change(
        WIT.replace("package detoxlm:filter@0.1.0;", &format!("package detoxlm:filter@{version};")),
    )
}

#[tokio::test]
async fn the_oldest_plugin_works() {
    let place = Place::new();
    let path = place.write("v0.1.0.wasm", OLDEST);
    let plugin = place.host.load(path, PluginOptions::default()).unwrap();
    assert_eq!(plugin.speaks(), "0.1.0");
    assert_eq!(judge(&plugin, &["3", "4"]).await.unwrap(), ["0.3", "0.4"]);
}

/// 0.1.7 has a function more, which this host does not know and does not need.
#[tokio::test]
async fn a_newer_plugin_that_only_says_more_works() {
    let more = |wit: String| {
        wit.replace(
            "  describe: func() -> descriptor;",
            "  describe: func() -> descriptor;\n\n  /// More.\n  @since(version = 0.1.7)\n  explain: func(text: string) -> u32;",
        )
    };
    let guest = Guest {
        contract: contract("0.1.7", more),
        speaks: "0.1.7",
        declarations:
            "(func (export \"detoxlm:filter/scoring@0.1.7#explain\") (param i32 i32) (result i32)
            (i32.const 1))",
        ..Guest::default()
    };
    let plugin = Place::new().load(&guest);
    assert_eq!(plugin.speaks(), "0.1.7");
    assert_eq!(judge(&plugin, &["3", "4"]).await.unwrap(), ["0.3", "0.4"]);
}

#[test]
fn a_plugin_of_another_contract_is_told_which_one_is_spoken() {
    for version in ["0.2.0", "1.0.0", "0.10.0"] {
        let same = |wit: String| wit.replace("version = 0.1.0", &format!("version = {version}"));
        let speaks: &'static str = Box::leak(version.to_owned().into_boxed_str());
        let guest = Guest { contract: contract(version, same), speaks, ..Guest::default() };
        let error = Place::new().try_load(&guest, PluginOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        let expected = format!("it speaks detoxlm:filter {version}, and this host 0.1.x");
        assert!(error.to_string().contains(&expected), "{error}");
        assert!(error.remedy().is_some());
    }
}

/// A breaking change under the old number: a field more.
#[test]
fn a_plugin_that_claims_a_version_and_differs_is_refused() {
    let field =
        |wit: String| wit.replace("    rejects: bool,", "    rejects: bool,\n    extra: u8,");
    let guest = Guest { contract: contract("0.1.0", field), ..Guest::default() };
    let error = Place::new().try_load(&guest, PluginOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("does not fit its version of the contract"), "{error}");
}

/// Two contracts in one component: the one that is spoken is used.
#[test]
fn a_component_that_is_no_filter_says_what_it_exports() {
    let place = Place::new();
    let path = place.write("empty.wasm", b"\0asm\x0d\0\x01\0");
    let error = place.host.load(path, abstain()).unwrap_err();
    assert!(error.to_string().contains("it is no scoring filter: it exports nothing"), "{error}");
    assert!(error.remedy().unwrap().contains("version 0.1.x"));
}
