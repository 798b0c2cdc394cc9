//! What an operator may set, with defaults and units; `pilotlight-node --help` shows all of it.

use clap::{Args, Parser, Subcommand};
use pilotlight_sync::domain::business_day::{DayRule, DayRuleRefusal};
use pilotlight_sync::domain::money::Currency;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The computer in the restaurant: takes orders, feeds the kitchen and counts stock, with or without the internet.
#[derive(Debug, Parser)]
#[command(name = "pilotlight-node", version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the restaurant. The first start prints a one-time admin code; everything else goes through the API.
    Run(Box<RunConfig>),
    /// Make this machine a further node of a site: taken in by its relay or by another node, with a one-time code. Then run it.
    Join(JoinConfig),
    /// Check a store that no node has open: orders, indexes, stock and log must agree. Exit status 1 if they do not.
    Check(CheckConfig),
    /// Print the API's description (OpenAPI) and end.
    Openapi,
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct RunConfig {
    /// Directory of everything this node keeps. Created when missing.
    #[arg(long, env = "PILOTLIGHT_DATA", default_value = "pilotlight-data", value_name = "DIR")]
    pub data: PathBuf,
    /// Address and port for HTTPS and WebSockets. Port 0 takes a free one.
    #[arg(long, env = "PILOTLIGHT_LISTEN", default_value = "0.0.0.0:8443", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Names that devices use for this machine, beside localhost and the listening address; they go into the certificate.
    #[arg(long = "host-name", env = "PILOTLIGHT_HOST_NAMES", value_delimiter = ',', value_name = "NAME")]
    pub host_names: Vec<String>,
    /// What guests call the restaurant. Used at the first start only.
    #[arg(long, env = "PILOTLIGHT_NAME", default_value = "Pilotlight", value_name = "NAME")]
    pub name: String,
    /// Currency of all prices, ISO 4217. Used at the first start only.
    #[arg(long, env = "PILOTLIGHT_CURRENCY", default_value = "USD", value_parser = parse_currency, value_name = "CODE")]
    pub currency: Currency,
    /// IANA time zone. Used at the first start only.
    #[arg(long, env = "PILOTLIGHT_TIME_ZONE", default_value = "UTC", value_name = "ZONE")]
    pub time_zone: String,
    /// Local hour at which a business day begins, 0 to 23. Used at the first start only.
    #[arg(long, env = "PILOTLIGHT_ROLL_OVER_HOUR", default_value_t = 4, value_name = "HOUR")]
    pub roll_over_hour: u8,
    /// Tickets that a station makes side by side: an order from home that would be late waits for a person. 0: it never does. Used at the first
    /// start only; as usual: 12.
    #[arg(long, env = "PILOTLIGHT_SIDE_BY_SIDE", value_name = "TICKETS")]
    pub side_by_side: Option<u32>,
    /// Menu files to import at the first start, as FORMAT=FILE (pizzaplace, tasty-igniter, millers, uber-eats, recipes, maven); without
    /// FORMAT= the file's name tells. May be repeated.
    #[arg(long = "seed-menu", value_name = "[FORMAT=]FILE")]
    pub seed_menus: Vec<String>,
    /// A file to write once requests are served: JSON with url, pid, admin_code, ca and boot_ms.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// A file that says how business time runs: JSON with real_ms, business_ms and speed, read again when it changes. Without it,
    /// the machine's clock.
    #[arg(long, env = "PILOTLIGHT_CLOCK_FILE", value_name = "FILE")]
    pub clock_file: Option<PathBuf>,
    /// The link to the relay.
    #[command(flatten)]
    pub link: LinkConfig,
    /// Days after which closed orders move from the store into the archive, by business time.
    #[arg(long, env = "PILOTLIGHT_ARCHIVE_AFTER_DAYS", default_value_t = 2, value_name = "DAYS")]
    pub archive_after_days: u32,
    /// Log as JSON lines rather than text. The level comes from RUST_LOG (default info).
    #[arg(long, env = "PILOTLIGHT_LOG_JSON")]
    pub log_json: bool,
}

/// The link's timers: real time, whatever the clock file says.
#[derive(Debug, Clone, Args)]
pub struct LinkConfig {
    /// How often the relay is asked for a sign of life, in milliseconds.
    #[arg(long, env = "PILOTLIGHT_PING_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(10..), value_name = "MS")]
    pub ping_ms: u64,
    /// After how many milliseconds without a word the relay is given up and dialled again.
    #[arg(long, env = "PILOTLIGHT_DEAD_MS", default_value_t = 25_000, value_parser = clap::value_parser!(u64).range(20..), value_name = "MS")]
    pub dead_ms: u64,
    /// The longest wait between two attempts to reach the relay, in milliseconds.
    #[arg(long, env = "PILOTLIGHT_BACKOFF_MAX_MS", default_value_t = 30_000, value_name = "MS")]
    pub backoff_max_ms: u64,
}

/// Whom to join.
#[derive(Debug, Clone, Args)]
pub struct JoinConfig {
    /// Directory of everything this node keeps: empty, or not there.
    #[arg(long, env = "PILOTLIGHT_DATA", default_value = "pilotlight-data", value_name = "DIR")]
    pub data: PathBuf,
    /// The relay's or the other node's address: https://name or https://name:port.
    #[arg(long, value_name = "URL")]
    pub with: String,
    /// The one-time code that it has given out.
    #[arg(long)]
    pub code: String,
    /// The CA that vouches for it, as PEM, when it is not one that this machine trusts already.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The link.
    #[command(flatten)]
    pub link: LinkConfig,
}

/// What to check.
#[derive(Debug, Clone, Args)]
pub struct CheckConfig {
    /// The node's data directory.
    #[arg(long, env = "PILOTLIGHT_DATA", default_value = "pilotlight-data", value_name = "DIR")]
    pub data: PathBuf,
}

impl RunConfig {
    /// The rule of business days, or what is wrong with zone or hour.
    pub fn day_rule(&self) -> Result<DayRule, DayRuleRefusal> {
        DayRule::new(&self.time_zone, self.roll_over_hour)
    }
}

fn parse_currency(code: &str) -> Result<Currency, String> {
    Currency::parse(code).ok_or_else(|| format!("{code:?} is not a currency code: write three capitals, like USD"))
}
