//! How long each kill was felt.

use std::fmt;
use std::time::Duration;

use queue_core::Timestamp;

use crate::faults::record::{Facts, Kill, Told};

/// What followed one kill, until the next one.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::faults) struct Recovery {
    what: String,
    /// Joins that were sent after it and answered, with a place or with a token that gets one later, and the last of them.
    joins: usize,
    joined: Option<Duration>,
    /// The first visitor who asked after it and was let in.
    entered: Option<Duration>,
    /// The last answer that was late, missing, or marked as the last known.
    noticed: Option<Duration>,
    /// Answers of that kind, and all.
    out_of_order: usize,
    answers: usize,
}

/// What followed each of the kills.
pub(in crate::faults) fn recoveries(facts: &Facts, kills: &[Kill]) -> Vec<Recovery> {
    let ends = kills.iter().skip(1).map(|next| Some(next.at)).chain([None]);
    kills.iter().zip(ends).map(|(kill, end)| Recovery::of(facts, kill, end)).collect()
}

impl Recovery {
    fn of(facts: &Facts, kill: &Kill, end: Option<Timestamp>) -> Self {
        let after = |at: Timestamp| at > kill.at && end.is_none_or(|end| at < end);
        let since = |at: Timestamp| at.since(kill.at);
        let joins = facts.visitors.iter().filter_map(|record| record.joined).filter(|joined| after(joined.sent));
        let stays = facts.visitors.iter().flat_map(|record| &record.stays);
        let entered = stays.filter(|stay| after(stay.asked)).map(|stay| stay.answered);
        let polls = facts.visitors.iter().flat_map(|record| &record.polls).filter(|poll| after(poll.answered));
        let in_vain =
            |told: &Told| matches!(told, Told::Broken | Told::Refused(500..) | Told::Waiting { degraded: true, .. });
        let noticed: Vec<Timestamp> =
            polls.clone().filter(|poll| in_vain(&poll.told)).map(|poll| poll.answered).collect();
        Self {
            what: kill.what.clone(),
            joins: joins.clone().count(),
            joined: joins.map(|joined| joined.answered).max().map(since),
            entered: entered.min().map(since),
            noticed: noticed.iter().copied().max().map(since),
            out_of_order: noticed.len(),
            answers: polls.count(),
        }
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told =
            |span: Option<Duration>| span.map_or("never".to_owned(), |span| format!("{:.2} s", span.as_secs_f64()));
        let Self { what, joins, joined, entered, noticed, out_of_order, answers } = self;
        write!(f, "{what} killed: {joins} joins answered within {}, ", told(*joined))?;
        write!(f, "an admission after {}, ", told(*entered))?;
        match noticed {
            Some(_) => write!(f, "the last answer out of order after {} ({out_of_order} of {answers})", told(*noticed)),
            None => write!(f, "no answer out of order (of {answers})"),
        }
    }
}
