//! One order from the kiosk to the guest's hand, as the kitchen's screens see it.

use anyhow::{Context as _, ensure};
use pilotlight_tests::client::{Api, Screen};
use pilotlight_tests::clock;
use pilotlight_tests::node_process::{NodeOptions, NodeProcess};
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::{Shop, fresh_id, text, with};
use pilotlight_tests::writers::{all_done, bump_all, kitchen_actions};
use serde_json::{Value, json};

/// A shop on a node of its own.
struct Open {
    _home: tempfile::TempDir,
    node: NodeProcess,
    shop: Shop,
    kiosk: Api,
    kitchen: Api,
    ids: Seeded,
}

async fn open() -> anyhow::Result<Open> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let shop = Shop::open(node.ready()).await?;
    let kiosk = shop.pair("customer", "Kiosk").await?;
    let kitchen = shop.pair("kitchen", "Kitchen").await?;
    Ok(Open { _home: home, node, shop, kiosk, kitchen, ids: Seeded::from_system()? })
}

impl Open {
    fn cart(&mut self, index: usize) -> Value {
        self.shop.carts[index].order(&mut self.ids)
    }

    async fn place(&mut self, index: usize) -> anyhow::Result<Value> {
        let order = self.cart(index);
        self.kiosk.post("/api/v1/orders", &order).await?.expect(201)
    }

    /// A kitchen screen that has its board, the board, and where it is.
    async fn screen(&self, position: &Value) -> anyhow::Result<(Screen, Vec<Value>, Value)> {
        let mut screen = self.kitchen.screen("kitchen", position).await?;
        let welcome = screen.next().await?;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        if welcome["resumed"] == true {
            return Ok((screen, Vec::new(), welcome["position"].clone()));
        }
        let frames = screen.until(|frame| frame["type"] == "snapshot" && frame["last"] == true).await?;
        let chunks: Vec<&Value> = frames.iter().filter(|frame| frame["type"] == "snapshot").collect();
        assert_eq!(chunks[0]["first"], true, "the first chunk says so");
        let orders = chunks.iter().flat_map(|chunk| chunk["orders"].as_array().cloned().unwrap_or_default()).collect();
        let position = chunks.last().context("a last chunk")?["position"].clone();
        Ok((screen, orders, position))
    }
}

/// The next word about an order: its shape on the board, or `None` when it has left it; with the position.
async fn news(screen: &mut Screen, id: &str) -> anyhow::Result<(Option<Value>, Value)> {
    loop {
        let frame = screen.next().await?;
        ensure!(frame["type"] != "bye", "dropped: {frame}");
        let listed = |field: &str| frame[field].as_array().cloned().unwrap_or_default();
        if let Some(order) = listed("orders").into_iter().find(|order| order["id"] == id) {
            return Ok((Some(order), frame["position"].clone()));
        }
        if listed("gone").iter().any(|gone| gone == id) {
            return Ok((None, frame["position"].clone()));
        }
    }
}

fn phases(order: &Value) -> Vec<&str> {
    order["tickets"].as_array().map(|all| all.iter().map(|ticket| text(&ticket["phase"])).collect()).unwrap_or_default()
}

async fn act(kitchen: &Api, order: &Value, action: &Value) -> anyhow::Result<()> {
    let outcomes = kitchen.post("/api/v1/kitchen/actions", &kitchen_actions(order, action)?).await?.expect(200)?;
    all_done(&outcomes).with_context(|| format!("{action}"))
}

