//! N1 to N4 and N13: nobody is overtaken, nobody shares a place, no position grows unexplained.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use super::Verdict;
use crate::clock::Moment;
use crate::rush::record::{Joined, Record};

/// Positions are at most 500 ms old, and two cores shared with the crowd may stall as long again, twice: only who is
/// told "waiting" later than this after a later one was told "called" was surely overtaken.
const REFRESH_SLACK: Duration = Duration::from_secs(2);

/// N1, as far as a visitor sees it: no token the room signed is ever refused.
pub fn no_token_refused(records: &[Record]) -> Verdict {
    let refused = records.iter().enumerate().filter(|(_, record)| record.token_refused);
    let cases = refused.map(|(visitor, _)| format!("visitor {visitor}'s queue token was refused")).collect();
    Verdict::of("N1", "no queue token is refused", cases)
}

/// N3, by the places signed: if A's join was answered before B's was sent, A stands ahead.
pub fn places_follow_arrival(records: &[Record]) -> Verdict {
    let mut by_sent: Vec<(usize, Joined)> = joined(records).filter(|(_, joined)| joined.place.is_some()).collect();
    let mut by_answered = by_sent.clone();
    by_sent.sort_by_key(|(_, joined)| joined.sent);
    by_answered.sort_by_key(|(_, joined)| joined.answered);

    let mut cases = Vec::new();
    let mut earlier = by_answered.into_iter().peekable();
    let mut furthest: Option<(usize, Joined)> = None;
    for (b, later) in by_sent {
        while let Some((a, before)) = earlier.next_if(|(_, before)| before.answered < later.sent) {
            if furthest.is_none_or(|(_, furthest)| furthest.place < before.place) {
                furthest = Some((a, before));
            }
        }
        if let Some((a, before)) = furthest.filter(|(_, before)| before.place > later.place) {
            cases.push(format!(
                "visitor {b} was given place {} though visitor {a} had been answered {} before",
                shown(later.place),
                shown(before.place)
            ));
        }
    }
    Verdict::of("N3", "a join answered before another was sent stands ahead of it", cases)
}

/// N3, by what visitors were told: nobody still waits after one who joined later was called.
pub fn nobody_overtaken(records: &[Record]) -> Verdict {
    let mut joiners: Vec<(usize, Joined)> = joined(records).collect();
    joiners.sort_by_key(|(_, joined)| joined.sent);
    // The earliest call among those who joined at this index or later.
    let mut soonest: Vec<Option<(Moment, usize)>> = vec![None; joiners.len() + 1];
    for (at, (visitor, _)) in joiners.iter().enumerate().rev() {
        let called = records[*visitor].called.map(|called| (called, *visitor));
        soonest[at] = [soonest[at + 1], called].into_iter().flatten().min();
    }
    let mut cases = Vec::new();
    for (a, join) in &joiners {
        let Some(still_waiting) = records[*a].last_waiting else { continue };
        let first_later = joiners.partition_point(|(_, other)| other.sent <= join.answered);
        if let Some((called, b)) = soonest[first_later].filter(|(called, _)| *called + REFRESH_SLACK < still_waiting) {
            let late = still_waiting.since(called).as_secs_f64();
            cases.push(format!("visitor {a} still waited {late:.1} s after visitor {b}, who joined later, was called"));
        }
    }
    Verdict::of("N3", "nobody waits on when one who joined later was called", cases)
}

/// N2 and N13: a place and a session belong to one visitor each.
pub fn nothing_shared(records: &[Record]) -> Verdict {
    let places = shared(records, |record| record.place());
    let sessions = shared(records, |record| record.admitted.as_ref().and_then(|admitted| admitted.session.clone()));
    let places = places.into_iter().map(|(a, b)| format!("visitors {a} and {b} hold one place"));
    let sessions = sessions.into_iter().map(|(a, b)| format!("visitors {a} and {b} were given one session"));
    Verdict::of("N2 N13", "each place and each session belongs to one visitor", places.chain(sessions).collect())
}

/// N4: a position never grows without its reason being told.
pub fn growth_is_explained(records: &[Record]) -> Verdict {
    let cases = records.iter().enumerate().flat_map(|(visitor, record)| {
        let told = |growth: &crate::rush::record::Growth| {
            format!("visitor {visitor} was moved from {} to {} without a reason", growth.from, growth.to)
        };
        record.unexplained.iter().map(told).collect::<Vec<_>>()
    });
    Verdict::of("N4", "no position grows without its reason", cases.collect())
}

