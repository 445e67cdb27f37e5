//! The judge finds what is planted, and nothing else.

use std::time::Duration;

use queue_core::{Epoch, Place, Sequence, SessionId, Timestamp, VisitorId};

use super::{
    Finding, Report, finished_visits_hold_no_slot, judge, no_arrival_was_refused, nobody_entered,
    nobody_inside_noticed, waiting_saw_their_last_position,
};
use crate::faults::record::{Facts, Gauge, Given, Joined, Limits, Poll, Record, Request, Stay, Told, Window};

/// A moment of the run.
fn ms(at: u64) -> Timestamp {
    Timestamp::from_millis(1_796_122_800_000 + at)
}

fn given(number: u8) -> Given {
    let place = Place { epoch: Epoch::new(7).unwrap(), sequence: Sequence::new(u32::from(number)).unwrap() };
    Given { place, visitor: VisitorId::from_entropy([number; 16]) }
}

fn session(number: u8, at: u64) -> SessionId {
    SessionId::new(given(number).visitor, ms(at))
}

fn waiting(position: u64) -> Told {
    Told::Waiting { position: Some(position), degraded: false, moved: false, poll_after_seconds: 1 }
}

fn poll(at: u64, told: Told) -> Poll {
    Poll { sent: ms(at), answered: ms(at + 10), told }
}

fn stay(number: u8, at: u64) -> Stay {
    Stay {
        session: session(number, at),
        asked: ms(at - 5),
        answered: ms(at + 5),
        ends: ms(at + 10_000),
        may_have_ended: Some(ms(at + 900)),
    }
}

fn request(at: u64, status: u16) -> Request {
    Request { sent: ms(at), answered: ms(at + 20), status, ends: ms(at + 5_000), live: true }
}

/// The `number`th in line joins, polls every second and enters at its turn, one a second.
fn visitor(number: u8) -> Record {
    let turn = u64::from(number) * 1_000;
    let joined =
        Joined { sent: ms(u64::from(number) * 20), answered: ms(u64::from(number) * 20 + 10), provisional: false };
    let polls =
        (1..u64::from(number)).map(|second| poll(second * 1_000 + 100, waiting(u64::from(number) - second + 1)));
    Record {
        joined: Some(joined),
        places: vec![given(number)],
        polls: polls.chain([poll(turn, Told::Admitted)]).collect(),
        stays: vec![stay(number, turn)],
        requests: vec![request(turn + 300, 200)],
        ..Record::default()
    }
}

/// Nine visitors and nothing wrong. The number of a visitor is its index plus one.
fn facts() -> Facts {
    Facts {
        visitors: (1..=9).map(visitor).collect(),
        gauges: vec![Gauge { at: ms(2_000), sessions: 1.0, limit: 1.0 }],
        limits: Limits { total_active_users: 1, per_second: 1, burst: 1 },
        fault: Window { from: ms(3_500), to: ms(5_500) },
        two_sides: false,
        arrivals_forgotten: false,
    }
}

/// What the judge finds after the change.
#[track_caller]
fn found(change: impl FnOnce(&mut Facts)) -> String {
    let mut facts = facts();
    change(&mut facts);
    let broken = judge(&facts).into_iter().filter(|finding| !finding.holds());
    let broken: Vec<&str> = broken.map(|finding| finding.words).collect();
    broken.join("; ")
}

/// A check that sees faults everywhere would be believed by nobody.
#[test]
fn nothing_is_found_in_a_good_run() {
    assert_eq!(found(|_| {}), "");
}

/// N1: told 401, told that it is over, or never let in.
#[test]
fn a_lost_place_is_found() {
    let refused = "no token of somebody who waits is refused";
    assert_eq!(found(|facts| facts.visitors[4].polls[2].told = Told::Refused(401)), refused);
    assert_eq!(found(|facts| facts.visitors[4].polls[2].told = Told::Ended), refused);
    assert_eq!(found(|facts| facts.visitors[4].polls[2].told = Told::Refused(429)), "", "come back later is no loss");
    let never = |facts: &mut Facts| {
        facts.visitors[8].stays.clear();
        facts.visitors[8].polls.pop();
    };
    assert_eq!(found(never), "everybody who keeps polling gets in");
}

