use std::fs;
use std::path::Path;

/// Every doc comment below a directory, as one line each file, with links reduced to their names.
fn documentation(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(documentation(&path));
        } else {
            let source = fs::read_to_string(&path).unwrap();
            let lines = source.lines().map(|line| line.trim_start().strip_prefix("///"));
            let words: Vec<&str> = lines.flatten().flat_map(str::split_whitespace).collect();
            found.push(without_links(&words.join(" ")));
        }
    }
    found
}

/// "[`A`](crate::A)" and "[`A`]" become "`A`".
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        plain.push_str(before);
        plain.push('`');
        let (name, after) = after.split_once("`]").unwrap();
        plain.push_str(name);
        plain.push('`');
        rest = match after.strip_prefix('(') {
            Some(target) => target.split_once(')').unwrap().1,
            None => after,
        };
    }
    plain + rest
}

#[test]
fn every_clause_is_a_sentence_of_the_traits_documentation() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/core/src");
    let documentation = documentation(&core);
    for clause in detoxlm_conformance::clauses() {
        let found = documentation.iter().any(|text| text.contains(clause.sentence()));
        assert!(found, "the core does not say this (any more): {clause}");
    }
}

#[test]
fn clauses_are_told_apart() {
    let mut all: Vec<String> = detoxlm_conformance::clauses().map(|c| c.to_string()).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}
