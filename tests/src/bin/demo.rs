//! `cargo demo`: a restaurant on this machine, ready to click through.
//!
//! Builds the node as it is shipped, starts it with the pizzaplace menu, our recipes and full shelves, pairs an office, places a
//! few real orders, and prints addresses, codes and PINs. It ends with Ctrl-C; the node is ended with it.
#![expect(clippy::print_stdout, reason = "a command speaks on its standard output")]

use anyhow::{Context as _, ensure};
use clap::Parser;
use fast_qr::qr::QRBuilder;
use pilotlight_tests::client::{Api, Target, install_tls_provider};
use pilotlight_tests::node_process::{NodeOptions, NodeProcess};
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::{Shop, text};
use pilotlight_tests::{build, clock};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Grams of every ingredient on the shelves at the start.
const STOCK_GRAMS: u64 = 60_000;
/// People who can sign in, with their PINs.
const PEOPLE: [(&str, &str, &str); 3] =
    [("Ada", "manager", "2468"), ("Ben", "staff", "1357"), ("Chiara", "kitchen", "8642")];

/// Starts a restaurant on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// Address and port of the node. For tablets on your network: 0.0.0.0:8443.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Keep the node's data here, and go on with it next time.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Real orders to place at the start.
    #[arg(long, default_value_t = 8)]
    orders: usize,
    /// End after the orders, instead of staying up.
    #[arg(long)]
    once: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let began = clock::now();
    println!("Building the node (the first time takes some minutes) ...");
    let program = build::build_release_node()?;
    println!("built in {:.0} s", began.elapsed().as_secs_f64());
    install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(&arguments, &program))
}

async fn run(arguments: &Arguments, program: &std::path::Path) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let home = arguments.data.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let options = NodeOptions::new(&home.join("node"))?.program(program).listen(&arguments.listen);
    let node = options.argument("--name").argument("Pilotlight Pizza").start()?;
    println!("the node serves after {} ms\n", node.ready().boot_ms);
    let token_file = home.join("office-token");
    let admin = match &node.ready().admin_code {
        Some(_) => open_shop(&node, arguments.orders, &token_file).await?,
        None => {
            let token =
                std::fs::read_to_string(&token_file).context("this data has devices, but no office-token beside it")?;
            Api::new(Target::of(node.ready())?, Some(token))
        }
    };
    print_table(&node, &admin).await?;
    if arguments.once {
        let board = admin.get("/api/v1/orders").await?.expect(200)?;
        println!("{} orders are on the board.", board["orders"].as_array().map_or(0, Vec::len));
        return node.stop();
    }
    println!("Ctrl-C ends the demo.");
    tokio::signal::ctrl_c().await?;
    node.stop()
}

/// The first start: menu, recipes, shelves, people, some orders.
async fn open_shop(node: &NodeProcess, orders: usize, token_file: &std::path::Path) -> anyhow::Result<Api> {
    let shop = Shop::open_with_stock(node.ready(), Some(STOCK_GRAMS)).await?;
    std::fs::write(token_file, shop.admin.token())?;
    for (name, role, pin) in PEOPLE {
        shop.admin.post("/api/v1/staff", &json!({"name": name, "role": role, "pin": pin})).await?.expect(201)?;
    }
    let mut ids = Seeded::new(clock::unix_seconds());
    for cart in shop.carts.iter().take(orders) {
        let answer = shop.admin.post("/api/v1/orders", &cart.order(&mut ids)).await?;
        ensure!(answer.status == 201, "an order was answered {}: {}", answer.status, answer.text());
    }
    Ok(shop.admin)
}

async fn print_table(node: &NodeProcess, admin: &Api) -> anyhow::Result<()> {
    let menu = admin.get("/api/v1/menu").await?.expect(200)?;
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);
    let variants: usize = menu["items"].as_array().into_iter().flatten().map(|item| count(&item["variants"])).sum();
    println!("Menu: {} items, {variants} priced variants. Node: {}", count(&menu["items"]), node.ready().url);
    println!("\n  {:<10} {:<12} open this address on the device (good once, 15 minutes)", "screen", "code");
    let mut kitchen = String::new();
    for (screen, role) in [("kiosk", "customer"), ("kitchen", "kitchen"), ("counter", "staff"), ("office", "admin")] {
        let code = admin.post("/api/v1/pairing-codes", &json!({"role": role})).await?.expect(201)?;
        println!("  {screen:<10} {:<12} {}", text(&code["code"]), text(&code["url"]));
        if screen == "kitchen" {
            text(&code["url"]).clone_into(&mut kitchen);
        }
    }
    let staff = admin.get("/api/v1/staff").await?.expect(200)?;
    println!("\n  people (sign in with a PIN on a shared device):");
    for person in staff["staff"].as_array().into_iter().flatten() {
        let pin = PEOPLE.iter().find(|(name, ..)| *name == text(&person["name"])).map_or("its own", |(_, _, pin)| pin);
        println!("  {:<10} {:<12} PIN {pin}", text(&person["name"]), text(&person["role"]));
    }
    println!("\nThe certificate is this site's own: {}", node.ready().ca.display());
    println!("A browser asks once whether to trust it; tablets install it from {}/ca.crt", node.ready().url);
    if let Ok(code) = QRBuilder::new(kitchen.as_str()).build() {
        println!("\nKitchen screen, to scan:\n{}", code.to_str());
    }
    Ok(())
}
