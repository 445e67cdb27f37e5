use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

use super::*;

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Quotas whose periods divide nothing evenly, from one in ten seconds to a thousand a second.
fn quotas() -> impl Strategy<Value = Quota> {
    (1_u32..1_000, 1_000_u64..10_000_000, 1_u32..40)
        .prop_map(|(tokens, period, burst)| Quota::new(tokens, Duration::from_micros(period), burst).unwrap())
}

/// Somebody who asks: after how long, and whether with a clock that stepped back by as much.
fn steps() -> impl Strategy<Value = Vec<(u64, bool)>> {
    let gap = prop_oneof![4 => 0_u64..2_000, 2 => 0_u64..200_000, 1 => 0_u64..30_000_000];
    prop::collection::vec((gap, prop::bool::weighted(0.1)), 1..300)
}

/// When what passed went on, by the clock that was told, held back only where it stepped behind the last that passed; and
/// how much it cost.
fn passed(limit: Limit, costs: &[u32], steps: Vec<(u64, bool)>) -> Vec<(u64, u32)> {
    let mut state = limit.idle();
    let (mut now, mut last) = (1_796_122_800_123_456, 0);
    let mut passed = Vec::new();
    for (index, (gap, back)) in steps.into_iter().enumerate() {
        let asked = if back { now - gap } else { now + gap };
        now = now.max(asked);
        let cost = costs[index % costs.len()].min(limit.quota().burst());
        if let Ok(pass) = limit.decide(&mut state, at(asked), NonZeroU32::new(cost).unwrap()) {
            last = (asked + pass.delay.as_micros() as u64).max(last);
            passed.push((last, cost));
        }
    }
    passed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Each algorithm keeps its stated bound over every stretch of time, however requests fall and even where a clock steps
    /// back.
    #[test]
    fn no_stretch_of_time_sees_more_than_stated(quota in quotas(), steps in steps()) {
        for algorithm in Algorithm::ALL {
            let passed = passed(Limit::new(algorithm, quota), &[1], steps.clone());
            for (i, (from, _)) in passed.iter().enumerate() {
                for (j, (to, _)) in passed.iter().enumerate().skip(i) {
                    let most = algorithm.most_in(&quota, Duration::from_micros(to - from));
                    prop_assert!((j - i + 1) as u64 <= most, "{algorithm:?}: {} in {} us, {most} stated", j - i + 1, to - from);
                }
            }
        }
    }

    /// The same with requests that cost more than one: the cost counts, not the number.
    #[test]
    fn costs_count(quota in quotas(), costs in prop::collection::vec(1_u32..6, 1..7), steps in steps()) {
        for algorithm in [Algorithm::TokenBucket, Algorithm::FixedWindow, Algorithm::SlidingLog, Algorithm::SlidingCounter] {
            let passed = passed(Limit::new(algorithm, quota), &costs, steps.clone());
            for (i, (from, _)) in passed.iter().enumerate() {
                let mut sum = 0;
                for (to, cost) in &passed[i..] {
                    sum += u64::from(*cost);
                    prop_assert!(sum <= algorithm.most_in(&quota, Duration::from_micros(to - from)), "{algorithm:?}");
                }
            }
        }
    }

    /// A refusal says exactly when to come back: then it passes, one microsecond earlier it does not.
    #[test]
    fn a_refusal_says_exactly_when(quota in quotas(), steps in steps(), cost in 1_u32..5) {
        let cost = NonZeroU32::new(cost.min(quota.burst())).unwrap();
        for algorithm in Algorithm::ALL {
            let limit = Limit::new(algorithm, quota);
            let mut state = limit.idle();
            let mut now = 1_796_122_800_000_000;
            for (gap, back) in &steps {
                let asked = at(if *back { now - gap } else { now + gap });
                now = now.max(asked.as_micros());
                let Err(refusal) = limit.decide(&mut state, asked, cost) else { continue };
                let Refusal::NotUntil(wait) = refusal else { panic!("{algorithm:?}: {refusal}") };
                prop_assert!(wait > Duration::ZERO);
                prop_assert!(limit.ask(&state, asked + wait, cost).is_ok(), "{algorithm:?} {wait:?}");
                let early = asked + wait - Duration::from_micros(1);
                prop_assert!(limit.ask(&state, early, cost).is_err(), "{algorithm:?} {wait:?}");
            }
        }
    }

    /// What rests may be forgotten: from then on a state decides as a fresh one does; and what is said to remain passes.
    #[test]
    fn what_rests_may_be_forgotten(quota in quotas(), steps in steps()) {
        for algorithm in Algorithm::ALL {
            let limit = Limit::new(algorithm, quota);
            let (mut state, mut now) = (limit.idle(), 1_796_122_800_000_000);
            for (gap, _) in &steps {
                now += gap;
                let remaining = limit.remaining(&state, at(now));
                match NonZeroU32::new(remaining) {
                    Some(cost) => prop_assert!(limit.ask(&state, at(now), cost).is_ok(), "{algorithm:?} {remaining}"),
                    None => prop_assert!(limit.ask(&state, at(now), ONE).is_err(), "{algorithm:?}"),
                }
                let _ = limit.decide(&mut state, at(now), ONE);
            }
            let rests = limit.rests_from(&state);
            prop_assert_eq!(limit.remaining(&state, rests), quota.burst(), "{:?}", algorithm);
            let whole = NonZeroU32::new(quota.burst()).unwrap();
            prop_assert_eq!(limit.ask(&state, rests, whole), limit.ask(&limit.idle(), rests, whole), "{:?}", algorithm);
        }
    }

    /// Nobody who keeps to the rate is ever refused by those that lose no remainder, however long it goes on.
    #[test]
    fn no_remainder_is_lost(tokens in 1_u32..1_000, period in 1_000_u64..10_000_000, n in 1_u64..2_000) {
        // The second is for the microsecond by which instants are rounded.
        let quota = Quota::new(tokens, Duration::from_micros(period), 2).unwrap();
        for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket] {
            let limit = Limit::new(algorithm, quota);
            let mut state = limit.idle();
            for k in 0..n {
                // The k-th instant of an even pace, rounded up: no faster than the rate.
                let now = 1_000_000 + (k * period).div_ceil(u64::from(tokens));
                prop_assert!(limit.decide(&mut state, at(now), ONE).is_ok(), "{algorithm:?} at {k}");
            }
        }
    }

    /// The token bucket decides as governor's does, request by request, where a period is a whole number of nanoseconds.
    #[test]
    fn it_decides_as_governor_does(period in 1_u64..5_000_000, burst in 1_u32..50, steps in steps()) {
        let quota = Quota::new(1, Duration::from_micros(period), burst).unwrap();
        let clock = FakeRelativeClock::default();
        let theirs = governor::Quota::with_period(Duration::from_micros(period)).unwrap();
        let theirs = theirs.allow_burst(NonZeroU32::new(burst).unwrap());
        let theirs = governor::RateLimiter::direct_with_clock(theirs, clock.clone());
        let limit = Limit::new(Algorithm::TokenBucket, quota);
        let (mut state, mut now) = (limit.idle(), 1_796_122_800_000_000);
        for (gap, _) in steps {
            now += gap;
            clock.advance(Duration::from_micros(gap));
            prop_assert_eq!(limit.decide(&mut state, at(now), ONE).is_ok(), theirs.check().is_ok());
        }
    }
}

