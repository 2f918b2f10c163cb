//! Makes the tables of the default list and of the look-alikes, so that an instance starts at once.

use std::{env, fs, path::Path};

#[path = "src/entry.rs"]
mod entry;
#[path = "src/node.rs"]
mod node;

fn main() {
    let read = |name: &str| {
        println!("cargo::rerun-if-changed={name}");
        fs::read_to_string(name).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let entries = read("data/words.txt").lines().filter_map(entry::normalised).collect();
    let mut nodes = String::new();
    for node::Node { label, ends, last, children } in node::tree(entries) {
        nodes += &format!(
            "Node {{ label: {label}, ends: {ends}, last: {last}, children: {children} }},\n"
        );
    }

    let mut look_alikes = Vec::new();
    for line in read("data/look-alikes.txt").lines() {
        let mut characters = line.chars();
        let letter = characters.next().expect("every line begins with its letter");
        look_alikes.extend(characters.map(|character| (character, letter)));
    }
    look_alikes.sort_unstable();

    let tables = format!(
        "pub(crate) static NODES: &[Node] = &[{nodes}];\n\
         pub(crate) static LOOK_ALIKES: &[(char, char)] = &{look_alikes:?};\n"
    );
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&folder).join("tables.rs"), tables).expect("OUT_DIR is writable");
}
