//! `/api/v1/digest`: one hash over this replica's documents, to be compared with the relay's.

use crate::api::call::{Answer, Call, json};
use crate::api::json::DigestJson;
use crate::archive::ArchiveError;
use crate::archive::taking::Stored;
use http::StatusCode;
use pilotlight_sync::doc::digest::Digesting;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::role::Action;
use std::collections::BTreeSet;

/// Orders that are read at once, so that no order waits for a digest.
const PAGE: usize = 500;

/// Hashes the site's small documents, then every order, archived or not, by the time it was placed. It is of a moment only when nothing is written.
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
    let (mut after, mut orders) = (None, 0);
    loop {
        let here = call.app.store.read(move |replica, _| replica.order_docs_after(after, PAGE)).await?;
        let there = call.app.archived(move |archive| archive.documents_after(after, PAGE)).await?;
        let page = joined(here, there);
        let Some(last) = page.last() else { break };
        after = Some((last.placed_at, last.id));
        orders += page.len() as u64;
        page.iter().for_each(|order| digesting.add(&DocKey::Order(order.id), &order.document));
    }
    // What cannot be read is missing above: no digest is better than a wrong one.
    if let Some(why) = call.app.archive.problems().pop() {
        return Err(ArchiveError::Damaged { file: "a file".to_owned(), why }.into());
    }
    Ok(json(StatusCode::OK, &DigestJson { digest: digesting.finish().to_string(), orders }))
}

/// A page of the store and one of the archive as one, up to where both are complete. What is in both is the store's.
fn joined(here: Vec<Stored>, there: Vec<Stored>) -> Vec<Stored> {
    let place = |order: &Stored| (order.placed_at, order.id);
    let full = [&here, &there].into_iter().filter(|page| page.len() == PAGE);
    let upto = full.filter_map(|page| page.last().map(place)).min();
    let known: BTreeSet<OrderId> = here.iter().map(|order| order.id).collect();
    let mut page = here;
    page.extend(there.into_iter().filter(|order| !known.contains(&order.id)));
    page.sort_by_key(place);
    page.retain(|order| upto.is_none_or(|upto| place(order) <= upto));
    page
}
