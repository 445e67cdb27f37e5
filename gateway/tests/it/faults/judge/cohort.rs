//! N6: never more sessions than the limit.

use queue_core::Timestamp;

use super::Finding;
use crate::faults::record::Facts;

/// By tickets: each session surely lives from the answer that brought it to the request that may have ended it, or to
/// its ticket's `exp`; delays on the way can only make the figure smaller.
pub(super) fn within_limit(facts: &Facts) -> Finding {
    let stays = facts.visitors.iter().flat_map(|record| &record.stays);
    let spans = stays.map(|stay| (stay.answered, stay.may_have_ended.map_or(stay.ends, |end| end.min(stay.ends))));
    let mut changes: Vec<(Timestamp, i32)> =
        spans.filter(|(from, to)| from < to).flat_map(|(from, to)| [(from, 1), (to, -1)]).collect();
    // At one moment ends come first: a slot that ended may be given again at once.
    changes.sort_unstable();
    let limit = i32::try_from(facts.limits.total_active_users).unwrap_or(i32::MAX);
    let (mut live, mut cases) = (0, Vec::new());
    for (at, change) in changes {
        live += change;
        if live > limit && change > 0 {
            cases.push(format!("{live} sessions lived at {at}, {limit} may"));
        }
    }
    // The worst first: it tells how far the limit was missed.
    cases.sort_by_key(|case| std::cmp::Reverse(case.split(' ').next().and_then(|live| live.parse::<i32>().ok())));
    Finding::of("N6", "never more live tickets than the limit", cases)
}

/// By what the gateways show.
pub(super) fn gauges_within_limit(facts: &Facts) -> Finding {
    let above = facts.gauges.iter().filter(|gauge| gauge.sessions > gauge.limit);
    let cases = above.map(|gauge| format!("{} sessions at {}, {} may", gauge.sessions, gauge.at, gauge.limit));
    Finding::of("N6", "no gauge above the limit", cases.collect())
}
