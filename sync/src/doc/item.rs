//! One item of the menu: a multi-value register a field.
//!
//! Writers: any node, and the relay. Readers: everything that sells.
//! Merge: of a field's writes those that no other has seen stay; the shown one is the highest stamp (SPEC W1, W2).
//! Retention: for ever; what somebody has overruled, having seen it, is gone.
//!
//! A write of fields says what of them it had seen, and its writer's own earlier ones it has seen. What any write of a field had seen is
//! overruled, whatever versions and clocks say: so what is held follows from the set of writes, in whatever order they come.
//!
//! A write of the whole item says nothing of that: an older version that makes one may never have heard of the fields. It overrules none of
//! them; the higher stamp is shown. Who knows of them says so beside it, by a write of no field (see `Site::write_item`).

use crate::crdt::register::{Register, Stamp};
use crate::doc::change::{Seen, to_vec};
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
    /// The new values, a field at most once; none: what was seen of any field is overruled.
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
}

impl Held {
    /// The higher one of two under one name: the stamp decides, then the bytes.
    fn rank(&self) -> (Stamp, Vec<u8>) {
        (self.stamp, to_vec(&self.value))
    }
}

/// What is known of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Field {
    /// What nobody has overruled, by writer: of each its last.
    held: BTreeMap<OriginId, Held>,
    /// Of each writer up to which of its commits somebody has overruled it.
    overruled: BTreeMap<OriginId, u64>,
}

impl Field {
    fn overrule(&mut self, seen: impl Iterator<Item = (OriginId, u64)>) {
        for (origin, seq) in seen {
            let last = self.overruled.entry(origin).or_default();
            *last = seq.max(*last);
            if self.held.get(&origin).is_some_and(|held| held.seq <= seq) {
                self.held.remove(&origin);
            }
        }
    }

    fn hold(&mut self, new: Held) {
        let origin = new.stamp.origin;
        self.overrule([(origin, new.seq.saturating_sub(1))].into_iter());
        let gone = self.overruled.get(&origin).is_some_and(|seq| *seq >= new.seq);
        let known = self.held.get(&origin);
        if !gone && known.is_none_or(|known| (known.seq, known.rank()) < (new.seq, new.rank())) {
            self.held.insert(origin, new);
        }
    }

    /// The shown one first.
    fn by_rank(&self) -> Vec<&Held> {
        let mut held: Vec<&Held> = self.held.values().collect();
        held.sort_by_key(|held| std::cmp::Reverse(held.stamp));
        held
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
    /// Writes of fields.
    fields: BTreeMap<FieldName, Field>,
}

impl ItemDoc {
    /// The version that the next write must carry.
    pub fn next_version(&self) -> u64 {
        let held = self.fields.values().flat_map(|field| field.held.values());
        let fields = held.map(|held| held.stamp.version.saturating_add(1));
        fields.chain([self.whole.next_version()]).max().unwrap_or(1)
    }

    /// Takes a write of the whole item in.
    pub fn write_whole(&mut self, value: Option<MenuItem>, stamp: Stamp) {
        self.whole.write(value, stamp);
    }

    /// Takes a write of some fields in, which is this commit of its writer.
    pub fn write_fields(&mut self, write: &FieldsWrite, stamp: Stamp, seq: u64) {
        let seen = || write.seen.iter().map(|seen| (seen.origin, seen.seq));
        if write.values.is_empty() {
            FieldName::ALL.into_iter().for_each(|name| self.fields.entry(name).or_default().overrule(seen()));
        }
        for value in &write.values {
            let field = self.fields.entry(value.name()).or_default();
            field.overrule(seen());
            field.hold(Held { value: value.clone(), stamp, seq });
        }
    }

    /// What the writer of these fields has seen of them.
    pub fn seen(&self, fields: impl Iterator<Item = FieldName>) -> Vec<Seen> {
        let mut seen: BTreeMap<OriginId, u64> = BTreeMap::new();
        for field in fields.filter_map(|name| self.fields.get(&name)) {
            let held = field.held.iter().map(|(origin, held)| (*origin, held.seq));
            for (origin, seq) in held.chain(field.overruled.iter().map(|(origin, seq)| (*origin, *seq))) {
                let last = seen.entry(origin).or_default();
                *last = seq.max(*last);
            }
        }
        seen.retain(|_, seq| *seq > 0);
        seen.into_iter().map(|(origin, seq)| Seen { origin, seq }).collect()
    }

    /// The item as it is shown and charged; `None`: there is none.
    pub fn shown(&self) -> Option<MenuItem> {
        let mut item = self.whole.get()?.clone()?;
        for held in self.fields.values().filter_map(|field| field.by_rank().first().copied()) {
            if self.whole.stamp().is_none_or(|stamp| held.stamp > stamp) {
                held.value.put(&mut item);
            }
        }
        Some(item)
    }

    /// The fields of which several values are held: each with all of them, the shown one first. `item` is the shown one.
    pub fn conflicts<'d>(&self, item: &'d MenuItem) -> Vec<Conflict<'d>> {
        let mut conflicts = Vec::new();
        for (field, known) in &self.fields {
            let held = known.by_rank();
            let mut values: Vec<(Stamp, FieldValue)> =
                held.iter().map(|held| (held.stamp, held.value.clone())).collect();
            // A write of the whole item that nobody has overruled holds a value of each field too.
            let concurrent = |stamp: &Stamp| {
                let over = |held: &&Held| held.stamp.version > stamp.version;
                !held.iter().any(|held| over(held) || held.stamp.version == u64::MAX && held.stamp > *stamp)
            };
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
        e.array(1)?.array(3)?;
        self.whole.encode(e, ctx)?;
        let held: Vec<&Held> = self.fields.values().flat_map(|field| field.held.values()).collect();
        held.encode(e, ctx)?;
        let seen =
            |field: &Field| field.overruled.iter().map(|(origin, seq)| Seen { origin: *origin, seq: *seq }).collect();
        let overruled: Vec<(u8, Vec<Seen>)> =
            (0..).zip(FieldName::ALL).filter_map(|(at, name)| Some((at, seen(self.fields.get(&name)?)))).collect();
        overruled.encode(e, ctx)
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
        if d.array()? != Some(3) {
            return Err(DecodeError::message("an item is its whole, its fields and what was overruled").at(at));
        }
        let whole = Register::decode(d, ctx)?;
        let mut fields: BTreeMap<FieldName, Field> = BTreeMap::new();
        for held in Vec::<Held>::decode(d, ctx)? {
            fields.entry(held.value.name()).or_default().held.insert(held.stamp.origin, held);
        }
        for (at, seen) in Vec::<(u8, Vec<Seen>)>::decode(d, ctx)? {
            let Some(name) = FieldName::ALL.get(usize::from(at)) else { continue };
            fields.entry(*name).or_default().overrule(seen.iter().map(|seen| (seen.origin, seen.seq)));
        }
        Ok(Self { whole, fields })
    }
}

#[cfg(test)]
pub(crate) mod tests;
