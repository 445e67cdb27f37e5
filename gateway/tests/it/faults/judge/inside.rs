//! N12, N18: who is in stays in, whatever happens to the store.

use std::time::Duration;

use super::Finding;
use crate::faults::record::{Facts, Request};

/// An `exp` is a whole second, and a request is on its way for a while.
const MARGIN: Duration = Duration::from_secs(1);

/// How quickly somebody who is in is answered while the store is away.
const QUICK: Duration = Duration::from_millis(250);

/// Out of so many requests one may be slow: the crowd, two gateways and a Redis share two cores.
const SLOW_ONE_IN: usize = 100;

fn live(facts: &Facts) -> impl Iterator<Item = (usize, &Request)> {
    let requests = |(index, record)| {
        let record: &crate::faults::record::Record = record;
        record.requests.iter().map(move |request| (index, request))
    };
    let all = facts.visitors.iter().enumerate().flat_map(requests);
    all.filter(|(_, request)| request.live && request.answered + MARGIN < request.ends)
}

/// No ticket is refused before its `exp` unless what may end its session was sent.
pub(super) fn no_live_ticket_refused(facts: &Facts) -> Finding {
    let refused = live(facts).filter(|(_, request)| !matches!(request.status, 0 | 200));
    let told = |(index, request): (usize, &Request)| {
        format!(
            "visitor {index} was answered {} at {}, ticket good until {}",
            request.status, request.answered, request.ends
        )
    };
    Finding::of("N18", "no live ticket is refused before its end", refused.map(told).collect())
}

/// While the store is away, everybody inside goes on untouched.
pub(in crate::faults) fn nobody_inside_noticed(facts: &Facts) -> Finding {
    let during: Vec<_> = live(facts).filter(|(_, request)| facts.fault.has(request.sent)).collect();
    let told = |(index, request): &(usize, &Request)| {
        let took = request.answered.since(request.sent).as_millis();
        format!("visitor {index} was answered {} after {took} ms at {}", request.status, request.answered)
    };
    let unanswered = during.iter().filter(|(_, request)| request.status == 0).map(told);
    let slow: Vec<String> = during
        .iter()
        .filter(|(_, request)| request.status != 0 && request.answered.since(request.sent) > QUICK)
        .map(told)
        .collect();
    let mut cases: Vec<String> = unanswered.collect();
    if slow.len() * SLOW_ONE_IN > during.len() {
        cases.extend(slow);
    }
    if during.is_empty() {
        cases.push("nobody inside asked anything meanwhile".to_owned());
    }
    Finding::of("N18", "who is in goes on within 250 ms while the store is away", cases)
}
