//! What an operator may set, with defaults and units; `pilotlight-relay --help` shows all of it.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The relay in the cloud: customers, delivery and payments of many restaurants, each a replica of its site.
#[derive(Debug, Parser)]
#[command(name = "pilotlight-relay", version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve customers, riders and nodes. The first start prints the operator's token, once.
    Run(Box<RunConfig>),
    /// Print the API's description (OpenAPI) and end.
    Openapi,
    /// Play a recorded day of a delivery benchmark against the dispatch kernel, score it, and end.
    DispatchReplay(ReplayConfig),
}

/// A part of the dispatch kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Ruin and repair after insertion.
    Repair,
    /// Several drop-offs from one pickup.
    Bundles,
    /// Telling riders as late as possible.
    Waiting,
    /// Moving riders with nothing to do.
    Cover,
    /// The price on pay beyond the guarantee.
    Pay,
    /// The weight on what is past its promise.
    Late,
}

/// Which day to play, and how.
#[derive(Debug, Clone, Args)]
pub struct ReplayConfig {
    /// The instance: a folder with orders.txt, restaurants.txt, couriers.txt and instance_parameters.txt (Meal Delivery Routing
    /// Problem), or with orders.csv and couriers.csv by latitude and longitude.
    #[arg(long, value_name = "DIR")]
    pub instance: PathBuf,
    /// Where the three solution files are written. Created when missing.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Kitchens do not tell their ready times: they are estimated from earlier orders of the day.
    #[arg(long)]
    pub estimated: bool,
    /// Show orders so many minutes before they are placed: how much a clairvoyant would gain.
    #[arg(long, default_value_t = 0, value_name = "MINUTES")]
    pub foresight_min: u16,
    /// Print one line for each instruction: who, where, by when, and why.
    #[arg(long)]
    pub explain: bool,
    /// Leave a part of the kernel out, to measure what it is worth.
    #[arg(long, value_enum, value_name = "PART")]
    pub without: Vec<Part>,
    /// Print the scores as JSON.
    #[arg(long)]
    pub json: bool,
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct RunConfig {
    /// Directory of everything this relay keeps. Created when missing.
    #[arg(long, env = "PILOTLIGHT_RELAY_DATA", default_value = "pilotlight-relay-data", value_name = "DIR")]
    pub data: PathBuf,
    /// Address and port for HTTPS and WebSockets. Port 0 takes a free one.
    #[arg(long, env = "PILOTLIGHT_RELAY_LISTEN", default_value = "0.0.0.0:9443", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Names that nodes and customers use for this machine, beside localhost and the listening address; they go into the certificate.
    #[arg(long = "host-name", env = "PILOTLIGHT_RELAY_HOST_NAMES", value_delimiter = ',', value_name = "NAME")]
    pub host_names: Vec<String>,
    /// The database, as a URL. Default: the file relay.db in the data directory.
    #[arg(long, env = "PILOTLIGHT_RELAY_DATABASE_URL", value_name = "URL")]
    pub database_url: Option<String>,
    /// A file that says how business time runs: JSON with real_ms, business_ms and speed, read again when it changes. Without it,
    /// the machine's clock.
    #[arg(long, env = "PILOTLIGHT_CLOCK_FILE", value_name = "FILE")]
    pub clock_file: Option<PathBuf>,
    /// The uplinks of nodes.
    #[command(flatten)]
    pub links: LinkConfig,
    /// The gateway that takes card payments.
    #[command(flatten)]
    pub gateway: GatewayConfig,
    /// A file to write once requests are served: JSON with url, pid, operator_token, ca and boot_ms.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Log as JSON lines rather than text. The level comes from RUST_LOG (default info).
    #[arg(long, env = "PILOTLIGHT_LOG_JSON")]
    pub log_json: bool,
}

/// How nodes' uplinks are watched. Real time, whatever the clock file says.
#[derive(Debug, Clone, Copy, Args)]
pub struct LinkConfig {
    /// A quiet link is asked for a sign of life after so many milliseconds.
    #[arg(long, env = "PILOTLIGHT_PING_MS", default_value_t = 10_000, value_name = "MS")]
    pub ping_ms: u64,
    /// A link that has said nothing for so many milliseconds is cut.
    #[arg(long, env = "PILOTLIGHT_DEAD_MS", default_value_t = 25_000, value_name = "MS")]
    pub dead_ms: u64,
    /// A site is open online when its link has been up for so many milliseconds of business time since it was last cut.
    #[arg(long, env = "PILOTLIGHT_STEADY_MS", default_value_t = 30_000, value_name = "MS")]
    pub steady_ms: u64,
}

/// Which gateway takes card payments.
#[derive(Debug, Clone, Args)]
pub struct GatewayConfig {
    /// The gateway's address. Without it no card can be charged.
    #[arg(long, env = "PILOTLIGHT_GATEWAY_URL", value_name = "URL")]
    pub gateway_url: Option<String>,
    /// Who signed the gateway's certificate, as a PEM file, when no public authority did.
    #[arg(long, env = "PILOTLIGHT_GATEWAY_CA", value_name = "FILE")]
    pub gateway_ca: Option<PathBuf>,
    /// The secret shared with the gateway: it signs what the gateway tells by webhook.
    #[arg(
        long,
        env = "PILOTLIGHT_GATEWAY_SECRET",
        default_value = "",
        hide_default_value = true,
        value_name = "SECRET"
    )]
    pub gateway_secret: String,
}

impl RunConfig {
    /// The database's URL: as set, or the file in the data directory.
    pub fn database(&self) -> String {
        let file = || format!("sqlite://{}", self.data.join("relay.db").display());
        self.database_url.clone().unwrap_or_else(file)
    }
}
