//! Does for people at other nodes what only an order's owner may do: by the rules for its own people, once, with the answer in the commit
//! that does it (SPEC Q5).

use crate::orders::{accept, asked, cancel, requests};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use crate::till::tender::{self, Tender};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::domain::asked::{AskView, Asked};
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::convert::Infallible;
use std::fmt::Display;

/// Plans one answer, or the booking of what one has brought into a drawer here. Answers whether there was something to do: then there may
/// be more.
pub fn plan(replica: &Replica, now: Timestamp) -> Result<Plan<bool>, PlanError<Infallible>> {
    if let Some((by, shift, taken)) = asked::unbooked(replica) {
        return Ok(Plan::new(by, vec![Change::Till(shift, taken)], |_| true));
    }
    let Some((id, ask)) = asked::next(replica) else { return Ok(Plan::answer_only(Actor::System, false)) };
    let age_ms = now.ms_since(ask.at);
    let done = if age_ms > asked::ASK_MS_MAX {
        Err(format!("that was asked {} minutes ago: ask again", age_ms / 60_000))
    } else {
        carry_out(replica, now, id, &ask)?
    };
    let (done, refused) = match done {
        Ok(changes) => (changes, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    Ok(Plan::new(ask.by, asked::answer(replica, (id, &ask), done, refused), |_| true))
}

type Done = Result<Result<Vec<Change>, String>, PlanError<Infallible>>;

fn carry_out(replica: &Replica, now: Timestamp, id: OrderId, ask: &AskView) -> Done {
    let by = ask.by;
    match ask.what.clone() {
        Asked::Decide { rejected } => told(accept::decide(replica, by, id, rejected)),
        Asked::Cancel { why } => told(cancel::plan(replica, now, by, id, &why, None)),
        Asked::Answer { request, refused } => told(requests::decide(replica, by, (id, request), refused)),
        Asked::Tender { payment, amount_minor, .. } => {
            told(tender::plan_elsewhere(replica, by, Tender { order: id, payment, amount_minor }))
        }
    }
}

/// What a plan would do, or why not, in words.
fn told<A, R: Display>(plan: Result<Plan<A>, PlanError<R>>) -> Done {
    match plan {
        Ok(plan) => Ok(Ok(plan.changes)),
        Err(PlanError::Refused(refusal)) => Ok(Err(refusal.to_string())),
        Err(PlanError::Damaged(error)) => Err(PlanError::Damaged(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::cancel::CancelRefusal;
    use crate::testing::{Shop, Sibling, line, order};
    use pilotlight_sync::doc::order::OrderFact;
    use pilotlight_sync::domain::asked::AskState;
    use pilotlight_sync::domain::id::{IntentId, PaymentId};

    fn asked(shop: &mut Shop, bar: &mut Sibling, name: &str, what: Asked) -> (IntentId, Change) {
        let intent = IntentId::derived(&[name]);
        let change = Change::Order(OrderId::derived(&["one"]), OrderFact::Asked { intent, what });
        bar.write(shop, std::slice::from_ref(&change));
        (intent, change)
    }

    fn states(shop: &mut Shop) -> Vec<AskState> {
        let order = shop.replica().order(&OrderId::derived(&["one"])).unwrap().unwrap();
        order.view.asked.iter().map(|ask| ask.state.clone()).collect()
    }

    /// Answers what waits; says how many.
    fn answered(shop: &mut Shop) -> usize {
        (0..9).take_while(|_| shop.run(plan).unwrap()).count()
    }

    #[test]
    fn q5_the_owner_does_what_another_node_asks_once_or_says_why_not() {
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "B");
        shop.place(order("one", vec![line("one", "cola", 2)])).unwrap();
        let payment = PaymentId::derived(&["cash"]);
        let pay = |amount_minor| Asked::Tender { payment, amount_minor, shift: None };
        asked(&mut shop, &mut bar, "too much", pay(700));
        asked(&mut shop, &mut bar, "cash", pay(600));
        asked(&mut shop, &mut bar, "why", Asked::Cancel { why: " ".into() });
        asked(&mut shop, &mut bar, "none", Asked::Decide { rejected: None });
        assert_eq!((answered(&mut shop), answered(&mut shop)), (4, 0), "each once");
        let refused = |state: &AskState| matches!(state, AskState::Refused(_));
        let told = states(&mut shop);
        assert_eq!(told.iter().map(refused).collect::<Vec<_>>(), [true, false, true, true], "{told:?}");
        assert_eq!(told[0], AskState::Refused("700 is more than the 600 that are due".into()));
        let id = OrderId::derived(&["one"]);
        assert_eq!(shop.replica().order(&id).unwrap().unwrap().view.captured_minor, 600);

        shop.clock.advance(20 * 60_000);
        let (_, late) = asked(&mut shop, &mut bar, "gone", Asked::Cancel { why: "guest left".into() });
        bar.write(&mut shop, &[late]);
        assert_eq!(answered(&mut shop), 1, "told twice it is one request");
        assert!(shop.replica().order(&id).unwrap().unwrap().view.cancelled.is_some());
    }

    #[test]
    fn q5_what_was_asked_too_long_ago_is_refused_and_what_is_anothers_is_left_to_it() {
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "B");
        shop.place(order("one", vec![line("one", "cola", 1)])).unwrap();
        asked(&mut shop, &mut bar, "old", Asked::Cancel { why: "guest left".into() });
        shop.clock.advance(asked::ASK_MS_MAX + 1);
        assert_eq!(answered(&mut shop), 1);
        assert_eq!(states(&mut shop), [AskState::Refused("that was asked 10 minutes ago: ask again".into())]);

        // The bar takes the order over: from here on this node asks it.
        let id = OrderId::derived(&["one"]);
        let taken = OrderFact::TakenOver { term: 1, owner: bar.origin, upto: Some(u64::MAX), why: "x".into() };
        bar.write(&mut shop, &[Change::Order(id, taken)]);
        let cancel = |replica: &Replica, now| cancel::plan(replica, now, Actor::System, id, "x", None);
        assert_eq!(shop.run(cancel).map(drop), Err(CancelRefusal::OtherNode("B".into())));
        let what = Asked::Cancel { why: "x".into() };
        let ask = |replica: &Replica, _| asked::ask(replica, Actor::System, id, what.clone());
        let intent = shop.run(ask).unwrap().unwrap();
        assert_eq!(shop.run(ask).unwrap(), Some(intent), "once");
        assert_eq!((answered(&mut shop), states(&mut shop).len()), (0, 2), "it is the bar's to answer");
        let live = shop.replica().order(&id).unwrap().unwrap();
        assert_eq!(asked::state(&live.view, &intent), Some(&AskState::Open));
        let answer = OrderFact::Answered { intent, refused: None };
        bar.write(&mut shop, &[Change::Order(id, OrderFact::Cancelled { why: "x".into() }), Change::Order(id, answer)]);
        let live = shop.replica().order(&id).unwrap().unwrap();
        assert_eq!(asked::state(&live.view, &intent), Some(&AskState::Done));
    }

    #[test]
    fn q5_cash_that_was_taken_here_is_booked_in_the_drawer_here_when_the_owner_has_taken_it() {
        use crate::till::shifts::{self, Begin};
        use pilotlight_sync::domain::id::ShiftId;
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "B");
        shop.place(order("one", vec![line("one", "cola", 1)])).unwrap();
        let id = OrderId::derived(&["one"]);
        let taken = OrderFact::TakenOver { term: 1, owner: bar.origin, upto: Some(u64::MAX), why: "x".into() };
        bar.write(&mut shop, &[Change::Order(id, taken)]);
        let shift = ShiftId::derived(&["front"]);
        let begin = Begin { shift, drawer: "front".into(), float_minor: 1_000 };
        shop.run(move |replica, now| shifts::open(replica, now, Actor::System, begin)).unwrap();
        assert_eq!(shop.run(|replica, _| tender::shift_here(replica, Actor::System, None)), Ok(Some(shift)));
        let payment = PaymentId::derived(&["cash"]);
        let what = Asked::Tender { payment, amount_minor: 300, shift: Some(shift) };
        let intent = shop.run(|replica, _| asked::ask(replica, Actor::System, id, what)).unwrap().unwrap();
        let expected = |shop: &mut Shop| {
            shop.replica().site().shift(&shift).unwrap().view(|_| true).unwrap().expected_minor()
        };
        assert_eq!((answered(&mut shop), expected(&mut shop)), (0, 1_000), "the owner has not taken it");
        let phase = pilotlight_sync::domain::payment::PaymentPhase::Captured;
        let paid = OrderFact::Payment { payment, phase, amount_minor: 300 };
        let answer = OrderFact::Answered { intent, refused: None };
        bar.write(&mut shop, &[Change::Order(id, paid), Change::Order(id, answer)]);
        assert_eq!((answered(&mut shop), expected(&mut shop)), (1, 1_300));
        assert_eq!((answered(&mut shop), expected(&mut shop)), (0, 1_300), "once");
    }
}
