//! The provider against the real sandbox over real HTTP, with answers and requests lost.

use crate::payments::provider::{Operation, Outcome, Provider, Queried, perform_once};
use crate::payments::sandbox::callback::{CallbackSettings, Event};
use crate::payments::sandbox::faults::Faults;
use crate::payments::sandbox_provider::SandboxProvider;
use crate::payments::signature::{SIGNATURE_HEADER, verify};
use crate::testing::SandboxServer;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pilotlight_edge::clock::Clock;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

fn pay(amount_minor: i64) -> Operation {
    Operation::Authorise { amount_minor, currency: "USD".into(), card: "tok_ok".into() }
}

#[tokio::test]
async fn a1_lost_requests_and_answers_move_no_money_twice() {
    let faults = Faults { lost_request_share: 0.3, lost_answer_share: 0.3, seed: 7, ..Faults::default() };
    let server = SandboxServer::start(faults).await;
    let provider = SandboxProvider::new(&server.url, None).unwrap();
    for order in 0..40 {
        let mut charge = String::new();
        for (kind, of) in ["authorise", "capture", "refund"].into_iter().enumerate() {
            let key = format!("{order}:{of}:1");
            let operation = match kind {
                0 => pay(1_000),
                1 => Operation::Capture { charge: charge.clone(), amount_minor: 1_000 },
                _ => Operation::Refund { charge: charge.clone(), amount_minor: 300 },
            };
            let mut tried_before = false;
            charge = loop {
                match perform_once(&provider, &key, &operation, tried_before).await {
                    Outcome::Done { charge } => break charge,
                    Outcome::Unknown { .. } => tried_before = true,
                    other @ (Outcome::Declined { .. } | Outcome::Refused { .. }) => panic!("{other:?}"),
                }
            };
        }
    }
    let mut by_operation: BTreeMap<String, u32> = BTreeMap::new();
    for entry in server.journal().await {
        assert_eq!(entry["outcome"], "done");
        *by_operation.entry(entry["operation"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let expected = [("authorise", 40), ("capture", 40), ("refund", 40)].map(|(word, times)| (word.to_owned(), times));
    assert_eq!(by_operation, expected.into());
    assert!(server.struck().await["lost_answers"].as_u64().unwrap() > 10);
}

#[tokio::test]
async fn a1_a_gateway_tells_what_became_of_a_key_and_of_a_key_it_never_heard_of() {
    let server = SandboxServer::start(Faults::default()).await;
    let provider = SandboxProvider::new(&server.url, None).unwrap();
    assert_eq!(provider.query("k").await, Queried::NeverHeard);
    let declined = Operation::Authorise { amount_minor: 5, currency: "USD".into(), card: "tok_declined".into() };
    let answer = provider.perform("k", &declined).await;
    assert_eq!(answer, Outcome::Declined { reason: "card_declined".into() });
    assert_eq!(provider.query("k").await, Queried::Known(answer));
    let reused = provider.perform("k", &pay(5)).await;
    assert_eq!(reused, Outcome::Refused { reason: "key_reused".into() });
    let nobody = SandboxProvider::new("http://127.0.0.1:9", None).unwrap();
    assert!(matches!(nobody.perform("k", &pay(5)).await, Outcome::Unknown { .. }));
    assert!(matches!(nobody.query("k").await, Queried::Unknown { .. }));
}

#[tokio::test]
async fn a4_faults_are_dialled_while_it_runs_and_nonsense_is_refused() {
    let server = SandboxServer::start(Faults::default()).await;
    let client = reqwest::Client::new();
    let dial = async |body: &str| {
        let sent = client.put(format!("{}/faults", server.url)).body(body.to_owned()).send().await.unwrap();
        sent.status().as_u16()
    };
    assert_eq!(dial(r#"{"decline_share": 2}"#).await, 400);
    assert_eq!(dial(r#"{"decline": 1}"#).await, 400);
    assert_eq!(dial(r#"{"decline_share": 1, "seed": 3}"#).await, 200);
    let provider = SandboxProvider::new(&server.url, None).unwrap();
    assert!(matches!(provider.perform("k", &pay(5)).await, Outcome::Declined { .. }));
    assert_eq!(server.struck().await["declines"], 1);
    for (path, body, status) in [("/v1/charges", "{}", 400), ("/v1/charges/x/y", "{}", 404), ("/nowhere", "", 404)] {
        let request = client.post(format!("{}{path}", server.url)).header("idempotency-key", "z").body(body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{path}");
    }
    let no_key = client.post(format!("{}/v1/charges", server.url));
    let sent = no_key.body(r#"{"amount_minor":1,"currency":"USD","card":"tok_ok"}"#).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 400);
}

#[tokio::test]
async fn a5_webhooks_are_signed_and_name_the_key() {
    let server = SandboxServer::start(Faults::default()).await;
    let (heard, mut events) = mpsc::channel::<(Option<String>, Bytes)>(8);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let heard = heard.clone();
            async move {
                let header = request.headers().get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
                let header = header.map(str::to_owned);
                let body = request.into_body().collect().await?.to_bytes();
                heard.send((header, body)).await.unwrap();
                Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::new())))
            }
        });
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    });
    server.sandbox.call_back(&CallbackSettings { url, ca_pem: None }).unwrap();
    let provider = SandboxProvider::new(&server.url, None).unwrap();
    provider.perform("order:authorise:1", &pay(900)).await;
    let (header, body) = events.recv().await.unwrap();
    let now_ms = Clock::machine().now().0;
    assert_eq!(verify(SandboxServer::SECRET.as_bytes(), header.as_deref(), &body, now_ms), Ok(()));
    let event: Event = serde_json::from_slice(&body).unwrap();
    assert_eq!((event.operation.as_str(), event.key.as_str()), ("authorise", "order:authorise:1"));
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["n"], 1);
}
