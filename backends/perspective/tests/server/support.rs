//! A server on a free port and a client that hides nothing of HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use detoxlm_perspective::server::{Server, ServerConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::scorer::Lengths;

pub(crate) const ANALYZE: &str = "/v1alpha1/comments:analyze";

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) done: JoinHandle<bool>,
}

impl Running {
    pub(crate) async fn start(scorer: Lengths, config: ServerConfig) -> Self {
        let server = Server::new(Arc::new(scorer), config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = server.clone();
        let done =
            tokio::spawn(
                async move { serving.serve(listener, async { drop(stopped.await) }).await },
            );
        Self { server, address, stop: Some(stop), done }
    }

    pub(crate) async fn default() -> Self {
        Self::start(Lengths::new(), ServerConfig::default()).await
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), host: self.address }
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.connect().await.call("GET", target, &[], b"").await
    }

    pub(crate) async fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Reply {
        self.connect().await.call("POST", target, &[JSON], body.as_ref()).await
    }

    pub(crate) async fn analyze(&self, body: &Value) -> Reply {
        self.post(&format!("{ANALYZE}?key=any"), body.to_string()).await
    }

    /// Waits until so many texts wait for the scorer, as `/health` tells.
    pub(crate) async fn until_waiting(&self, texts: u64) {
        while self.get("/health").await.json()["queue"]["waiting"] != texts {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

/// One connection, which is kept.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    host: SocketAddr,
}

impl Client {
    pub(crate) async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        self.stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    }

    pub(crate) async fn read(&mut self) -> Reply {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            assert_ne!(self.stream.read_buf(&mut bytes).await.unwrap(), 0, "closed early");
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: BTreeMap<_, _> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        let mut body = bytes.split_off(end + 4);
        while body.len() < length {
            assert_ne!(self.stream.read_buf(&mut body).await.unwrap(), 0, "closed early");
        }
        Reply { status, headers, body: String::from_utf8(body).unwrap() }
    }

    pub(crate) async fn call(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        self.send(method, target, headers, body).await;
        self.read().await
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json; charset=UTF-8");
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The answer to a request that succeeds.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The error of a request that is refused, which is the same in the status and in the body.
    #[track_caller]
    pub(crate) fn refused(&self, code: u16, status: &str) -> Value {
        assert_eq!(self.status, code, "{self:?}");
        let mut json = self.json();
        assert_eq!(json["error"]["code"], code, "{self:?}");
        assert_eq!(json["error"]["status"], status, "{self:?}");
        json["error"].take()
    }
}
