//! How one endpoint fares, as a pure state machine: serving, ejected for a while, or on trial. It knows nothing of HTTP,
//! clocks or threads: time comes as milliseconds of the upstream's own clock.

/// What an endpoint is forgiven, and how it may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tolerance {
    /// So many failures in a row eject; 0: none ever do.
    pub(super) failures: u32,
    /// The length of a first ejection, in milliseconds.
    pub(super) ejection_ms: u64,
    /// A failed trial doubles the next ejection, up to this, in milliseconds.
    pub(super) max_ejection_ms: u64,
    /// So many trials, one after the other, must go well before the endpoint serves again; at least 1.
    pub(super) trials: u32,
}

/// One endpoint's standing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    state: State,
    /// Ejections since it last served; the longer it is away, the more rarely it is tried.
    ejections: u32,
    /// The health checks found it unwell: nobody is sent there before they find it well, whatever the state.
    found_unwell: bool,
    /// Checks in a row that say otherwise.
    contradictions: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It serves; `back_since_ms` after an ejection, for the slow start.
    Closed { failures: u32, back_since_ms: Option<u64> },
    /// Nobody is sent there.
    Ejected { until_ms: u64 },
    /// One request at a time is, to see whether it serves again.
    HalfOpen { passed: u32, under_way: bool },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0, back_since_ms: None }
    }
}

/// A change that operators hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nobody is sent there for so many milliseconds.
    Ejected { for_ms: u64 },
    /// The health checks found it unwell.
    FoundUnwell,
    /// It serves again.
    Returned,
}

/// What a choice must know of an endpoint's standing, small enough to be read without a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// 0: it serves. [`u64::MAX`]: a trial is under way, or it was found unwell. Else it may be tried from then on.
    pub(super) out_until_ms: u64,
    /// When it came back to serve; 0: it was never away.
    pub(super) back_since_ms: u64,
    /// Whether a success would change anything.
    pub(super) is_troubled: bool,
}

impl Health {
    /// The standing to be published.
    pub(super) fn standing(&self) -> Standing {
        if self.found_unwell {
            return Standing { out_until_ms: u64::MAX, back_since_ms: 0, is_troubled: true };
        }
        match self.state {
            State::Closed { failures, back_since_ms } => {
                Standing { out_until_ms: 0, back_since_ms: back_since_ms.unwrap_or(0), is_troubled: failures > 0 }
            }
            // Never 0, which would say that it serves.
            State::Ejected { until_ms } => {
                Standing { out_until_ms: until_ms.max(1), back_since_ms: 0, is_troubled: true }
            }
            State::HalfOpen { under_way: true, .. } => {
                Standing { out_until_ms: u64::MAX, back_since_ms: 0, is_troubled: true }
            }
            State::HalfOpen { under_way: false, .. } => {
                Standing { out_until_ms: 1, back_since_ms: 0, is_troubled: true }
            }
        }
    }

    /// Whether requests are sent there as usual.
    pub(super) const fn serves(&self) -> bool {
        !self.found_unwell && matches!(self.state, State::Closed { .. })
    }

    /// Takes the one trial that may be under way, if one is due.
    pub(super) const fn try_trial(&mut self, now_ms: u64) -> bool {
        if self.found_unwell {
            return false;
        }
        let passed = match self.state {
            State::Ejected { until_ms } if until_ms <= now_ms => 0,
            State::HalfOpen { passed, under_way: false } => passed,
            _ => return false,
        };
        self.state = State::HalfOpen { passed, under_way: true };
        true
    }

    /// A trial that ended without a verdict: the client left, or there was no connection to spare.
    pub(super) const fn give_trial_back(&mut self) {
        if let State::HalfOpen { under_way, .. } = &mut self.state {
            *under_way = false;
        }
    }

