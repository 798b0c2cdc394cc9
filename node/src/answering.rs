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
    if let Some((by, booking)) = asked::unbooked(replica) {
        return Ok(Plan::new(by, booking, |_| true));
    }
    if let Some((by, withdrawn)) = asked::lapsed(replica, now) {
        return Ok(Plan::new(by, vec![withdrawn], |_| true));
    }
    let Some((id, ask)) = asked::next(replica) else { return Ok(Plan::answer_only(Actor::System, false)) };
    let done = match asked::too_far(replica, now, &ask) {
        Some(why) => Err(why),
        None => carry_out(replica, id, &ask)?,
    };
    let (done, refused) = match done {
        Ok(changes) => (changes, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    Ok(Plan::new(ask.by, asked::answer(replica, (id, &ask), done, refused), |_| true))
}

type Done = Result<Result<Vec<Change>, String>, PlanError<Infallible>>;

fn carry_out(replica: &Replica, id: OrderId, ask: &AskView) -> Done {
    let by = ask.by;
    match ask.what.clone() {
        Asked::Decide { rejected } => told(accept::decide(replica, by, id, rejected)),
        Asked::Cancel { why } => told(cancel::plan(replica, by, id, &why, None)),
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
    use crate::till::shifts;
    use pilotlight_sync::doc::order::OrderFact;
    use pilotlight_sync::domain::asked::AskState;
    use pilotlight_sync::domain::id::{IntentId, PaymentId, ShiftId};

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
        let why = "that was asked 10 minutes ago: ask again; was it just now, set the clock of node B";
        assert_eq!(states(&mut shop), [AskState::Refused(why.into())]);

        // The bar takes the order over: from here on this node asks it.
        let id = OrderId::derived(&["one"]);
        let taken = OrderFact::TakenOver { term: 1, owner: bar.origin, upto: Some(u64::MAX), why: "x".into() };
        bar.write(&mut shop, &[Change::Order(id, taken)]);
        let cancel = |replica: &Replica, _| cancel::plan(replica, Actor::System, id, "x", None);
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

    fn one() -> OrderId {
        OrderId::derived(&["one"])
    }

    /// The bar owns the order; a shift of the drawer here is open.
    fn of_the_bar(shop: &mut Shop, letter: &str) -> (Sibling, ShiftId) {
        let mut bar = Sibling::join(shop, letter);
        shop.place(order("one", vec![line("one", "cola", 2)])).unwrap();
        let taken = OrderFact::TakenOver { term: 1, owner: bar.origin, upto: Some(u64::MAX), why: "x".into() };
        bar.write(shop, &[Change::Order(one(), taken)]);
        (bar, shop.begin_shift("first", "front", 1_000))
    }

    fn pay_here(shop: &mut Shop, shift: ShiftId) -> (PaymentId, IntentId) {
        let payment = PaymentId::derived(&["cash"]);
        let what = Asked::Tender { payment, amount_minor: 300, shift: Some(shift) };
        let ask = |replica: &Replica, _| asked::ask(replica, Actor::System, one(), what);
        (payment, shop.run(ask).unwrap().unwrap())
    }

    fn expected(shop: &mut Shop, shift: ShiftId) -> i64 {
        shop.replica().site().shift_view(&shift).unwrap().expected_minor()
    }

    /// What the owner's commit says.
    fn took(payment: PaymentId, intent: IntentId) -> Vec<Change> {
        let phase = pilotlight_sync::domain::payment::PaymentPhase::Captured;
        let paid = OrderFact::Payment { payment, phase, amount_minor: 300 };
        let answer = OrderFact::Answered { intent, refused: None };
        vec![Change::Order(one(), paid), Change::Order(one(), answer)]
    }

    #[test]
    fn q5_cash_that_was_taken_here_is_booked_in_the_drawer_here_when_the_owner_has_taken_it() {
        let mut shop = Shop::open();
        let (mut bar, shift) = of_the_bar(&mut shop, "B");
        assert_eq!(shop.run(|replica, _| tender::shift_here(replica, Actor::System, None)), Ok(Some(shift)));
        let (payment, intent) = pay_here(&mut shop, shift);
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (0, 1_000), "the owner has not taken it");
        bar.write(&mut shop, &took(payment, intent));
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (1, 1_300));
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (0, 1_300), "once");
    }

    #[test]
    fn q5_cash_is_booked_also_when_the_order_had_ended_the_node_was_gone_and_the_shift_was_counted_meanwhile() {
        let mut shop = Shop::open();
        let (mut bar, shift) = of_the_bar(&mut shop, "B");
        let (payment, intent) = pay_here(&mut shop, shift);
        shop.run(move |replica, _| shifts::close(replica, Actor::System, shift, 1_300)).unwrap();
        let mut said = took(payment, intent);
        said.push(Change::Order(one(), OrderFact::Cancelled { why: "guest left".into() }));
        bar.write(&mut shop, &said);
        let cancelled = shop.replica().order(&one()).unwrap().unwrap();
        let lines: Vec<_> = cancelled.view.lines.iter().map(|line| line.line.id).collect();
        for line in lines {
            shop.commit(&[Change::Order(one(), OrderFact::LineSeen { line })]);
        }
        // A crash between the answer and the booking; what has ended is not read again, unless something waits.
        shop.reopen();
        assert!(shop.replica().live_orders().any(|(id, order)| *id == one() && !order.view.on_board()));
        assert_eq!(answered(&mut shop), 0, "nobody works at the drawer: it waits");
        let next = shop.begin_shift("next", "front", 1_000);
        assert_eq!((answered(&mut shop), expected(&mut shop, next), expected(&mut shop, shift)), (1, 1_300, 1_000));
        assert!(!shop.replica().order(&one()).unwrap().unwrap().view.is_open(), "nothing waits any more");
        shop.reopen();
        assert_eq!(answered(&mut shop), 0);
    }

    #[test]
    fn q5_cash_is_booked_also_when_a_former_owner_took_it_that_did_not_know_that_it_was_one() {
        let mut shop = Shop::open();
        let (mut bar, shift) = of_the_bar(&mut shop, "B");
        let (payment, intent) = pay_here(&mut shop, shift);
        let here = |replica: &Replica, _| crate::orders::ownership::plan(replica, Actor::System, one(), "silent");
        shop.run(here).map(drop).unwrap();
        // The bar has not heard of that: its yes decides nothing, and the money that it took counts (Q4).
        bar.write(&mut shop, &took(payment, intent));
        assert_eq!(states(&mut shop), [AskState::Open], "it is this node's to answer");
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (2, 1_300), "answered, and booked");
        let view = shop.replica().order(&one()).unwrap().unwrap().view.clone();
        assert_eq!((states(&mut shop), view.captured_minor), (vec![AskState::Done], 300));
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (0, 1_300), "once");
    }

    #[test]
    fn q5_cash_that_an_ended_node_asked_for_is_booked_by_the_one_that_goes_on_for_it() {
        let mut shop = Shop::open();
        shop.place(order("one", vec![line("one", "cola", 2)])).unwrap();
        let (mut old, shift) = (Sibling::join(&mut shop, "A0"), shop.begin_shift("first", "front", 1_000));
        let payment = PaymentId::derived(&["cash"]);
        let what = Asked::Tender { payment, amount_minor: 300, shift: Some(shift) };
        asked(&mut shop, &mut old, "cash", what);
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (1, 1_000), "that node books it");
        shop.commit(&[Change::Fence(old.origin)]);
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (1, 1_300), "it has ended");
    }

    #[test]
    fn q5_one_payment_is_booked_in_one_drawer_wherever_it_was_asked_for_again() {
        let mut shop = Shop::open();
        let (mut bar, shift) = of_the_bar(&mut shop, "B");
        let (payment, intent) = pay_here(&mut shop, shift);
        // The same payment was asked for at a third node before: that one brought it.
        let first = IntentId::derived(&["elsewhere"]);
        let what = Asked::Tender { payment, amount_minor: 300, shift: Some(ShiftId::derived(&["other"])) };
        bar.write(&mut shop, &[Change::Order(one(), OrderFact::Asked { intent: first, what })]);
        bar.write(&mut shop, &took(payment, first));
        bar.write(&mut shop, &[Change::Order(one(), OrderFact::Answered { intent, refused: None })]);
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (0, 1_000), "it lies elsewhere");
    }

    #[test]
    fn q4_q5_cash_that_a_former_owner_took_not_knowing_is_booked_by_the_answer_that_counts() {
        let mut shop = Shop::open();
        let (mut bar, shift) = of_the_bar(&mut shop, "B");
        let (payment, intent) = pay_here(&mut shop, shift);
        // A third node takes the order over, and both owners take the money.
        let mut third = Sibling::join(&mut shop, "C");
        let upto = shop.replica().state().heads().get(&bar.origin).map(|head| head.seq);
        let taken = OrderFact::TakenOver { term: 2, owner: third.origin, upto, why: "silent".into() };
        third.write(&mut shop, &[Change::Order(one(), taken)]);
        shop.clock.advance(1);
        bar.write(&mut shop, &took(payment, intent));
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (0, 1_000), "it answers nobody any more");
        shop.clock.advance(1);
        third.write(&mut shop, &took(payment, intent));
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (1, 1_300));
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (0, 1_300), "once");
    }

    #[test]
    fn q5_one_payment_is_booked_once_also_when_this_node_took_it_after_it_had_asked() {
        let mut shop = Shop::open();
        let (mut bar, shift) = of_the_bar(&mut shop, "B");
        let (payment, intent) = pay_here(&mut shop, shift);
        let other = shop.begin_shift("back", "back", 0);
        let booked = pilotlight_sync::doc::till::TillFact::Taken { order: one(), payment, amount_minor: 300 };
        shop.commit(&[Change::Till(other, booked)]);
        bar.write(&mut shop, &took(payment, intent));
        answered(&mut shop);
        assert_eq!((expected(&mut shop, shift), expected(&mut shop, other)), (1_000, 300));
    }

    #[test]
    fn q5_within_ten_minutes_or_not_at_all_whichever_clock_is_wrong() {
        // Of the one that is asked by a clock that is hours ahead: hours later it would be new.
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "B");
        shop.place(order("one", vec![line("one", "cola", 1)])).unwrap();
        bar.ahead_ms = 3 * 3_600_000;
        asked(&mut shop, &mut bar, "ahead", Asked::Cancel { why: "guest left".into() });
        assert_eq!(answered(&mut shop), 1);
        let why = "the clock of node B, where it was asked, shows 180 minutes more than this one's: set it";
        assert_eq!(states(&mut shop), [AskState::Refused(why.into())]);
        // Of one that is eleven minutes behind: what was asked just now looks old, and is told why.
        let mut shop = Shop::open();
        let mut slow = Sibling::join(&mut shop, "C");
        shop.place(order("one", vec![line("one", "cola", 1)])).unwrap();
        shop.clock.advance(11 * 60_000);
        slow.behind_ms = 11 * 60_000;
        asked(&mut shop, &mut slow, "behind", Asked::Cancel { why: "guest left".into() });
        assert_eq!(answered(&mut shop), 1);
        let why = "that was asked 11 minutes ago: ask again; was it just now, set the clock of node C";
        assert_eq!(states(&mut shop), [AskState::Refused(why.into())]);
    }

    #[test]
    fn q5_what_a_node_that_is_gone_has_asked_by_a_fast_clock_is_done_by_so_much_later_and_no_more() {
        // Nobody withdraws it: the node where it was asked is dead, and its owner was off meanwhile.
        for (late_ms, done) in [(19 * 60_000, true), (19 * 60_000 + 1, false)] {
            let mut shop = Shop::open();
            let mut bar = Sibling::join(&mut shop, "B");
            shop.place(order("one", vec![line("one", "cola", 1)])).unwrap();
            bar.ahead_ms = 9 * 60_000;
            asked(&mut shop, &mut bar, "fast", Asked::Cancel { why: "guest left".into() });
            shop.clock.advance(late_ms);
            shop.reopen();
            assert_eq!(answered(&mut shop), 1);
            assert_eq!(states(&mut shop) == [AskState::Done], done, "{late_ms}");
        }
    }

    #[test]
    fn q5_what_nobody_answered_is_withdrawn_where_it_was_asked_and_the_owner_does_not_do_it_later() {
        let mut shop = Shop::open();
        let (mut bar, shift) = of_the_bar(&mut shop, "B");
        let (payment, intent) = pay_here(&mut shop, shift);
        shop.clock.advance(asked::ASK_MS_MAX);
        assert_eq!(answered(&mut shop), 0, "not yet");
        shop.clock.advance(1);
        assert_eq!(answered(&mut shop), 1);
        let why = AskState::Refused("nobody answered within ten minutes: it was withdrawn".into());
        assert_eq!(states(&mut shop), [why]);
        let view = shop.replica().order(&one()).unwrap().unwrap().view.clone();
        assert_eq!(view.open_asks().count(), 0, "the owner, whatever its clock shows, finds nothing to do");
        // It had done it before it heard of that: what is done is done, and the cash is booked.
        bar.write(&mut shop, &took(payment, intent));
        assert_eq!((answered(&mut shop), expected(&mut shop, shift)), (1, 1_300));
    }

    #[test]
    fn q5_one_wish_of_a_kind_waits_at_a_time_and_a_no_is_not_done_by_the_next_owner() {
        use crate::orders::asked::AskRefusal;
        let mut shop = Shop::open();
        let (mut bar, shift) = of_the_bar(&mut shop, "B");
        let (payment, intent) = pay_here(&mut shop, shift);
        let mut pay = |amount_minor| {
            let what = Asked::Tender { payment, amount_minor, shift: None };
            shop.run(|replica, _| asked::ask(replica, Actor::System, one(), what))
        };
        assert_eq!(pay(300), Ok(Some(intent)));
        assert_eq!(pay(200), Err(AskRefusal::Waits("to take a payment".into())));
        // The manager takes the order over here, while the bar, which has not heard of it, says no.
        let here = |replica: &Replica, _| crate::orders::ownership::plan(replica, Actor::System, one(), "silent");
        shop.run(here).map(drop).unwrap();
        bar.write(&mut shop, &[Change::Order(one(), OrderFact::Answered { intent, refused: Some("no".into()) })]);
        assert_eq!((answered(&mut shop), states(&mut shop)), (0, vec![AskState::Refused("no".into())]));
    }
}
