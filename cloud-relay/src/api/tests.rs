//! The API as customers and riders meet it: the real server, TLS, JSON, live sockets.

use crate::api::openapi::document;
use crate::payments::sandbox::callback::CallbackSettings;
use crate::payments::sandbox::faults::Faults;
use crate::payments::signature::{SIGNATURE_HEADER, sign};
use crate::serving;
use crate::testing::{Market, SandboxServer, line};
use futures_util::{SinkExt, StreamExt};
use pilotlight_edge::clock::Clock;
use pilotlight_edge::private_ca::PrivateCa;
use pilotlight_edge::server;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::id::{LineId, MenuItemId, OrderId, PaymentId};
use pilotlight_sync::domain::ticket::TicketPhase;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// A market behind its real door.
struct Open {
    market: Market,
    url: String,
    client: Client,
    ca: PrivateCa,
    address: std::net::SocketAddr,
    operator: String,
    _dir: tempfile::TempDir,
}

impl Open {
    async fn new() -> Self {
        let market = Market::open(Faults::default()).await;
        let dir = tempfile::tempdir().unwrap();
        let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        // Whoever checks a certificate knows the machine's time only.
        let now_ms = Clock::machine().real().0;
        let ca = PrivateCa::open(dir.path(), "relay", "relay", &[], &[address.ip()], now_ms).unwrap();
        market.app.start_tasks();
        tokio::spawn(server::serve(serving::served(&market.app), listener, ca.tls.clone()));
        let root = reqwest::Certificate::from_pem(ca.ca_pem.as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([root]).build().unwrap();
        let operator = market.app.first_operator_token().await.unwrap().unwrap();
        Self { market, url: format!("https://{address}"), client, ca, address, operator, _dir: dir }
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, &format!("/api/v1{path}"), token, body).await
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        self.call(Method::GET, &format!("/api/v1{path}"), token, Value::Null).await
    }

    async fn customer(&self, name: &str) -> String {
        let body = json!({"name": name, "email": format!("{name}@example.org"), "password": "long enough"});
        let (status, session) = self.post("/customers", "", body).await;
        assert_eq!(status, 201, "{session}");
        session["token"].as_str().unwrap().to_owned()
    }

    fn site(&self) -> String {
        self.market.node.site.to_string()
    }

    fn cart(name: &str) -> Value {
        let line = line(name, "pizza", 1);
        json!({
            "fulfilment": "delivery", "tip_minor": 100,
            "lines": [{"id": line.id.to_string(), "item": line.item.to_string(), "quantity": 1}],
            "address": {"street": "Way 1", "city": "Town", "lat": 45.41, "lon": 9.2},
        })
    }

    async fn quote(&self, token: &str, name: &str) -> Value {
        let (status, quote) = self.post(&format!("/restaurants/{}/quotes", self.site()), token, Self::cart(name)).await;
        assert_eq!(status, 201, "{quote}");
        quote
    }

    async fn place(&self, token: &str, name: &str, quote: &Value) -> (u16, Value) {
        let (order, payment) = (OrderId::derived(&[name]), PaymentId::derived(&[name]));
        let body = json!({
            "id": order.to_string(), "payment": payment.to_string(), "quote": quote["quote"], "card": {"token": "tok_ok"},
        });
        self.post(&format!("/restaurants/{}/orders", self.site()), token, body).await
    }

    async fn socket(&self, path: &str, token: &str) -> WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        let der = rustls_pki_types::pem::PemObject::from_pem_slice(self.ca.ca_pem.as_bytes()).unwrap();
        roots.add(der).unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = rustls_pki_types::ServerName::IpAddress(self.address.ip().into());
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let url = format!("wss://{}/api/v1{path}", self.address);
        let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        socket.send(Message::text(json!({"token": token}).to_string())).await.unwrap();
        socket
    }
}

/// The next state that a socket shows and that is so.
async fn until(
    socket: &mut WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>,
    so: impl Fn(&Value) -> bool,
) -> Value {
    loop {
        let message = socket.next().await.unwrap().unwrap();
        let state: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if so(&state) {
            return state;
        }
    }
}

