//! Ten thousand orders placed while the internet was gone: from its return until the relay has all of them durable and answers for them.
//!
//! The floors take the same commits and the same rows: packed, through one TCP stream and onto a disk; and into the same database by
//! one thread.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pilotlight_sync::limits::BATCH_COMMITS_MAX;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::linked::Linked;
use super::rest::{Paid, serve_guests};
use super::{Figure, Plan};
use crate::clock;
use crate::demo::proxy::Open;
use crate::demo::scene::look;

/// Of each order: placed, paid, bumped, handed over.
const CHANGES: u64 = 4;
/// Between two looks at whether the relay has everything.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What the link packs with.
const LEVEL: i32 = 6;
/// The floor syncs its file whenever so much was written.
const SYNC_BYTES: usize = 1 << 20;
/// Rows that the floor inserts in one transaction, and by one statement.
const ROWS_IN_ONE: usize = 4_096;
const ROWS_A_STATEMENT: usize = 256;
/// The tables that hold a site.
const TABLES: [&str; 5] = ["site_log", "site_seal", "site_doc", "site_index", "site_note"];

/// Runs the benchmark.
pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let orders = plan.choose(10_000, 400);
    let home = tempfile::tempdir()?;
    let linked = Linked::start(plan, home.path()).await?;
    let admin = &linked.shop.admin;
    linked.proxy.set(Open { up: false, down: false });
    until(|uplink| uplink["state"] != "online", admin).await?;
    serve_guests(&linked.shop, orders, Paid::InCash).await?;
    let waiting = look(admin, "/api/v1/uplink").await?["waiting_commits"].as_u64().context("a number")?;
    ensure!(waiting >= orders as u64 * CHANGES, "{waiting} commits wait for {orders} orders");

    let (began, bytes) = (clock::now(), linked.proxy.bytes());
    linked.proxy.set(Open { up: true, down: true });
    until(|uplink| uplink["waiting_commits"] == 0 && uplink["safe_on"] == 2, admin).await?;
    let (took, bytes) = (began.elapsed(), linked.proxy.bytes() - bytes);
    let queried = clock::now();
    let found = orders_at_relay(&linked).await?;
    let queried = queried.elapsed();
    ensure!(found == orders, "{found} of {orders} orders are at the relay");
    let node = look(admin, "/api/v1/digest").await?;
    let relay = look(&linked.relay.operator, &format!("/api/v1/sites/{}/digest", linked.site)).await?;
    ensure!(node["digest"] == relay["digest"], "node {node}, relay {relay}");
    linked.stop()?;

    let database = home.path().join("relay").join("relay.db");
    let sent = floor_stream(home.path(), &database).await?;
    let inserted = floor_rows(home.path(), &database).await?;
    let seconds = |time: Duration| time.as_secs_f64();
    let what = format!("catch-up of {orders} orders, {waiting} commits");
    let megabytes = megabytes(bytes);
    Ok(vec![
        Figure::new(&what, "s", seconds(took), "limit", plan.choose(2.0, 60.0)),
        Figure::new(
            &what,
            "s",
            seconds(took),
            "floor: zstd, TCP, fsync a MB; then the rows",
            seconds(sent.time) + seconds(inserted),
        ),
        Figure::new(&what, "s", seconds(took), "floor: zstd, TCP, fsync a MB", seconds(sent.time)),
        Figure::new(&what, "s", seconds(took), "floor: the rows by one thread", seconds(inserted)),
        Figure::new("bytes over the line, both ways", "MB", megabytes, "limit", 4.0),
        Figure::new(
            "bytes over the line, both ways",
            "MB",
            megabytes,
            "floor: zstd of the commits",
            self::megabytes(sent.bytes),
        ),
        Figure::new(
            "reading all orders page by page afterwards",
            "s",
            seconds(queried),
            "limit",
            plan.choose(2.0, 60.0),
        ),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a run are far below 2^53")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Waits until the node says this of its link.
async fn until(wanted: impl Fn(&Value) -> bool, admin: &crate::client::Api) -> anyhow::Result<()> {
    clock::within("the link", clock::PATIENCE, async {
        while !wanted(&look(admin, "/api/v1/uplink").await?) {
            clock::moment(LOOK_EVERY).await;
        }
        anyhow::Ok(())
    })
    .await?
}

async fn orders_at_relay(linked: &Linked) -> anyhow::Result<usize> {
    let (mut found, mut after) = (0, String::new());
    loop {
        let path = format!("/api/v1/sites/{}/orders?after={after}", linked.site);
        let page = look(&linked.relay.operator, &path).await?;
        found += page["orders"].as_array().context("orders")?.len();
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return Ok(found),
        }
    }
}

/// What the floor of the line took.
#[derive(Debug)]
struct Sent {
    time: Duration,
    bytes: u64,
}

/// The log's bytes packed as the link packs them, through one TCP stream, unpacked and written with a sync a megabyte.
async fn floor_stream(home: &Path, database: &Path) -> anyhow::Result<Sent> {
    let mut connection = SqliteConnectOptions::new().filename(database).connect().await?;
    let rows = sqlx::query("SELECT bytes FROM site_log ORDER BY site, origin, seq").fetch_all(&mut connection).await?;
    let commits: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    connection.close().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let file = home.join("floor.stream");
    let began = clock::now();
    let receiver = tokio::spawn(async move { receive(listener, &file).await });
    let mut stream = TcpStream::connect(address).await?;
    let mut bytes = 0;
    for batch in commits.chunks(BATCH_COMMITS_MAX) {
        let packed = zstd::bulk::compress(&batch.concat(), LEVEL)?;
        stream.write_u32(u32::try_from(packed.len())?).await?;
        stream.write_all(&packed).await?;
        bytes += packed.len() as u64 + 4;
    }
    stream.shutdown().await?;
    receiver.await??;
    Ok(Sent { time: began.elapsed(), bytes })
}

async fn receive(listener: TcpListener, file: &Path) -> anyhow::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut file = std::fs::File::create(file)?;
    let mut unsynced = 0;
    while let Ok(length) = stream.read_u32().await {
        let mut packed = vec![0; usize::try_from(length)?];
        stream.read_exact(&mut packed).await?;
        let plain = zstd::bulk::decompress(&packed, SYNC_BYTES)?;
        std::io::Write::write_all(&mut file, &plain)?;
        unsynced += plain.len();
        if unsynced >= SYNC_BYTES {
            file.sync_data()?;
            unsynced = 0;
        }
    }
    Ok(file.sync_data()?)
}

