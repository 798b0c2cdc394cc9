//! What the machine can do without a node: the same bytes, groups, syncs and frames, and nothing else.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::load::{Measured, histogram, keep_time, microseconds};
use crate::clock;

/// Orders that one group may hold, as in the node.
const GROUP_MAX: usize = 256;
/// Bytes of the second file that is written and synced with every group, as in the node.
const WITNESS_BYTES: usize = 64;
/// Orders that may wait; a floor that falls behind by more has failed.
const WAITING_MAX: usize = 1 << 16;

/// Appends groups of orders, each with two syncs, and says when each order was safe.
struct Appender {
    log: File,
    witness: File,
    at: u64,
    record: Vec<u8>,
}

impl Appender {
    fn new(directory: &Path, order_bytes: usize) -> anyhow::Result<Self> {
        // Bytes that do not compress, should the file system try.
        let mut dice = crate::seeded::Seeded::new(7);
        let record = (0..order_bytes).map(|_| dice.next_u64().to_le_bytes()[0]).collect();
        Ok(Self {
            log: File::create(directory.join("floor.log"))?,
            witness: File::create(directory.join("floor.witness"))?,
            at: 0,
            record,
        })
    }

    fn append(&mut self, orders: usize) -> anyhow::Result<()> {
        let group = self.record.repeat(orders);
        self.log.write_all_at(&group, self.at)?;
        self.at += group.len() as u64;
        self.log.sync_data()?;
        self.witness.write_all_at(&[1; WITNESS_BYTES], 0)?;
        self.witness.sync_data()?;
        Ok(())
    }
}

/// Takes what waits, as the node's writer does: at least one, at most a group.
fn next_group(orders: &Receiver<Instant>) -> Vec<Instant> {
    let Ok(first) = orders.recv() else { return Vec::new() };
    std::iter::once(first).chain(orders.try_iter().take(GROUP_MAX - 1)).collect()
}

/// The floor of `place-order`: the same arrivals, appended and synced by one thread.
pub fn append_open_loop(directory: &Path, due: &[Duration], order_bytes: usize) -> anyhow::Result<Measured> {
    let mut appender = Appender::new(directory, order_bytes)?;
    let (send, receive): (SyncSender<Instant>, _) = sync_channel(WAITING_MAX);
    let start = clock::now();
    let due = due.to_vec();
    let count = u32::try_from(due.len())?;
    let time_keeper = std::thread::spawn(move || {
        keep_time(start, &due, |_, moment| {
            // The appender is gone only when it has failed, which it says itself.
            let _gone = send.send(moment);
        })
    });
    let mut latency = histogram()?;
    loop {
        let group = next_group(&receive);
        if group.is_empty() {
            break;
        }
        appender.append(group.len())?;
        let now = clock::now();
        group.into_iter().for_each(|due| latency.saturating_record(microseconds(due, now)));
    }
    let elapsed = start.elapsed();
    ensure!(time_keeper.join().is_ok(), "the time keeper panicked");
    Ok(Measured { latency, rate: f64::from(count) / elapsed.as_secs_f64(), answer_bytes: 0 })
}

/// The floor of the saturation curve: that many clients, each with one order under way at any time.
pub fn append_closed_loop(
    directory: &Path,
    clients: usize,
    length: Duration,
    order_bytes: usize,
) -> anyhow::Result<Measured> {
    let mut appender = Appender::new(directory, order_bytes)?;
    let mut latency = histogram()?;
    let start = clock::now();
    let mut waiting: VecDeque<Instant> = std::iter::repeat_n(start, clients).collect();
    let mut answered = 0_u32;
    while start.elapsed() < length {
        let group = waiting.len().min(GROUP_MAX);
        appender.append(group)?;
        let now = clock::now();
        waiting.drain(..group).for_each(|sent| latency.saturating_record(microseconds(sent, now)));
        waiting.extend(std::iter::repeat_n(now, group));
        answered += u32::try_from(group)?;
    }
    Ok(Measured { latency, rate: f64::from(answered) / start.elapsed().as_secs_f64(), answer_bytes: 0 })
}

/// A server that is nothing but its transport; ends with the runtime.
#[derive(Debug)]
pub struct BareServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Keeps the certificate that its clients trust.
    directory: tempfile::TempDir,
}

