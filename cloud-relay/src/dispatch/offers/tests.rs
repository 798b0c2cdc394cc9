//! Offers of single rounds.

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);
const MINUTE_MS: u64 = 60_000;

fn north(degrees: f64) -> Place {
    Place { lat: 52.5 + degrees, lon: 13.4 }
}

/// An order of a restaurant of its own, to be brought 1.1 km to the south.
fn job(name: &str, ready_in_ms: u64, passed: &[&str]) -> Job {
    Job {
        order: OrderId::derived(&[name]),
        site: SiteId::derived(&[name]),
        store: north(0.0),
        to: Some(north(-0.01)),
        placed_at: NOW,
        ready_at: NOW.plus_ms(ready_in_ms),
        passed: passed.iter().map(|name| RiderId::derived(&[name])).collect(),
    }
}

fn of_one_restaurant(job: Job) -> Job {
    Job { site: SiteId::derived(&["one"]), ..job }
}

fn rider(name: &str, degrees: f64) -> Courier {
    Courier {
        rider: RiderId::derived(&[name]),
        place: north(degrees),
        seen_at: NOW,
        under_way: vec![],
        brought: 0,
        asked: (0, 0),
    }
}

fn round(jobs: &[Job], riders: &[Courier]) -> Round {
    offers(jobs, riders, &Planned::new(), NOW)
}

fn offered(jobs: &[Job], riders: &[Courier]) -> BTreeSet<(Vec<OrderId>, RiderId)> {
    round(jobs, riders).offers.into_iter().map(|offer| (offer.orders, offer.rider)).collect()
}

fn trips<const N: usize>(trips: [(&[&str], &str); N]) -> BTreeSet<(Vec<OrderId>, RiderId)> {
    let orders = |names: &[&str]| names.iter().map(|name| OrderId::derived(&[name])).collect();
    trips.iter().map(|(names, rider)| (orders(names), RiderId::derived(&[rider]))).collect()
}

#[test]
fn u1_the_nearest_free_rider_is_asked_and_each_only_once() {
    let riders = [rider("far", 0.02), rider("near", 0.001), rider("mid", 0.01)];
    assert_eq!(offered(&[job("a", 0, &[])], &riders), trips([(&["a"], "near")]));
    assert_eq!(offered(&[job("a", 0, &["near"])], &riders), trips([(&["a"], "mid")]));
    assert_eq!(offered(&[job("a", 0, &["near", "mid", "far"])], &riders), trips([]));
    let two = [job("later", MINUTE_MS, &[]), job("first", 0, &[])];
    assert_eq!(offered(&two, &riders), trips([(&["first"], "near"), (&["later"], "mid")]));
    assert_eq!(offered(&two, &riders[..1]), trips([(&["first"], "far")]));
    assert_eq!(offered(&[], &riders), trips([]));
    assert_eq!(offered(&two, &[]), trips([]));
}

#[test]
fn u1_two_orders_that_want_the_same_rider_are_shared_out_by_what_both_wait() {
    // The nearest rider of both is `mid`; who takes only what is nearest leaves the other order to `far`.
    let east = |lon: f64| Place { lat: 52.5, lon };
    let at = |name: &str, lon: f64| Courier { place: east(lon), ..rider(name, 0.0) };
    let riders = [at("far", 13.37), at("mid", 13.4), at("other", 13.43)];
    let from = |name: &str, lon: f64| Job { store: east(lon), ..job(name, 0, &[]) };
    let expected = trips([(&["a"], "mid"), (&["b"], "other")]);
    assert_eq!(offered(&[from("b", 13.41), from("a", 13.395)], &riders), expected);
}

#[test]
fn u1_a_late_order_is_asked_for_at_once_and_before_others_however_late_it_is() {
    let near = [rider("near", 0.0)];
    for late_ms in [0, MINUTE_MS, 45 * MINUTE_MS, 11 * 60 * MINUTE_MS, 36 * 60 * MINUTE_MS, NOW.0] {
        let placed_at = Timestamp(NOW.0.saturating_sub(late_ms + 20 * MINUTE_MS));
        let late = Job { ready_at: Timestamp(NOW.0 - late_ms), placed_at, ..job("late", 0, &[]) };
        assert_eq!(offered(std::slice::from_ref(&late), &near), trips([(&["late"], "near")]), "{late_ms} ms late");
        let past_its_promise = late_ms > 20 * MINUTE_MS;
        if past_its_promise {
            // The other one's customer is nearer, but has not waited.
            let fresh = Job { to: Some(north(-0.006)), ..job("fresh", 0, &[]) };
            assert_eq!(offered(&[fresh, late], &near), trips([(&["late"], "near")]), "{late_ms} ms late");
        }
    }
}

