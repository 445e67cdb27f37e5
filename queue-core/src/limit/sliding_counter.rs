//! Sliding counter: two fixed windows, the older one weighed by how much of it is still in view.

use std::num::NonZeroU32;
use std::time::Duration;

use super::fixed_window::window_of;
use super::{Pass, Quota, Refusal, Rule};
use crate::Timestamp;

/// Estimates the sliding log from two counts, as if the older window had been filled evenly. A crowd at the very end of a
/// window is thus forgiven bit by bit: within one window's length almost twice the burst can pass, though never more than
/// `burst + rate × w` in any time `w`; and one at its beginning is held against those who come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingCounter(pub Quota);

/// The window of the last request, its count, and that of the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TwoWindows {
    start: Timestamp,
    current: u32,
    previous: u32,
}

impl SlidingCounter {
    fn at(&self, seen: TwoWindows, now: Timestamp) -> TwoWindows {
        let start = window_of(now, self.0.window_us());
        if start <= seen.start {
            return seen;
        }
        let follows = start == seen.start + self.0.window();
        TwoWindows { start, current: 0, previous: if follows { seen.current } else { 0 } }
    }

    /// How far into a window a cost first fits beside `current`, when `previous` passed in the window before; in
    /// microseconds, beyond the window's length when it never does.
    fn fits_from(&self, current: u32, previous: u32, cost: u32) -> u64 {
        let window = self.0.window_us();
        let Some(room) = self.0.burst().checked_sub(current).and_then(|room| room.checked_sub(cost)) else {
            return window + 1;
        };
        if previous == 0 {
            return 0;
        }
        // previous × (window − elapsed) ≤ room × window, solved for elapsed.
        let tolerated = u128::from(room) * u128::from(window) / u128::from(previous);
        window.saturating_sub(u64::try_from(tolerated).unwrap_or(u64::MAX))
    }
}

impl Rule for SlidingCounter {
    type State = TwoWindows;

    fn idle(&self) -> TwoWindows {
        TwoWindows::default()
    }

    fn ask(&self, seen: &TwoWindows, now: Timestamp, cost: NonZeroU32) -> Result<Pass, Refusal> {
        let cost = cost.get();
        if cost > self.0.burst() {
            return Err(Refusal::Never);
        }
        let windows = self.at(*seen, now);
        let TwoWindows { start, current, previous } = windows;
        let in_this_one = self.fits_from(current, previous, cost);
        if start.max(now) >= start + Duration::from_micros(in_this_one) {
            return Ok(Pass::default());
        }
        let window = self.0.window_us();
        let fits = if in_this_one < window { in_this_one } else { window + self.fits_from(0, current, cost) };
        Err(Refusal::NotUntil((start + Duration::from_micros(fits)).since(now)))
    }

    fn charge(&self, seen: &mut TwoWindows, now: Timestamp, cost: NonZeroU32) {
        let windows = self.at(*seen, now);
        *seen = TwoWindows { current: windows.current.saturating_add(cost.get()), ..windows };
    }

    fn remaining(&self, seen: &TwoWindows, now: Timestamp) -> u32 {
        let TwoWindows { start, current, previous } = self.at(*seen, now);
        let window = self.0.window_us();
        let left = window.saturating_sub(now.as_micros().saturating_sub(start.as_micros()));
        let weighed = (u128::from(previous) * u128::from(left)).div_ceil(u128::from(window));
        let used = u128::from(current) + weighed;
        self.0.burst().saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    }

    fn rests_from(&self, seen: &TwoWindows) -> Timestamp {
        match (seen.current, seen.previous) {
            (0, 0) => seen.start,
            (0, _) => seen.start + self.0.window(),
            _ => seen.start + self.0.window() + self.0.window(),
        }
    }
}
