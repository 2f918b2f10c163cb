//! The requests of published programs, byte for byte as their libraries write them, and their answers
//! read as those programs read them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::scorer::Lengths;
use crate::support::{ANALYZE, Reply, Running};

const TEXTS: [&str; 3] = ["one text", "another, with é and 😀", "and one more text"];

/// lm-evaluation-harness, `tasks/realtoxicityprompts/metric.py`: `requests` posts JSON to the URL,
/// and the summary score of TOXICITY is what counts.
#[tokio::test]
async fn lm_evaluation_harness() {
    let server = Running::default().await;
    for text in TEXTS {
        let body = json!({
            "comment": {"text": text},
            "languages": ["en"],
            "requestedAttributes": {"TOXICITY": {}},
        });
        let reply = server.post(&format!("{ANALYZE}?key=KEY"), ascii(&body)).await;
        assert_eq!(reply.status, 200);
        let response = reply.json();
        let toxicity = &response["attributeScores"]["TOXICITY"]["summaryScore"]["value"];
        assert_eq!(toxicity.as_f64().unwrap(), Lengths::toxicity(text));
    }
}

/// Megatron-LM's SGEAT, `detxoify_lm/annotations/perspective_api_annotate.py`: Google's client, built
/// of the discovery document, an empty key, six attributes.
#[tokio::test]
async fn sgeat() {
    let server = Running::default().await;
    let service = Service::build(&server, "/$discovery/rest?version=v1alpha1").await;
    let wanted = [
        "toxicity",
        "severe_toxicity",
        "sexually_explicit",
        "threat",
        "profanity",
        "identity_attack",
    ];
    for text in TEXTS {
        let attributes: BTreeMap<_, _> =
            wanted.iter().map(|name| (name.to_uppercase(), json!({}))).collect();
        let body = json!({
            "comment": {"text": text},
            "requestedAttributes": attributes,
            "spanAnnotations": false,
            "languages": ["en"],
        });
        let response = server.post(&service.analyze(""), ascii(&body)).await.ok();
        for name in wanted {
            let scores = &response["attributeScores"][name.to_uppercase()];
            assert!(scores["summaryScore"]["value"].is_f64(), "{name}: {response}");
        }
    }
}

/// RealToxicityPrompts, `utils/perspective_api.py`, whose client DExperts has unchanged: batches, eight
/// attributes of which ours has seven, spans, no language.
#[tokio::test]
async fn real_toxicity_prompts_and_dexperts() {
    let server = Running::default().await;
    let path = "/discovery/v1/apis/commentanalyzer/v1alpha1/rest";
    let service = Service::build(&server, path).await;
    let names = [
        "TOXICITY",
        "SEVERE_TOXICITY",
        "IDENTITY_ATTACK",
        "INSULT",
        "THREAT",
        "PROFANITY",
        "SEXUALLY_EXPLICIT",
        "FLIRTATION",
    ];
    let attributes: BTreeMap<_, _> = names.into_iter().map(|name| (name, json!({}))).collect();
    let long = "x".repeat(20_481);
    let texts = [TEXTS[0], TEXTS[1], long.as_str()];
    let requests = texts.iter().enumerate().map(|(uid, text)| {
        let body = json!({
            "comment": {"text": text},
            "requestedAttributes": attributes,
            "spanAnnotations": true,
        });
        (uid.to_string(), ascii(&body))
    });
    let responses = service.batch(&server, requests.collect()).await;
    for (uid, text) in texts.iter().enumerate().take(2) {
        let (status, response) = &responses[&uid.to_string()];
        assert_eq!(*status, 200);
        // `unpack_scores`: every attribute that came, its summary and all of its spans.
        for (_, scores) in response["attributeScores"].as_object().unwrap() {
            assert_eq!(scores["summaryScore"]["type"], "PROBABILITY");
            assert!(scores["summaryScore"]["value"].is_f64());
            let spans = scores["spanScores"].as_array().unwrap();
            assert_eq!(spans.len(), 1);
            assert_eq!(spans[0]["score"]["type"], "PROBABILITY");
            assert_eq!(spans[0]["begin"], 0);
            assert_eq!(spans[0]["end"], text.encode_utf16().count());
            assert_eq!(spans[0]["score"]["value"], scores["summaryScore"]["value"]);
        }
        let toxicity = &response["attributeScores"]["TOXICITY"]["summaryScore"]["value"];
        assert_eq!(toxicity.as_f64().unwrap(), Lengths::toxicity(text));
        assert_eq!(response["attributeScores"].as_object().unwrap().len(), 7);
    }
    // Its own test asks for one byte too many and expects an error for that one alone.
    let (status, error) = &responses["2"];
    assert_eq!(*status, 400);
    assert_eq!(error["error"]["details"][0]["errorType"], "COMMENT_TOO_LONG");
}

