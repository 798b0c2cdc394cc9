//! Real menus come in through the API, are served whole, and what was not understood is said.

use anyhow::Context as _;
use pilotlight_tests::client::Api;
use pilotlight_tests::fixtures;
use pilotlight_tests::node_process::{NodeOptions, NodeProcess};
use pilotlight_tests::shop::{Shop, import, text};
use serde_json::Value;

async fn fresh() -> anyhow::Result<(tempfile::TempDir, NodeProcess, Api)> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let admin = Shop::pair_first(node.ready()).await?;
    Ok((home, node, admin))
}

fn length(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

fn variants(menu: &Value) -> usize {
    menu["items"].as_array().map_or(0, |items| items.iter().map(|item| length(&item["variants"])).sum())
}

/// Every entry says where, what, and what to do.
fn said(report: &Value) -> anyhow::Result<usize> {
    let entries = report["not_understood"].as_array().context("not_understood")?;
    for entry in entries {
        for field in ["place", "what", "remedy"] {
            assert!(!text(&entry[field]).is_empty(), "{field} of {entry}");
        }
    }
    Ok(entries.len())
}

#[tokio::test]
async fn the_pizza_shop_is_served_whole_and_a_second_import_changes_nothing() -> anyhow::Result<()> {
    let (_home, node, admin) = fresh().await?;
    let file = fixtures::fixture(fixtures::PIZZAPLACE_MENU)?;
    let report = import(&admin, "pizzaplace", &file).await?;
    assert_eq!((report["items"].as_u64(), report["variants"].as_u64()), (Some(32), Some(91)), "{report}");
    let menu = admin.get("/api/v1/menu").await?;
    let tag = menu.header("etag").context("an ETag")?.to_owned();
    assert_eq!((length(&menu.json()?["items"]), variants(&menu.json()?)), (32, 91));

    let same = admin.call("GET", "/api/v1/menu", &[("if-none-match", &tag)], &[]).await?;
    assert_eq!((same.status, same.body.len()), (304, 0), "not sent again");
    import(&admin, "pizzaplace", &file).await?;
    let same = admin.call("GET", "/api/v1/menu", &[("if-none-match", &tag)], &[]).await?;
    assert_eq!(same.status, 304, "the same file is the same menu");
    import(&admin, "recipes", &fixtures::fixture(fixtures::PIZZA_RECIPES)?).await?;
    assert!(length(&admin.get("/api/v1/stock").await?.expect(200)?["ingredients"]) > 10, "recipes bring ingredients");
    node.stop()
}

#[tokio::test]
async fn i6_a_file_of_which_nothing_can_be_used_is_refused_whole_and_changes_nothing() -> anyhow::Result<()> {
    let (_home, node, admin) = fresh().await?;
    import(&admin, "pizzaplace", &fixtures::fixture(fixtures::PIZZAPLACE_MENU)?).await?;
    let before = admin.get("/api/v1/menu").await?.expect(200)?;
    let stock = admin.get("/api/v1/stock").await?.expect(200)?;
    for (format, file) in [
        ("pizzaplace", &b"name,size\nbbq,S\n"[..]),
        ("pizzaplace", b"\xff\xfe\x00"),
        ("millers", b"{\"not\": \"a catalogue\"}"),
        ("tastyigniter", b"[[["),
        ("recipes", b""),
        ("maven", b"menu_item_id,item_name,category,price\n1,Stew,Another heading,much\n"),
        ("recipes", b"item,size,ingredient,grams\nno_such_dish,S,Saffron,1\n"),
    ] {
        let answer = admin.upload(&format!("/api/v1/menu/imports?format={format}"), file).await?;
        let problem = answer.expect(422)?;
        assert!(!text(&problem["detail"]).is_empty() && !text(&problem["remedy"]).is_empty(), "{problem}");
    }
    let answer = admin.upload("/api/v1/menu/imports?format=napkin", b"x").await?.expect(400)?;
    assert_eq!(answer["field"], "format");
    assert!(admin.get("/api/v1/menu").await?.expect(200)? == before, "the menu is as it was");
    assert!(admin.get("/api/v1/stock").await?.expect(200)? == stock, "and so is the stock");
    node.stop()
}

#[tokio::test]
async fn millers_cafe_is_served_whole_and_what_was_not_understood_is_said() -> anyhow::Result<()> {
    let Some(file) = fixtures::outside(fixtures::MILLERS_CAFE) else { return Ok(()) };
    let (_home, node, admin) = fresh().await?;
    let report = import(&admin, "millers", &std::fs::read(file)?).await?;
    assert_eq!((report["items"].as_u64(), report["groups"].as_u64()), (Some(239), Some(436)), "{report}");
    said(&report)?;
    let menu = admin.get("/api/v1/menu").await?.expect(200)?;
    assert!(length(&menu["items"]) >= 230, "{} items served", length(&menu["items"]));
    assert!(length(&menu["groups"]) > 10, "{} different groups served", length(&menu["groups"]));
    node.stop()
}

#[tokio::test]
async fn the_largest_uber_eats_menu_is_served_whole() -> anyhow::Result<()> {
    let Some(file) = fixtures::outside(fixtures::UBER_EATS) else { return Ok(()) };
    let (_home, node, admin) = fresh().await?;
    let report = import(&admin, "ubereats", &std::fs::read(file)?).await?;
    let left_out = said(&report)?;
    let menu = admin.get("/api/v1/menu").await?.expect(200)?;
    assert!(length(&menu["items"]) + left_out >= 3_899, "{} items and {left_out} remarks", length(&menu["items"]));
    assert!(length(&menu["items"]) > 3_000, "{} items served", length(&menu["items"]));
    node.stop()
}
