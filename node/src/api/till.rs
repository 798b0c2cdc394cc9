//! `/api/v1/till` and `/api/v1/days`: drawers with their shifts, and business days with their signed reports.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::api::to_json;
use crate::store::replica::Replica;
use crate::store::store_handle::RunError;
use crate::till::day::{self, CloseRefusal};
use crate::till::shifts::{self, Begin, Move};
use crate::uplink::enrol::hex;
use bytes::Bytes;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_sync::doc::books::{Booked, Late, Report, ShiftLine, SignedReport, Totals};
use pilotlight_sync::doc::site::{Day, Site};
use pilotlight_sync::doc::till::ShiftView;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{OriginId, ShiftId};
use pilotlight_sync::domain::role::Action;
use pilotlight_sync::domain::timestamp::Timestamp;

/// Closed days that are listed.
const CLOSED_MAX: usize = 31;

/// Drawers that somebody works at, the day that is closed next, and the last reports.
#[utoipa::path(get, path = "/api/v1/till", operation_id = "get_till", tag = "till",
    responses((status = 200, body = TillJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn get_till(call: Call) -> Answer {
    call.allow(Action::WorkTill)?;
    let till = call.app.store.read(|replica, now| Ok(till_json(replica, now))).await?;
    Ok(json(StatusCode::OK, &till))
}

fn till_json(replica: &Replica, now: Timestamp) -> TillJson {
    let (site, own) = (replica.site(), replica.identity().origin);
    let closable = site.closable();
    let (keeper, _) = site.keeper();
    let view = |(id, _): (&ShiftId, &pilotlight_sync::doc::till::ShiftDoc)| Some((*id, site.shift_view(id)?));
    let mut shifts: Vec<(ShiftId, ShiftView)> = site.open_shifts().filter_map(view).collect();
    // While no day is open those of the last one are looked at.
    let last = site.books().last().map(|booked| booked.report.day.number);
    let day = closable.map(|day| day.number).or(last);
    let of_day = day.into_iter().flat_map(|day| site.shifts_of(day)).filter_map(view);
    shifts.extend(of_day.filter(|(_, shift)| shift.end.is_some()));
    TillJson {
        keeper: KeeperJson {
            origin: keeper.map(|keeper| keeper.to_string()),
            letters: keeper.map(|keeper| day::letter_of(site, &keeper)).unwrap_or_default(),
            here: keeper == Some(own),
        },
        closable: closable.map(|day| open_day(replica, now, &day)),
        shifts: shifts.iter().map(|(id, shift)| shift_json(replica, *id, shift)).collect(),
        closed: site.books().reports().rev().take(CLOSED_MAX).map(closed_day).collect(),
        held: replica.state().held().map(|origin| name_of(site, &origin)).collect(),
    }
}

/// The letter that people know a node by, or the store's name.
fn name_of(site: &Site, origin: &OriginId) -> String {
    let letter = day::letter_of(site, origin);
    if letter.is_empty() { origin.to_string() } else { letter }
}

fn open_day(replica: &Replica, now: Timestamp, day: &Day) -> OpenDayJson {
    let closes_at = day::closes_at(replica, now, day).map(|at| at.0);
    let overdue = day::overdue(replica.site(), now) == Some(day.number);
    OpenDayJson { number: day.number.0, date: day.date, closes_at, overdue }
}

fn closed_day(booked: &Booked) -> ClosedDayJson {
    let report = &booked.report;
    let over = report.shifts.iter().map(|shift| shift.counted_minor.saturating_sub(shift.expected_minor));
    ClosedDayJson {
        number: report.day.number.0,
        date: report.day.date,
        closed_at: report.closed_at.0,
        sales_minor: report.totals.sales_minor,
        over_minor: over.fold(0, i64::saturating_add),
    }
}

fn shift_json(replica: &Replica, id: ShiftId, shift: &ShiftView) -> ShiftJson {
    let opening = &shift.opening;
    ShiftJson {
        id: id.to_string(),
        drawer: opening.drawer.clone(),
        node: day::letter_of(replica.site(), &opening.node),
        here: opening.node == replica.identity().origin,
        day: opening.day.0,
        opened_by: to_json::actor(shift.opened_by),
        opened_at: shift.opened_at.0,
        float_minor: opening.float_minor,
        taken_minor: shift.taken_minor(),
        in_minor: shift.in_minor(),
        out_minor: shift.out_minor(),
        expected_minor: shift.end.map_or_else(|| shift.expected_minor(), |end| end.expected_minor),
        counted_minor: shift.end.map(|end| end.counted_minor),
        ended_at: shift.end.map(|end| end.at.0),
    }
}

/// Begins a shift of a drawer of this node, with its float counted; the first one after the roll-over or a close begins the day.
#[utoipa::path(post, path = "/api/v1/till/shifts", operation_id = "open_shift", tag = "till", request_body = OpenShiftJson,
    responses((status = 200, body = ShiftJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn open_shift(call: Call) -> Answer {
    let caller = call.allow(Action::WorkTill)?;
    let sent: OpenShiftJson = call.json()?;
    text::one_line("drawer", &sent.drawer)?;
    let (shift, by) = (id::<ShiftId>("id", &sent.id)?, caller.actor());
    let begin = Begin { shift, drawer: sent.drawer, float_minor: sent.float_minor };
    let opened = call.app.store.run(move |replica, now| shifts::open(replica, now, by, begin)).await?;
    answer(&call, shift, opened).await
}

/// Puts cash in, or takes it out, for another reason than an order.
#[utoipa::path(post, path = "/api/v1/till/shifts/{id}/cash", operation_id = "move_cash", tag = "till", params(("id" = String, Path)),
    request_body = MoveCashJson, responses((status = 200, body = ShiftJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn move_cash(call: Call, shift: String) -> Answer {
    let caller = call.allow(Action::WorkTill)?;
    let sent: MoveCashJson = call.json()?;
    text::note("why", &sent.why)?;
    let (shift, intent, by) = (id::<ShiftId>("shift", &shift)?, id("id", &sent.id)?, caller.actor());
    let moved = Move { shift, intent, amount_minor: sent.amount_minor, why: sent.why };
    let known = call.app.store.run(move |replica, _| shifts::move_cash(replica, by, moved)).await?;
    answer(&call, shift, known).await
}

/// Ends a shift: what was counted against what was expected.
#[utoipa::path(post, path = "/api/v1/till/shifts/{id}/close", operation_id = "close_shift", tag = "till", params(("id" = String, Path)),
    request_body = CloseShiftJson, responses((status = 200, body = ShiftJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn close_shift(call: Call, shift: String) -> Answer {
    let caller = call.allow(Action::WorkTill)?;
    let sent: CloseShiftJson = call.json()?;
    let (shift, by) = (id::<ShiftId>("shift", &shift)?, caller.actor());
    let ended = call.app.store.run(move |replica, _| shifts::close(replica, by, shift, sent.counted_minor)).await?;
    answer(&call, shift, ended).await
}

async fn answer(call: &Call, id: ShiftId, shift: ShiftView) -> Answer {
    let shown = call.app.store.read(move |replica, _| Ok(shift_json(replica, id, &shift))).await?;
    Ok(json(StatusCode::OK, &shown))
}

/// Names the node that closes days and books deliveries, waste and counts. For managers: when the one that does is away for long.
#[utoipa::path(put, path = "/api/v1/till/keeper", operation_id = "name_keeper", tag = "till", request_body = NameKeeperJson,
    responses((status = 204), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn name_keeper(call: Call) -> Answer {
    let caller = call.allow(Action::CloseDay)?;
    let sent: NameKeeperJson = call.json()?;
    let (node, by) = (id("origin", &sent.origin)?, caller.actor());
    call.app.store.run(move |replica, _| day::plan_keeper(replica, by, node)).await?;
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}

/// What a day was: its signed report. Of a day that is open: what its report would say now.
#[utoipa::path(get, path = "/api/v1/days/{number}", operation_id = "get_day", tag = "till", params(("number" = String, Path)),
    responses((status = 200, body = DayReportJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn get_day(call: Call, number: String) -> Answer {
    call.allow(Action::CloseDay)?;
    let number = day_number(&number)?;
    let found = call.app.store.read(move |replica, _| {
        let site = replica.site();
        if let Some(signed) = site.report_of(number) {
            return Ok(signed.read().map(|report| report_json(site, &report, Some(signed))));
        }
        let known = site.closable().filter(|day| day.number == number);
        let Some(day) = known else { return Ok(None) };
        let closing = day::gather(replica, number)?;
        let (totals, late, shifts) = closing.gathered();
        Ok(Some(DayReportJson {
            number: day.number.0,
            date: day.date,
            totals: totals_json(&totals),
            late: late.iter().map(late_json).collect(),
            shifts: shifts.iter().map(|line| line_json(site, line)).collect(),
            close: None,
            void: void(site, number),
        }))
    });
    let found = found.await?.ok_or_else(|| {
        let detail = format!("day {} has no report, and is not the one that is closed next", number.0);
        Problem::new(StatusCode::NOT_FOUND, "unknown_day", detail).at("number").remedy("read /api/v1/till")
    })?;
    Ok(json(StatusCode::OK, &found))
}

/// Closes a business day and answers its signed report, which never changes. Closed again it is answered as before.
#[utoipa::path(post, path = "/api/v1/days/{number}/close", operation_id = "close_day", tag = "till", params(("number" = String, Path)),
    responses((status = 200, body = DayReportJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn close_day(call: Call, number: String) -> Answer {
    let asking = call.allow_or_passed(Action::CloseDay).await?;
    let (number, by) = (day_number(&number)?, asking.by);
    let signed = match call.app.store.run(move |replica, now| day::plan(replica, now, by, number)).await {
        Err(RunError::Refused(refusal @ CloseRefusal::OtherKeeper { keeper, .. })) => {
            let path = format!("/api/v1/days/{}/close", number.0);
            return call.at_keeper(asking, keeper, &path, refusal.into()).await;
        }
        signed => signed?,
    };
    let shown = call
        .app
        .store
        .read(move |replica, _| Ok(signed.read().map(|report| report_json(replica.site(), &report, Some(&signed)))));
    let shown = shown.await?.ok_or_else(|| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unreadable_report", "the report cannot be read")
    })?;
    Ok(json(StatusCode::OK, &shown))
}

fn day_number(text: &str) -> Result<DayNumber, Problem> {
    let remedy = "send the number of a day, as /api/v1/till says it";
    text.parse().map(DayNumber).map_err(|_| Problem::bad_field("number", format!("{text:?} is no day"), remedy))
}

/// Reports of a day that count nothing.
fn void(site: &Site, number: DayNumber) -> u32 {
    let all = site.day_of(number).map_or(0, |day| day.all().count());
    let counted = usize::from(site.books().of_day(number).is_some());
    u32::try_from(all.saturating_sub(counted)).unwrap_or(u32::MAX)
}

fn report_json(site: &Site, report: &Report, signed: Option<&SignedReport>) -> DayReportJson {
    DayReportJson {
        number: report.day.number.0,
        date: report.day.date,
        totals: totals_json(&report.totals),
        late: report.late.iter().map(late_json).collect(),
        shifts: report.shifts.iter().map(|line| line_json(site, line)).collect(),
        close: signed.map(|signed| DayCloseJson {
            closed_at: report.closed_at.0,
            by: to_json::actor(report.by),
            node: report.node.to_string(),
            report: signed.id().to_string(),
            bytes: hex(&signed.report),
            signature: hex(&signed.signature),
        }),
        void: void(site, report.day.number),
    }
}

fn totals_json(totals: &Totals) -> TotalsJson {
    TotalsJson {
        orders: totals.orders,
        cancelled: totals.cancelled,
        sales_minor: totals.sales_minor,
        tax_minor: totals.tax_minor,
        tips_minor: totals.tips_minor,
        voids: totals.voids,
        voids_minor: totals.voids_minor,
        payments: totals.payments,
        till_minor: totals.till_minor,
        online_minor: totals.online_minor,
        refunds_minor: totals.refunds_minor,
    }
}

fn late_json(late: &Late) -> LateJson {
    LateJson { day: late.day.0, changed: late.changed, totals: totals_json(&late.totals) }
}

fn line_json(site: &Site, line: &ShiftLine) -> ShiftLineJson {
    ShiftLineJson {
        drawer: line.drawer.clone(),
        node: day::letter_of(site, &line.node),
        day: line.day.0,
        float_minor: line.float_minor,
        taken_minor: line.taken_minor,
        in_minor: line.in_minor,
        out_minor: line.out_minor,
        expected_minor: line.expected_minor,
        counted_minor: line.counted_minor,
    }
}