/// HELM, `clients/perspective_api_client.py`: batches whose requests are known by their texts, so that
/// the ids are long and their headers folded; the first span is what some versions read.
#[tokio::test]
async fn helm() {
    let server = Running::default().await;
    let service = Service::build(&server, "/$discovery/rest?version=v1alpha1").await;
    let long = "a longer text, as completions are. ".repeat(20);
    let texts = [TEXTS[0], TEXTS[1], long.as_str()];
    let requests = texts.iter().map(|text| {
        let body = json!({
            "comment": {"text": text},
            "requestedAttributes": {"TOXICITY": {}, "SEVERE_TOXICITY": {}},
            "languages": ["en"],
            "spanAnnotations": true,
        });
        ((*text).to_owned(), ascii(&body))
    });
    let responses = service.batch(&server, requests.collect()).await;
    assert_eq!(responses.len(), texts.len());
    for text in texts {
        let (status, response) = &responses[text];
        assert_eq!(*status, 200);
        let scores = &response["attributeScores"]["TOXICITY"];
        assert_eq!(scores["summaryScore"]["value"], Lengths::toxicity(text));
        assert_eq!(scores["spanScores"][0]["score"]["value"], Lengths::toxicity(text));
    }
}

/// The first span of a request that asks for none, which many scripts read.
#[tokio::test]
async fn scripts_that_read_the_first_span() {
    let server = Running::default().await;
    let body = json!({"comment": {"text": "é😀"}, "requestedAttributes": {"TOXICITY": {}},
                      "doNotStore": true});
    let response = server.analyze(&body).await.ok();
    let span = &response["attributeScores"]["TOXICITY"]["spanScores"][0];
    let score = json!({"value": Lengths::toxicity("é😀"), "type": "PROBABILITY"});
    assert_eq!(*span, json!({"begin": 0, "end": 3, "score": score}));
}

/// JSON as Python's `json.dumps` writes it: ASCII alone, other characters as UTF-16 escapes.
fn ascii(value: &Value) -> String {
    let mut text = String::new();
    for unit in value.to_string().encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    text
}

/// `googleapiclient.discovery.Resource`, as far as these programs use it.
struct Service {
    root: String,
    path: String,
    batch_path: String,
}

impl Service {
    async fn build(server: &Running, path: &str) -> Self {
        let document = server.get(path).await.ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let root = text(&document["rootUrl"]);
        assert_eq!(root, format!("http://{}/", server.address));
        assert_eq!(document["servicePath"], "");
        // With scopes and no key the client would look for credentials.
        assert_eq!(document.get("auth"), None);
        let method = &document["resources"]["comments"]["methods"]["analyze"];
        assert_eq!(method["httpMethod"], "POST");
        Self { root, path: text(&method["path"]), batch_path: text(&document["batchPath"]) }
    }

    /// The target of a request, relative to the root that the document names.
    fn analyze(&self, key: &str) -> String {
        assert!(self.root.starts_with("http://127.0.0.1:"));
        format!("/{}?key={key}&alt=json", self.path)
    }

    /// `BatchHttpRequest`: requests by their ids in, statuses and bodies by the same ids out.
    async fn batch(
        &self,
        server: &Running,
        requests: Vec<(String, String)>,
    ) -> BTreeMap<String, (u16, Value)> {
        let boundary = "===============7330845974216740156==";
        let mut body = String::new();
        for (id, json) in requests {
            let id = format!("<b29c5de2-0db4-490b-b421-6a51b598bd22 + {}>", quote(&id));
            // Python folds headers at white space once they are longer than 78 characters.
            let id = if id.len() > 66 { id.replacen(" + ", " +\n ", 1) } else { id };
            body.push_str(&format!(
                "--{boundary}\nContent-Type: application/http\nMIME-Version: 1.0\n\
                 Content-Transfer-Encoding: binary\nContent-ID: {id}\n\n\
                 POST {} HTTP/1.1\nContent-Type: application/json\nMIME-Version: 1.0\n\
                 accept: application/json\naccept-encoding: gzip, deflate\nuser-agent: (gzip)\n\
                 content-length: {}\nHost: {}\n\n{json}\n",
                self.analyze("KEY"),
                json.len(),
                server.address,
            ));
        }
        body.push_str(&format!("--{boundary}--\n"));
        let kind = format!("multipart/mixed; boundary=\"{boundary}\"");
        let mut client = server.connect().await;
        let target = format!("/{}", self.batch_path);
        let headers = [("content-type", kind.as_str())];
        read_batch(&client.call("POST", &target, &headers, body.as_bytes()).await)
    }
}

/// As `BatchHttpRequest._execute` and `_deserialize_response` take an answer apart.
fn read_batch(reply: &Reply) -> BTreeMap<String, (u16, Value)> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let (kind, boundary) = reply.headers["content-type"].split_once("; boundary=").unwrap();
    assert_eq!(kind, "multipart/mixed");
    let closing = format!("\r\n--{boundary}--\r\n");
    let body = reply.body.strip_suffix(&closing).unwrap();
    let parts = format!("\r\n{body}");
    let delimiter = format!("\r\n--{boundary}\r\n");
    parts
        .split(&delimiter)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (head, payload) = part.split_once("\r\n\r\n").unwrap();
            let id = head.lines().find_map(|line| line.strip_prefix("Content-ID: ")).unwrap();
            let id = id.strip_prefix('<').unwrap().strip_suffix('>').unwrap();
            let (_, id) = id.split_once(" + ").unwrap();
            let (line, payload) = payload.split_once('\n').unwrap();
            let words: Vec<_> = line.splitn(3, ' ').collect();
            assert_eq!(words[0], "HTTP/1.1");
            let (_, content) = payload.split_once("\r\n\r\n").unwrap();
            let json = serde_json::from_str(content).unwrap();
            (unquote(id), (words[1].parse().unwrap(), json))
        })
        .collect()
}

/// `urllib.parse.quote`.
fn quote(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-~/".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

fn unquote(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
