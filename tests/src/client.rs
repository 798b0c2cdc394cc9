//! A lean HTTPS and WebSocket client that trusts one site's CA and keeps its connections.
//!
//! HTTP/1.1 by hand over rustls: the load generator shares two cores with the node, and a general client would take most of them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::clock;
use crate::node_process::Ready;

/// No answer of a node is larger; an unbounded one would be a fault.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where a node is and whom it is trusted by.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    tls: TlsConnector,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Target").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Chooses the TLS provider for this process; every test and program calls it first.
pub fn install_tls_provider() {
    // A second call finds it installed, which is what was wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
}

impl Target {
    /// The node behind a ready file.
    pub fn of(ready: &Ready) -> anyhow::Result<Self> {
        let address = ready.url.strip_prefix("https://").context("the node's URL is https")?;
        Self::new(address.trim_end_matches('/').parse()?, &ready.ca)
    }

    /// An address, trusted by the CA in a PEM file.
    pub fn new(address: SocketAddr, ca: &Path) -> anyhow::Result<Self> {
        install_tls_provider();
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).context("the site's CA")? {
            roots.add(certificate?)?;
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// The node's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new TLS connection.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        self.secure(stream).await
    }

    /// TLS over a connection that is there already.
    pub async fn secure(&self, stream: TcpStream) -> anyhow::Result<Connection> {
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(ServerName::IpAddress(self.address.ip().into()), stream).await?;
        Ok(Connection { stream, buffer: BytesMut::with_capacity(16 << 10), host: self.address.to_string() })
    }

    /// A live connection that has said hello; the welcome is the first frame to read.
    pub async fn screen(&self, token: &str, screen: &str, position: &Value) -> anyhow::Result<Screen> {
        self.connect().await?.into_screen(token, screen, position).await
    }

    /// A connection whose receiving buffer is as small as the system allows: for clients that do not read.
    pub async fn connect_small(&self) -> anyhow::Result<Connection> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4_096)?;
        self.secure(socket.connect(self.address).await?).await
    }
}

impl Target {
    /// A WebSocket that says nothing first: for the floor.
    pub async fn bare_screen(&self) -> anyhow::Result<Screen> {
        let connection = self.connect().await?;
        let url = format!("wss://{}/", self.address);
        let (socket, _) = tokio_tungstenite::client_async(url, connection.stream).await?;
        Ok(Screen { socket })
    }
}

/// One kept connection.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    host: String,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As sent.
    pub body: Bytes,
}

impl Answer {
    /// About how many bytes it was.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() + self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>() + 20
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{} with a body that is not JSON: {}", self.status, self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON of an answer that must have this status.
    pub fn expect(&self, status: u16) -> anyhow::Result<Value> {
        ensure!(self.status == status, "expected {status}, got {}: {}", self.status, self.text());
        self.json()
    }
}

/// The bytes of one request; made once where the same is sent often.
#[must_use]
pub fn request(method: &str, host: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" || method == "PUT" {
        out.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

impl Connection {
    /// Makes a live connection of this one and says hello.
    pub async fn into_screen(self, token: &str, screen: &str, position: &Value) -> anyhow::Result<Screen> {
        let hello = json!({"type": "hello", "token": token, "screen": screen, "position": position});
        self.into_live("/api/v1/live", &hello).await
    }

    /// Makes a live connection of this one that follows a customer's order at the relay.
    pub async fn into_follower(self, token: &str, order: &str) -> anyhow::Result<Screen> {
        self.into_live(&format!("/api/v1/orders/{order}/live"), &json!({"token": token})).await
    }

    async fn into_live(self, path: &str, hello: &Value) -> anyhow::Result<Screen> {
        let url = format!("wss://{}{path}", self.host);
        let (mut socket, _) = tokio_tungstenite::client_async(url, self.stream).await?;
        socket.send(Message::text(hello.to_string())).await?;
        Ok(Screen { socket })
    }

    /// Sends a request and reads its answer.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let bytes = request(method, &self.host, path, headers, body);
        self.exchange(&bytes).await
    }

    /// Sends bytes made by `request` and reads the answer.
    pub async fn exchange(&mut self, bytes: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        self.answer().await
    }

    /// Sends bytes without waiting for an answer: for requests that are bad on purpose.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Reads one answer.
    pub async fn answer(&mut self) -> anyhow::Result<Answer> {
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            self.fill().await?;
        };
        let head = self.buffer.split_to(head_end + 4);
        let mut answer = parse_head(&head)?;
        answer.body = if answer.status == 204 || answer.status == 304 {
            Bytes::new()
        } else if answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            self.chunks().await?
        } else {
            let length = answer.header("content-length").map_or(Ok(0), str::parse)?;
            self.take(length).await?
        };
        Ok(answer)
    }

    /// Waits until the other side closes; anything it says first is returned.
    pub async fn closed(&mut self) -> Bytes {
        while self.fill().await.is_ok() {}
        self.buffer.split().freeze()
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        ensure!(self.buffer.len() <= ANSWER_BYTES_MAX, "an answer over {ANSWER_BYTES_MAX} bytes");
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the node closed the connection");
        Ok(())
    }

    async fn take(&mut self, length: usize) -> anyhow::Result<Bytes> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn chunks(&mut self) -> anyhow::Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let line_end = loop {
                if let Some(at) = find(&self.buffer, b"\r\n") {
                    break at;
                }
                self.fill().await?;
            };
            let line = self.buffer.split_to(line_end + 2);
            let size = std::str::from_utf8(&line[..line_end])?.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)?;
            let chunk = self.take(size + 2).await?;
            if size == 0 {
                return Ok(body.freeze());
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn parse_head(head: &[u8]) -> anyhow::Result<Answer> {
    let text = std::str::from_utf8(head)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("a status line")?.parse()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Answer { status, headers, body: Bytes::new() })
}

