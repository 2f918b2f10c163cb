//! E-mail addresses, as people write them: `name@host.domain`.

const LONGEST_NAME: usize = 64;
/// What ends the names of pictures for fine screens, `icon@2x.png`, and of files in packages.
const FILES: [&str; 7] = ["png", "jpg", "jpeg", "gif", "svg", "css", "js"];

pub(crate) fn is_in(text: &str) -> bool {
    let mut ats = text.match_indices('@').map(|(at, _)| at);
    ats.any(|at| has_name(&text[..at]) && has_host(&text[at + 1..]))
}

/// Whether a text ends with the name before an `@`.
fn has_name(text: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let name = &text[text.trim_end_matches(is_name).len()..];
    name.len() <= LONGEST_NAME && name.contains(char::is_alphanumeric) && !name.ends_with('.')
}

/// Whether a text begins with a host: two labels or more, the last of letters.
fn has_host(text: &str) -> bool {
    let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let host = &text[..text.len() - text.trim_start_matches(is_host).len()];
    // Full stops and dashes at the end are the sentence's.
    let host = host.trim_end_matches(['.', '-']);
    let Some((labels, top)) = host.rsplit_once('.') else { return false };
    let is_top = top.chars().count() >= 2 && top.chars().all(char::is_alphabetic);
    let is_file = FILES.iter().any(|file| top.eq_ignore_ascii_case(file));
    is_top && !is_file && labels.split('.').all(|label| !label.is_empty())
}
