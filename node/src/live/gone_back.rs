//! What a screen remembers against what the store has: a disk that went back with everything on it is noticed without a relay (SPEC L5).

use crate::store::StoreError;
use crate::store::replica::{Position, Replica};
use pilotlight_sync::protocol::Parted;

/// Whether a screen has seen commits of this store that it does not have: more of them, or others under their numbers. Then its name
/// ends where it is: nobody knows here where the logs part, and a relay that does says so later.
pub fn judge(replica: &Replica, seen: &Position) -> Result<Option<Parted>, StoreError> {
    let own = replica.position();
    if seen.origin != own.origin || seen.head.seq == 0 || seen.head == own.head {
        return Ok(None);
    }
    let known = replica.log(&seen.origin, seen.head.seq, 1)?.into_iter().next();
    let same = known.is_some_and(|entry| entry.head == seen.head);
    Ok((!same).then(|| Parted { cuts: [(own.origin, own.head.seq)].into(), ..Parted::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shop, line, order};
    use pilotlight_sync::crdt::chain::{ChainHash, Head};

    #[test]
    fn l5_a_store_that_a_screen_has_seen_further_ends_its_name_and_no_other_does() {
        let mut shop = Shop::open();
        let early = shop.replica().position();
        shop.place(order("one", vec![line("l", "pizza", 1)])).unwrap();
        let now = shop.replica().position();
        let seen = |head| Position { origin: now.origin, head };
        for fine in [early, now, seen(Head { seq: 0, ..now.head })] {
            assert_eq!(judge(shop.replica(), &fine).unwrap(), None);
        }
        let another = Position { origin: pilotlight_sync::domain::id::OriginId::derived(&["x"]), ..now };
        assert_eq!(judge(shop.replica(), &another).unwrap(), None, "what others wrote is not judged by");
        let ahead = seen(Head { seq: now.head.seq + 1, ..now.head });
        let other = seen(Head { seq: early.head.seq, hash: ChainHash([7; 32]) });
        for gone in [ahead, other] {
            let parted = judge(shop.replica(), &gone).unwrap().unwrap();
            assert_eq!(parted.cuts, [(now.origin, now.head.seq)].into());
        }
        let parted = judge(shop.replica(), &ahead).unwrap().unwrap();
        shop.replica().part(&parted);
        shop.replica().flush().unwrap();
        shop.reopen();
        assert_ne!(shop.replica().identity().origin, now.origin);
        assert_eq!(shop.rights(), 0, "what was sold since then must not be sold again");
        assert_eq!(judge(shop.replica(), &ahead).unwrap(), None, "once");
    }
}
