//! Whether orders from home are taken now: a pause, and more minutes while the kitchen is busy. Each is one tap and ends by itself.
//!
//! Both last from when they were tapped, by the clock that they were tapped on. A clock that shows more than ten minutes before that does
//! not believe them, and none believes that they last longer than the longest there is: a wrong clock closes no restaurant for a year.

use crate::domain::business_day::DayRule;
use crate::domain::timestamp::Timestamp;
use minicbor::{Decode, Encode};

/// So far may the clocks of who taps and who asks differ, in milliseconds.
const APART_MS_MAX: u64 = 10 * 60_000;
/// The longest there is: until tomorrow, on the day when clocks go back.
const LASTS_MS_MAX: u64 = 25 * 3_600_000;
/// More minutes are promised for so long, in milliseconds.
const BUSY_MS: u64 = 60 * 60_000;
/// More minutes than anybody taps.
const BUSY_MINUTES_MAX: u32 = 60;

/// How orders from home are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Intake {
    /// None are taken meanwhile.
    #[n(0)]
    pub paused: Option<Span>,
    /// They take longer meanwhile.
    #[n(1)]
    pub busy: Option<Busy>,
}

/// From when to when, by the clock of who tapped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Span {
    /// It was tapped then.
    #[n(0)]
    pub from: Timestamp,
    /// It ends by itself then.
    #[n(1)]
    pub until: Timestamp,
}

/// The kitchen needs longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Busy {
    /// By so many minutes.
    #[n(0)]
    pub minutes: u32,
    /// For how long.
    #[n(1)]
    pub span: Span,
}

/// How long a pause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseFor {
    /// 15, 30 or 60 of them.
    Minutes(u32),
    /// Until the business day ends.
    Tomorrow,
}

/// What a person taps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntakeCommand {
    /// No orders from home for a while.
    Pause(PauseFor),
    /// Orders again.
    Open,
    /// So many minutes more are promised; none: as usual.
    Busy(u32),
}

/// Not one of what can be tapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntakeRefusal {
    /// Another pause.
    #[error("a pause of {0} minutes is none; 15, 30 or 60")]
    Pause(u32),
    /// Another delay.
    #[error("{0} minutes more is none; 10, 20 or 30, or 0 for as usual")]
    Busy(u32),
}

impl Span {
    fn lasting(from: Timestamp, ms: u64) -> Self {
        Self { from, until: from.plus_ms(ms) }
    }

    /// Its end, while it holds on this clock.
    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.until.min(self.from.plus_ms(LASTS_MS_MAX));
        (self.from.ms_since(now) <= APART_MS_MAX && now < until).then_some(until)
    }
}

