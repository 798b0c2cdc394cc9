//! A pizza shop on a node: paired, with menu, recipes and stock, and the carts of its real guests.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use pilotlight_sync::domain::id::MenuItemId;

use crate::client::{Api, Target};
use crate::fixtures;
use crate::node_process::Ready;
use crate::seeded::Seeded;

/// What one receipt books of every ingredient: more than any test sells.
const STOCK_AMOUNT: u64 = 1 << 34;

/// An open shop, seen by its administrator.
#[derive(Debug)]
pub struct Shop {
    /// The first device, with all rights.
    pub admin: Api,
    /// The menu as the node serves it.
    pub menu: Value,
    /// What real guests ordered, in their order.
    pub carts: Arc<[Cart]>,
}

/// What one guest ordered.
#[derive(Debug, Clone)]
pub struct Cart {
    lines: Vec<CartLine>,
    total_minor: i64,
    placed: jiff::civil::DateTime,
}

#[derive(Debug, Clone)]
struct CartLine {
    item: String,
    variant: String,
    quantity: u32,
    /// The item's key in the record of sales, and the size: what recipes go by.
    made_as: (String, String),
}

/// What goes into each item and size, in grams by ingredient.
#[derive(Debug, Default)]
pub struct Recipes(BTreeMap<(String, String), BTreeMap<String, u64>>);

#[derive(Debug, Deserialize)]
struct RecipeRow {
    item: String,
    size: String,
    ingredient: String,
    grams: u64,
}

impl Recipes {
    /// Our recipes for the shop's menu.
    pub fn read() -> anyhow::Result<Self> {
        let mut recipes = Self::default();
        for row in csv::Reader::from_reader(fixtures::fixture(fixtures::PIZZA_RECIPES)?.as_slice()).deserialize() {
            let row: RecipeRow = row?;
            *recipes.0.entry((row.item, row.size)).or_default().entry(row.ingredient).or_default() += row.grams;
        }
        Ok(recipes)
    }
}

/// One row of the shop's record of sales.
#[derive(Debug, Deserialize)]
struct Sale {
    id: String,
    date: String,
    time: String,
    name: String,
    size: String,
}

impl Shop {
    /// Pairs with the admin code of a first start, imports the menu and fills the shelves.
    pub async fn open(ready: &Ready) -> anyhow::Result<Self> {
        Self::open_with_stock(ready, Some(STOCK_AMOUNT)).await
    }

    /// The same with this much of every ingredient, or with empty shelves.
    pub async fn open_with_stock(ready: &Ready, amount: Option<u64>) -> anyhow::Result<Self> {
        let admin = Self::pair_first(ready).await?;
        import(&admin, "pizzaplace", &fixtures::fixture(fixtures::PIZZAPLACE_MENU)?).await?;
        import(&admin, "recipes", &fixtures::fixture(fixtures::PIZZA_RECIPES)?).await?;
        let menu = admin.get("/api/v1/menu").await?.expect(200)?;
        let carts = carts(&menu, &fixtures::fixture(fixtures::PIZZAPLACE_ORDERS)?)?;
        let shop = Self { admin, menu, carts: carts.into() };
        if let Some(amount) = amount {
            shop.receive_all(amount).await?;
        }
        Ok(shop)
    }

    /// Books a delivery of every ingredient.
    pub async fn receive_all(&self, amount: u64) -> anyhow::Result<()> {
        let stock = self.admin.get("/api/v1/stock").await?.expect(200)?;
        let ingredients = stock["ingredients"].as_array().context("a list of ingredients")?;
        ensure!(!ingredients.is_empty(), "the recipes brought no ingredients");
        for ingredient in ingredients {
            let path = format!("/api/v1/stock/{}/receipts", text(&ingredient["id"]));
            let answer = self.admin.post(&path, &json!({"id": fresh_id()?, "amount": amount})).await?;
            ensure!(answer.status / 100 == 2, "a receipt was answered {}: {}", answer.status, answer.text());
        }
        Ok(())
    }

    /// Pairs with the admin code of a first start, and nothing else.
    pub async fn pair_first(ready: &Ready) -> anyhow::Result<Api> {
        let code = ready.admin_code.as_deref().context("a first start has an admin code")?;
        pair(&Target::of(ready)?, code, "Office").await
    }

    /// Pairs another device.
    pub async fn pair(&self, role: &str, name: &str) -> anyhow::Result<Api> {
        let code = self.admin.post("/api/v1/pairing-codes", &json!({"role": role})).await?.expect(201)?;
        pair(self.admin.target(), text(&code["code"]), name).await
    }
}

async fn pair(target: &Target, code: &str, name: &str) -> anyhow::Result<Api> {
    let paired =
        Api::new(target.clone(), None).post("/api/v1/pair", &json!({"code": code, "name": name})).await?.expect(201)?;
    let token = paired["token"].as_str().context("a token")?.to_owned();
    Ok(Api::new(target.clone(), Some(token)))
}