/// One device's view of the API: a token and a kept connection.
#[derive(Debug)]
pub struct Api {
    target: Target,
    token: Option<String>,
    connection: tokio::sync::Mutex<Option<Connection>>,
}

impl Api {
    /// A device; without a token it is not paired.
    #[must_use]
    pub fn new(target: Target, token: Option<String>) -> Self {
        Self { target, token, connection: tokio::sync::Mutex::new(None) }
    }

    /// The device's token.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// The node.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// One request with these headers beside the token.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut all: Vec<(&str, &str)> = headers.to_vec();
        if let Some(bearer) = &bearer {
            all.push(("authorization", bearer));
        }
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.target.connect().await?,
        };
        let what = format!("answer to {method} {path}");
        let answer =
            clock::within(&what, clock::PATIENCE, connection.send(method, path, &all, body)).await?.context(what)?;
        if answer.header("connection") != Some("close") {
            *kept = Some(connection);
        }
        Ok(answer)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.call("GET", path, &[], &[]).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.call("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes()).await
    }

    /// POST of a file.
    pub async fn upload(&self, path: &str, body: &[u8]) -> anyhow::Result<Answer> {
        self.call("POST", path, &[("content-type", "application/octet-stream")], body).await
    }

    /// A live connection with this device's token.
    pub async fn screen(&self, screen: &str, position: &Value) -> anyhow::Result<Screen> {
        self.target.screen(self.token(), screen, position).await
    }
}

/// A screen's live connection.
#[derive(Debug)]
pub struct Screen {
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl Screen {
    /// The next frame as text.
    pub async fn next_text(&mut self) -> anyhow::Result<String> {
        loop {
            let frame = clock::within("frame", clock::PATIENCE, self.socket.next())
                .await?
                .context("the live connection ended")??;
            match frame {
                Message::Text(text) => return Ok(text.to_string()),
                Message::Close(frame) => bail!("closed by the node: {frame:?}"),
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Binary(_) | Message::Frame(_) => bail!("a frame that is not text"),
            }
        }
    }

    /// The next frame.
    pub async fn next(&mut self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.next_text().await?)?)
    }

    /// Frames up to and with the first for which `wanted` holds.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Vec<Value>> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await?;
            let found = wanted(&frame);
            frames.push(frame);
            if found {
                return Ok(frames);
            }
        }
    }

    /// Sends text as it is.
    pub async fn send_text(&mut self, text: String) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_a_request_is_written() {
        let answer =
            parse_head(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nETag: \"a:b\"\r\n\r\n").expect("a good head");
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("etag"), Some("\"a:b\""));
        let sent = request("POST", "h", "/p", &[("a", "b")], b"{}");
        assert_eq!(
            String::from_utf8_lossy(&sent),
            "POST /p HTTP/1.1\r\nhost: h\r\na: b\r\ncontent-length: 2\r\n\r\n{}"
        );
    }
}
