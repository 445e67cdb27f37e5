//! The invariants a crowd can see from outside, each a pure function of the records.

pub mod cohort;
pub mod order;
pub mod rate;
pub mod seats;

use serde::Serialize;

/// A report names at most this many cases of one broken invariant; the count is always whole.
const MAX_CASES_NAMED: usize = 5;

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The invariant's number in the design, or a word for what has none.
    pub invariant: &'static str,
    /// What was checked.
    pub checked: String,
    /// How often it was broken.
    pub broken: usize,
    /// The first cases.
    pub cases: Vec<String>,
}

impl Verdict {
    /// From all cases in which `invariant` was broken.
    pub fn of(invariant: &'static str, checked: impl Into<String>, cases: Vec<String>) -> Self {
        let broken = cases.len();
        let cases = cases.into_iter().take(MAX_CASES_NAMED).collect();
        Self { invariant, checked: checked.into(), broken, cases }
    }

    /// Whether it held.
    pub fn holds(&self) -> bool {
        self.broken == 0
    }
}
