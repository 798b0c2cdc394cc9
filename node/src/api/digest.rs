//! `/api/v1/digest`: one hash over this replica's documents, to be compared with the relay's.

use crate::api::call::{Answer, Call, json};
use crate::api::json::DigestJson;
use http::StatusCode;
use pilotlight_sync::doc::digest::Digesting;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::domain::role::Action;

/// Orders that are read at once, so that no order waits for a digest.
const PAGE: usize = 500;

/// Hashes the site's small documents, then every order by the time it was placed. It is of a moment only when nothing is written.
#[utoipa::path(get, path = "/api/v1/digest", operation_id = "get_digest", tag = "operations", responses((status = 200, body = DigestJson)))]
pub async fn get_digest(call: Call) -> Answer {
    call.allow(Action::ChangeMenu)?;
    let mut digesting = call
        .app
        .store
        .read(|replica, _| {
            let mut digesting = Digesting::default();
            replica.site().docs().for_each(|(key, bytes)| digesting.add(&key, &bytes));
            Ok(digesting)
        })
        .await?;
    let (mut after, mut orders) = (Vec::new(), 0);
    loop {
        let from = after.clone();
        let page = call.app.store.read(move |replica, _| replica.order_docs_after(&from, PAGE)).await?;
        let Some((last, ..)) = page.last() else { break };
        after.clone_from(last);
        orders += page.len() as u64;
        page.iter().for_each(|(_, id, bytes)| digesting.add(&DocKey::Order(*id), bytes));
    }
    Ok(json(StatusCode::OK, &DigestJson { digest: digesting.finish().to_string(), orders }))
}
