//! One item of the menu: a multi-value register a field.
//!
//! Writers: any node, and the relay. Readers: everything that sells.
//! Merge: of a field's writes those that no other has seen stay; the shown one is the highest stamp (SPEC W1, W2).
//! Retention: for ever; what somebody has overruled, having seen it, is gone.
//!
//! A write of the whole item, which says nothing of what it had seen, is told from the others by its version alone, as it always was: what
//! has a lower one it overrules, what has a higher one overrules it.

use crate::crdt::register::{Register, Stamp};
use crate::doc::change::Seen;
use crate::domain::id::{MenuItemId, OriginId};
use crate::domain::item_field::{FieldName, FieldValue};
use crate::domain::menu::MenuItem;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write as Out};
use minicbor::{Decode, Decoder, Encode, Encoder};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A write of some of an item's fields.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FieldsWrite {
    /// Of which item.
    #[n(0)]
    pub item: MenuItemId,
    /// The new values, a field at most once.
    #[n(1)]
    pub values: Vec<FieldValue>,
    /// One more than the highest version its writer saw of the item.
    #[n(2)]
    pub version: u64,
    /// The writes of these fields that its writer had seen: of each origin up to which of its commits.
    #[n(3)]
    pub seen: Vec<Seen>,
}

/// One value of a field that nobody has overruled.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Held {
    /// The value.
    #[n(0)]
    pub value: FieldValue,
    /// When and by whom.
    #[n(1)]
    pub stamp: Stamp,
    /// In which commit of its writer.
    #[n(2)]
    pub seq: u64,
    /// What its writer had seen.
    #[n(3)]
    seen: Vec<Seen>,
}

impl Held {
    /// Whether its writer had seen the other; itself it has.
    fn covers(&self, other: &Self) -> bool {
        let known = |seen: &Seen| seen.origin == other.stamp.origin && seen.seq >= other.seq;
        let later = self.stamp.version > other.stamp.version;
        let own = self.stamp.origin == other.stamp.origin && self.seq >= other.seq;
        own && (later || self.seq == other.seq) || later && self.seen.iter().any(known)
    }
}

/// A field of which several values are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict<'d> {
    /// Which.
    pub field: FieldName,
    /// The shown one first.
    pub values: Vec<(Stamp, FieldValue)>,
    /// Of which item.
    pub item: &'d MenuItem,
}

/// All that is known of one item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemDoc {
    /// Writes of the whole item.
    whole: Register<Option<MenuItem>>,
    /// By field, the highest stamp first.
    fields: BTreeMap<FieldName, Vec<Held>>,
}

impl ItemDoc {
    /// The version that the next write must carry.
    pub fn next_version(&self) -> u64 {
        let fields = self.fields.values().flatten().map(|held| held.stamp.version + 1);
        fields.chain([self.whole.next_version()]).max().unwrap_or(1)
    }

    /// Takes a write of the whole item in.
    pub fn write_whole(&mut self, value: Option<MenuItem>, stamp: Stamp) {
        self.whole.write(value, stamp);
        let version = self.whole_version();
        self.fields.values_mut().for_each(|held| held.retain(|held| held.stamp.version >= version));
        self.fields.retain(|_, held| !held.is_empty());
    }

    /// Takes a write of some fields in, which is this commit of its writer.
    pub fn write_fields(&mut self, write: &FieldsWrite, stamp: Stamp, seq: u64) {
        if stamp.version < self.whole_version() {
            return;
        }
        for value in &write.values {
            let new = Held { value: value.clone(), stamp, seq, seen: write.seen.clone() };
            let held = self.fields.entry(value.name()).or_default();
            if held.iter().any(|known| known.covers(&new)) {
                continue;
            }
            held.retain(|known| !new.covers(known));
            held.push(new);
            held.sort_by_key(|held| Reverse(held.stamp));
        }
    }

    fn whole_version(&self) -> u64 {
        self.whole.next_version() - 1
    }

