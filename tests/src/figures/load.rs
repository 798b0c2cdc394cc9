//! An open-loop load generator over kept connections, and a closed loop for saturation.
//!
//! A thread of its own keeps the time of arrivals; an arrival that finds no idle connection waits in line, and its latency counts on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::client::{Answer, Connection, Target};
use crate::clock;
use crate::seeded::Seeded;

/// Latencies above a minute are a failed run, not a figure.
const LATENCY_US_MAX: u64 = 60_000_000;
/// Failures that are told; more say nothing new.
const FAILURES_TOLD_MAX: usize = 3;

/// What a load brought.
#[derive(Debug)]
pub struct Measured {
    /// Microseconds from due to answered.
    pub latency: Histogram<u64>,
    /// Answers a second, over the whole run.
    pub rate: f64,
    /// Bytes of all answers.
    pub answer_bytes: u64,
}

impl Measured {
    /// A quantile in milliseconds.
    #[must_use]
    pub fn ms(&self, quantile: f64) -> f64 {
        super::milliseconds(self.latency.value_at_quantile(quantile))
    }
}

/// A histogram for latencies in microseconds.
pub fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LATENCY_US_MAX, 3)?)
}

/// Microseconds between two moments.
#[must_use]
pub fn microseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(LATENCY_US_MAX).min(LATENCY_US_MAX)
}

/// When requests are due: a Poisson process, the same for every program that is compared.
#[must_use]
pub fn arrivals(rate_per_second: f64, length: Duration, seed: u64) -> Vec<Duration> {
    let mut dice = Seeded::new(seed);
    let mut at = 0.0;
    let mut due = Vec::new();
    loop {
        at += dice.exponential(rate_per_second);
        if at >= length.as_secs_f64() {
            return due;
        }
        due.push(Duration::from_secs_f64(at));
    }
}

/// Calls back for every arrival when it is due, on the calling thread.
pub fn keep_time(start: Instant, due: &[Duration], mut arrive: impl FnMut(usize, Instant)) {
    for (index, offset) in due.iter().enumerate() {
        let moment = start + *offset;
        loop {
            let left = moment.saturating_duration_since(clock::now());
            if left.is_zero() {
                break;
            }
            std::thread::park_timeout(left);
        }
        arrive(index, moment);
    }
}

/// Opens that many connections and makes each known as a paired device's: strangers are closed when there are many.
pub async fn connect_all(target: &Target, count: usize, token: &str) -> anyhow::Result<Vec<Connection>> {
    let bearer = format!("Bearer {token}");
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = target.connect().await?;
        let answer = connection.send("GET", "/api/v1/whoami", &[("authorization", &bearer)], &[]).await?;
        ensure!(answer.status == 200, "whoami was answered {}: {}", answer.status, answer.text());
        connections.push(connection);
    }
    Ok(connections)
}

/// A request that is due or was.
struct Job {
    due: Instant,
    request: Bytes,
}

/// A way to one connection; whoever has it may give the connection its next job.
type Way = mpsc::Sender<(Job, WayBack)>;

/// Given along with a job, so that the connection can say that it is idle again.
struct WayBack(Way);

/// Idle connections and waiting jobs: one of the two is always empty.
#[derive(Default)]
struct Desk {
    idle: VecDeque<Way>,
    waiting: VecDeque<Job>,
    /// Nothing more will be due: a connection without a job ends.
    closing: bool,
}

/// What all connections write down.
struct Tally {
    latency: Histogram<u64>,
    failures: Vec<String>,
    answered: usize,
    answer_bytes: u64,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { latency: histogram()?, failures: Vec::new(), answered: 0, answer_bytes: 0 })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends `requests[i]` when `due[i]` has come, whether or not earlier ones were answered; every answer must have one of these statuses.
pub async fn open_loop(
    connections: Vec<Connection>,
    due: Vec<Duration>,
    requests: Vec<Bytes>,
    statuses: &'static [u16],
) -> anyhow::Result<Measured> {
    ensure!(due.len() == requests.len() && !due.is_empty(), "a request for every arrival");
    let desk = Arc::new(Mutex::new(Desk::default()));
    let tally = Arc::new(Mutex::new(Tally::new()?));
    let mut tasks = JoinSet::new();
    for connection in connections {
        let (way, jobs) = mpsc::channel(1);
        lock(&desk).idle.push_back(way);
        tasks.spawn(serve(connection, jobs, desk.clone(), tally.clone(), statuses));
    }
    let start = clock::now();
    let feed = desk.clone();
    let time_keeper = std::thread::spawn(move || {
        let mut requests = requests.into_iter();
        keep_time(start, &due, |_, due| {
            let Some(request) = requests.next() else { return };
            let mut desk = lock(&feed);
            match desk.idle.pop_front() {
                // An idle connection's channel is empty, so there is room; it is gone only after a failure, which is tallied.
                Some(way) => drop(way.try_send((Job { due, request }, WayBack(way.clone())))),
                None => desk.waiting.push_back(Job { due, request }),
            }
        });
    });
    let joined = tokio::task::spawn_blocking(move || time_keeper.join()).await?;
    ensure!(joined.is_ok(), "the time keeper panicked");
    {
        let mut desk = lock(&desk);
        desk.closing = true;
        desk.idle.clear();
    }
    while let Some(ended) = clock::within("answer to the last requests", clock::PATIENCE, tasks.join_next()).await? {
        ended?;
    }
    let elapsed = start.elapsed();
    finish(&tally, elapsed)
}

