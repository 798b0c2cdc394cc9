//! Takes a request's body in, up to its limit. What is over it is refused at once; what a client still sends is read on for a while, so that
//! it finds the answer and not a reset (SPEC R6).

use crate::api::problem::body_too_large;
use crate::api::request::respond;
use crate::api::routes::{ResponseBody, Service, boxed_body};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, Version};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bytes that are read on, and thrown away: twice the largest file that an import takes.
const READ_ON_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long is read on.
const READ_ON_MS_MAX: Duration = Duration::from_secs(10);

/// Answers a request whose body may have `limit` bytes. Nothing is read on once the program stops.
pub async fn answer(
    service: Service,
    request: http::Request<Incoming>,
    limit: usize,
    stopping: CancellationToken,
) -> Result<http::Response<ResponseBody>, Infallible> {
    let (head, mut body) = request.into_parts();
    let taken =
        if says_too_large(&head.headers, limit) { None } else { Limited::new(&mut body, limit).collect().await.ok() };
    if let Some(taken) = taken {
        let request = http::Request::from_parts(head, Full::new(taken.to_bytes()));
        return tower::ServiceExt::oneshot(service, request).await;
    }
    // HTTP/2 can tell a client to stop; and who waits to be asked for the body has not begun.
    if head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT) {
        tokio::spawn(stopping.run_until_cancelled_owned(read_on(body)));
    }
    Ok(respond(Err(body_too_large())).map(boxed_body))
}

async fn read_on(mut body: Incoming) {
    let rest = async {
        let mut left = READ_ON_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    let _over = tokio::time::timeout(READ_ON_MS_MAX, rest).await;
}

/// Whether a body says itself that it is over the limit: it is refused before it is read.
fn says_too_large(headers: &HeaderMap, limit: usize) -> bool {
    let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    said.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > limit as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes;
    use crate::clock::Clock;
    use crate::private_ca::PrivateCa;
    use crate::server::{self, Served};
    use rustls_pki_types::pem::PemObject;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_util::sync::DropGuard;
    use tokio_util::task::TaskTracker;

    const LIMIT: usize = 1_000;
    static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

    struct Door {
        address: std::net::SocketAddr,
        connector: TlsConnector,
        _dir: tempfile::TempDir,
        _stop: DropGuard,
    }

    impl Door {
        fn open() -> Self {
            let _installed = rustls::crypto::ring::default_provider().install_default();
            let dir = tempfile::tempdir().unwrap();
            let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = listener.local_addr().unwrap();
            let now_ms = Clock::machine().real().0;
            let ca = PrivateCa::open(dir.path(), "door", "door", &[], &[address.ip()], now_ms).unwrap();
            let stopping = CancellationToken::new();
            let served = Served {
                service: routes::service([]),
                body_limit: Arc::new(|_, _| LIMIT),
                stopping: stopping.clone(),
                sockets: TaskTracker::new(),
            };
            tokio::spawn(server::serve(served, listener, ca.tls));
            let mut roots = rustls::RootCertStore::empty();
            roots.add(PemObject::from_pem_slice(ca.ca_pem.as_bytes()).unwrap()).unwrap();
            let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            let connector = TlsConnector::from(Arc::new(config));
            Self { address, connector, _dir: dir, _stop: stopping.drop_guard() }
        }

        async fn send(&self, headers: &str) -> TlsStream<TcpStream> {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let name = rustls_pki_types::ServerName::IpAddress(self.address.ip().into());
            let mut stream = self.connector.connect(name, stream).await.unwrap();
            let head = format!("POST /api/v1/nothing HTTP/1.1\r\nhost: door\r\n{headers}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream
        }
    }

    async fn status(stream: &mut TlsStream<TcpStream>) -> String {
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        String::from_utf8_lossy(&head).into_owned()
    }

    #[tokio::test]
    async fn r6_who_sends_a_body_over_the_limit_to_its_end_finds_the_answer() {
        let door = Door::open();
        let chunks = 12 * 1024 * 1024 / CHUNK.len();
        let mut said = door.send(&format!("content-length: {}", chunks * CHUNK.len())).await;
        for _ in 0..chunks {
            said.write_all(&CHUNK).await.unwrap();
        }
        assert_eq!(status(&mut said).await, "HTTP/1.1 413");
        let mut unsaid = door.send("transfer-encoding: chunked").await;
        for _ in 0..chunks {
            unsaid.write_all(format!("{:x}\r\n", CHUNK.len()).as_bytes()).await.unwrap();
            unsaid.write_all(&CHUNK).await.unwrap();
            unsaid.write_all(b"\r\n").await.unwrap();
        }
        unsaid.write_all(b"0\r\n\r\n").await.unwrap();
        assert_eq!(status(&mut unsaid).await, "HTTP/1.1 413");
        let mut small = door.send("content-length: 2").await;
        small.write_all(b"{}").await.unwrap();
        assert_eq!(status(&mut small).await, "HTTP/1.1 404");
    }

    #[tokio::test]
    async fn r6_it_is_answered_at_once_and_read_on_within_bounds() {
        let door = Door::open();
        for headers in ["content-length: 99999999999", "content-length: 99999999999\r\nexpect: 100-continue"] {
            assert_eq!(status(&mut door.send(headers).await).await, "HTTP/1.1 413", "{headers}");
        }
        let mut endless = door.send("content-length: 99999999999").await;
        let mut sent = 0;
        while endless.write_all(&CHUNK).await.is_ok() {
            sent += CHUNK.len();
            // What the machine itself keeps on its way comes on top.
            assert!(sent < 4 * READ_ON_BYTES_MAX, "it is read for ever");
        }
    }
}
