/// An entry of a list as the tree holds it: lower case, one space between words, whether they were
/// apart by white space or hyphens. `None` where nothing is left.
pub(crate) fn normalised(entry: &str) -> Option<String> {
    let entry = entry.to_lowercase();
    let separator = |c: char| c.is_whitespace() || matches!(c, '-' | '_');
    let words: Vec<&str> = entry.split(separator).filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}