#[tokio::test]
async fn an_order_is_placed_seen_cooked_and_handed_over() -> anyhow::Result<()> {
    let mut open = open().await?;
    let (mut first, board, _) = open.screen(&Value::Null).await?;
    let (mut second, ..) = open.screen(&Value::Null).await?;
    assert!(board.is_empty(), "nothing was ordered yet");

    let placed = open.place(1).await?;
    let id = text(&placed["id"]).to_owned();
    assert_eq!(placed["number"], "A001", "the first order of the first origin's day");
    assert_eq!(placed["total_minor"], 9_200, "the guest's own bill, from the record of sales");
    for screen in [&mut first, &mut second] {
        let (shown, _) = news(screen, &id).await?;
        let shown = shown.context("on the board")?;
        assert!(!phases(&shown).is_empty() && phases(&shown).iter().all(|phase| *phase == "queued"), "{shown}");
        assert_eq!(shown["number"], placed["number"]);
        let lines: usize = shown["tickets"]
            .as_array()
            .context("tickets")?
            .iter()
            .filter_map(|ticket| Some(ticket["lines"].as_array()?.len()))
            .sum();
        assert_eq!(Some(lines), placed["lines"].as_array().map(Vec::len), "every line is on exactly one ticket");
    }
    for (action, phase, status) in [
        ("acknowledge", "queued", "ORDER_CONFIRMED"),
        ("start", "started", "PREPARING"),
        ("bump", "ready", "READY_FOR_PICKUP"),
    ] {
        act(&open.kitchen, &placed, &json!({"type": action})).await?;
        let now = open.kitchen.get(&format!("/api/v1/orders/{id}")).await?.expect(200)?;
        assert!(phases(&now).iter().all(|seen| *seen == phase), "after {action}: {now}");
        assert_eq!(now["status"], status, "after {action}");
    }
    act(&open.kitchen, &placed, &json!({"type": "hand_over"})).await?;
    for screen in [&mut first, &mut second] {
        let mut last = None;
        while let (Some(order), _) = news(screen, &id).await? {
            last = Some(text(&order["status"]).to_owned());
            if last.as_deref() == Some("COMPLETED") {
                break;
            }
        }
        assert!(last.is_some(), "the screen followed the order");
    }
    let done = open.shop.admin.get(&format!("/api/v1/orders/{id}")).await?.expect(200)?;
    assert_eq!(done["status"], "COMPLETED");
    let words: Vec<&str> =
        done["history"].as_array().context("a history")?.iter().map(|step| text(&step["to"])).collect();
    assert_eq!(words.last(), Some(&"COMPLETED"), "{words:?}");
    assert!(words.contains(&"READY_FOR_PICKUP"), "{words:?}");
    open.node.stop()
}

#[tokio::test]
async fn the_same_id_again_is_answered_as_before_and_another_cart_is_refused_by_field() -> anyhow::Result<()> {
    let mut open = open().await?;
    let order = open.cart(0);
    let first = open.kiosk.post("/api/v1/orders", &order).await?.expect(201)?;
    let stock = open.shop.admin.get("/api/v1/stock").await?.expect(200)?;
    let again = open.kiosk.post("/api/v1/orders", &order).await?.expect(200)?;
    for field in ["id", "number", "lines", "total_minor", "placed_at"] {
        assert_eq!(again[field], first[field], "{field}");
    }
    assert_eq!(open.shop.admin.get("/api/v1/stock").await?.expect(200)?, stock, "nothing is taken twice");

    let mut other_line = open.cart(1)["lines"][0].clone();
    other_line["id"] = order["lines"][0]["id"].clone();
    for (field, pointer, value) in [
        ("lines[0].quantity", "/lines/0/quantity", json!(7)),
        ("lines[0]", "/lines/0", other_line),
        ("fulfilment", "/fulfilment", json!("dine_in")),
        ("note", "/note", json!("quickly")),
    ] {
        let cart = with(&order, pointer, value);
        let answer = open.kiosk.post("/api/v1/orders", &cart).await?;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem = answer.expect(409)?;
        assert_eq!(problem["code"], "same_id_other_cart", "{problem}");
        assert!(field.starts_with(text(&problem["field"])) && !text(&problem["field"]).is_empty(), "{problem}");
    }
    let kept = open.kiosk.get(&format!("/api/v1/orders/{}", text(&first["id"]))).await?.expect(200)?;
    assert_eq!(kept["lines"], first["lines"], "the first cart stands");
    open.node.stop()
}

#[tokio::test]
async fn a_screen_that_comes_back_gets_what_it_missed_and_nothing_else() -> anyhow::Result<()> {
    let mut open = open().await?;
    let seen = open.place(0).await?;
    let (screen, board, position) = open.screen(&Value::Null).await?;
    assert_eq!(board.len(), 1, "the board has the order");
    assert_eq!(board[0]["id"], seen["id"]);
    drop(screen);

    let missed = open.place(1).await?;
    let mut screen = open.kitchen.screen("kitchen", &position).await?;
    let welcome = screen.next().await?;
    assert_eq!(welcome["resumed"], true, "{welcome}");
    let frame = screen.until(|frame| frame["type"] == "delta").await?.pop().context("a delta")?;
    let ids: Vec<&str> = frame["orders"].as_array().context("orders")?.iter().map(|order| text(&order["id"])).collect();
    assert_eq!(ids, [text(&missed["id"])], "only what was missed");
    assert!(frame["position"]["seq"].as_u64() > position["seq"].as_u64(), "and further on");

    // A position in a log that this node does not write: another history, so the whole board.
    let mut other = position.clone();
    other["origin"] = json!(Seeded::from_system()?.uuid());
    let mut screen = open.kitchen.screen("kitchen", &other).await?;
    assert_eq!(screen.next().await?["resumed"], false, "another history is not resumed");
    open.node.stop()
}

