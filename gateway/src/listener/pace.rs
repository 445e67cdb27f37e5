//! How slow a peer may be: no pause longer than a stall, and no stream slower than a floor.

use std::cell::Cell;
use std::time::Duration;

/// What a peer owes while the gateway waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The longest pause between two bytes.
    pub stall: Duration,
    /// Waiting that is free of the floor, in total per exchange.
    pub grace: Duration,
    /// Beyond the grace, this many bytes must have come per second waited.
    pub bytes_per_second: u64,
}

/// The waiting and the bytes of one direction of one exchange. Times are milliseconds of the core's coarse clock.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    waiting_since: Cell<Option<u64>>,
    waited_ms: Cell<u64>,
    bytes: Cell<u64>,
}

impl Pacer {
    /// A new exchange begins; a wait that is under way goes on.
    pub(super) fn restart(&self) {
        self.waited_ms.set(0);
        self.bytes.set(0);
    }

    /// The gateway waits for the peer, from `now` unless it already did.
    pub(super) fn waits(&self, now: u64) {
        if self.waiting_since.get().is_none() {
            self.waiting_since.set(Some(now));
        }
    }

    /// The peer moved `bytes`; the wait is over.
    pub(super) fn moved(&self, bytes: u64, now: u64) {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if let Some(since) = self.waiting_since.take() {
            self.waited_ms.set(self.waited_ms.get().saturating_add(now.saturating_sub(since)));
        }
    }

    /// Whether the gateway waits now.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting_since.get().is_some()
    }

    /// Whether the peer is slower than `pace` allows. A peer that is not waited for is never too slow.
    pub(super) fn is_too_slow(&self, pace: &Pace, now: u64) -> bool {
        let Some(since) = self.waiting_since.get() else { return false };
        let pause = now.saturating_sub(since);
        if pause >= millis(pace.stall) {
            return true;
        }
        let beyond_grace = self.waited_ms.get().saturating_add(pause).saturating_sub(millis(pace.grace));
        self.bytes.get() < beyond_grace.saturating_mul(pace.bytes_per_second) / 1_000
    }
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { stall: Duration::from_secs(10), grace: Duration::from_secs(15), bytes_per_second: 1_000 };

    /// A peer that sends nothing is cut after the stall, and not before.
    #[test]
    fn a_pause_is_bounded() {
        let pacer = Pacer::default();
        assert!(!pacer.is_too_slow(&PACE, 1_000_000), "nobody waits");
        pacer.waits(5_000);
        pacer.waits(9_000);
        assert!(!pacer.is_too_slow(&PACE, 14_999));
        assert!(pacer.is_too_slow(&PACE, 15_000));
    }

    /// A byte now and then keeps no connection for ever: beyond the grace the floor rate counts.
    #[test]
    fn a_trickle_is_bounded() {
        let pacer = Pacer::default();
        let mut now = 0;
        let mut lived_ms = 0;
        while !pacer.is_too_slow(&PACE, now) {
            pacer.waits(now);
            now += 1_000;
            if pacer.is_too_slow(&PACE, now) {
                break;
            }
            pacer.moved(1, now);
            lived_ms = now;
        }
        assert!((15_000..17_000).contains(&lived_ms), "{lived_ms}");
    }

    /// Someone at twice the floor is never cut, and time in which the gateway itself was busy is not counted.
    #[test]
    fn a_fair_stream_lives() {
        let pacer = Pacer::default();
        for second in 0..1_000 {
            pacer.waits(second * 3_000);
            assert!(!pacer.is_too_slow(&PACE, second * 3_000 + 1_000));
            pacer.moved(2_000, second * 3_000 + 1_000);
        }
        assert!(!pacer.is_too_slow(&PACE, u64::MAX));
    }
}
