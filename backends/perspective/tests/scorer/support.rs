//! A server of one's own: sockets and threads, so that it can break what a library would mend.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use detoxlm_core::layers::Backoff;
use detoxlm_core::remote::Patience;
use detoxlm_core::{Sample, ToxicityScorer, Verdict};
use detoxlm_perspective::protocol::{AnalyzeRequest, AnalyzeResponse, AttributeScores};
use detoxlm_perspective::{Perspective, PerspectiveOptions};

/// What a client sent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The line with method, path and query.
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) request: AnalyzeRequest,
    /// The body as it came.
    pub(crate) body: String,
    /// How often this text was asked for before.
    pub(crate) before: usize,
}

impl Asked {
    pub(crate) fn text(&self) -> &str {
        &self.request.comment.text
    }
}

/// What the server does.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    /// A whole answer.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// An answer that promises more bytes than come.
    BreakOff(Vec<u8>),
    /// No answer: the connection closes.
    Close,
    /// A long silence, then a good answer.
    Late(Duration),
}

impl Reaction {
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", "application/json; charset=UTF-8".to_owned())];
        Self::Answer { status, headers, body: body.into() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.retain(|(other, _)| *other != name);
            headers.push((name, value.into()));
        }
        self
    }

    /// Scores that depend on the text and the attribute alone.
    pub(crate) fn good(request: &AnalyzeRequest) -> Self {
        Self::json(200, serde_json::to_vec(&good(request)).unwrap())
    }
}

/// What a service that works says.
pub(crate) fn good(request: &AnalyzeRequest) -> AnalyzeResponse {
    let value = |name: &str| {
        let bytes = name.bytes().chain(request.comment.text.bytes());
        f64::from(bytes.fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte)) % 997)
            / 1000.0
    };
    let scores = |name: &String| (name.clone(), AttributeScores::of(value(name)));
    AnalyzeResponse {
        attribute_scores: request.requested_attributes.keys().map(scores).collect(),
        languages: request.languages.clone(),
        detected_languages: vec!["en".into()],
        client_token: None,
    }
}

/// A server that does what a rule says, and remembers what it was asked.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(rule: impl Fn(&Asked) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let stopped = Arc::new(AtomicBool::new(false));
        let (log, stop, rule) = (Arc::clone(&asked), Arc::clone(&stopped), Arc::new(rule));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (log, rule) = (Arc::clone(&log), Arc::clone(&rule));
                // A client that leaves is no failure of the server.
                thread::spawn(move || serve(stream.unwrap(), &log, &*rule));
            }
        });
        Self { address, asked, stopped }
    }

    /// One that works.
    pub(crate) fn good() -> Self {
        Self::start(|asked| Reaction::good(&asked.request))
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/v1alpha1/comments:analyze", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often each text was asked for.
    pub(crate) fn counts(&self, texts: &[&str]) -> Vec<usize> {
        let asked = self.asked();
        texts
            .iter()
            .map(|text| asked.iter().filter(|asked| asked.text() == *text).count())
            .collect()
    }

    /// Options for it that do not wait for long.
    pub(crate) fn options(&self) -> PerspectiveOptions {
        PerspectiveOptions::default()
            .with_endpoint(self.endpoint())
            .with_requests_per_second(None)
            .with_patience(impatient())
            .with_timeout(Duration::from_secs(10))
    }

    pub(crate) fn scorer(&self) -> Perspective {
        Perspective::new(None, &self.options()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

pub(crate) fn impatient() -> Patience {
    let backoff =
        Backoff { tries: 4, first: Duration::from_millis(1), longest: Duration::from_millis(4) };
    Patience { backoff, longest_wait: Duration::from_secs(10) }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    rule: &dyn Fn(&Asked) -> Reaction,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let request: AnalyzeRequest = serde_json::from_slice(&body).unwrap();
    let asked = {
        let mut log = log.lock().unwrap();
        let same = |other: &&Asked| other.text() == request.comment.text;
        let before = log.iter().filter(same).count();
        let body = String::from_utf8(body).unwrap();
        log.push(Asked { line: line.trim().to_owned(), headers, request, body, before });
        log.last().unwrap().clone()
    };
    react(stream, rule(&asked), &asked)
}

fn react(mut stream: TcpStream, reaction: Reaction, asked: &Asked) -> Option<()> {
    match reaction {
        Reaction::Close => {}
        Reaction::BreakOff(body) => {
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n";
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(&body).ok()?;
        }
        Reaction::Late(pause) => {
            thread::sleep(pause);
            return react(stream, Reaction::good(&asked.request), asked);
        }
        Reaction::Answer { status, headers, body } => {
            let length = body.len();
            let mut head = format!(
                "HTTP/1.1 {status} Because\r\nConnection: close\r\nContent-Length: {length}\r\n"
            );
            headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
            stream.write_all((head + "\r\n").as_bytes()).ok()?;
            stream.write_all(&body).ok()?;
        }
    }
    Some(())
}

pub(crate) async fn score(scorer: &dyn ToxicityScorer, texts: &[&str]) -> Vec<Verdict> {
    scorer.score(&samples(texts)).await.unwrap()
}

pub(crate) fn samples(texts: &[&str]) -> Vec<Sample> {
    texts.iter().map(|text| Sample::new(*text)).collect()
}
