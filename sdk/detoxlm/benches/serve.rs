//! What HTTP costs: the embedded classifier called directly, and through the server on loopback, on
//! the same texts in turn, in one process that also holds the clients.
//!
//! `cargo bench -p detoxlm --features serve --bench serve`

#![allow(clippy::print_stdout, reason = "a program that tells its result")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use detoxlm::perspective::server::{Server, ServerConfig};
use detoxlm::{Sample, ToxicityScorer, calls, defaults};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const TEXTS: usize = 4096;
const ROUNDS: usize = 7;

/// So many texts of about 20 words, no two alike.
fn texts() -> Vec<Sample> {
    const WORDS: [&str; 11] = [
        "they", "said", "that", "people", "would", "report", "this", "year", "with", "more",
        "police",
    ];
    (0..TEXTS)
        .map(|text| {
            let words = (0..18).map(|word| WORDS[(text * 7 + word * (text % 5 + 1)) % 11]);
            Sample::new(format!("{} {text}", words.collect::<Vec<_>>().join(" ")))
        })
        .collect()
}

fn request(sample: &Sample) -> Vec<u8> {
    let body = format!(
        r#"{{"comment":{{"text":"{}"}},"languages":["en"],"requestedAttributes":{{"TOXICITY":{{}}}}}}"#,
        sample.text
    );
    let length = body.len();
    format!(
        "POST /v1alpha1/comments:analyze?key=k HTTP/1.1\r\nHost: h\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends requests one after the other over one connection.
async fn client(address: SocketAddr, requests: Vec<Vec<u8>>) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let mut answer = Vec::new();
    for request in requests {
        stream.write_all(&request).await.expect("a request");
        answer.clear();
        // Every answer's JSON ends so, and nothing else does.
        while !answer.ends_with(br#""detectedLanguages":["und"]}"#) {
            assert_ne!(stream.read_buf(&mut answer).await.expect("an answer"), 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
}

/// Texts per second of a server with so many clients.
async fn through_server(
    scorer: &Arc<dyn ToxicityScorer>,
    texts: &[Sample],
    clients: usize,
    linger: Duration,
) -> f64 {
    let config = ServerConfig::default().with_linger(linger);
    let server = Server::new(Arc::clone(scorer), config).expect("a server");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    let requests: Vec<_> = texts.iter().map(request).collect();
    let started = Instant::now();
    let mut running = JoinSet::new();
    for chunk in requests.chunks(requests.len().div_ceil(clients)) {
        running.spawn(client(address, chunk.to_vec()));
    }
    while let Some(done) = running.join_next().await {
        done.expect("a client");
    }
    let rate = texts.len() as f64 / started.elapsed().as_secs_f64();
    serving.abort();
    rate
}

/// Texts per second without a server, in calls of a size.
async fn directly(scorer: &Arc<dyn ToxicityScorer>, texts: &[Sample], call: usize) -> f64 {
    let started = Instant::now();
    for texts in texts.chunks(call) {
        calls::score(&**scorer, texts).await.expect("verdicts");
    }
    texts.len() as f64 / started.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let scorer: Arc<dyn ToxicityScorer> = Arc::new(defaults::scorer().expect("the classifier"));
    let texts = texts();
    let linger = ServerConfig::default().linger;
    println!("clients  direct, texts/s  served, texts/s  ratio");
    for (clients, linger) in
        [(1, linger), (1, Duration::ZERO), (16, linger), (64, linger), (256, linger)]
    {
        // A single client waits for each answer, as a single caller does.
        let (texts, call) =
            if clients == 1 { (&texts[..512], 1) } else { (&texts[..], texts.len()) };
        let (mut direct, mut served) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            direct.push(directly(&scorer, texts, call).await);
            served.push(through_server(&scorer, texts, clients, linger).await);
        }
        let (direct, served) = (median(direct), median(served));
        let ratio = served / direct;
        println!("{clients:7}  {direct:15.0}  {served:15.0}  {ratio:5.2}  linger {linger:?}");
    }
}