/// How many were admitted later than one behind them by more than their own told interval: informative, since a called
/// visitor claims with the next poll only.
pub fn admissions_out_of_order(records: &[Record]) -> usize {
    let mut in_line: Vec<_> = records
        .iter()
        .filter_map(|record| Some((record.place()?, record.admitted.as_ref()?.answered, record)))
        .collect();
    in_line.sort_by_key(|(place, ..)| *place);
    let (mut soonest_behind, mut late) = (None::<Moment>, 0);
    for (_, admitted, record) in in_line.into_iter().rev() {
        let allowed = |behind: Moment| behind + record.told_interval + REFRESH_SLACK;
        late += usize::from(soonest_behind.is_some_and(|behind| admitted > allowed(behind)));
        soonest_behind = Some(soonest_behind.map_or(admitted, |behind| behind.min(admitted)));
    }
    late
}

fn joined(records: &[Record]) -> impl Iterator<Item = (usize, Joined)> {
    records.iter().enumerate().filter_map(|(visitor, record)| Some((visitor, record.joined?)))
}

fn shared<K: Hash + Eq>(records: &[Record], key: impl Fn(&Record) -> Option<K>) -> Vec<(usize, usize)> {
    let mut first = HashMap::new();
    let keyed = records.iter().enumerate().filter_map(|(visitor, record)| Some((visitor, key(record)?)));
    keyed.filter_map(|(visitor, key)| first.insert(key, visitor).map(|other| (other, visitor))).collect()
}

fn shown(place: Option<queue_core::Place>) -> String {
    place.map_or_else(|| "none".to_owned(), |place| place.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rush::record::Admitted;
    use queue_core::Place;

    fn ms(at: u64) -> Moment {
        Moment::from_micros(at * 1_000)
    }

    fn joiner(sent: u64, answered: u64, sequence: u64) -> Record {
        let place = Place::from_score((1 << 31) | sequence);
        Record { joined: Some(Joined { sent: ms(sent), answered: ms(answered), place }), ..Record::default() }
    }

    /// Overlapping joins may come out in any order; one that was over before the other began may not.
    #[test]
    fn an_inversion_needs_one_join_over_before_the_other() {
        assert!(places_follow_arrival(&[joiner(0, 10, 2), joiner(5, 15, 1)]).holds());
        assert!(places_follow_arrival(&[joiner(0, 10, 1), joiner(11, 15, 2)]).holds());
        let verdict = places_follow_arrival(&[joiner(0, 10, 2), joiner(11, 15, 1), joiner(12, 20, 3)]);
        assert_eq!(verdict.broken, 1, "{verdict:?}");
    }

    /// Being told "waiting" long after a later one was called is being overtaken, whatever the tokens say.
    #[test]
    fn overtaking_is_seen_beyond_the_refresh() {
        let mut first = joiner(0, 10, 1);
        let mut second = joiner(20, 30, 2);
        second.called = Some(ms(1_000));
        first.last_waiting = Some(ms(2_900));
        assert!(nobody_overtaken(&[first.clone(), second.clone()]).holds());
        first.last_waiting = Some(ms(3_100));
        assert_eq!(nobody_overtaken(&[first.clone(), second.clone()]).broken, 1);
        second.joined = joiner(5, 30, 2).joined;
        assert!(nobody_overtaken(&[first, second]).holds(), "joins overlap");
    }

    /// Two visitors with one place or one session would be two people on one slot.
    #[test]
    fn shared_places_and_sessions_are_named() {
        let admitted = |id: &str| Admitted {
            asked: ms(0),
            answered: ms(0),
            session: Some(id.to_owned()),
            started: None,
            surely_until: ms(1),
            may_have_ended: false,
        };
        let (mut a, mut b) = (joiner(0, 1, 1), joiner(0, 1, 2));
        (a.admitted, b.admitted) = (Some(admitted("x")), Some(admitted("y")));
        assert!(nothing_shared(&[a.clone(), b.clone()]).holds());
        b.admitted = Some(admitted("x"));
        b.joined = a.joined;
        assert_eq!(nothing_shared(&[a, b]).broken, 2);
    }

    /// A late claim within the visitor's own interval is no disorder.
    #[test]
    fn order_of_admission_allows_for_polling() {
        let admitted_at = |record: Record, at| Record {
            admitted: Some(Admitted {
                asked: ms(at),
                answered: ms(at),
                session: None,
                started: None,
                surely_until: ms(at),
                may_have_ended: false,
            }),
            told_interval: Duration::from_secs(1),
            ..record
        };
        let behind = admitted_at(joiner(0, 1, 2), 1_000);
        assert_eq!(admissions_out_of_order(&[admitted_at(joiner(0, 1, 1), 3_900), behind.clone()]), 0);
        assert_eq!(admissions_out_of_order(&[admitted_at(joiner(0, 1, 1), 4_100), behind]), 1);
    }
}
