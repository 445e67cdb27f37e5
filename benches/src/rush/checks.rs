//! The invariants a crowd can see from outside, each a pure function of the records.

pub mod answers;
pub mod cohort;
pub mod order;
pub mod rate;
pub mod seats;

use std::fmt;

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

    /// From a count alone.
    pub fn counted(invariant: &'static str, checked: impl Into<String>, broken: u64) -> Self {
        let broken = usize::try_from(broken).unwrap_or(usize::MAX);
        Self { invariant, checked: checked.into(), broken, cases: Vec::new() }
    }

    /// Whether it held.
    pub fn holds(&self) -> bool {
        self.broken == 0
    }
}

/// One line when it held, the first cases below it when not.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds() { "holds" } else { "BROKEN" };
        write!(f, "{word} {}: {}", self.invariant, self.checked)?;
        if !self.holds() {
            write!(f, " ({} times)", self.broken)?;
        }
        self.cases.iter().try_for_each(|case| write!(f, "\n  {case}"))?;
        writeln!(f)
    }
}