impl BareServer {
    /// The certificate to trust.
    #[must_use]
    pub fn ca(&self) -> std::path::PathBuf {
        self.directory.path().join("ca.pem")
    }

    async fn bind() -> anyhow::Result<(Self, TcpListener, TlsAcceptor)> {
        crate::client::install_tls_provider();
        let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("ca.pem"), certified.cert.pem())?;
        let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der())
            .map_err(anyhow::Error::msg)?;
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = Self { address: listener.local_addr()?, directory };
        Ok((server, listener, TlsAcceptor::from(Arc::new(config))))
    }

    /// Repeats every text frame it gets, with these bytes, to all who are connected: a bare fan-out. With a `log` what it repeats is
    /// appended there and synced before.
    pub async fn fan_out(payload_bytes: usize, log: Option<File>) -> anyhow::Result<Self> {
        let log = log.map(Arc::new);
        let (server, listener, tls) = Self::bind().await?;
        let (send, _) = broadcast::channel::<Utf8Bytes>(1_024);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (send, tls, log) = (send.clone(), tls.clone(), log.clone());
                tokio::spawn(async move {
                    // A client that goes away is no failure of the floor.
                    drop(fan_out_to(stream, tls, send, payload_bytes, log).await);
                });
            }
        });
        Ok(server)
    }

    /// Answers every request with one body, or with 304 when it is conditional.
    pub async fn answering(body: Bytes, headers: String) -> anyhow::Result<Self> {
        let (server, listener, tls) = Self::bind().await?;
        let fresh: Bytes =
            [format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n", body.len()).as_bytes(), &body]
                .concat()
                .into();
        let same: Bytes = format!("HTTP/1.1 304 Not Modified\r\n{headers}\r\n").into();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, fresh, same) = (tls.clone(), fresh.clone(), same.clone());
                tokio::spawn(async move {
                    drop(answer_all(stream, tls, &fresh, &same).await);
                });
            }
        });
        Ok(server)
    }
}

async fn fan_out_to(
    stream: tokio::net::TcpStream,
    tls: TlsAcceptor,
    send: broadcast::Sender<Utf8Bytes>,
    payload_bytes: usize,
    log: Option<Arc<File>>,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut socket = tokio_tungstenite::accept_async(tls.accept(stream).await?).await?;
    let mut frames = send.subscribe();
    let padding = "x".repeat(payload_bytes);
    loop {
        tokio::select! {
            frame = frames.recv() => socket.send(Message::Text(frame?)).await?,
            message = socket.next() => {
                let message = message.context("closed")??;
                if let Message::Text(text) = message {
                    // What was tapped leads, so that the receiver knows which tap it was.
                    let mut frame = text.to_string();
                    frame.push_str(padding.get(frame.len()..).unwrap_or_default());
                    if let Some(log) = &log {
                        log.as_ref().write_all(frame.as_bytes())?;
                        log.sync_data()?;
                    }
                    drop(send.send(frame.into()));
                }
            }
        }
    }
}

async fn answer_all(stream: tokio::net::TcpStream, tls: TlsAcceptor, fresh: &[u8], same: &[u8]) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = tls.accept(stream).await?;
    let mut buffer = Vec::new();
    loop {
        ensure!(stream.read_buf(&mut buffer).await? > 0, "closed");
        if buffer.ends_with(b"\r\n\r\n") {
            let conditional = buffer.windows(14).any(|window| window.eq_ignore_ascii_case(b"if-none-match:"));
            stream.write_all(if conditional { same } else { fresh }).await?;
            stream.flush().await?;
            buffer.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::load::arrivals;

    #[test]
    fn the_appender_writes_every_order_and_answers_it() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let due = arrivals(500.0, Duration::from_millis(400), 1);
        let measured = append_open_loop(directory.path(), &due, 1_000)?;
        assert_eq!(measured.latency.len(), due.len() as u64);
        assert_eq!(std::fs::metadata(directory.path().join("floor.log"))?.len(), due.len() as u64 * 1_000);
        assert!(measured.latency.min() > 0, "two syncs take time");
        Ok(())
    }
}