    /// An exchange went well. What began before an ejection says nothing of the time after.
    pub(super) const fn succeeded(&mut self, was_trial: bool, now_ms: u64, tolerance: &Tolerance) -> Option<Change> {
        match &mut self.state {
            State::Closed { failures, .. } => {
                *failures = 0;
                None
            }
            State::HalfOpen { passed, under_way } if was_trial => {
                *passed += 1;
                *under_way = false;
                if *passed < tolerance.trials {
                    return None;
                }
                self.returns(now_ms);
                Some(Change::Returned)
            }
            State::HalfOpen { .. } | State::Ejected { .. } => None,
        }
    }

    /// An exchange failed by the endpoint's fault. Where no other endpoint serves, the ejection is no longer than the
    /// first one: somebody must find out soon that it is back.
    pub(super) fn failed(
        &mut self,
        was_trial: bool,
        others_serve: bool,
        now_ms: u64,
        tolerance: &Tolerance,
    ) -> Option<Change> {
        match &mut self.state {
            State::Closed { failures, .. } => {
                *failures = failures.saturating_add(1);
                if tolerance.failures == 0 || *failures < tolerance.failures {
                    return None;
                }
            }
            State::HalfOpen { .. } if was_trial => {}
            State::HalfOpen { .. } | State::Ejected { .. } => return None,
        }
        let doubled = tolerance.ejection_ms.saturating_mul(1_u64.checked_shl(self.ejections).unwrap_or(u64::MAX));
        let longest =
            if others_serve { tolerance.max_ejection_ms.max(tolerance.ejection_ms) } else { tolerance.ejection_ms };
        let for_ms = doubled.min(longest);
        self.ejections = self.ejections.saturating_add(1);
        self.state = State::Ejected { until_ms: now_ms.saturating_add(for_ms) };
        Some(Change::Ejected { for_ms })
    }

    /// A health check ended. It takes `threshold` of them in a row to change what was found before. One that is found
    /// well again serves; one that failed in requests only is not brought back by good checks: they do not see what
    /// requests see.
    pub(super) const fn checked(&mut self, good: bool, threshold: u32, now_ms: u64) -> Option<Change> {
        if good != self.found_unwell {
            self.contradictions = 0;
            return None;
        }
        self.contradictions += 1;
        if self.contradictions < threshold {
            return None;
        }
        self.contradictions = 0;
        self.found_unwell = !good;
        if !good {
            return Some(Change::FoundUnwell);
        }
        self.returns(now_ms);
        Some(Change::Returned)
    }

