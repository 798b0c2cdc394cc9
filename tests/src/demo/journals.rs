//! What each participant wrote down for itself: the only witnesses that the report believes.
//!
//! Guests, customers, the cook and the riders write here as they hear an answer; each line also goes into a file of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

/// An order as the guest in the restaurant remembers it.
#[derive(Debug, Clone, Serialize, Default)]
pub struct HereOrder {
    /// Which guest of the evening.
    pub guest: usize,
    /// Minted by the kiosk or the till.
    pub id: String,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// Taken at the counter, in cash.
    pub cash: bool,
    /// Real milliseconds when it was first sent.
    pub sent_ms: u64,
    /// Times that it was sent.
    pub sends: u32,
    /// Answers that said that it was placed just now.
    pub created: u32,
    /// The number, once the node has answered.
    pub number: Option<String>,
    /// Real milliseconds that the answer took, when the first one was answered.
    pub answered_in_ms: Option<f64>,
    /// The refusal's code, when there was one.
    pub refused: Option<String>,
    /// Cash that the till was told of, in minor units.
    pub paid_minor: i64,
}

/// An order as the customer at home remembers it.
#[derive(Debug, Clone, Serialize, Default)]
pub struct HomeOrder {
    /// Which guest of the evening.
    pub guest: usize,
    /// Minted by the phone.
    pub id: String,
    /// This order's own card: the bank statement tells what was charged for it.
    pub card: String,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// Times that it was sent.
    pub sends: u32,
    /// Answers that said that it was placed just now.
    pub created: u32,
    /// The relay has said that it has the order.
    pub placed: bool,
    /// Real milliseconds from the tap to *placed*.
    pub placed_in_ms: Option<f64>,
    /// The refusal's code, when there was one.
    pub refused: Option<String>,
    /// It was placed while the restaurant had no internet, and the customer was told so.
    pub held: bool,
    /// The node had it when the line was cut, and the customer cancels what nobody can confirm.
    pub reached: bool,
    /// Real milliseconds when the relay answered that the order is cancelled.
    pub cancelled_ms: Option<u64>,
    /// What the customer was told to get back, in minor units.
    pub promised_refund_minor: Option<i64>,
    /// The last answer about the order.
    pub last: Value,
}

/// Something that the cook or a rider did, and that was answered as done.
#[derive(Debug, Clone, Serialize)]
pub struct Deed {
    /// To which order.
    pub order: String,
    /// To which ticket; empty for a rider's deed.
    pub ticket: String,
    /// What.
    pub what: &'static str,
    /// Real milliseconds when it was answered.
    pub at_ms: u64,
}

/// All journals of one evening.
#[derive(Debug, Default)]
pub struct Journals {
    inner: Mutex<Inner>,
    file: Option<Mutex<File>>,
}

/// What is in them.
#[derive(Debug, Default, Clone)]
pub struct Inner {
    /// By order.
    pub here: BTreeMap<String, HereOrder>,
    /// By order.
    pub home: BTreeMap<String, HomeOrder>,
    /// The cook's.
    pub kitchen: Vec<Deed>,
    /// The riders'.
    pub riders: Vec<Deed>,
    /// Real milliseconds when the kitchen's screen first showed an order.
    pub shown: BTreeMap<String, u64>,
}

impl Journals {
    /// Journals that are also written to a file, one JSON line each time something is noted.
    pub fn in_file(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { inner: Mutex::default(), file: Some(Mutex::new(File::create(path)?)) })
    }

    /// Everything so far.
    #[must_use]
    pub fn copy(&self) -> Inner {
        self.lock().clone()
    }

    /// Notes how far an order of the restaurant is.
    pub fn here(&self, order: &HereOrder) {
        self.line("here", order);
        self.lock().here.insert(order.id.clone(), order.clone());
    }

    /// Notes how far an order from home is.
    pub fn home(&self, order: &HomeOrder) {
        self.line("home", order);
        self.lock().home.insert(order.id.clone(), order.clone());
    }

    /// Notes what the cook did.
    pub fn cooked(&self, deed: Deed) {
        self.line("kitchen", &deed);
        self.lock().kitchen.push(deed);
    }

    /// Notes what a rider did.
    pub fn rode(&self, deed: Deed) {
        self.line("rider", &deed);
        self.lock().riders.push(deed);
    }

    /// Notes that the kitchen's screen shows an order; answers whether it is the first time.
    pub fn shown(&self, order: &str, at_ms: u64) -> bool {
        let mut first = false;
        self.lock().shown.entry(order.to_owned()).or_insert_with(|| {
            first = true;
            at_ms
        });
        if first {
            self.line("shown", &(order, at_ms));
        }
        first
    }

    fn line(&self, who: &str, what: &impl Serialize) {
        if let (Some(file), Ok(what)) = (&self.file, serde_json::to_string(what)) {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // The copy on disk is for people to read; the report goes by the one in memory.
            drop(writeln!(file, "{{\"who\":\"{who}\",\"what\":{what}}}"));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