impl Intake {
    /// No orders from home are taken until then; `None`: they are.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused?.end(now)
    }

    /// So many minutes longer, and until when; `None`: as usual.
    pub fn busy_until(&self, now: Timestamp) -> Option<(u32, Timestamp)> {
        let busy = self.busy?;
        Some((busy.minutes.min(BUSY_MINUTES_MAX), busy.span.end(now)?)).filter(|(minutes, _)| *minutes > 0)
    }

    /// So many minutes longer now.
    pub fn busy_minutes(&self, now: Timestamp) -> u32 {
        self.busy_until(now).map_or(0, |(minutes, _)| minutes)
    }

    /// The next moment at which something ends by itself.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until(now).into_iter().chain(self.busy_until(now).map(|(_, until)| until)).min()
    }

    /// After this tap.
    pub fn after(&self, command: IntakeCommand, rule: &DayRule, now: Timestamp) -> Result<Self, IntakeRefusal> {
        let lasting = |minutes: u32| Span::lasting(now, u64::from(minutes) * 60_000);
        Ok(match command {
            IntakeCommand::Pause(PauseFor::Minutes(minutes @ (15 | 30 | 60))) => {
                Self { paused: Some(lasting(minutes)), ..*self }
            }
            IntakeCommand::Pause(PauseFor::Minutes(other)) => return Err(IntakeRefusal::Pause(other)),
            IntakeCommand::Pause(PauseFor::Tomorrow) => {
                Self { paused: Some(Span { from: now, until: rule.ends_at(now) }), ..*self }
            }
            IntakeCommand::Open => Self { paused: None, ..*self },
            IntakeCommand::Busy(minutes @ (10 | 20 | 30)) => {
                Self { busy: Some(Busy { minutes, span: Span::lasting(now, BUSY_MS) }), ..*self }
            }
            IntakeCommand::Busy(0) => Self { busy: None, ..*self },
            IntakeCommand::Busy(other) => return Err(IntakeRefusal::Busy(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_284_000_000);

    fn rule() -> DayRule {
        DayRule::new("Europe/Rome", 4).unwrap()
    }

    fn minutes(count: u64) -> Timestamp {
        NOW.plus_ms(count * 60_000)
    }

    fn tap(intake: Intake, command: IntakeCommand) -> Intake {
        intake.after(command, &rule(), NOW).unwrap()
    }

    #[test]
    fn pb1_a_pause_and_more_minutes_end_by_themselves_and_each_leaves_the_other() {
        let open = Intake::default();
        for length in [15, 30, 60] {
            let paused = tap(open, IntakeCommand::Pause(PauseFor::Minutes(length)));
            let end = minutes(u64::from(length));
            assert_eq!(paused.paused_until(Timestamp(end.0 - 1)), Some(end));
            assert_eq!((paused.paused_until(end), paused.next_end(NOW)), (None, Some(end)));
            assert_eq!(tap(paused, IntakeCommand::Open), open);
        }
        let busy = tap(open, IntakeCommand::Busy(20));
        assert_eq!((busy.busy_until(NOW), busy.busy_minutes(minutes(60))), (Some((20, minutes(60))), 0));
        let both = tap(busy, IntakeCommand::Pause(PauseFor::Minutes(15)));
        assert_eq!((both.busy_minutes(NOW), both.paused_until(NOW)), (20, Some(minutes(15))));
        assert_eq!(both.next_end(NOW), Some(minutes(15)));
        assert_eq!(tap(both, IntakeCommand::Busy(0)).busy, None);
        for (command, refusal) in [
            (IntakeCommand::Pause(PauseFor::Minutes(7)), IntakeRefusal::Pause(7)),
            (IntakeCommand::Busy(40), IntakeRefusal::Busy(40)),
        ] {
            assert_eq!(open.after(command, &rule(), NOW), Err(refusal));
        }
    }

    #[test]
    fn pb1_until_tomorrow_is_the_next_roll_over_in_local_time() {
        // 19:00 in Rome: until 04:00 of the next day, which is 03:00 in UTC.
        let paused = tap(Intake::default(), IntakeCommand::Pause(PauseFor::Tomorrow));
        assert_eq!(paused.paused_until(NOW).unwrap().to_string(), "2026-11-22T03:00:00.000Z");
    }

    #[test]
    fn pb2_a_wrong_clock_closes_no_restaurant_for_long() {
        let year_ms = 365 * 86_400_000;
        let ahead = Intake { paused: Some(Span::lasting(NOW.plus_ms(year_ms), 60 * 60_000)), busy: None };
        assert_eq!(ahead.paused_until(NOW), None, "who tapped has a clock a year ahead");
        let near = Intake { paused: Some(Span::lasting(minutes(10), 60 * 60_000)), busy: None };
        assert_eq!(near.paused_until(NOW), Some(minutes(70)));
        let endless = Intake { paused: Some(Span { from: NOW, until: Timestamp(u64::MAX) }), busy: None };
        assert_eq!(endless.paused_until(NOW), Some(NOW.plus_ms(LASTS_MS_MAX)));
        assert_eq!(endless.paused_until(NOW.plus_ms(LASTS_MS_MAX)), None);
        let span = Span::lasting(NOW, 60_000);
        let much = Intake { paused: None, busy: Some(Busy { minutes: u32::MAX, span }) };
        assert_eq!(much.busy_minutes(NOW), BUSY_MINUTES_MAX);
    }
}
