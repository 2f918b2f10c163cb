//! Serving: a URL on standard output, answers over HTTP, an orderly end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::support::{detoxlm, fixture};

/// A server that ends with the test.
struct Serving {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Serving {
    fn start(variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let scorer = format!("onnx:{}", fixture("classifier/bag"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_detoxlm"))
            .envs(variables.iter().copied())
            .args(["serve", "--scorer", &scorer])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "no URL");
        }
        let url = line.trim().strip_prefix("http://").unwrap();
        let (address, path) = url.split_once('/').unwrap();
        assert_eq!(path, "v1alpha1/comments:analyze");
        Self { child, stdout, address: address.replace("0.0.0.0", "127.0.0.1") }
    }

    /// The status and the body of an answer.
    fn post(&self, target: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// What the program says on its standard streams after a signal.
    fn stop(mut self, signal: &str) -> (String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{stderr}");
        (stdout, stderr)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ANALYZE: &str = "/v1alpha1/comments:analyze";
const BODY: &str = r#"{"comment":{"text":"a kind word"},"requestedAttributes":{"TOXICITY":{}}}"#;

#[cfg(unix)]
#[test]
fn answers_until_it_is_told_to_stop_and_then_sums_up() {
    for signal in ["-INT", "-TERM"] {
        let serving = Serving::start(&[], &["--listen", "127.0.0.1:0"]);
        let (status, json) = serving.post(&format!("{ANALYZE}?key=unused"), BODY);
        assert_eq!(status, 200, "{json}");
        let value = &json["attributeScores"]["TOXICITY"]["summaryScore"]["value"];
        assert!((0.0..=1.0).contains(&value.as_f64().unwrap()), "{json}");
        assert_eq!(serving.post(ANALYZE, "{").0, 400);
        let (stdout, stderr) = serving.stop(signal);
        assert!(stdout.contains("requests                 2\n"), "{stdout}");
        assert!(stdout.contains("scored                   1\n"), "{stdout}");
        assert_eq!(stderr, "");
    }
}

#[cfg(unix)]
#[test]
fn a_key_is_taken_from_the_environment_and_told_to_nobody() {
    let key = [("DETOXLM_TEST_KEY", "between us")];
    let arguments = ["--listen", "127.0.0.1:0", "--key-env", "DETOXLM_TEST_KEY"];
    let serving = Serving::start(&key, &arguments);
    assert_eq!(serving.post(ANALYZE, BODY).0, 403);
    assert_eq!(serving.post(&format!("{ANALYZE}?key=between%20us"), BODY).0, 200);
    let (stdout, stderr) = serving.stop("-INT");
    assert!(!format!("{stdout}{stderr}").contains("between"), "{stdout}{stderr}");

    let here = tempfile::tempdir().unwrap();
    detoxlm(here.path(), &["serve", "--key-env", "DETOXLM_NO_SUCH_KEY"])
        .fails(2, &["`DETOXLM_NO_SUCH_KEY`", "not set"]);
}

#[cfg(unix)]
#[test]
fn an_address_that_others_reach_is_warned_about_without_a_key() {
    let (_, stderr) = Serving::start(&[], &["--listen", "0.0.0.0:0"]).stop("-TERM");
    assert!(stderr.contains("--key-env"), "{stderr}");
    let key = [("DETOXLM_TEST_KEY", "k")];
    let arguments = ["--listen", "0.0.0.0:0", "--key-env", "DETOXLM_TEST_KEY"];
    assert_eq!(Serving::start(&key, &arguments).stop("-TERM").1, "");
}

#[test]
fn an_address_that_is_taken_or_none_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    detoxlm(here.path(), &["serve", "--listen", &address]).fails(7, &[&address, "port 0"]);
    detoxlm(here.path(), &["serve", "--listen", "8080"]).fails(7, &["`8080`", "HOST:PORT"]);
    detoxlm(here.path(), &["serve", "--queue", "0"]).fails(2, &["--queue", "at least 1"]);
}
