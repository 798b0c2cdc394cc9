//! Loading a menu of a thousand items, nine times in ten only to hear that it has not changed.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;

use super::floors::BareServer;
use super::load::{arrivals, connect_all, open_loop};
use super::{Figure, Plan};
use crate::client::{Target, request};
use crate::shop::{Shop, import};

const ITEMS: usize = 1_000;
const ANSWERED: &[u16] = &[200, 304];
const SEED: u64 = 9;

/// Runs the benchmark.
pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let home = tempfile::tempdir()?;
    let node = plan.start(&home.path().join("data"))?;
    let admin = Shop::pair_first(node.ready()).await?;
    let mut file = String::from("name,type,size,price\n");
    for item in 0..ITEMS {
        writeln!(file, "dish_{item:04},kind_{},M,{}.50", item % 20, 5 + item % 30)?;
    }
    import(&admin, "pizzaplace", file.as_bytes()).await?;
    let gzip = [("accept-encoding", "gzip")];
    let menu = admin.call("GET", "/api/v1/menu", &gzip, &[]).await?;
    let tag = menu.header("etag").context("the menu has an ETag")?.to_owned();
    let encoding =
        menu.header("content-encoding").map(|value| format!("content-encoding: {value}\r\n")).unwrap_or_default();
    let items = admin.get("/api/v1/menu").await?.expect(200)?["items"].as_array().map_or(0, Vec::len);
    anyhow::ensure!(items >= ITEMS, "only {items} items");

    let (rate, length) = (plan.choose(2_000.0, 100.0), Duration::from_secs(plan.choose(20, 1)));
    let due = arrivals(rate, length, SEED);
    let requests = |host: &str| -> Vec<Bytes> {
        let bearer = format!("Bearer {}", admin.token());
        let plain = [("authorization", bearer.as_str()), ("accept-encoding", "gzip")];
        let full: Bytes = request("GET", host, "/api/v1/menu", &plain, &[]).into();
        let conditional: Bytes =
            request("GET", host, "/api/v1/menu", &[plain[0], plain[1], ("if-none-match", &tag)], &[]).into();
        (0..due.len()).map(|index| if index % 10 == 0 { full.clone() } else { conditional.clone() }).collect()
    };
    let clients = plan.choose(200, 10);
    let target = Target::of(node.ready())?;
    let ours = open_loop(
        connect_all(&target, clients, admin.token()).await?,
        due.clone(),
        requests(&target.address().to_string()),
        ANSWERED,
    )
    .await?;
    node.stop()?;

    let bare = BareServer::answering(menu.body.clone(), format!("etag: {tag}\r\n{encoding}")).await?;
    let target = Target::new(bare.address, &bare.ca())?;
    let floor =
        open_loop(connect_all(&target, clients, admin.token()).await?, due.clone(), requests("bare"), ANSWERED).await?;
    let against = format!("bare TLS server, same {} B", menu.body.len());
    let name = |quantile: &str| format!("menu of {items} items {quantile} at {rate:.0}/s, 9 of 10 conditional");
    Ok(vec![
        Figure::new(name("p50"), "ms", ours.ms(0.5), &against, floor.ms(0.5)),
        Figure::new(name("p99"), "ms", ours.ms(0.99), &against, floor.ms(0.99)),
        Figure::new(name("p99"), "ms", ours.ms(0.99), "limit", 10.0),
    ])
}
