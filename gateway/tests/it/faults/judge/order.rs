//! N3: nobody is overtaken: not in the places given, not in the order of entering.

use std::time::Duration;

use queue_core::Timestamp;

use super::Finding;
use crate::faults::record::{Facts, Joined, Record, Told};

/// A turn is offered as long as somebody is heard within the told interval and this; then it goes to the next.
const GRACE: Duration = Duration::from_secs(2);

/// Provisional tokens sign the time by the store's clock as each gateway knows it.
const DRIFT: Duration = Duration::from_millis(100);

/// If A's join was answered before B's was sent, A's place is ahead of B's. Between two sides of a partition nobody can know:
/// whoever came while there were two primaries is judged against those who were answered before. And who shows a token
/// without a place later than those are waited for is next.
pub(super) fn places_follow_arrival(facts: &Facts) -> Finding {
    let mut by_sent: Vec<(usize, Joined, _)> = facts
        .visitors
        .iter()
        .enumerate()
        .filter_map(|(index, record)| Some((index, record.joined?, record.place()?)))
        .collect();
    let mut by_answered = by_sent.clone();
    by_sent.sort_by_key(|(_, joined, _)| joined.sent);
    by_answered.sort_by_key(|(_, joined, _)| joined.answered + allowance(joined));
    let mut earlier = by_answered.into_iter().peekable();
    let mut furthest: Option<(usize, queue_core::Place)> = None;
    let mut before_the_split = None;
    let mut cases = Vec::new();
    for (b, later, place) in by_sent {
        let before =
            |(_, before, _): &(usize, Joined, _)| before.answered + allowance(before) + allowance(&later) < later.sent;
        while let Some((a, joined, ahead)) = earlier.next_if(before) {
            if joined.provisional && facts.arrivals_forgotten {
                continue;
            }
            furthest = furthest.max_by_place(a, ahead);
            if joined.answered < facts.fault.from {
                before_the_split = furthest;
            }
        }
        let split = facts.two_sides && facts.fault.has(later.sent);
        if let Some((a, ahead)) = if split { before_the_split } else { furthest }.filter(|(_, ahead)| *ahead > place) {
            cases.push(format!("visitor {b} was given {place} though visitor {a} had been answered {ahead} before"));
        }
    }
    Finding::of("N3", "who was answered before another asked stands ahead", cases)
}

fn allowance(joined: &Joined) -> Duration {
    if joined.provisional { DRIFT } else { Duration::ZERO }
}

trait Furthest {
    fn max_by_place(self, visitor: usize, place: queue_core::Place) -> Self;
}

impl Furthest for Option<(usize, queue_core::Place)> {
    fn max_by_place(self, visitor: usize, place: queue_core::Place) -> Self {
        match self {
            Some((_, furthest)) if furthest >= place => self,
            _ => Some((visitor, place)),
        }
    }
}

/// By signed places: nobody who polls on time still waits long after a later place has entered.
pub(super) fn nobody_overtaken_by_place(facts: &Facts) -> Finding {
    let mut placed: Vec<_> =
        facts.visitors.iter().enumerate().filter_map(|(index, record)| Some((record.place()?, index))).collect();
    placed.sort_unstable();
    let line: Vec<usize> = placed.into_iter().map(|(_, index)| index).collect();
    let first_behind: Vec<usize> = (1..=line.len()).collect();
    let cases = overtaken(facts, &line, &first_behind);
    Finding::of("N3", "nobody waits on after a later place has entered", cases)
}

/// By what people know: nobody still waits long after somebody entered who came when they already had an answer.
pub(super) fn nobody_overtaken_by_arrival(facts: &Facts) -> Finding {
    let mut joined: Vec<(usize, Joined)> =
        facts.visitors.iter().enumerate().filter_map(|(index, record)| Some((index, record.joined?))).collect();
    joined.sort_by_key(|(_, joined)| joined.sent);
    let behind = |a: &Joined| joined.partition_point(|(_, b)| b.sent <= a.answered + allowance(a) + allowance(b));
    let first_behind: Vec<usize> = joined.iter().map(|(_, joined)| behind(joined)).collect();
    let line: Vec<usize> = joined.iter().map(|(index, _)| *index).collect();
    Finding::of("N3", "nobody waits on after a later arrival has entered", overtaken(facts, &line, &first_behind))
}

/// Those in `line` who were overtaken by somebody from their `first_behind` on.
fn overtaken(facts: &Facts, line: &[usize], first_behind: &[usize]) -> Vec<String> {
    // The first to enter from each index of the line on.
    let mut soonest: Vec<Option<(Timestamp, usize)>> = vec![None; line.len() + 1];
    for (at, index) in line.iter().enumerate().rev() {
        let entered = facts.visitors[*index].admitted().map(|entered| (entered, *index));
        soonest[at] = [soonest[at + 1], entered].into_iter().flatten().min();
    }
    let judged = line.iter().zip(first_behind).filter_map(|(a, behind)| {
        let (entered, b) = soonest[*behind]?;
        let waited = waited_on_after(&facts.visitors[*a], entered)?;
        Some(format!("visitor {a} still waited {:.1} s after visitor {b} had entered", waited.as_secs_f64()))
    });
    judged.collect()
}

/// How long somebody who polled on time and was answered by a room in order was kept waiting after `entered`, when that
/// is more than the told interval and the grace. Whoever was late, or spoke to a gateway without its store, may have
/// missed a turn and is not judged until on time again.
fn waited_on_after(record: &Record, entered: Timestamp) -> Option<Duration> {
    let until = record.admitted();
    let mut on_time_since: Option<Timestamp> = None;
    let mut next_by: Option<Timestamp> = None;
    for poll in record.polls.iter().take_while(|poll| until.is_none_or(|until| poll.answered < until)) {
        let Told::Waiting { degraded: false, poll_after_seconds, position: Some(_), .. } = poll.told else {
            (on_time_since, next_by) = (None, None);
            continue;
        };
        if next_by.is_none_or(|by| poll.sent > by) {
            on_time_since = Some(poll.sent);
        }
        let told = Duration::from_secs(poll_after_seconds);
        next_by = Some(poll.answered + told + GRACE / 2);
        let since = on_time_since?;
        // One polling interval of each.
        if since <= entered && poll.sent > entered + told * 2 + GRACE {
            return Some(poll.sent.since(entered));
        }
    }
    None
}