/// Orders after which a screen that reads nothing must be gone: far more than sockets and queues can hold.
const ORDERS_MAX: usize = 8_000;

#[tokio::test]
async fn a_screen_that_does_not_read_is_dropped_and_gets_the_board_again() -> anyhow::Result<()> {
    let mut open = open().await?;
    let kitchen = &open.kitchen;
    let mut slow =
        kitchen.target().connect_small().await?.into_screen(kitchen.token(), "kitchen", &Value::Null).await?;
    let (mut quick, ..) = open.screen(&Value::Null).await?;
    let screens = async |open: &Open| -> anyhow::Result<Option<u64>> {
        Ok(open.shop.admin.get("/health").await?.expect(200)?["screens"].as_u64())
    };
    assert_eq!(screens(&open).await?, Some(2));
    let (mut last, mut placed) = (Value::Null, 0);
    // What the system's buffers take comes first; then the node waits for the screen, and not for ever.
    while placed < ORDERS_MAX && screens(&open).await? != Some(1) {
        for _ in 0..25 {
            let order = with(&open.cart(placed % 200), "/note", json!("n".repeat(280)));
            last = open.kiosk.post("/api/v1/orders", &order).await?.expect(201)?;
            news(&mut quick, text(&last["id"])).await?;
            placed += 1;
        }
    }
    clock::within("the node to drop a screen that reads nothing", clock::PATIENCE, async {
        while screens(&open).await? != Some(1) {}
        anyhow::Ok(())
    })
    .await??;
    let ending = clock::within("end of the slow screen", clock::PATIENCE, async {
        loop {
            match slow.next().await {
                Ok(frame) if frame["type"] == "bye" => break text(&frame["reason"]).to_owned(),
                Ok(_) => {}
                Err(error) => break format!("{error:#}"),
            }
        }
    })
    .await?;
    assert!(!ending.is_empty());
    let (_screen, board, _) = open.screen(&Value::Null).await?;
    assert_eq!(board.len(), placed, "the whole board again");
    assert!(board.iter().any(|order| order["id"] == last["id"]));
    open.node.stop()
}

#[tokio::test]
async fn a_bump_twice_is_said_and_a_recall_opens_a_new_epoch() -> anyhow::Result<()> {
    let mut open = open().await?;
    let placed = open.place(0).await?;
    let bump = bump_all(&placed)?;
    all_done(&open.kitchen.post("/api/v1/kitchen/actions", &bump).await?.expect(200)?)?;
    let again = open.kitchen.post("/api/v1/kitchen/actions", &bump).await?.expect(200)?;
    assert_eq!(again["outcomes"][0]["outcome"], "already", "the same tap sent again: {again}");

    let before = open.shop.admin.get("/api/v1/stock").await?.expect(200)?;
    act(&open.kitchen, &placed, &json!({"type": "recall"})).await?;
    let recalled = open.kitchen.get(&format!("/api/v1/orders/{}", text(&placed["id"]))).await?.expect(200)?;
    assert_eq!(recalled["tickets"][0]["epoch"], 1, "{recalled}");
    assert_eq!(recalled["tickets"][0]["epoch_kind"], "look_again");
    assert_eq!(open.shop.admin.get("/api/v1/stock").await?.expect(200)?, before, "looking again takes no stock");
    open.node.stop()
}

#[tokio::test]
async fn an_order_survives_a_restart_with_its_number_and_the_next_one_follows() -> anyhow::Result<()> {
    let mut open = open().await?;
    let first = open.place(0).await?;
    let home = open._home;
    open.node.stop()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    assert_eq!(node.ready().admin_code, None, "a site with an administrator hands out no admin code");
    let kiosk = Api::new(pilotlight_tests::client::Target::of(node.ready())?, Some(open.kiosk.token().to_owned()));
    let kept = kiosk.get(&format!("/api/v1/orders/{}", text(&first["id"]))).await?.expect(200)?;
    assert_eq!(kept, first, "as it was answered");
    let second = kiosk.post("/api/v1/orders", &open.shop.carts[1].order(&mut open.ids)).await?.expect(201)?;
    assert_eq!((text(&first["number"]), text(&second["number"])), ("A001", "A002"));
    let unknown = kiosk.get(&format!("/api/v1/orders/{}", fresh_id()?)).await?;
    assert_eq!(unknown.status, 404);
    node.stop()
}