    /// What the writer of these fields has seen of them.
    pub fn seen(&self, fields: impl Iterator<Item = FieldName>) -> Vec<Seen> {
        let mut seen: BTreeMap<OriginId, u64> = BTreeMap::new();
        let mut note = |origin, seq: u64| {
            let last = seen.entry(origin).or_default();
            *last = seq.max(*last);
        };
        for held in fields.filter_map(|field| self.fields.get(&field)).flatten() {
            note(held.stamp.origin, held.seq);
            held.seen.iter().for_each(|seen| note(seen.origin, seen.seq));
        }
        seen.into_iter().map(|(origin, seq)| Seen { origin, seq }).collect()
    }

    /// The item as it is shown and charged; `None`: there is none.
    pub fn shown(&self) -> Option<MenuItem> {
        let mut item = self.whole.get()?.clone()?;
        for held in self.fields.values().filter_map(|held| held.first()) {
            if self.whole.stamp().is_none_or(|stamp| held.stamp > stamp) {
                held.value.put(&mut item);
            }
        }
        Some(item)
    }

    /// The fields of which several values are held: each with all of them, the shown one first. `item` is the shown one.
    pub fn conflicts<'d>(&self, item: &'d MenuItem) -> Vec<Conflict<'d>> {
        let mut conflicts = Vec::new();
        for (field, held) in &self.fields {
            let mut values: Vec<(Stamp, FieldValue)> =
                held.iter().map(|held| (held.stamp, held.value.clone())).collect();
            // A write of the whole item that nobody has overruled holds a value of each field too.
            let concurrent = |stamp: &Stamp| held.iter().all(|held| held.stamp.version <= stamp.version);
            if let (Some(stamp), Some(Some(whole))) = (self.whole.stamp().filter(concurrent), self.whole.get()) {
                values.push((stamp, FieldValue::of(whole, *field)));
            }
            values.sort_by_key(|(stamp, _)| Reverse(*stamp));
            let mut told: Vec<(Stamp, FieldValue)> = Vec::new();
            for value in values {
                if !told.iter().any(|(_, known)| *known == value.1) {
                    told.push(value);
                }
            }
            if told.len() > 1 {
                conflicts.push(Conflict { field: *field, values: told, item });
            }
        }
        conflicts
    }

    /// Whether any field may have several values: cheap.
    pub fn is_plain(&self) -> bool {
        self.fields.is_empty()
    }
}

impl<Ctx> Encode<Ctx> for ItemDoc {
    fn encode<W: Out>(&self, e: &mut Encoder<W>, ctx: &mut Ctx) -> Result<(), EncodeError<W::Error>> {
        if self.fields.is_empty() {
            // As it was before fields were written by themselves.
            return self.whole.encode(e, ctx);
        }
        e.array(1)?.array(2)?;
        self.whole.encode(e, ctx)?;
        let held: Vec<&Held> = self.fields.values().flatten().collect();
        held.encode(e, ctx)
    }
}

impl<'b, Ctx> Decode<'b, Ctx> for ItemDoc {
    fn decode(d: &mut Decoder<'b>, ctx: &mut Ctx) -> Result<Self, DecodeError> {
        let mut ahead = d.clone();
        if ahead.array()? != Some(1) {
            return Ok(Self { whole: Register::decode(d, ctx)?, fields: BTreeMap::new() });
        }
        d.array()?;
        let at = d.position();
        if d.array()? != Some(2) {
            return Err(DecodeError::message("an item is its whole and its fields").at(at));
        }
        let whole = Register::decode(d, ctx)?;
        let mut fields: BTreeMap<FieldName, Vec<Held>> = BTreeMap::new();
        for held in Vec::<Held>::decode(d, ctx)? {
            fields.entry(held.value.name()).or_default().push(held);
        }
        Ok(Self { whole, fields })
    }
}

#[cfg(test)]
mod tests;
