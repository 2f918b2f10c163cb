//! A small Hub on loopback: the requests that hf-hub makes, and what goes wrong with them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest, Sha256};

/// A model at one commit.
#[derive(Clone, Default)]
pub(crate) struct Repository {
    pub(crate) commit: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Who does not have it is answered 401.
    pub(crate) token: Option<&'static str>,
    /// Files, but not their list, are answered 403.
    pub(crate) gated: bool,
}

impl Repository {
    /// The files of a directory, and some that nobody needs.
    pub(crate) fn of(directory: &Path, commit: &str) -> Self {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            files.insert(name, std::fs::read(entry.path()).unwrap());
        }
        files.insert("README.md".into(), b"A model.".into());
        files.insert("pytorch_model.bin".into(), b"not needed".into());
        Self { commit: commit.to_owned(), files, ..Self::default() }
    }
}

/// What goes wrong with the content of a file, and how often.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends after half of what is left.
    Truncated(usize),
    /// The first byte is another.
    Corrupted(usize),
}

#[derive(Default)]
struct State {
    /// By `owner/name/revision`.
    repositories: BTreeMap<String, Repository>,
    faults: BTreeMap<String, Fault>,
    requests: Vec<String>,
}

/// Serves until the process ends.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve(stream.unwrap(), address, &shared);
            }
        });
        Self { address, state }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets a revision of a model be this.
    pub(crate) fn publish(&self, name: &str, revision: &str, repository: &Repository) {
        let repositories = &mut self.state.lock().unwrap().repositories;
        for revision in [revision, &repository.commit] {
            repositories.insert(format!("{name}/{revision}"), repository.clone());
        }
    }

    /// Lets something go wrong with a file, or nothing any more.
    pub(crate) fn spoil(&self, file: &str, fault: Option<Fault>) {
        let faults = &mut self.state.lock().unwrap().faults;
        faults.remove(file);
        faults.extend(fault.map(|fault| (file.to_owned(), fault)));
    }

    /// The requests since the last call, as `path range`.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

struct Request {
    path: String,
    token: Option<String>,
    /// The first and the last byte that are asked for.
    range: Option<(usize, Option<usize>)>,
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut request = Request { path, token: None, range: None };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_lowercase().as_str() {
            "authorization" => request.token = value.strip_prefix("Bearer ").map(str::to_owned),
            "range" => {
                let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
                request.range = Some((first.parse().ok()?, last.parse().ok()));
            }
            _ => {}
        }
    }
    Some(request)
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How much of the body is sent.
    sent: usize,
}

impl Answer {
    fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), sent: body.len(), body }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn serve(mut stream: TcpStream, address: SocketAddr, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read(&stream) else { return Ok(()) };
    let answer = {
        let mut state = state.lock().unwrap();
        let range = request.range.map(|(first, last)| match last {
            Some(last) => format!(" {first}-{last}"),
            None => format!(" {first}-"),
        });
        state.requests.push(format!("{}{}", request.path, range.unwrap_or_default()));
        answer(&request, address, &mut state)
    };
    let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", answer.status);
    let _ = write!(head, "Content-Length: {}\r\n", answer.body.len());
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&answer.body[..answer.sent])
}

fn answer(request: &Request, address: SocketAddr, state: &mut State) -> Answer {
    let path = request.path.split('?').next().unwrap_or_default().replace("%2F", "/");
    if let Some(place) = path.strip_prefix("/cdn/") {
        let (place, file) = place.rsplit_once('/').unwrap();
        let content = state.repositories[place].files[file].clone();
        return content_of(file, &content, request, state);
    }
    if path == "/api/models/not-a/hub/revision/main" {
        return Answer::new(200, b"<html>Welcome!</html>".into());
    }
    if let Some(place) = path.strip_prefix("/api/models/") {
        let place = place.replacen("/revision/", "/", 1);
        return match state.repositories.get(&place) {
            None => Answer::new(404, Vec::new()),
            Some(it) if !admits(it, request) => Answer::new(401, Vec::new()),
            Some(it) => Answer::new(200, listing(it)),
        };
    }
    let Some((name, rest)) = path.trim_start_matches('/').split_once("/resolve/") else {
        return Answer::new(404, Vec::new());
    };
    let (revision, file) = rest.rsplit_once('/').unwrap();
    let place = format!("{name}/{revision}");
    let Some(repository) = state.repositories.get(&place) else {
        return Answer::new(404, Vec::new());
    };
    if !admits(repository, request) {
        return Answer::new(401, Vec::new());
    }
    if repository.gated {
        return Answer::new(403, Vec::new());
    }
    let Some(content) = repository.files.get(file).cloned() else {
        return Answer::new(404, Vec::new());
    };
    let commit = repository.commit.clone();
    if is_large(file) {
        return Answer::new(302, Vec::new())
            .with("Location", format!("http://{address}/cdn/{place}/{file}"))
            .with("X-Repo-Commit", commit)
            .with("X-Linked-Etag", format!("\"{}\"", sha256(&content)))
            .with("X-Linked-Size", content.len().to_string());
    }
    content_of(file, &content, request, state)
        .with("X-Repo-Commit", commit)
        .with("ETag", format!("\"{}\"", &sha256(&content)[..40]))
}

fn admits(repository: &Repository, request: &Request) -> bool {
    repository.token.is_none() || repository.token == request.token.as_deref()
}

/// A file's bytes, or those that are asked for, and what goes wrong with them.
fn content_of(file: &str, content: &[u8], request: &Request, state: &mut State) -> Answer {
    let Some((first, last)) = request.range else { return Answer::new(200, content.into()) };
    if first >= content.len() {
        return Answer::new(416, Vec::new());
    }
    let end = last.map_or(content.len(), |last| (last + 1).min(content.len()));
    let range = format!("bytes {first}-{}/{}", end - 1, content.len());
    let mut answer = Answer::new(206, content[first..end].to_vec()).with("Content-Range", range);
    if last.is_none() {
        match state.faults.get_mut(file) {
            Some(Fault::Truncated(times)) if *times > 0 => {
                *times -= 1;
                answer.sent /= 2;
            }
            Some(Fault::Corrupted(times)) if *times > 0 => {
                *times -= 1;
                answer.body[0] ^= 1;
            }
            _ => {}
        }
    }
    answer
}

fn listing(repository: &Repository) -> Vec<u8> {
    let entry = |(name, content): (&String, &Vec<u8>)| {
        let mut entry = json!({
            "rfilename": name, "size": content.len(), "blobId": &sha256(content)[..40],
        });
        if is_large(name) {
            entry["lfs"] = json!({"sha256": sha256(content), "size": content.len()});
        }
        entry
    };
    let siblings: Vec<_> = repository.files.iter().map(entry).collect();
    json!({"sha": repository.commit, "siblings": siblings}).to_string().into()
}

fn is_large(file: &str) -> bool {
    file.ends_with(".safetensors") || file.ends_with(".bin")
}

pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
