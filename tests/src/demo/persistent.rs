//! A device that does not give up: it asks again with the same id until it is answered, over a program that is killed and restarted.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::client::{Answer, Api};
use crate::clock;

/// How long somebody tries, in all.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two tries.
const AGAIN_AFTER: Duration = Duration::from_millis(120);
/// For one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What came of asking.
#[derive(Debug)]
pub struct Asked {
    /// The answer, at last.
    pub answer: Answer,
    /// Times that it was asked.
    pub times: u32,
}

/// Asks until there is an answer that is not *try again*.
pub async fn ask(api: &Api, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Asked> {
    let began = clock::now();
    let bytes = body.map(Value::to_string).unwrap_or_default();
    let headers: &[(&str, &str)] = if body.is_some() { &[("content-type", "application/json")] } else { &[] };
    let mut times = 0;
    loop {
        times += 1;
        let asked = clock::within("answer", ANSWER_WITHIN, api.call(method, path, headers, bytes.as_bytes())).await;
        match asked.and_then(|answer| answer) {
            // 503: the store takes no requests now, or the outcome is unknown: ask again with the same id.
            Ok(answer) if answer.status < 500 && answer.status != 429 => return Ok(Asked { answer, times }),
            Ok(answer) if began.elapsed() > PATIENCE => bail!("{method} {path}: {} {}", answer.status, answer.text()),
            Err(error) if began.elapsed() > PATIENCE => return Err(error).context(format!("{method} {path}")),
            Ok(_) | Err(_) => clock::moment(AGAIN_AFTER).await,
        }
    }
}

/// The code of a problem; empty when the answer is none.
#[must_use]
pub fn code(answer: &Answer) -> String {
    let problem: Value = answer.json().unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}
