//! Which of several endpoints gets the next request, as a pure function.

/// An endpoint as a choice sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) footing: Footing,
    /// Requests under way there.
    pub(super) in_flight: usize,
    /// Its share in percent of what one that serves for long may carry; 1 to 100.
    pub(super) weight: u32,
}

/// Whether an endpoint may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Footing {
    /// As usual.
    Serving,
    /// It just refused a connection: only where nobody else is there.
    Avoided,
    /// Its ejection is over: one request may try it.
    Due,
    /// Not for so many milliseconds.
    Out { for_ms: u64 },
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// This one, as usual.
    Serving(usize),
    /// This one, which just refused a connection.
    Avoided(usize),
    /// This one, as a trial.
    Trial(usize),
}

/// None may be asked: the circuit is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AllOut {
    /// The next may be tried in so many milliseconds.
    pub(super) for_ms: u64,
}

/// Chooses one of `count` endpoints.
///
/// One whose ejection is over gets the next request as its trial. Else it is the less loaded of two that serve, drawn by
/// `random` ("the power of two choices", Mitzenmacher 2001: nearly as even as the least loaded of all, and a newcomer is
/// not flooded by everybody at once). Else the same among those that just refused.
///
/// # Errors
/// [`AllOut`] where all are ejected.
pub(super) fn choose(count: usize, view: impl Fn(usize) -> View, random: u64) -> Result<Choice, AllOut> {
    let (mut serving, mut avoided, mut soonest) = (0, 0, u64::MAX);
    for at in 0..count {
        match view(at).footing {
            Footing::Serving => serving += 1,
            Footing::Avoided => avoided += 1,
            Footing::Due => return Ok(Choice::Trial(at)),
            Footing::Out { for_ms } => soonest = soonest.min(for_ms),
        }
    }
    if serving > 0 {
        let at = less_loaded(count, &view, |footing| footing == Footing::Serving, serving, random);
        return Ok(Choice::Serving(at));
    }
    if avoided > 0 {
        let at = less_loaded(count, &view, |footing| footing == Footing::Avoided, avoided, random);
        return Ok(Choice::Avoided(at));
    }
    Err(AllOut { for_ms: soonest })
}

/// The less loaded of two of the `eligible` endpoints that are `wanted`.
fn less_loaded(
    count: usize,
    view: &impl Fn(usize) -> View,
    wanted: impl Fn(Footing) -> bool,
    eligible: u32,
    random: u64,
) -> usize {
    let nth = |nth: u32| (0..count).filter(|at| wanted(view(*at).footing)).nth(nth as usize);
    // Two halves of the random number, so that the second pick does not depend on the first.
    let (low, high) = ((random & u64::from(u32::MAX)) as u32, (random >> 32) as u32);
    let first = low % eligible;
    if eligible == 1 {
        return nth(first).unwrap_or(0);
    }
    let second = (first + 1 + high % (eligible - 1)) % eligible;
    match (nth(first), nth(second)) {
        (Some(one), Some(other)) if weighs_less(view(other), view(one)) => other,
        (Some(one), _) | (None, Some(one)) => one,
        // All changed between two looks: whichever is taken finds out by itself.
        (None, None) => 0,
    }
}

/// Whether one more request weighs less at `one` than at `other`.
fn weighs_less(one: View, other: View) -> bool {
    let weighed = |a: View, b: View| (a.in_flight as u64 + 1) * u64::from(b.weight);
    weighed(one, other) < weighed(other, one)
}

/// The share of an endpoint that serves again since `back_since_ms` (0: always did), in percent: from a tenth, which is
/// enough to warm caches, evenly up to the whole after `slow_start_ms`.
pub(super) fn weight(back_since_ms: u64, slow_start_ms: u64, now_ms: u64) -> u32 {
    const LEAST: u64 = 10;
    let since = now_ms.saturating_sub(back_since_ms);
    if back_since_ms == 0 || since >= slow_start_ms {
        return 100;
    }
    let share = LEAST + (100 - LEAST).saturating_mul(since) / slow_start_ms.max(1);
    u32::try_from(share).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn footing() -> impl Strategy<Value = Footing> {
        prop_oneof![
            Just(Footing::Serving),
            Just(Footing::Avoided),
            Just(Footing::Due),
            (1_u64..100_000).prop_map(|for_ms| Footing::Out { for_ms }),
        ]
    }

    fn views() -> impl Strategy<Value = Vec<View>> {
        let view = (footing(), 0_usize..50, 1_u32..=100);
        prop::collection::vec(view.prop_map(|(footing, in_flight, weight)| View { footing, in_flight, weight }), 1..8)
    }

    proptest! {
        /// An endpoint that may be asked is always found, and one that may not is never taken.
        #[test]
        fn never_none_while_one_may_be_asked(views in views(), random: u64) {
            let has = |wanted: fn(&Footing) -> bool| views.iter().any(|view| wanted(&view.footing));
            match choose(views.len(), |at| views[at], random) {
                Ok(Choice::Trial(at)) => prop_assert_eq!(views[at].footing, Footing::Due),
                Ok(Choice::Serving(at)) => prop_assert_eq!(views[at].footing, Footing::Serving),
                Ok(Choice::Avoided(at)) => {
                    prop_assert_eq!(views[at].footing, Footing::Avoided);
                    prop_assert!(!has(|footing| *footing == Footing::Serving));
                }
                Err(AllOut { for_ms }) => {
                    let may_be_asked = has(|footing| !matches!(footing, Footing::Out { .. }));
                    prop_assert!(!may_be_asked);
                    prop_assert!(for_ms < u64::MAX);
                }
            }
        }

        /// With two endpoints it is always the one with less to do for its weight.
        #[test]
        fn the_less_loaded_of_two(busy in (0_usize..100, 0_usize..100), random: u64) {
            let in_flight = [busy.0, busy.1];
            let view = |at: usize| View { footing: Footing::Serving, in_flight: in_flight[at], weight: 100 };
            let Ok(Choice::Serving(at)) = choose(2, view, random) else { panic!("both serve") };
            prop_assert!(in_flight[at] <= in_flight[1 - at]);
        }
    }

    /// Many requests over several endpoints, none of which ends: even to within a few.
    #[test]
    fn load_spreads_evenly() {
        let mut in_flight = [0_usize; 5];
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..10_000 {
            // Marsaglia's xorshift: the same draws at every run.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let view = |at: usize| View { footing: Footing::Serving, in_flight: in_flight[at], weight: 100 };
            let Ok(Choice::Serving(at)) = choose(5, view, random) else { panic!("all serve") };
            in_flight[at] += 1;
        }
        assert!(in_flight.iter().all(|busy| busy.abs_diff(2_000) <= 5), "{in_flight:?}");
    }

    /// One that came back carries a tenth of what the others carry at first, then more and more.
    #[test]
    fn a_newcomer_starts_slowly() {
        assert_eq!(weight(0, 10_000, 5), 100);
        assert_eq!([1_000, 6_000, 11_000, 99_000].map(|now| weight(1_000, 10_000, now)), [10, 55, 100, 100]);
        assert_eq!(weight(1_000, 0, 1_000), 100);
        let views =
            [(30, 100), (3, 10)].map(|(in_flight, weight)| View { footing: Footing::Serving, in_flight, weight });
        assert_eq!(choose(2, |at| views[at], 7), Ok(Choice::Serving(0)), "31 of 100 is less than 4 of 10");
    }
}