#[test]
fn u1_orders_of_one_restaurant_are_one_trip_when_that_is_faster() {
    let two = [of_one_restaurant(job("a", 0, &[])), of_one_restaurant(job("b", 0, &[]))];
    assert_eq!(offered(&two, &[rider("near", 0.0)]), trips([(&["a", "b"], "near")]));
    let north_and_south = [Job { to: Some(north(0.02)), ..two[0].clone() }, two[1].clone()];
    let riders = [rider("near", 0.0), rider("also", 0.001)];
    assert_eq!(offered(&north_and_south, &riders).len(), 2, "each has a rider of its own");
    let kept = round(&two, &[rider("near", 0.0)]).planned;
    let again = offers(&two, &[rider("near", 0.0)], &kept, NOW);
    assert_eq!(again.planned, kept, "what was planned stays");
}

#[test]
fn u2_a_rider_is_called_when_the_food_is_nearly_ready_and_not_before() {
    let near = [rider("near", 0.0)];
    assert_eq!(offered(&[job("a", CALL_MS_AHEAD, &[])], &near), trips([(&["a"], "near")]));
    assert_eq!(offered(&[job("a", CALL_MS_AHEAD + 1, &[])], &near), trips([]));
    let lost = [Courier { seen_at: Timestamp(NOW.0 - POSITION_AGE_MS_MAX - 1), ..near[0].clone() }];
    assert_eq!(offered(&[job("a", 0, &[])], &lost), trips([]));
}

#[test]
fn u2_who_is_back_soon_is_planned_for_and_asked_when_back() {
    let leg = |picked_up, since| Leg { store: north(0.0), to: Some(north(-0.001)), picked_up, ready_at: NOW, since };
    let back_soon = |leg| Courier { under_way: vec![leg], ..rider("soon", 0.0) };
    let riders = [back_soon(leg(true, NOW)), rider("far", 0.05)];
    let found = round(&[job("a", 0, &[])], &riders);
    assert_eq!(found.offers, [], "the other is five kilometres away");
    assert_eq!(found.planned.keys().collect::<Vec<_>>(), [&RiderId::derived(&["soon"])]);
    let long_ago = Timestamp(NOW.0 - TRIP_MS_MAX - 1);
    let lost = Leg { ready_at: long_ago, ..leg(true, long_ago) };
    let riders = [back_soon(lost), rider("far", 0.05)];
    assert_eq!(offered(&[job("a", 0, &[])], &riders), trips([(&["a"], "far")]), "nobody knows when that one is back");
    let cooking = Leg { ready_at: NOW.plus_ms(40 * MINUTE_MS), ..leg(false, NOW) };
    let riders = [back_soon(cooking), rider("far", 0.05)];
    assert_eq!(offered(&[job("a", 0, &[])], &riders), trips([(&["a"], "far")]), "waits for the kitchen");
}

#[test]
fn u8_an_order_without_a_place_or_a_rider_is_named_and_the_rest_is_asked_for() {
    let near = [rider("near", 0.0)];
    let why = |jobs: &[Job], riders: &[Courier]| round(jobs, riders).unserved;
    let id = |name: &str| OrderId::derived(&[name]);
    let nowhere = Job { to: None, ..job("nowhere", 0, &[]) };
    let no_shop = Job { store: Place { lat: f64::NAN, lon: 0.0 }, ..job("no shop", 0, &[]) };
    let beyond = Job { store: Place { lat: -33.9, lon: 18.4 }, ..job("beyond", 0, &[]) };
    let expected = BTreeMap::from([
        (id("nowhere"), Unserved::NoPlace),
        (id("no shop"), Unserved::NoShop),
        (id("beyond"), Unserved::OutOfReach),
    ]);
    let jobs = [nowhere, no_shop, beyond, job("a", 0, &[])];
    assert_eq!(why(&jobs, &near), expected);
    assert_eq!(offered(&jobs, &near), trips([(&["a"], "near")]));
    assert_eq!(why(&[job("a", 0, &[])], &[]), BTreeMap::from([(id("a"), Unserved::NobodyOnDuty)]));
    let ahead = Job { placed_at: NOW.plus_ms(MINUTE_MS), ..job("ahead", 0, &[]) };
    assert_eq!(offered(&[ahead], &near), trips([(&["ahead"], "near")]), "a clock is ahead: ready, so placed");
}

#[test]
fn u10_who_often_says_no_and_who_has_brought_more_is_asked_after_the_others() {
    let one = [job("a", 0, &[])];
    let asked = |first: Courier, second: Courier| {
        let found = round(&one, &[first, second]);
        found.offers.first().map(|offer| offer.rider)
    };
    let (near, mid) = (rider("near", 0.0), rider("mid", 0.001));
    let (is_near, is_mid) = (Some(near.rider), Some(mid.rider));
    assert_eq!(asked(near.clone(), mid.clone()), is_near);
    assert_eq!(asked(Courier { asked: (20, 4), ..near.clone() }, mid.clone()), is_mid);
    assert_eq!(asked(Courier { asked: (20, 4), ..near.clone() }, rider("far", 0.02)), is_near);
    assert_eq!(asked(Courier { brought: 6, ..near.clone() }, mid.clone()), is_mid);
    assert_eq!(asked(Courier { brought: 6, ..near.clone() }, Courier { brought: 6, ..mid.clone() }), is_near);
    assert_eq!(asked(Courier { brought: 6, ..near }, rider("far", 0.02)), is_near, "far away is further than fair");
}
