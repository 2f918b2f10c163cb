//! What the documents say is true.

use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let (readme, example) = (read("README.md"), read("examples/own_scorer.rs"));
    assert!(readme.contains(&format!("```rust\n{example}```\n")), "copy examples/own_scorer.rs");
    assert!(example.lines().count() <= 30, "it is meant to be short");
}