async fn serve(
    mut connection: Connection,
    mut jobs: mpsc::Receiver<(Job, WayBack)>,
    desk: Arc<Mutex<Desk>>,
    tally: Arc<Mutex<Tally>>,
    statuses: &'static [u16],
) {
    while let Some((job, WayBack(way))) = jobs.recv().await {
        let mut next = Some(job);
        while let Some(job) = next.take() {
            let answer = connection.exchange(&job.request).await;
            let latency = microseconds(job.due, clock::now());
            if !lock(&tally).note(answer, latency, statuses) {
                return;
            }
            next = lock(&desk).waiting.pop_front();
        }
        let mut desk = lock(&desk);
        if !desk.closing {
            desk.idle.push_back(way);
        }
    }
}

impl Tally {
    /// Writes an answer down; false when its connection is of no further use.
    fn note(&mut self, answer: anyhow::Result<Answer>, latency: u64, statuses: &[u16]) -> bool {
        self.answered += 1;
        self.latency.saturating_record(latency);
        self.answer_bytes += answer.as_ref().map_or(0, |answer| answer.bytes() as u64);
        match answer {
            Ok(answer) if statuses.contains(&answer.status) => true,
            Ok(answer) => {
                self.failures.push(format!("{}: {}", answer.status, answer.text()));
                true
            }
            Err(error) => {
                self.failures.push(format!("{error:#}"));
                false
            }
        }
    }
}

fn finish(tally: &Mutex<Tally>, elapsed: Duration) -> anyhow::Result<Measured> {
    let tally = lock(tally);
    let told = tally.failures.iter().take(FAILURES_TOLD_MAX).cloned().collect::<Vec<_>>().join("\n");
    ensure!(tally.failures.is_empty(), "{} of {} failed:\n{told}", tally.failures.len(), tally.answered);
    let answered = u32::try_from(tally.answered).context("fewer answers")?;
    Ok(Measured {
        latency: tally.latency.clone(),
        rate: f64::from(answered) / elapsed.as_secs_f64(),
        answer_bytes: tally.answer_bytes,
    })
}

/// Every connection sends its next request as soon as the last was answered, until the requests or the time are over.
pub async fn closed_loop(
    connections: Vec<Connection>,
    requests: Vec<Bytes>,
    length: Duration,
    statuses: &'static [u16],
) -> anyhow::Result<(Measured, Vec<Connection>)> {
    let tally = Arc::new(Mutex::new(Tally::new()?));
    let requests = Arc::new(Mutex::new(VecDeque::from(requests)));
    let start = clock::now();
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let (tally, requests) = (tally.clone(), requests.clone());
        tasks.spawn(async move {
            while start.elapsed() < length {
                let Some(request) = lock(&requests).pop_front() else { break };
                let sent = clock::now();
                let answer = connection.exchange(&request).await;
                let latency = microseconds(sent, clock::now());
                if !lock(&tally).note(answer, latency, statuses) {
                    break;
                }
            }
            connection
        });
    }
    let connections = tasks.join_all().await;
    Ok((finish(&tally, start.elapsed())?, connections))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::request;
    use crate::figures::floors::BareServer;

    #[tokio::test]
    async fn every_arrival_is_answered_once_and_a_wrong_status_is_a_failure() -> anyhow::Result<()> {
        let server = BareServer::answering(Bytes::from_static(b"menu"), String::new()).await?;
        let target = Target::new(server.address, &server.ca())?;
        let due = arrivals(500.0, Duration::from_millis(500), 3);
        let count = due.len();
        let requests = || vec![Bytes::from(request("GET", "h", "/", &[], b"")); count];
        let measured = open_loop(connect_all(&target, 5, "").await?, due.clone(), requests(), &[200]).await?;
        assert_eq!(measured.latency.len(), count as u64);
        let failed = open_loop(connect_all(&target, 5, "").await?, due, requests(), &[201]).await;
        assert!(failed.is_err(), "200 where only 201 counts");
        let (measured, connections) =
            closed_loop(connect_all(&target, 2, "").await?, requests(), Duration::from_secs(60), &[200]).await?;
        assert_eq!((measured.latency.len(), connections.len()), (count as u64, 2));
        Ok(())
    }
}
