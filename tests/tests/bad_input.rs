//! Bad input: every wrong request is refused by a problem that names the field and the remedy, and nothing is half-written.

use anyhow::Context as _;
use pilotlight_tests::client::{Answer, Api};
use pilotlight_tests::fixtures;
use pilotlight_tests::node_process::{NodeOptions, NodeProcess};
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::{Shop, fresh_id, import, text, with};
use serde_json::{Value, json};

const NIL: &str = "00000000-0000-0000-0000-000000000000";

struct Open {
    _home: tempfile::TempDir,
    node: NodeProcess,
    shop: Shop,
}

async fn open() -> anyhow::Result<Open> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let shop = Shop::open(node.ready()).await?;
    Ok(Open { _home: home, node, shop })
}

/// What a refused request must leave as it was: stock, and how many orders there are.
async fn state(admin: &Api) -> anyhow::Result<(Value, Value)> {
    let stock = admin.get("/api/v1/stock").await?.expect(200)?;
    let health = admin.get("/health").await?.expect(200)?;
    Ok((stock, health["open_orders"].clone()))
}

/// What is wrong with an answer that should be this problem; empty when nothing is.
fn faults(answer: &Answer, status: u16, code: &str, field: Option<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    must(answer.status == status, format!("status {} for {status}", answer.status));
    must(
        answer.header("content-type") == Some("application/problem+json"),
        format!("content-type {:?}", answer.header("content-type")),
    );
    let problem = answer.json().unwrap_or_default();
    must(problem["code"] == code, format!("code {} for {code}", problem["code"]));
    must(problem["status"] == status, format!("status in the body {}", problem["status"]));
    must(problem["type"] == format!("/problems/{code}"), format!("type {}", problem["type"]));
    must(!text(&problem["title"]).is_empty() && !text(&problem["detail"]).is_empty(), "no title or detail".to_owned());
    must(problem["field"].as_str() == field, format!("field {} for {field:?}", problem["field"]));
    must(!text(&problem["remedy"]).is_empty(), "no remedy".to_owned());
    if !faults.is_empty() {
        faults.push(answer.text());
    }
    faults
}

