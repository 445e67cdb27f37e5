//! Judges a run by facts: signed places, signed sessions, and what each visitor was told when.

mod cohort;
mod inside;
mod order;
mod outage;
mod places;
mod planted;
mod rate;
mod recovery;
mod report;
mod seconds;
mod shown;

pub(super) use self::inside::nobody_inside_noticed;
pub(super) use self::outage::{
    finished_visits_hold_no_slot, no_arrival_was_refused, nobody_entered, waiting_saw_their_last_position,
};
pub(super) use self::recovery::recoveries;
pub(super) use self::report::Report;
pub(super) use self::seconds::Seconds;
use super::record::Facts;

/// How many cases of one broken promise are told.
const TOLD: usize = 5;

/// One promise and the cases in which it was broken.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// The invariant.
    promise: &'static str,
    words: &'static str,
    pub(super) cases: Vec<String>,
}

impl Finding {
    fn of(promise: &'static str, words: &'static str, cases: Vec<String>) -> Self {
        Self { promise, words, cases }
    }

    pub(super) fn holds(&self) -> bool {
        self.cases.is_empty()
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.promise, self.words, if self.holds() { "holds" } else { "BROKEN" })?;
        if !self.holds() {
            write!(f, ", {} times", self.cases.len())?;
        }
        self.cases.iter().take(TOLD).try_for_each(|case| write!(f, "\n    {case}"))
    }
}

/// What must hold whatever was broken.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    vec![
        places::nobody_lost(facts),
        places::everybody_entered(facts),
        places::one_each(facts),
        places::claimed_once(facts),
        order::places_follow_arrival(facts),
        order::nobody_overtaken_by_place(facts),
        order::nobody_overtaken_by_arrival(facts),
        shown::growth_is_explained(facts),
        cohort::within_limit(facts),
        cohort::gauges_within_limit(facts),
        rate::within_rate(facts),
        inside::no_live_ticket_refused(facts),
        places::answers_make_sense(facts),
    ]
}