#[tokio::test]
async fn b2_a_customer_orders_tracks_and_is_told_and_another_learns_nothing() {
    let mut open = Open::new().await;
    let (ada, eve) = (open.customer("ada").await, open.customer("eve").await);
    let (_, near) = open.get("/restaurants?lat=45.41&lon=9.2", "").await;
    let restaurant = &near["restaurants"][0];
    assert_eq!((&restaurant["name"], &restaurant["open"]), (&json!("Trattoria"), &json!(true)));
    assert!((1_000..1_200).contains(&restaurant["distance_m"].as_u64().unwrap()));
    let quote = open.quote(&ada, "one").await;
    assert_eq!((&quote["total_minor"], &quote["charges"]["delivery_minor"]), (&json!(1_470), &json!(300)));
    let (status, order) = open.place(&ada, "one", &quote).await;
    assert_eq!((status, &order["status"]), (201, &json!("ORDER_PLACED")), "{order}");
    assert_eq!(open.place(&ada, "one", &quote).await.0, 200, "the same intent");
    let (status, problem) = open.place(&ada, "other", &quote).await;
    assert_eq!((status, &problem["code"], &problem["field"]), (409, &json!("quote_used"), &json!("quote")));
    assert!(problem["remedy"].as_str().unwrap().contains("/api/v1/orders/"), "{problem}");
    let id = OrderId::derived(&["one"]);
    for path in [format!("/orders/{id}"), format!("/orders/{id}/cancel-preview"), format!("/orders/{id}/cancel")] {
        let method = if path.ends_with(&id.to_string()) { Method::GET } else { Method::POST };
        let body = json!({"why": "mine", "expected_refund_minor": 1_470});
        let (status, problem) = open.call(method, &format!("/api/v1{path}"), &eve, body).await;
        assert_eq!((status, &problem["code"]), (404, &json!("unknown_order")), "{path}");
    }
    let mut live = open.socket(&format!("/orders/{id}/live"), &ada).await;
    until(&mut live, |order| order["status"] == "ORDER_PLACED").await;
    open.market.node_says(id, OrderFact::Accepted).await;
    let confirmed = until(&mut live, |order| order["captured_minor"] == 1_470).await;
    assert_eq!(confirmed["status"], "ORDER_CONFIRMED");
    let steps = confirmed["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 5);
    assert!(steps[1]["at"].is_u64() && steps[2]["at"].is_null() && steps[2]["eta_min_at"].is_u64(), "{steps:?}");
    let (_, preview) = open.post(&format!("/orders/{id}/cancel-preview"), &ada, Value::Null).await;
    assert_eq!(preview["refund_minor"], 1_149);
    let (_, listed) = open.get("/orders", &ada).await;
    assert_eq!(listed["orders"].as_array().unwrap().len(), 1);
    assert_eq!(open.get("/orders", &eve).await.1["orders"], json!([]));
    let mut other = open.socket(&format!("/orders/{id}/live"), &eve).await;
    assert!(
        matches!(other.next().await, Some(Ok(Message::Close(Some(frame)))) if frame.reason.as_str() == "not_found")
    );
}

#[tokio::test]
async fn b2_an_expired_quote_an_empty_cart_and_a_wrong_token_are_refused_by_name() {
    let open = Open::new().await;
    let ada = open.customer("ada").await;
    let quote = open.quote(&ada, "one").await;
    open.market.clock.advance(10 * 60_000);
    let (status, problem) = open.place(&ada, "one", &quote).await;
    assert_eq!((status, &problem["code"], &problem["field"]), (409, &json!("quote_expired"), &json!("quote")));
    let path = format!("/restaurants/{}/quotes", open.site());
    for (change, status, code) in [
        (json!({"lines": []}), 422, "no_lines"),
        (json!({"address": null}), 422, "no_address"),
        (json!({"address": {"street": "Far", "city": "Away", "lat": 46.4, "lon": 9.2}}), 422, "too_far"),
        (json!({"tip_minor": -1}), 422, "bad_tip"),
        (json!({"lines": [{"id": LineId::derived(&["l"]).to_string(), "item": "x", "quantity": 1}]}), 400, "bad_field"),
        (
            json!({"lines": [{"id": LineId::derived(&["l"]).to_string(), "item": MenuItemId::derived(&["?"]).to_string(), "quantity": 1}]}),
            404,
            "unknown_item",
        ),
        (
            json!({"lines": [{"id": NIL, "item": MenuItemId::derived(&["pizza"]).to_string(), "quantity": 1}]}),
            400,
            "bad_field",
        ),
        (json!({"note": "ring\u{0}twice"}), 400, "bad_field"),
        (json!({"address": {"street": "Way\u{202e}1", "city": "Town", "lat": 45.41, "lon": 9.2}}), 400, "bad_field"),
        (json!({"fulfilment": "teleport"}), 400, "bad_json"),
    ] {
        let mut cart = Open::cart("one");
        cart.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (found, problem) = open.post(&path, &ada, cart).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    let (status, problem) = open.post(&path, "plt_nobody", Open::cart("one")).await;
    assert_eq!((status, &problem["code"]), (401, &json!("unauthorised")));
    let mut named =
        json!({"name": "Ria\u{7}", "phone": "0151 1234", "password": "long enough", "email": "ria@example.org"});
    for path in ["/riders", "/customers", "/customers/guest"] {
        let (status, problem) = open.post(path, "", named.clone()).await;
        assert_eq!((status, &problem["field"]), (400, &json!("name")), "{path}: {problem}");
    }
    named["name"] = json!("Ria");
    let (_, rider) = open.post("/riders", "", named).await;
    let (status, _) = open.post(&path, rider["token"].as_str().unwrap(), Open::cart("one")).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn b3_a_restaurant_that_is_away_says_so_and_holds_what_is_ordered() {
    let mut open = Open::new().await;
    let ada = open.customer("ada").await;
    open.market.cut().await;
    let (_, near) = open.get("/restaurants?lat=45.41&lon=9.2", "").await;
    assert_eq!(near["restaurants"][0]["open"], false);
    assert!(near["restaurants"][0]["open_reason"].as_str().unwrap().contains("cannot be reached"));
    let quote = open.quote(&ada, "one").await;
    let (status, order) = open.place(&ada, "one", &quote).await;
    assert_eq!(status, 201);
    let expires_at = order["held"]["expires_at"].as_u64().unwrap();
    assert_eq!(expires_at - order["placed_at"].as_u64().unwrap(), 10 * 60_000);
    let terms = format!("/sites/{}/terms", open.site());
    assert_eq!(open.get(&terms, &ada).await.0, 401);
    let (_, mut known) = open.get(&terms, &open.operator).await;
    known["accepts_held"] = json!(false);
    let (status, _) = open.call(Method::PUT, &format!("/api/v1{terms}"), &open.operator, known).await;
    assert_eq!(status, 200);
    let quote = open.quote(&ada, "two").await;
    let (status, problem) = open.place(&ada, "two", &quote).await;
    assert_eq!((status, &problem["code"]), (409, &json!("restaurant_closed")));
}

#[tokio::test]
async fn u3_a_rider_is_offered_an_order_on_the_socket_and_brings_it() {
    let mut open = Open::new().await;
    let ada = open.customer("ada").await;
    let sent = json!({"name": "Ria", "phone": "0151 1234", "password": "long enough"});
    let (_, session) = open.post("/riders", "", sent).await;
    let rider = session["token"].as_str().unwrap().to_owned();
    let place = json!({"on": true, "lat": 45.401, "lon": 9.2});
    let (_, task) = open.call(Method::PUT, "/api/v1/rider/shift", &rider, place).await;
    assert_eq!(task["state"], "waiting");
    let mut live = open.socket("/rider/live", &rider).await;
    let quote = open.quote(&ada, "one").await;
    open.place(&ada, "one", &quote).await;
    let id = OrderId::derived(&["one"]);
    open.market.node_says(id, OrderFact::Accepted).await;
    let sent =
        OrderFact::Sent { day: pilotlight_sync::domain::business_day::DayNumber(1), letter: "A".into(), counter: 1 };
    open.market.node_says(id, sent).await;
    open.market.oven(id, TicketPhase::Ready).await;
    let offer = until(&mut live, |task| task["state"] == "offer").await;
    assert_eq!(offer["delivery"]["order"], json!(id.to_string()));
    assert!(offer["delivery"]["customer"].is_null() && offer["delivery"]["earn_minor"].as_i64() > Some(0));
    let listed = format!("/sites/{}/deliveries", open.site());
    assert_eq!(open.get(&listed, &ada).await.0, 401);
    let (_, shown) = open.get(&listed, &open.operator).await;
    let shown = &shown["deliveries"][0];
    assert_eq!(
        (&shown["order"], &shown["state"], &shown["rider_name"]),
        (&json!(id.to_string()), &json!("offered"), &json!("Ria"))
    );
    assert!(shown["why"].as_str().unwrap().starts_with("A001 to Ria: at Trattoria by "), "{shown}");
    let (_, task) = open.post(&format!("/rider/offers/{id}/accept"), &rider, Value::Null).await;
    assert_eq!((&task["state"], &task["delivery"]["customer"]["name"]), (&json!("to_store"), &json!("ada")));
    let (_, order) = open.get(&format!("/orders/{id}"), &ada).await;
    assert_eq!((&order["delivery"]["rider_name"], &order["delivery"]["phase"]), (&json!("Ria"), &json!("assigned")));
    for (step, word) in
        [("at-store", "READY_FOR_PICKUP"), ("picked-up", "OUT_FOR_DELIVERY"), ("delivered", "COMPLETED")]
    {
        let (status, _) = open.post(&format!("/rider/deliveries/{id}/{step}"), &rider, Value::Null).await;
        assert_eq!(status, 200);
        assert_eq!(open.get(&format!("/orders/{id}"), &ada).await.1["status"], word);
    }
    let (_, order) = open.get(&format!("/orders/{id}"), &ada).await;
    assert!(order["steps"].as_array().unwrap().iter().all(|step| step["at"].is_u64()), "{}", order["steps"]);
    assert!(order["delivery"]["rider_lat"].is_null(), "where the rider goes next is nobody's business");
    until(&mut live, |task| task["state"] == "waiting").await;
}

#[tokio::test]
async fn a5_a_webhook_counts_when_its_signature_does() {
    let open = Open::new().await;
    let body = br#"{"key":"nobody's","n":1}"#.to_vec();
    let now_ms = open.market.clock.real().0;
    let send = async |signature: Option<String>| {
        let request = open.client.post(format!("{}/api/v1/payments/webhook", open.url)).body(body.clone());
        let request = match signature {
            Some(signature) => request.header(SIGNATURE_HEADER, signature),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap_or_default()["code"].as_str().unwrap_or_default().to_owned())
    };
    let secret = SandboxServer::SECRET.as_bytes();
    assert_eq!(send(None).await, (401, "no_signature".to_owned()));
    assert_eq!(send(Some(sign(b"other", now_ms, &body))).await, (401, "wrong_signature".to_owned()));
    assert_eq!(send(Some(sign(secret, now_ms - 3_600_000, &body))).await, (401, "stale_signature".to_owned()));
    assert_eq!(send(Some(sign(secret, now_ms, &body))).await, (204, String::new()));
    // The gateway itself finds the way, over TLS with the relay's own authority.
    let settings =
        CallbackSettings { url: format!("{}/api/v1/payments/webhook", open.url), ca_pem: Some(open.ca.ca_pem.clone()) };
    open.market.gateway.sandbox.call_back(&settings).unwrap();
    let ada = open.customer("ada").await;
    let quote = open.quote(&ada, "one").await;
    assert_eq!(open.place(&ada, "one", &quote).await.0, 201);
}

#[tokio::test]
async fn b8_a_menu_is_asked_for_conditionally_and_changes_with_what_is_sold_out() {
    let open = Open::new().await;
    let path = format!("{}/api/v1/restaurants/{}/menu", open.url, open.site());
    let ask = async |etag: &str| open.client.get(&path).header("if-none-match", etag.to_owned()).send().await.unwrap();
    let first = ask("").await;
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    let menu: Value = first.json().await.unwrap();
    assert_eq!(menu["menu"]["items"].as_array().unwrap().len(), 2);
    assert_eq!(menu["availability"]["unavailable"], json!([]));
    assert_eq!(ask(&etag).await.status().as_u16(), 304);
    let ada = open.customer("ada").await;
    for name in ["a", "b", "c"] {
        let quote = open.quote(&ada, name).await;
        assert_eq!(open.place(&ada, name, &quote).await.0, 201);
    }
    let menu: Value = ask(&etag).await.json().await.unwrap();
    assert_eq!(menu["availability"]["unavailable"][0]["reason"], "sold_out");
}

#[tokio::test]
async fn e9_a_new_site_has_a_code_and_no_id_until_its_node_has_enrolled() {
    let open = Open::new().await;
    let new = json!({"name": " Corner ", "lat": 45.0, "lon": 9.0});
    let (status, created) = open.post("/sites", &open.operator, new).await;
    assert_eq!((status, &created["site"], &created["name"]), (201, &Value::Null, &json!("Corner")), "{created}");
    assert!(created["site_code"].is_string() && created["expires_at"].is_u64(), "{created}");
    let (status, renewed) = open.post(&format!("/sites/{}/code", open.site()), &open.operator, Value::Null).await;
    assert_eq!((status, &renewed["site"], &renewed["name"]), (201, &json!(open.site()), &json!("Trattoria")));
}

#[tokio::test]
async fn every_described_path_is_there_and_answers_as_described() {
    let open = Open::new().await;
    let description: Value = serde_json::from_str(&document()).unwrap();
    let paths = description["paths"].as_object().unwrap();
    let ada = open.customer("ada").await;
    let nobody = OrderId::derived(&["nobody"]).to_string();
    let mut wrong = Vec::new();
    for (path, operations) in paths {
        let filled: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { nobody.as_str() } else { part }).collect();
        for (method, operation) in operations.as_object().unwrap() {
            let described: BTreeSet<&str> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            let method: Method = method.to_uppercase().parse().unwrap();
            let (status, problem) = open.call(method.clone(), &filled.join("/"), &ada, json!({})).await;
            let served = status < 500 && status != 405 && problem["code"] != "not_found";
            if !served || !described.contains(status.to_string().as_str()) {
                wrong.push(format!("{method} {path}: {status} {problem}, described {described:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(paths.len() > 30, "{}", paths.len());
}