/// N2: one place for two, or two for one.
#[test]
fn a_shared_place_is_found() {
    let words = "one visitor, one place, and the other way round";
    assert_eq!(found(|facts| facts.visitors[4].places.push(given(77))), words);
    assert_eq!(found(|facts| facts.visitors[4].places[0].place = given(4).place), words);
}

/// N13: a second session for one place, and one session for two visitors.
#[test]
fn a_second_session_is_found() {
    let words = "a place is claimed at most once";
    assert_eq!(found(|facts| facts.visitors[8].stays.push(stay(9, 12_000))), words);
    assert_eq!(found(|facts| facts.visitors[8].stays[0].session = session(8, 8_000)), format!("{words}; {RATE}"));
}

const RATE: &str = "admissions within burst + rate × window";
const BY_ARRIVAL: &str = "nobody waits on after a later arrival has entered";
const BY_PLACE: &str = "nobody waits on after a later place has entered";

/// N3: a later arrival with an earlier place, and a later one who enters while an earlier one polls on and on.
#[test]
fn an_overtaking_is_found() {
    let swapped = |facts: &mut Facts| {
        (facts.visitors[3].places, facts.visitors[4].places) = (vec![given(5)], vec![given(4)]);
    };
    assert_eq!(found(swapped), "who was answered before another asked stands ahead");
    // The fifth is passed over: its turn comes after the ninth's.
    let passed = |facts: &mut Facts| {
        let fifth = &mut facts.visitors[4];
        fifth.polls = (1..12).map(|second| poll(second * 1_000 + 100, waiting(1))).collect();
        fifth.stays = vec![stay(5, 12_500)];
    };
    assert_eq!(found(passed), format!("{BY_PLACE}; {BY_ARRIVAL}"));
    let late = |facts: &mut Facts| {
        passed(facts);
        facts.visitors[4].polls.retain(|poll| poll.sent < ms(5_000) || poll.sent > ms(9_500));
    };
    assert_eq!(found(late), "", "whoever was late for the turn was not overtaken");
}

/// N4: a position that grows and no reason told.
#[test]
fn an_unexplained_growth_is_found() {
    let grow = |moved| {
        move |facts: &mut Facts| {
            let told = Told::Waiting { position: Some(9), degraded: false, moved, poll_after_seconds: 1 };
            facts.visitors[8].polls[4].told = told;
        }
    };
    assert_eq!(found(grow(false)), "no position grows without its reason");
    assert_eq!(found(grow(true)), "");
}

/// N6: one live ticket too many, one in a gauge.
#[test]
fn a_cohort_too_large_is_found() {
    let overlap = |facts: &mut Facts| facts.visitors[2].stays[0].may_have_ended = Some(ms(4_200));
    assert_eq!(found(overlap), "never more live tickets than the limit");
    assert_eq!(found(|facts| facts.gauges[0].sessions = 2.0), "no gauge above the limit");
}

/// N7: two within a second where one may be.
#[test]
fn a_rush_too_fast_is_found() {
    let quick = |facts: &mut Facts| facts.visitors[4].stays[0].session = session(5, 4_400);
    assert_eq!(found(quick), RATE);
    let drifting = |facts: &mut Facts| facts.visitors[4].stays[0].session = session(5, 4_950);
    assert_eq!(found(drifting), "", "clocks may drift by 100 ms");
}

/// N18: a live ticket that is refused.
#[test]
fn a_refused_ticket_is_found() {
    let words = "no live ticket is refused before its end";
    assert_eq!(found(|facts| facts.visitors[4].requests[0].status = 429), words);
    let ended = |facts: &mut Facts| {
        facts.visitors[4].requests[0].status = 429;
        facts.visitors[4].requests[0].live = false;
    };
    assert_eq!(found(ended), "", "after the checkout it may be");
}

