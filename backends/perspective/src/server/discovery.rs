//! The description of the service that Google's client libraries ask for before anything else.

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

/// The document for a client that knows this server by the `Host` that it sends.
///
/// `None` when it sends none that can be the host of a URL. A proxy in front that speaks TLS says so
/// in `X-Forwarded-Proto`.
pub(super) fn document(headers: &HeaderMap) -> Option<Value> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    let host =
        text(header::HOST.as_str()).filter(|host| !host.is_empty() && host.chars().all(legal))?;
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    Some(describe(&format!("{scheme}://{host}/")))
}

fn describe(root: &str) -> Value {
    let string = || json!({"type": "string"});
    let strings = || json!({"type": "array", "items": {"type": "string"}});
    let reference = |name: &str| json!({"$ref": name});
    let map = |name: &str| json!({"type": "object", "additionalProperties": {"$ref": name}});
    let schema = |name: &str, properties: Value| json!({"id": name, "type": "object", "properties": properties});
    let method = |name: &str, request: &str, response: &str| {
        json!({
            "id": format!("commentanalyzer.comments.{name}"),
            "path": format!("v1alpha1/comments:{name}"),
            "flatPath": format!("v1alpha1/comments:{name}"),
            "httpMethod": "POST",
            "parameters": {},
            "parameterOrder": [],
            "request": {"$ref": request},
            "response": {"$ref": response},
        })
    };
    // No `auth`: with scopes, a client that is given no key would look for Google credentials.
    json!({
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "commentanalyzer:v1alpha1",
        "name": "commentanalyzer",
        "version": "v1alpha1",
        "title": "Perspective Comment Analyzer API, as served by detoxlm",
        "protocol": "rest",
        "rootUrl": root,
        "baseUrl": root,
        "servicePath": "",
        "basePath": "",
        "batchPath": "batch",
        "parameters": {
            "key": {"type": "string", "location": "query"},
            "alt": {"type": "string", "location": "query", "default": "json", "enum": ["json"]},
            "fields": {"type": "string", "location": "query"},
            "prettyPrint": {"type": "boolean", "location": "query", "default": "true"},
            "quotaUser": {"type": "string", "location": "query"},
        },
        "resources": {"comments": {"methods": {
            "analyze": method("analyze", "AnalyzeCommentRequest", "AnalyzeCommentResponse"),
            "suggestscore":
                method("suggestscore", "SuggestCommentScoreRequest", "SuggestCommentScoreResponse"),
        }}},
        "schemas": {
            "AnalyzeCommentRequest": schema("AnalyzeCommentRequest", json!({
                "comment": reference("TextEntry"),
                "context": {"type": "object", "additionalProperties": {"type": "any"}},
                "requestedAttributes": map("AttributeParameters"),
                "languages": strings(),
                "doNotStore": {"type": "boolean"},
                "clientToken": string(),
                "sessionId": string(),
                "communityId": string(),
                "spanAnnotations": {"type": "boolean"},
            })),
            "AnalyzeCommentResponse": schema("AnalyzeCommentResponse", json!({
                "attributeScores": map("AttributeScores"),
                "languages": strings(),
                "detectedLanguages": strings(),
                "clientToken": string(),
            })),
            "SuggestCommentScoreRequest": schema("SuggestCommentScoreRequest", json!({
                "comment": reference("TextEntry"),
                "attributeScores": map("AttributeScores"),
                "clientToken": string(),
            })),
            "SuggestCommentScoreResponse":
                schema("SuggestCommentScoreResponse", json!({"clientToken": string()})),
            "AttributeParameters": schema("AttributeParameters", json!({
                "scoreType": string(),
                "scoreThreshold": {"type": "number", "format": "float"},
            })),
            "AttributeScores": schema("AttributeScores", json!({
                "summaryScore": reference("Score"),
                "spanScores": {"type": "array", "items": {"$ref": "SpanScore"}},
            })),
            "Score": schema("Score", json!({
                "value": {"type": "number", "format": "float"},
                "type": string(),
            })),
            "SpanScore": schema("SpanScore", json!({
                "begin": {"type": "integer", "format": "int32"},
                "end": {"type": "integer", "format": "int32"},
                "score": reference("Score"),
            })),
            "TextEntry": schema("TextEntry", json!({"text": string(), "type": string()})),
        },
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn root(host: &'static str) -> Option<Value> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        document(&headers).map(|mut document| document["rootUrl"].take())
    }

    #[test]
    fn requests_go_to_where_the_client_found_it() {
        assert_eq!(root("127.0.0.1:8080").unwrap(), "http://127.0.0.1:8080/");
        assert_eq!(root("[::1]:80").unwrap(), "http://[::1]:80/");
        assert_eq!(root("a/b\"c"), None);
        assert_eq!(document(&HeaderMap::new()), None);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("scores.example"));
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        assert_eq!(document(&headers).unwrap()["rootUrl"], "https://scores.example/");
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| match value {
                    Value::String(name) if key == "$ref" => found.push(name.clone()),
                    _ => references(value, found),
                }),
                Value::Array(values) => values.iter().for_each(|v| references(v, found)),
                _ => {}
            }
        }
        let document = describe("http://localhost/");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() >= 12, "{found:?}");
        for name in found {
            assert_eq!(document["schemas"][&name]["id"], name);
        }
    }
}
