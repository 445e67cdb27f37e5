//! While the store is away: nobody new enters, who waits sees the last position, who comes is given a token.

use std::time::Duration;

use super::Finding;
use crate::faults::record::{Facts, Told, Window};

/// A look at the store is called stale after a second; two cores may be half a second late with it.
const UNTIL_TOLD: Duration = Duration::from_millis(1_500);

/// What was on its way to the store when it went.
const ON_THE_WAY: Duration = Duration::from_millis(300);

/// Nobody asked and was let in meanwhile. When a session began by the store's clock says nothing here: that clock takes
/// its time to catch up with a pause that no gateway vouches for.
pub(in crate::faults) fn nobody_entered(facts: &Facts) -> Finding {
    let window = Window { from: facts.fault.from + ON_THE_WAY, to: facts.fault.to };
    let cases = facts.visitors.iter().enumerate().flat_map(|(index, record)| {
        let entered = record.stays.iter().filter(|stay| window.has(stay.asked) && window.has(stay.answered));
        entered.map(move |stay| format!("visitor {index} asked at {} and entered at {}", stay.asked, stay.answered))
    });
    Finding::of("N18", "nobody new is admitted while the store is away", cases.collect())
}

/// Who polled meanwhile was answered the position last shown, and that it is the last known.
pub(in crate::faults) fn waiting_saw_their_last_position(facts: &Facts) -> Finding {
    let window = Window { from: facts.fault.from + UNTIL_TOLD, to: facts.fault.to };
    let (mut cases, mut polls) = (Vec::new(), 0);
    for (index, record) in facts.visitors.iter().enumerate() {
        let mut last: Option<u64> = None;
        for poll in &record.polls {
            if record.admitted().is_some_and(|entered| poll.answered >= entered) {
                break;
            }
            if window.has(poll.sent) && window.has(poll.answered) {
                polls += 1;
                match poll.told {
                    Told::Waiting { degraded: true, position, .. } if stands(position, last) => {}
                    told => cases
                        .push(format!("visitor {index}, last shown {last:?}, was told {told:?} at {}", poll.answered)),
                }
            }
            if let Told::Waiting { position: Some(position), .. } = poll.told {
                last = Some(position);
            }
        }
    }
    if polls == 0 {
        cases.push("nobody polled meanwhile".to_owned());
    }
    Finding::of("N18", "who waits sees the last position, marked as such", cases)
}

/// Whether `position` is what was shown last; before that there may be none.
fn stands(position: Option<u64>, last: Option<u64>) -> bool {
    last.is_none_or(|last| position.is_some_and(|position| position <= last))
}

/// How long a gateway may take to tell the store what ended meanwhile.
const UNTIL_FREED: Duration = Duration::from_secs(3);

/// Visits that ended while the store was away hold no slot once it is back. Answers lost on the way leave sessions that
/// nobody knows of: one in fifty is allowed for.
pub(in crate::faults) fn finished_visits_hold_no_slot(facts: &Facts) -> Finding {
    let stays = || facts.visitors.iter().flat_map(|record| &record.stays);
    let after = facts.gauges.iter().filter(|gauge| gauge.at > facts.fault.to + UNTIL_FREED);
    let cases = after.filter_map(|gauge| {
        let may_live = |stay: &&crate::faults::record::Stay| {
            let end = stay.may_have_ended.unwrap_or(stay.ends + queue_core::ticket::LEEWAY);
            stay.asked <= gauge.at && gauge.at <= end + UNTIL_FREED
        };
        let live = stays().filter(may_live).count();
        let allowed = live + 1 + facts.limits.total_active_users as usize / 50;
        (gauge.sessions > allowed as f64)
            .then(|| format!("{} sessions at {}, and {live} visitors who may be in", gauge.sessions, gauge.at))
    });
    Finding::of("N11", "visits that ended while the store was away hold no slot", cases.collect())
}

/// Every arrival was given a token at once.
pub(in crate::faults) fn no_arrival_was_refused(facts: &Facts) -> Finding {
    let cases = facts.visitors.iter().enumerate().flat_map(|(index, record)| {
        record.refused.iter().map(move |(at, status)| format!("visitor {index}'s join was answered {status} at {at}"))
    });
    let come = facts.visitors.iter().filter_map(|record| record.joined).filter(|joined| facts.fault.has(joined.sent));
    let cases: Vec<String> = cases.collect();
    let nobody = (come.count() == 0).then(|| "nobody joined meanwhile".to_owned());
    Finding::of("N1", "who comes while the store is away is given a token", cases.into_iter().chain(nobody).collect())
}