#[tokio::test]
async fn a_bad_order_is_refused_by_field_and_nothing_is_written() -> anyhow::Result<()> {
    let open = open().await?;
    let kiosk = open.shop.pair("customer", "Kiosk").await?;
    let mut ids = Seeded::from_system()?;
    let good = open.shop.carts[1].order(&mut ids);
    let line = good["lines"][0].clone();
    let total = good["expected_total_minor"].as_i64().context("a total")?;
    let unknown = || -> anyhow::Result<Value> { Ok(json!(fresh_id()?)) };
    let lines_501: Vec<Value> = (0..501).map(|_| with(&line, "/id", json!(ids.uuid()))).collect();
    let choice = json!([{"group": fresh_id()?, "option": fresh_id()?, "count": 1}]);
    let rows: Vec<(&str, Value, u16, &str, &str)> = vec![
        ("/lines/0/item", unknown()?, 404, "unknown_item", "lines[0].item"),
        ("/lines/0/variant", unknown()?, 404, "unknown_variant", "lines[0].variant"),
        ("/lines/0/item", json!("a pizza"), 400, "bad_field", "lines[0].item"),
        ("/lines/0/quantity", json!(0), 422, "quantity", "lines[0].quantity"),
        ("/lines/1/quantity", json!(-1), 400, "bad_json", "lines[1].quantity"),
        ("/lines/0/quantity", json!(1_000_000), 422, "quantity", "lines[0].quantity"),
        ("/lines/0/quantity", json!(99_999_999_999_u64), 400, "bad_json", "lines[0].quantity"),
        ("/lines/0/quantity", json!(1.5), 400, "bad_json", "lines[0].quantity"),
        ("/lines/0/quantity", json!("two"), 400, "bad_json", "lines[0].quantity"),
        ("/lines/0/choices", choice, 404, "unknown_group", "lines[0].choices[0].group"),
        ("/lines/0/note", json!("n".repeat(281)), 422, "note_too_long", "lines[0].note"),
        ("/lines/1/id", line["id"].clone(), 422, "line_id_twice", "lines[1].id"),
        ("/lines", json!([]), 422, "no_lines", "lines"),
        ("/lines", json!(lines_501), 422, "too_many_lines", "lines"),
        ("/lines", json!("all"), 400, "bad_json", "lines"),
        ("/id", json!("seven"), 400, "bad_field", "id"),
        ("/id", json!(NIL), 400, "bad_field", "id"),
        ("/lines/0/id", json!(NIL), 400, "bad_field", "lines[0].id"),
        ("/lines/0/item", json!(NIL), 400, "bad_field", "lines[0].item"),
        ("/channel", json!("fax"), 400, "bad_json", "channel"),
        ("/channel", json!("cloud"), 403, "not_from_here", "channel"),
        ("/channel", json!("phone"), 403, "not_from_here", "channel"),
        ("/fulfilment", json!("delivery"), 403, "not_from_here", "fulfilment"),
        ("/fulfilment", json!(3), 400, "bad_json", "fulfilment"),
        ("/note", json!("n".repeat(281)), 422, "text_too_long", "note"),
        ("/note", json!("no\u{0}onions"), 400, "bad_field", "note"),
        ("/table", json!("4\u{202e}2"), 400, "bad_field", "table"),
        ("/lines/0/note", json!("\u{1b}[2Jraw"), 400, "bad_field", "lines[0].note"),
        ("/expected_total_minor", json!(total - 1), 409, "price_changed", "expected_total_minor"),
        ("/expected_total_minor", json!(-total), 409, "price_changed", "expected_total_minor"),
    ];
    let before = state(&open.shop.admin).await?;
    let mut wrong = Vec::new();
    for (pointer, value, status, code, field) in rows {
        let shown = value.to_string().chars().take(40).collect::<String>();
        let answer = kiosk.post("/api/v1/orders", &with(&good, pointer, value)).await?;
        wrong.extend(
            faults(&answer, status, code, Some(field)).into_iter().map(|fault| format!("{pointer} = {shown}: {fault}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(state(&open.shop.admin).await?, before, "nothing is half-written");
    kiosk.post("/api/v1/orders", &good).await?.expect(201)?;
    open.node.stop()
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused() -> anyhow::Result<()> {
    let open = open().await?;
    let admin = &open.shop.admin;
    let before = state(admin).await?;
    let json_type = [("content-type", "application/json")];
    let rows: [(&str, &str, &[u8], u16, &str); 7] = [
        ("POST", "/api/v1/orders", b"{\"id\": ", 400, "bad_json"),
        ("POST", "/api/v1/orders", b"", 400, "bad_json"),
        ("POST", "/api/v1/orders", b"\xff\xfe", 400, "bad_json"),
        ("POST", "/api/v1/orders", b"[1, 2]", 400, "bad_json"),
        ("POST", "/api/v1/nothing", b"{}", 404, "not_found"),
        ("DELETE", "/api/v1/menu", b"", 405, "method_not_allowed"),
        ("GET", "/api/v1/orders/not-an-id", b"", 400, "bad_field"),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, status, code) in rows {
        let answer = admin.call(method, path, &json_type, body).await?;
        let field = answer.json()?["field"].as_str().map(str::to_owned);
        wrong.extend(
            faults(&answer, status, code, field.as_deref())
                .into_iter()
                .map(|fault| format!("{method} {path}: {fault}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(state(admin).await?, before, "nothing is half-written");
    open.node.stop()
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() -> anyhow::Result<()> {
    let open = open().await?;
    let mut connection = open.shop.admin.target().connect().await?;
    let head = format!(
        "POST /api/v1/orders HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        open.shop.admin.token(),
        1_u64 << 40
    );
    connection.send_raw(head.as_bytes()).await?;
    let wrong = faults(&connection.answer().await?, 413, "body_too_large", Some("body"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let mut connection = open.shop.admin.target().connect().await?;
    connection.send_raw(format!("GET /{} HTTP/1.1\r\nhost: node\r\n", "a".repeat(10)).as_bytes()).await?;
    for _ in 0..2_000 {
        // The node may close at any time, which is what is wanted.
        if connection.send_raw(format!("x-more: {}\r\n", "h".repeat(1_000)).as_bytes()).await.is_err() {
            break;
        }
    }
    let said = connection.closed().await;
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "endless headers: {}", String::from_utf8_lossy(&said));
    open.node.stop()
}

#[tokio::test]
async fn a_wrong_or_revoked_token_and_a_wrong_role_are_refused() -> anyhow::Result<()> {
    let open = open().await?;
    let admin = &open.shop.admin;
    let target = admin.target().clone();
    let kiosk = open.shop.pair("customer", "Kiosk").await?;
    let kitchen = open.shop.pair("kitchen", "Kitchen").await?;
    let gone = open.shop.pair("staff", "Lost tablet").await?;
    let devices = admin.get("/api/v1/devices").await?.expect(200)?;
    let lost = devices["devices"]
        .as_array()
        .or(devices.as_array())
        .context("a list of devices")?
        .iter()
        .find(|device| device["name"] == "Lost tablet")
        .context("the lost tablet")?;
    let revoked = admin.call("DELETE", &format!("/api/v1/devices/{}", text(&lost["id"])), &[], &[]).await?;
    assert_eq!(revoked.status / 100, 2, "{}", revoked.text());
    let nobody = Api::new(target.clone(), None);
    let guesser = Api::new(target.clone(), Some("0".repeat(43)));
    let rows: Vec<(&str, &Api, &str, &str, u16, &str)> = vec![
        ("no token", &nobody, "GET", "/api/v1/menu", 401, "unauthorised"),
        ("no token", &nobody, "POST", "/api/v1/orders", 401, "unauthorised"),
        ("a guessed token", &guesser, "GET", "/api/v1/menu", 401, "unauthorised"),
        ("a revoked token", &gone, "GET", "/api/v1/menu", 401, "unauthorised"),
        ("a kiosk", &kiosk, "POST", "/api/v1/menu/imports?format=pizzaplace", 403, "forbidden"),
        ("a kiosk", &kiosk, "POST", "/api/v1/kitchen/actions", 403, "forbidden"),
        ("a kiosk", &kiosk, "POST", "/api/v1/pairing-codes", 403, "forbidden"),
        ("a kitchen", &kitchen, "POST", "/api/v1/pairing-codes", 403, "forbidden"),
        ("a kitchen", &kitchen, "GET", "/api/v1/devices", 403, "forbidden"),
    ];
    let mut wrong = Vec::new();
    for (who, api, method, path, status, code) in rows {
        let answer = api.call(method, path, &[("content-type", "application/json")], b"{}").await?;
        wrong.extend(
            faults(&answer, status, code, (status == 401).then_some("authorization"))
                .into_iter()
                .map(|fault| format!("{who}, {method} {path}: {fault}")),
        );
    }
    let answer = nobody.post("/api/v1/pair", &json!({"code": "AAAA-AAAA", "name": "Guess"})).await?;
    wrong.extend(
        faults(&answer, 403, "wrong_code", Some("code")).into_iter().map(|fault| format!("a guessed code: {fault}")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    open.node.stop()
}

#[tokio::test]
async fn a_code_is_good_once() -> anyhow::Result<()> {
    let open = open().await?;
    let code = open.shop.admin.post("/api/v1/pairing-codes", &json!({"role": "kitchen"})).await?.expect(201)?;
    let nobody = Api::new(open.shop.admin.target().clone(), None);
    let body = json!({"code": code["code"], "name": "First"});
    nobody.post("/api/v1/pair", &body).await?.expect(201)?;
    let answer = nobody.post("/api/v1/pair", &body).await?;
    assert_eq!(faults(&answer, 403, "wrong_code", Some("code")), Vec::<String>::new());
    open.node.stop()
}

#[tokio::test]
async fn what_is_eighty_sixed_or_out_of_stock_is_not_sold() -> anyhow::Result<()> {
    let open = open().await?;
    let admin = &open.shop.admin;
    let mut ids = Seeded::from_system()?;
    let order = open.shop.carts[0].order(&mut ids);
    let item = text(&order["lines"][0]["item"]).to_owned();
    let path = format!("/api/v1/items/{item}/availability");
    let answer = admin
        .call("PUT", &path, &[("content-type", "application/json")], br#"{"available": false, "until": null}"#)
        .await?;
    assert_eq!(answer.status / 100, 2, "{}", answer.text());
    let before = state(admin).await?;
    let refused = admin.post("/api/v1/orders", &order).await?;
    assert_eq!(faults(&refused, 409, "eighty_six", Some("lines[0].item")), Vec::<String>::new());
    assert_eq!(state(admin).await?, before, "nothing is half-written");
    let answer = admin
        .call("PUT", &path, &[("content-type", "application/json")], br#"{"available": true, "until": null}"#)
        .await?;
    assert_eq!(answer.status / 100, 2, "{}", answer.text());
    admin.post("/api/v1/orders", &order).await?.expect(201)?;
    open.node.stop()
}

#[tokio::test]
async fn the_last_portion_is_sold_once() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let shop = Shop::open_with_stock(node.ready(), None).await?;
    let admin = &shop.admin;
    let mut ids = Seeded::from_system()?;
    let order = shop.carts[0].order(&mut ids);
    let stock = admin.get("/api/v1/stock").await?.expect(200)?;
    for ingredient in stock["ingredients"].as_array().context("ingredients")? {
        let path = format!("/api/v1/stock/{}/enforced", text(&ingredient["id"]));
        let answer =
            admin.call("PUT", &path, &[("content-type", "application/json")], br#"{"enforced": true}"#).await?;
        assert_eq!(answer.status / 100, 2, "{}", answer.text());
    }
    let before = state(admin).await?;
    let refused = admin.post("/api/v1/orders", &order).await?;
    assert_eq!(faults(&refused, 409, "sold_out", Some("lines[0]")), Vec::<String>::new());
    assert_eq!(state(admin).await?, before, "nothing is half-written");

    // Exactly what one pizza takes: the first order gets it, the second does not, whoever asks first.
    shop.receive_all(1_000).await?;
    let kiosks = [shop.pair("customer", "Left").await?, shop.pair("customer", "Right").await?];
    let mut sold = 0;
    loop {
        let (left, right) = (shop.carts[0].order(&mut ids), shop.carts[0].order(&mut ids));
        let (left, right) =
            tokio::join!(kiosks[0].post("/api/v1/orders", &left), kiosks[1].post("/api/v1/orders", &right));
        let answers = [left?, right?];
        sold += answers.iter().filter(|answer| answer.status == 201).count();
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(faults(answer, 409, "sold_out", Some("lines[0]")), Vec::<String>::new());
        }
        if answers.iter().any(|answer| answer.status != 201) {
            break;
        }
        assert!(sold < 1_000, "a thousand grams make no thousand pizzas");
    }
    assert!(sold >= 1, "what there was could be sold");
    let stock = admin.get("/api/v1/stock").await?.expect(200)?;
    for ingredient in stock["ingredients"].as_array().context("ingredients")? {
        let (left, used) = (ingredient["rights"].as_u64(), ingredient["used"].as_u64());
        assert_eq!(left.zip(used).map(|(left, used)| left + used), Some(1_000), "nothing is sold twice: {ingredient}");
    }
    node.stop()
}

#[tokio::test]
async fn modifiers_outside_their_bounds_are_refused() -> anyhow::Result<()> {
    let open = open().await?;
    let admin = &open.shop.admin;
    for file in ["tastyigniter_categories.json", "tastyigniter_menu_options.json", "tastyigniter_menus.json"] {
        import(admin, "tastyigniter", &fixtures::fixture(file)?).await?;
    }
    let menu = admin.get("/api/v1/menu").await?.expect(200)?;
    let groups = menu["groups"].as_array().context("groups")?;
    let group = groups
        .iter()
        .find(|group| group["min"].as_u64() >= Some(1) || group["max"].as_u64() == Some(1))
        .context("a bounded group")?;
    let has = |item: &&Value| item["groups"].as_array().is_some_and(|all| all.contains(&group["id"]));
    let item = menu["items"].as_array().context("items")?.iter().find(has).context("an item with this group")?;
    let option = &group["options"][0];
    let choose = |count: u64| json!([{"group": group["id"], "option": option["id"], "count": count}]);
    let (min, max) = (group["min"].as_u64().context("min")?, group["max"].as_u64().context("max")?);
    let price = item["variants"][0]["price_minor"].as_i64().context("a price")?;
    let mut ids = Seeded::from_system()?;
    let order = json!({
        "id": ids.uuid(), "channel": "kiosk", "fulfilment": "takeaway", "expected_total_minor": price,
        "lines": [{"id": ids.uuid(), "item": item["id"], "variant": item["variants"][0]["id"], "choices": [],
            "quantity": item["quantity_min"]}],
    });
    let mut rows = vec![(choose(max + 1), vec!["group_bounds", "choice_count"]), (choose(0), vec!["choice_count"])];
    if min > 0 {
        rows.push((json!([]), vec!["group_bounds"]));
    }
    let before = state(admin).await?;
    for (choices, codes) in rows {
        let problem =
            admin.post("/api/v1/orders", &with(&order, "/lines/0/choices", choices.clone())).await?.expect(422)?;
        assert!(codes.contains(&text(&problem["code"])), "{choices}: {problem}");
        assert!(
            text(&problem["field"]).starts_with("lines[0].choices") && !text(&problem["remedy"]).is_empty(),
            "{problem}"
        );
    }
    assert_eq!(state(admin).await?, before, "nothing is half-written");
    open.node.stop()
}
