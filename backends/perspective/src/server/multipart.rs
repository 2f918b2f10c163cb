//! Reads `multipart/mixed` bodies of HTTP requests, as Google's client libraries write them.

/// Names in lower case, and values.
type Headers = Vec<(String, String)>;

/// One request of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// By what the client knows its answer.
    pub(super) content_id: Option<String>,
    pub(super) method: &'a str,
    /// With the query.
    pub(super) target: &'a str,
    pub(super) headers: Headers,
    pub(super) body: &'a str,
}

/// The boundary that a content type names.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_boundary = name.trim().eq_ignore_ascii_case("boundary");
        Some(value.trim().trim_matches('"')).filter(|value| is_boundary && !value.is_empty())
    })
}

/// The requests of a body, in their order. Lines may end in LF alone, which Python writes.
pub(super) fn parse<'a>(body: &'a str, boundary: &str) -> Result<Vec<Part<'a>>, &'static str> {
    let mut parts = Vec::new();
    let mut begin = None;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        let delimiter = line.strip_prefix("--").and_then(|rest| rest.strip_prefix(boundary));
        let closes = delimiter.map(str::trim_end);
        if let Some("" | "--") = closes {
            if let Some(begin) = begin {
                parts.push(part(&body[begin..at])?);
            }
            if closes == Some("--") {
                return Ok(parts);
            }
            begin = Some(at + line.len());
        }
        at += line.len();
    }
    Err("the multipart body has no closing boundary")
}

fn part(text: &str) -> Result<Part<'_>, &'static str> {
    let (headers, request) = headers(text)?;
    let content_id = headers.into_iter().find(|(name, _)| name == "content-id");
    let (line, rest) = request.split_once('\n').unwrap_or((request, ""));
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err("a part of the batch has no request line");
    };
    let (headers, body) = self::headers(rest)?;
    // The line break before a boundary belongs to the boundary.
    let body = body.strip_suffix('\n').unwrap_or(body);
    let body = body.strip_suffix('\r').unwrap_or(body);
    Ok(Part { content_id: content_id.map(|(_, value)| value), method, target, headers, body })
}

/// The headers at the beginning of a text, and what follows the empty line after
/// them. Long values are folded into lines that begin with white space.
fn headers(text: &str) -> Result<(Headers, &str), &'static str> {
    let mut headers = Headers::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return Err("a header of the batch has a control character");
        }
        match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(line.trim());
            }
            (false, _, Some((name, value))) => {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            _ => return Err("a header of the batch is malformed"),
        }
    }
    Ok((headers, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python's `email.generator` writes a batch of `googleapiclient`, long header and all.
    const PYTHON: &str = "--===============12==\nContent-Type: application/http\nMIME-Version: 1.0\n\
        Content-Transfer-Encoding: binary\nContent-ID: <b29c5de2-0db4-490b-b421-6a51b598bd22 +\n \
        a%20rather%20long%20text%2C%20quoted>\n\n\
        POST /v1alpha1/comments:analyze?key=k&alt=json HTTP/1.1\nContent-Type: application/json\n\
        MIME-Version: 1.0\ncontent-length: 4\nHost: 127.0.0.1:8080\n\n{\"a\": \"--\"}\n\
        --===============12==\nContent-Type: application/http\nContent-ID:\n <b29c + 1>\n\n\
        POST /b HTTP/1.1\n\n\n--===============12==--\n";

    #[test]
    fn what_python_writes_is_read() {
        let parts = parse(PYTHON, "===============12==").unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(
            parts[0].content_id.as_deref(),
            Some("<b29c5de2-0db4-490b-b421-6a51b598bd22 + a%20rather%20long%20text%2C%20quoted>")
        );
        assert_eq!(parts[0].method, "POST");
        assert_eq!(parts[0].target, "/v1alpha1/comments:analyze?key=k&alt=json");
        assert_eq!(parts[0].body, "{\"a\": \"--\"}");
        assert_eq!(parts[1].content_id.as_deref(), Some("<b29c + 1>"));
        assert_eq!((parts[1].target, parts[1].body), ("/b", ""));
        let windows = PYTHON.replace('\n', "\r\n");
        let same = parse(&windows, "===============12==").unwrap();
        assert_eq!(same[0].body, parts[0].body);
        assert_eq!(same[0].headers, parts[0].headers);
    }

    #[test]
    fn what_is_broken_is_refused() {
        for (body, why) in [
            ("", "closing boundary"),
            ("--b\n\nPOST / HTTP/1.1\n\n", "closing boundary"),
            ("--b\n\n--b--", "request line"),
            ("--b\n\nPOST\n--b--", "request line"),
            ("--b\nno colon\n\nPOST / HTTP/1.1\n--b--", "malformed"),
            ("--b\n folded\n\nPOST / HTTP/1.1\n--b--", "malformed"),
            ("--b\nContent-ID: <a\rb>\n\nPOST / HTTP/1.1\n--b--", "control character"),
        ] {
            let error = parse(body, "b").unwrap_err();
            assert!(error.contains(why), "{body:?}: {error}");
        }
        assert_eq!(parse("--b--", "b").unwrap(), []);
    }

    #[test]
    fn no_damage_to_a_body_is_more_than_an_error() {
        for at in 0..PYTHON.len() {
            let (before, after) = PYTHON.split_at(at);
            for damaged in [before, after, &format!("{before}\n{after}"), &format!("{before}é")] {
                if let Ok(parts) = parse(damaged, "===============12==") {
                    assert!(parts.len() <= 2, "{damaged:?}");
                }
            }
        }
    }

    #[test]
    fn boundaries_are_found_quoted_or_not() {
        for (header, found) in [
            ("multipart/mixed; boundary=\"==1==\"", Some("==1==")),
            ("Multipart/Mixed;charset=utf-8; Boundary=x", Some("x")),
            ("multipart/mixed; boundary=\"\"", None),
            ("multipart/form-data; boundary=x", None),
            ("application/json", None),
        ] {
            assert_eq!(boundary(header), found, "{header}");
        }
    }
}