/// Imports a menu file and returns the node's report.
pub async fn import(admin: &Api, format: &str, file: &[u8]) -> anyhow::Result<Value> {
    let answer = admin.upload(&format!("/api/v1/menu/imports?format={format}"), file).await?;
    ensure!(answer.status / 100 == 2, "the import was answered {}: {}", answer.status, answer.text());
    answer.json()
}

/// A JSON string's text; empty when it is none, which no id is.
#[must_use]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Turns the record of sales into carts on this menu.
fn carts(menu: &Value, sales: &[u8]) -> anyhow::Result<Vec<Cart>> {
    let mut priced: BTreeMap<(String, String), (String, String, i64)> = BTreeMap::new();
    for item in menu["items"].as_array().context("the menu's items")? {
        for variant in item["variants"].as_array().context("an item's variants")? {
            let name = (text(&item["id"]).to_owned(), text(&variant["name"]).to_owned());
            let price = variant["price_minor"].as_i64().context("a price")?;
            priced.insert(name, (text(&item["id"]).to_owned(), text(&variant["id"]).to_owned(), price));
        }
    }
    let mut out: Vec<(String, Cart)> = Vec::new();
    for sale in csv::Reader::from_reader(sales).deserialize() {
        let sale: Sale = sale?;
        // The importer gives an item of this file the id of its key, and a name that a guest can read.
        let key = (MenuItemId::derived(&["pizzaplace", &sale.name]).to_string(), sale.size.clone());
        let (item, variant, price) = priced.get(&key).with_context(|| format!("{sale:?} is not on the menu"))?.clone();
        if out.last().is_none_or(|(id, _)| *id != sale.id) {
            out.push((
                sale.id,
                Cart { lines: Vec::new(), total_minor: 0, placed: format!("{}T{}", sale.date, sale.time).parse()? },
            ));
        }
        let (_, cart) = out.last_mut().context("pushed above")?;
        cart.total_minor += price;
        match cart.lines.iter_mut().find(|line| line.variant == variant && line.item == item) {
            Some(line) => line.quantity += 1,
            None => cart.lines.push(CartLine { item, variant, quantity: 1, made_as: (sale.name, sale.size) }),
        }
    }
    Ok(out.into_iter().map(|(_, cart)| cart).collect())
}

impl Cart {
    /// When the real guest ordered it, by the shop's clock.
    #[must_use]
    pub fn placed(&self) -> jiff::civil::DateTime {
        self.placed
    }

    /// What it costs, in minor units.
    #[must_use]
    pub fn total_minor(&self) -> i64 {
        self.total_minor
    }

    /// Adds what its making takes, in grams by ingredient, to a sum.
    pub fn add_uses(&self, recipes: &Recipes, sum: &mut BTreeMap<String, u64>) {
        for line in &self.lines {
            for (ingredient, grams) in recipes.0.get(&line.made_as).into_iter().flatten() {
                *sum.entry(ingredient.clone()).or_default() += grams * u64::from(line.quantity);
            }
        }
    }

    /// Its lines with ids of their own, as both APIs take them.
    pub fn lines(&self, ids: &mut Seeded) -> Vec<Value> {
        let line = |line: &CartLine| {
            json!({
                "id": ids.uuid(), "item": line.item, "variant": line.variant, "quantity": line.quantity,
                "choices": [], "note": null,
            })
        };
        self.lines.iter().map(line).collect()
    }

    /// The order that a kiosk would send for this cart, with ids of its own.
    pub fn order(&self, ids: &mut Seeded) -> Value {
        let lines = self.lines(ids);
        json!({
            "id": ids.uuid(), "channel": "kiosk", "fulfilment": "takeaway", "lines": lines,
            "expected_total_minor": self.total_minor,
        })
    }
}

/// A JSON document with one place changed: `/lines/0/quantity`.
#[must_use]
pub fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    match (changed.pointer_mut(pointer), pointer.rsplit_once('/')) {
        (Some(place), _) => *place = value,
        (None, Some((parent, name))) => {
            if let Some(parent) = changed.pointer_mut(parent) {
                parent[name] = value;
            }
        }
        (None, None) => changed = value,
    }
    changed
}

/// An id that no other run has used.
pub fn fresh_id() -> anyhow::Result<Uuid> {
    Ok(Seeded::from_system()?.uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sales_become_carts_with_quantities_and_the_menu_s_prices() {
        let menu = json!({"items": [{"id": MenuItemId::derived(&["pizzaplace", "bbq_ckn"]).to_string(), "name": "BBQ Ckn", "variants": [
            {"id": "s", "name": "S", "price_minor": 1275}, {"id": "m", "name": "M", "price_minor": 1675}]}]});
        let sales = b"id,date,time,name,size,type,price\n1,2015-01-02,18:00:00,bbq_ckn,M,chicken,16.75\n1,2015-01-02,18:00:00,bbq_ckn,M,chicken,16.75\n2,2015-01-02,18:00:00,bbq_ckn,S,chicken,12.75\n";
        let carts = carts(&menu, sales).expect("two carts");
        let totals: Vec<_> =
            carts.iter().map(|cart| (cart.total_minor, cart.lines.len(), cart.lines[0].quantity)).collect();
        assert_eq!(totals, [(3350, 1, 2), (1275, 1, 1)]);
    }
}
