//! Fixed window: a count that begins anew at the borders of a calendar.

use std::num::NonZeroU32;

use super::{Pass, Quota, Refusal, Rule};
use crate::Timestamp;

/// At most `burst` between two borders, which lie `burst / rate` apart. Cheap, and wrong by up to twice the burst: one at
/// the end of a window and one at the beginning of the next pass at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow(pub Quota);

/// The window of the last request and its count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowCount {
    start: Timestamp,
    count: u32,
}

/// The beginning of the window that `now` lies in.
pub(super) const fn window_of(now: Timestamp, window_us: u64) -> Timestamp {
    Timestamp::from_micros(now.as_micros() / window_us * window_us)
}

impl FixedWindow {
    fn at(&self, seen: WindowCount, now: Timestamp) -> WindowCount {
        let start = window_of(now, self.0.window_us());
        if start > seen.start { WindowCount { start, count: 0 } } else { seen }
    }
}

impl Rule for FixedWindow {
    type State = WindowCount;

    fn idle(&self) -> WindowCount {
        WindowCount::default()
    }

    fn ask(&self, seen: &WindowCount, now: Timestamp, cost: NonZeroU32) -> Result<Pass, Refusal> {
        if cost.get() > self.0.burst() {
            return Err(Refusal::Never);
        }
        let window = self.at(*seen, now);
        if window.count <= self.0.burst() - cost.get() {
            return Ok(Pass::default());
        }
        Err(Refusal::NotUntil((window.start + self.0.window()).since(now)))
    }

    fn charge(&self, seen: &mut WindowCount, now: Timestamp, cost: NonZeroU32) {
        let WindowCount { start, count } = self.at(*seen, now);
        *seen = WindowCount { start, count: count.saturating_add(cost.get()) };
    }

    fn remaining(&self, seen: &WindowCount, now: Timestamp) -> u32 {
        self.0.burst().saturating_sub(self.at(*seen, now).count)
    }

    fn rests_from(&self, seen: &WindowCount) -> Timestamp {
        match seen.count {
            0 => seen.start,
            _ => seen.start + self.0.window(),
        }
    }
}