/// An answer that fits no contract.
#[test]
fn a_strange_answer_is_found() {
    let words = "every answer makes sense";
    assert_eq!(found(|facts| facts.visitors[0].strange.push("teapot".to_owned())), words);
    let placeless = Told::Waiting { position: None, degraded: false, moved: false, poll_after_seconds: 1 };
    assert_eq!(found(|facts| facts.visitors[8].polls[0].told = placeless), words);
}

/// While the store is away: the waiting see their last position, marked; those inside notice nothing; nobody enters;
/// who comes is given a token.
#[test]
fn what_happens_in_an_outage_is_found() {
    let holds = |check: fn(&Facts) -> Finding, change: &dyn Fn(&mut Facts)| {
        let mut facts = facts();
        // Nobody's turn comes meanwhile, and all who wait are told that it is the last known.
        facts.visitors.retain(|record| !facts.fault.has(record.stays[0].answered));
        for poll in facts.visitors.iter_mut().flat_map(|record| &mut record.polls) {
            if let Told::Waiting { degraded, .. } = &mut poll.told {
                *degraded = facts.fault.has(poll.sent);
            }
        }
        facts.visitors[0].requests.push(request(4_000, 200));
        facts.visitors.push(Record {
            joined: Some(Joined { sent: ms(4_000), answered: ms(4_010), provisional: true }),
            ..Record::default()
        });
        change(&mut facts);
        check(&facts).holds()
    };
    let all = [nobody_inside_noticed, nobody_entered, waiting_saw_their_last_position, no_arrival_was_refused];
    assert!(all.into_iter().all(|check| holds(check, &|_| {})));
    assert!(!holds(nobody_inside_noticed, &|facts| facts.visitors[0].requests[1].answered = ms(4_400)));
    assert!(!holds(nobody_inside_noticed, &|facts| facts.visitors[0].requests[1].status = 0));
    assert!(!holds(nobody_entered, &|facts| facts.visitors[3].stays = vec![stay(6, 4_500)]));
    assert!(!holds(no_arrival_was_refused, &|facts| facts.visitors[3].refused.push((ms(4_000), 503))));
    let last = |told| move |facts: &mut Facts| facts.visitors.iter_mut().rev().nth(1).unwrap().polls[4].told = told;
    assert!(!holds(waiting_saw_their_last_position, &last(waiting(4))), "not marked");
    let told = Told::Waiting { position: Some(8), degraded: true, moved: true, poll_after_seconds: 1 };
    assert!(!holds(waiting_saw_their_last_position, &last(told)), "not the last one shown");
    assert!(!holds(waiting_saw_their_last_position, &last(Told::Refused(503))));
}

/// A slot that stays taken after its visit has ended is found in the gauges.
#[test]
fn a_slot_not_freed_is_found() {
    let mut facts = facts();
    let gauge = |at, sessions| Gauge { at: ms(at), sessions, limit: 9.0 };
    facts.gauges.push(gauge(20_000, 1.0));
    assert!(finished_visits_hold_no_slot(&facts).holds());
    facts.gauges.push(gauge(20_000, 5.0));
    assert!(!finished_visits_hold_no_slot(&facts).holds());
    facts.gauges = vec![gauge(4_000, 5.0)];
    assert!(finished_visits_hold_no_slot(&facts).holds(), "meanwhile nobody can tell the store");
}

/// The figures: the last one who waits is answered in order again when the last bad answer is over.
#[test]
fn calm_begins_after_the_last_bad_answer() {
    let mut facts = facts();
    assert_eq!(Report::of(&facts).calm_after, Some(Duration::ZERO));
    facts.visitors[8].polls[5].told = Told::Refused(503);
    assert_eq!(Report::of(&facts).calm_after, Some(ms(7_110).since(facts.fault.to)));
}