/// The rows of the site into a new database with the same tables and settings, many rows a statement, by one thread.
async fn floor_rows(home: &Path, database: &Path) -> anyhow::Result<Duration> {
    let mut from = SqliteConnectOptions::new().filename(database).connect().await?;
    let options = SqliteConnectOptions::new().filename(home.join("floor.db")).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut into = options.foreign_keys(false).connect().await?;
    let mut took = Duration::ZERO;
    for table in TABLES {
        let made: String = sqlx::query_scalar("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1")
            .bind(table)
            .fetch_one(&mut from)
            .await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut into).await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch_all(&mut from).await?;
        let began = clock::now();
        for some in rows.chunks(ROWS_IN_ONE) {
            insert(&mut into, table, some).await?;
        }
        took += began.elapsed();
    }
    from.close().await?;
    into.close().await?;
    Ok(took)
}

async fn insert(into: &mut SqliteConnection, table: &str, rows: &[sqlx::sqlite::SqliteRow]) -> anyhow::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let places = format!("({})", vec!["?"; first.len()].join(", "));
    let mut transaction = into.begin().await?;
    for some in rows.chunks(ROWS_A_STATEMENT) {
        let all = vec![places.as_str(); some.len()].join(", ");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(format!("INSERT INTO {table} VALUES {all}")));
        for row in some {
            for column in 0..row.len() {
                // A site's tables have integers and bytes.
                let integer = row.try_get_raw(column)?.type_info().name() == "INTEGER";
                query = if integer {
                    query.bind(row.try_get::<i64, _>(column)?)
                } else {
                    query.bind(row.try_get::<Vec<u8>, _>(column)?)
                };
            }
        }
        query.execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}
