//! How long it took: the figures beside the verdict.

use std::fmt;
use std::time::Duration;

use queue_core::Timestamp;

use crate::faults::record::{Facts, Told};

/// How a run went, in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::faults) struct Report {
    visitors: usize,
    waiting: usize,
    polls: usize,
    admitted: usize,
    fault: Duration,
    /// From the end of the fault until the last one who waits is answered with a position and `degraded: false`.
    pub(in crate::faults) calm_after: Option<Duration>,
    /// From the beginning of the fault until then.
    calm_since_break: Option<Duration>,
    /// From the end of the fault to the first visitor who is let in after it, and to the last.
    first_entered_after: Option<Duration>,
    last_entered_after: Option<Duration>,
    /// Polls that came later than told by more than a second: the crowd's own fault.
    late_polls: usize,
}

impl Report {
    pub(in crate::faults) fn of(facts: &Facts) -> Self {
        let fault = facts.fault;
        let healed: Vec<Option<Timestamp>> = facts
            .visitors
            .iter()
            .filter(|record| record.joined.is_some_and(|joined| joined.answered < fault.to))
            .filter(|record| record.admitted().is_none_or(|entered| entered > fault.to))
            .map(|record| {
                let polls = record.polls.iter().filter(|poll| poll.answered > fault.from);
                // Healed for good: after the last answer that was not in order.
                let mut since = None;
                for poll in polls {
                    let was_in = record.admitted().is_some_and(|entered| poll.answered > entered);
                    match poll.told {
                        Told::Waiting { position: Some(_), degraded: false, .. } | Told::Admitted => {
                            since = since.or(Some(poll.answered));
                        }
                        _ if was_in => {}
                        _ => since = None,
                    }
                }
                since
            })
            .collect();
        let all = healed.iter().copied().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
        let entered = facts.visitors.iter().flat_map(|record| record.admitted());
        let first = entered.filter(|entered| *entered > fault.to).min();
        let last = facts.visitors.iter().flat_map(|record| record.admitted()).max();
        let polls = facts.visitors.iter().flat_map(|record| {
            record.polls.windows(2).map(|pair| match pair[0].told {
                Told::Waiting { poll_after_seconds, .. } => {
                    pair[1].sent > pair[0].answered + Duration::from_millis(poll_after_seconds * 1_050 + 1_000)
                }
                _ => false,
            })
        });
        Self {
            visitors: facts.visitors.len(),
            waiting: healed.len(),
            polls: facts.visitors.iter().map(|record| record.polls.len()).sum(),
            admitted: facts.visitors.iter().filter(|record| !record.stays.is_empty()).count(),
            fault: fault.to.since(fault.from),
            calm_after: all.map(|all| all.since(fault.to)),
            calm_since_break: all.map(|all| all.since(fault.from)),
            first_entered_after: first.map(|first| first.since(fault.to)),
            last_entered_after: last.map(|last| last.since(fault.to)),
            late_polls: polls.filter(|late| *late).count(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told =
            |span: Option<Duration>| span.map_or("never".to_owned(), |span| format!("{:.1} s", span.as_secs_f64()));
        write!(
            f,
            "{} visitors, {} admitted; {} polls ({} late by the crowd's fault); fault of {:.1} s with {} waiting; \
             all answered in order again {} after it ({} after its beginning); admissions after it from {} to {}",
            self.visitors,
            self.admitted,
            self.polls,
            self.late_polls,
            self.fault.as_secs_f64(),
            self.waiting,
            told(self.calm_after),
            told(self.calm_since_break),
            told(self.first_entered_after),
            told(self.last_entered_after),
        )
    }
}
