//! The restaurant's own day: it ends after the last guest, not at midnight, and its number keys order numbers.

use crate::domain::timestamp::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

/// Numbers business days of a site from 1; never reused, never skipped back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct DayNumber(pub u32);

/// A day that nobody has closed closes by itself so long after its end.
pub const CLOSES_AFTER_MS: u64 = 6 * 3_600_000;

/// When business days of a site begin.
#[derive(Debug, Clone)]
pub struct DayRule {
    zone: TimeZone,
    roll_over_hour: i8,
}

/// The zone is not one that the time zone database knows, or the hour is not 0 to 23.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DayRuleRefusal {
    /// Not an IANA name.
    #[error("time zone {0:?} is not in the IANA database; write it like Europe/Berlin")]
    UnknownZone(String),
    /// Not an hour.
    #[error("roll-over hour {0} is not between 0 and 23")]
    NotAnHour(u8),
}

impl DayRule {
    /// Days of this zone that begin at this hour.
    pub fn new(zone: &str, roll_over_hour: u8) -> Result<Self, DayRuleRefusal> {
        let hour = i8::try_from(roll_over_hour).ok().filter(|hour| *hour < 24);
        let hour = hour.ok_or(DayRuleRefusal::NotAnHour(roll_over_hour))?;
        let zone = TimeZone::get(zone).map_err(|_| DayRuleRefusal::UnknownZone(zone.to_owned()))?;
        Ok(Self { zone, roll_over_hour: hour })
    }

    /// The calendar date that the business day of this moment carries, as `year * 10000 + month * 100 + day`.
    pub fn date(&self, now: Timestamp) -> u32 {
        let moment = i64::try_from(now.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let local = moment.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone()).datetime();
        let date = if local.hour() < self.roll_over_hour {
            local.date().yesterday().unwrap_or(local.date())
        } else {
            local.date()
        };
        number_of(date)
    }

    /// When the business day of this moment ends: the next roll-over in local time.
    pub fn ends_at(&self, now: Timestamp) -> Timestamp {
        self.end(self.date(now)).unwrap_or(now)
    }

    /// When the business day that carries this date ends: the roll-over of the next morning. `None`: no calendar has the date.
    pub fn end(&self, date: u32) -> Option<Timestamp> {
        let part = |value: u32| i8::try_from(value % 100).ok();
        let year = i16::try_from(date / 10_000).ok()?;
        let date = Date::new(year, part(date / 100)?, part(date)?).ok()?;
        let morning = date.tomorrow().ok()?.at(self.roll_over_hour, 0, 0, 0);
        let moment = morning.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond();
        u64::try_from(moment).ok().map(Timestamp)
    }
}

fn number_of(date: Date) -> u32 {
    let part = |value: i16| u32::from(value.unsigned_abs());
    part(date.year()) * 10_000 + part(i16::from(date.month())) * 100 + part(i16::from(date.day()))
}

/// The number people call: the origin's letter and a counter of the day, three digits at least.
pub fn order_number(letter: &str, counter: u32) -> String {
    format!("{letter}{counter:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp(u64::try_from(moment.as_millisecond()).unwrap())
    }

    #[test]
    fn d1_a_business_day_ends_at_the_roll_over_in_local_time() {
        let berlin = DayRule::new("Europe/Berlin", 4).unwrap();
        for (now, date) in [
            ("2026-11-21T02:59:59Z", 20_261_120),
            ("2026-11-21T03:00:00Z", 20_261_121),
            ("2026-11-20T23:30:00Z", 20_261_120),
            ("2026-10-25T01:30:00Z", 20_261_024),
            ("2026-10-25T03:00:00Z", 20_261_025),
        ] {
            assert_eq!(berlin.date(at(now)), date, "{now}");
        }
    }

    #[test]
    fn d1_the_end_of_a_business_day_is_the_next_roll_over() {
        let berlin = DayRule::new("Europe/Berlin", 4).unwrap();
        for (now, ends) in [
            ("2026-11-21T02:59:59Z", "2026-11-21T03:00:00Z"),
            ("2026-11-21T03:00:00Z", "2026-11-22T03:00:00Z"),
            ("2026-10-24T12:00:00Z", "2026-10-25T03:00:00Z"),
            ("2026-03-28T12:00:00Z", "2026-03-29T02:00:00Z"),
        ] {
            assert_eq!(berlin.ends_at(at(now)), at(ends), "{now}");
        }
        // Two o'clock is left out on that day.
        assert_eq!(
            DayRule::new("Europe/Berlin", 2).unwrap().ends_at(at("2026-03-28T12:00:00Z")),
            at("2026-03-29T01:00:00Z")
        );
    }

    #[test]
    fn d1_a_day_ends_at_the_next_roll_over_also_when_clocks_change() {
        let berlin = DayRule::new("Europe/Berlin", 4).unwrap();
        assert_eq!(berlin.end(20_261_120), Some(at("2026-11-21T03:00:00Z")));
        assert_eq!(berlin.end(20_261_024), Some(at("2026-10-25T03:00:00Z")), "an hour longer");
        assert_eq!(berlin.end(20_261_331), None);
    }

    #[test]
    fn d1_a_zone_nobody_knows_is_refused_by_name() {
        assert_eq!(DayRule::new("Mars/Olympus", 4).unwrap_err(), DayRuleRefusal::UnknownZone("Mars/Olympus".into()));
        assert_eq!(DayRule::new("UTC", 24).unwrap_err(), DayRuleRefusal::NotAnHour(24));
    }

    #[test]
    fn d2_a_number_is_a_letter_and_three_digits_at_least() {
        assert_eq!(order_number("A", 42), "A042");
        assert_eq!(order_number("AQX", 1_234), "AQX1234");
    }
}
