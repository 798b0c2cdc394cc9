//! A TCP proxy between a node and its relay that can stop forwarding, one way or both: the internet that is gone.
//!
//! While it does not forward, connections stay open and what was sent waits, as on a line that is dead but not closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// From the node to the relay.
    pub up: bool,
    /// From the relay to the node.
    pub down: bool,
}

/// A running proxy; it ends with the runtime.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<Open>,
    bytes: Arc<AtomicU64>,
}

impl Proxy {
    /// Forwards a free port of loopback to this address.
    pub async fn start(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (open, seen) = watch::channel(Open { up: true, down: true });
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = bytes.clone();
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                tokio::spawn(carry(node, to, seen.clone(), counted.clone()));
            }
        });
        Ok(Self { address, open, bytes })
    }

    /// Where the node dials.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is forwarded from now on.
    pub fn set(&self, open: Open) {
        self.open.send_replace(open);
    }

    /// Bytes forwarded so far, both ways together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

async fn carry(node: TcpStream, to: SocketAddr, open: watch::Receiver<Open>, bytes: Arc<AtomicU64>) {
    let mut both = open.clone();
    // A connection that is dialled into a dead line is not answered until the line is back.
    if both.wait_for(|open| open.up && open.down).await.is_err() {
        return;
    }
    let Ok(relay) = TcpStream::connect(to).await else { return };
    drop((node.set_nodelay(true), relay.set_nodelay(true)));
    let (node_from, node_to) = node.into_split();
    let (relay_from, relay_to) = relay.into_split();
    let up = tokio::spawn(pump(node_from, relay_to, open.clone(), |open| open.up, bytes.clone()));
    pump(relay_from, node_to, open, |open| open.down, bytes).await;
    drop(up.await);
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut open: watch::Receiver<Open>,
    passes: fn(&Open) -> bool,
    bytes: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        if open.wait_for(passes).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
        bytes.fetch_add(read as u64, Ordering::Relaxed);
    }
    // The other side hears of the end when the line is open again; who is gone already does not.
    if open.wait_for(passes).await.is_ok() {
        drop(to.shutdown().await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_into_a_dead_line_arrives_when_it_is_back_and_the_other_way_goes_on() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = Proxy::start(listener.local_addr()?).await?;
        let mut node = TcpStream::connect(proxy.address()).await?;
        let (mut relay, _) = listener.accept().await?;
        proxy.set(Open { up: false, down: true });
        node.write_all(b"up").await?;
        relay.write_all(b"down").await?;
        let mut heard = [0; 4];
        node.read_exact(&mut heard).await?;
        assert_eq!((&heard, proxy.bytes()), (b"down", 4));
        proxy.set(Open { up: true, down: true });
        let mut heard = [0; 2];
        relay.read_exact(&mut heard).await?;
        assert_eq!((&heard, proxy.bytes()), (b"up", 6));
        Ok(())
    }
}