    const fn returns(&mut self, now_ms: u64) {
        self.ejections = 0;
        self.state = State::Closed { failures: 0, back_since_ms: Some(now_ms) };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOLERANCE: Tolerance = Tolerance { failures: 3, ejection_ms: 1_000, max_ejection_ms: 4_000, trials: 2 };

    fn ejected_at(now_ms: u64) -> Health {
        let mut health = Health::default();
        for _ in 0..TOLERANCE.failures {
            health.failed(false, true, now_ms, &TOLERANCE);
        }
        assert!(!health.serves());
        health
    }

    /// Only failures in a row eject, and 0 turns ejection off.
    #[test]
    fn failures_in_a_row_eject() {
        let mut health = Health::default();
        for _ in 0..10 {
            for _ in 0..2 {
                assert_eq!(health.failed(false, true, 5, &TOLERANCE), None);
            }
            health.succeeded(false, 5, &TOLERANCE);
        }
        health.failed(false, true, 5, &TOLERANCE);
        health.failed(false, true, 5, &TOLERANCE);
        assert_eq!(health.failed(false, true, 5, &TOLERANCE), Some(Change::Ejected { for_ms: 1_000 }));
        let off = Tolerance { failures: 0, ..TOLERANCE };
        let mut health = Health::default();
        assert!((0..1_000).all(|_| health.failed(false, true, 5, &off).is_none()));
    }

    /// One trial at a time, none before its time; enough good ones bring it back, with a slow start.
    #[test]
    fn trials_bring_it_back() {
        let mut health = ejected_at(10);
        assert!(!health.try_trial(1_009), "too early");
        for round in 0..2 {
            assert!(health.try_trial(1_010));
            assert!(!health.try_trial(1_010), "one at a time");
            assert!(!health.serves());
            health.give_trial_back();
            assert!(health.try_trial(1_010), "one without a verdict may be repeated");
            let change = health.succeeded(true, 1_500, &TOLERANCE);
            assert_eq!(change, (round == 1).then_some(Change::Returned));
        }
        assert_eq!(health.standing(), Standing { out_until_ms: 0, back_since_ms: 1_500, is_troubled: false });
    }

    /// Failed trials make it longer while others serve, up to the bound, and not where it is the only hope.
    #[test]
    fn failed_trials_double_the_ejection() {
        for (others_serve, expected) in [(true, [2_000, 4_000, 4_000]), (false, [1_000, 1_000, 1_000])] {
            let mut health = ejected_at(0);
            let mut now_ms = 0;
            for for_ms in expected {
                now_ms += 10_000;
                assert!(health.try_trial(now_ms));
                let change = health.failed(true, others_serve, now_ms, &TOLERANCE);
                assert_eq!(change, Some(Change::Ejected { for_ms }));
            }
        }
    }

    /// Checks need their thresholds, outweigh the time of an ejection, and bring back with a slow start.
    #[test]
    fn checks_take_out_and_bring_back() {
        let mut health = Health::default();
        let mut checked = |good, now_ms| {
            let change = health.checked(good, if good { 2 } else { 3 }, now_ms);
            (change, health.serves(), health.standing().out_until_ms, health.try_trial(now_ms))
        };
        for good in [false, false, true, false, false, true] {
            assert_eq!(checked(good, 5), (None, true, 0, false));
        }
        checked(false, 6);
        checked(false, 7);
        assert_eq!(checked(false, 8), (Some(Change::FoundUnwell), false, u64::MAX, false));
        for good in [false, true, false, true] {
            assert_eq!(checked(good, 1_000_000), (None, false, u64::MAX, false), "{good}");
        }
        assert_eq!(checked(true, 1_000_001), (Some(Change::Returned), true, 0, false));
        assert_eq!(health.standing().back_since_ms, 1_000_001);

        let mut ejected = ejected_at(0);
        assert!((0..10).all(|_| ejected.checked(true, 2, 5).is_none()));
        assert!(!ejected.serves(), "good checks do not outweigh failed requests");
    }

    proptest! {
        /// Whatever happens in whatever order: never two trials at once, never served while ejected, and after enough
        /// good trials it always comes back.
        #[test]
        fn it_always_can_come_back(steps in prop::collection::vec((0_u8..6, 0_u64..700), 0..200)) {
            let (mut health, mut now_ms, mut under_way) = (Health::default(), 1, false);
            for (step, passing_ms) in steps {
                now_ms += passing_ms;
                match step {
                    0 => { let _ = health.failed(false, true, now_ms, &TOLERANCE); }
                    1 => { let _ = health.succeeded(false, now_ms, &TOLERANCE); }
                    2 if health.try_trial(now_ms) => {
                        prop_assert!(!under_way);
                        under_way = true;
                    }
                    3 if under_way => { let _ = health.failed(true, true, now_ms, &TOLERANCE); under_way = false; }
                    4 if under_way => { let _ = health.succeeded(true, now_ms, &TOLERANCE); under_way = false; }
                    5 if under_way => { health.give_trial_back(); under_way = false; }
                    _ => {}
                }
                let out = health.standing().out_until_ms;
                prop_assert_eq!(health.serves(), out == 0);
                prop_assert_eq!(under_way, out == u64::MAX);
                prop_assert!(out == u64::MAX || out <= now_ms + TOLERANCE.max_ejection_ms);
            }
            if under_way { health.give_trial_back(); }
            now_ms += TOLERANCE.max_ejection_ms;
            for _ in 0..TOLERANCE.trials {
                if health.try_trial(now_ms) { health.succeeded(true, now_ms, &TOLERANCE); }
            }
            prop_assert!(health.serves());
        }
    }
}