/// The stated errors are real: the worst crowd reaches each bound, so none of them is stated too high.
#[test]
fn the_worst_crowd_reaches_the_bounds() {
    let quota = Quota::per_second(10.0, 20).unwrap();
    let window = quota.window();
    assert_eq!(window, Duration::from_secs(2));
    let crowd = |algorithm, instants: &[(u64, u32)]| -> u32 {
        let limit = Limit::new(algorithm, quota);
        let mut state = limit.idle();
        let try_at = |(ms, tries): &(u64, u32)| {
            (0..*tries).filter(|_| limit.decide(&mut state, at(ms * 1_000), ONE).is_ok()).count() as u32
        };
        instants.iter().map(try_at).sum()
    };
    let border = [(3_999, 100), (4_000, 100)];
    assert_eq!(crowd(Algorithm::FixedWindow, &border), 40, "twice the burst within a millisecond");
    assert_eq!(crowd(Algorithm::SlidingLog, &border), 20);
    assert_eq!(crowd(Algorithm::TokenBucket, &border), 20);
    assert_eq!(crowd(Algorithm::SlidingCounter, &border), 20);
    let spread: Vec<(u64, u32)> = std::iter::once((3_999, 100)).chain((4_000..5_999).map(|ms| (ms, 1))).collect();
    assert_eq!(crowd(Algorithm::SlidingCounter, &spread), 39, "almost twice the burst within one window");
    assert_eq!(crowd(Algorithm::SlidingLog, &spread), 20);
    // And what the counter refuses although the log would not: a crowd at the beginning of the window before.
    let beginning = [(2_000, 100), (4_000, 100)];
    assert_eq!((crowd(Algorithm::SlidingLog, &beginning), crowd(Algorithm::SlidingCounter, &beginning)), (40, 20));
}

/// The leaky bucket's requests leave one by one, and nobody waits longer than the burst takes.
#[test]
fn a_queue_is_emptied_at_the_rate() {
    let limit = Limit::new(Algorithm::LeakyBucket, Quota::per_second(10.0, 4).unwrap());
    let mut state = limit.idle();
    let now = Timestamp::from_secs(1_000);
    let delays: Vec<u64> =
        (0..4).map(|_| limit.decide(&mut state, now, ONE).unwrap().delay.as_millis() as u64).collect();
    assert_eq!(delays, [0, 100, 200, 300]);
    assert_eq!(limit.decide(&mut state, now, ONE), Err(Refusal::NotUntil(Duration::from_millis(100))));
}

/// Extreme quotas, costs and times neither overflow nor pass what they must not.
#[test]
fn extremes_do_not_overflow() {
    let whole = |quota: &Quota| NonZeroU32::new(quota.burst()).unwrap();
    for quota in [
        Quota::per_second(Quota::LARGEST_RATE, u32::MAX).unwrap(),
        Quota::per_second(Quota::SMALLEST_RATE, 100_000).unwrap(),
        Quota::per_second(999.999, 9_000_000).unwrap(),
        Quota::per_second(1.0, 1).unwrap(),
    ] {
        for algorithm in Algorithm::ALL {
            // 32 GiB of instants are nothing to try.
            if algorithm == Algorithm::SlidingLog && quota.burst() > 10_000_000 {
                continue;
            }
            let limit = Limit::new(algorithm, quota);
            let mut state = limit.idle();
            if let Some(more) = whole(&quota).checked_add(1) {
                assert_eq!(limit.ask(&state, Timestamp::ZERO, more), Err(Refusal::Never));
            }
            for now in [0, 1, u64::MAX / 2, u64::MAX] {
                let _ = limit.decide(&mut state, at(now), whole(&quota));
                assert!(limit.remaining(&state, at(now)) <= quota.burst());
                let _ = (limit.ask(&state, at(now), ONE), limit.rests_from(&state));
                assert!(algorithm.most_in(&quota, Duration::MAX) >= u64::from(algorithm != Algorithm::LeakyBucket));
            }
        }
    }
}
