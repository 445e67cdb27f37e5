//! Joining: who gets a place, who goes straight in, who is turned away.

use std::time::Duration;

use queue_core::store::{Called, Joined, LimitsSource};
use queue_core::{Limits, Place};

use crate::support::clock::TestClock;
use crate::support::world::{EPOCH, World};
use crate::support::{limits, ticket, visitor};

/// Limits under which nobody enters, so that everybody has a place.
pub(super) fn shut() -> Limits {
    Limits { queue_all: true, ..limits() }
}

/// Within an epoch places are 1, 2, 3… in the order of joining: positions are counted on it.
pub(super) async fn places_are_dense_and_in_order(mut w: World) {
    w.open(shut()).await;
    let mut expected = 1;
    for crowd in [vec![visitor(9), visitor(3)], vec![visitor(7)], (20..70).map(visitor).collect()] {
        for joined in w.join(crowd).await {
            let Joined::Placed { place, joined } = joined else { panic!("{joined:?}") };
            assert_eq!((place.epoch.get(), place.sequence.get()), (EPOCH, expected));
            assert_eq!(joined, w.clock.now());
            expected += 1;
        }
    }
    let mirror = w.whole().await;
    assert_eq!(mirror.summary.line_length, 53);
    assert_eq!(
        (mirror.line.last().sequence.get(), mirror.line.waiting(), mirror.line.frontier()),
        (53, 53, Place::NOTHING)
    );
}

/// N2: a repeated join, after a lost answer, finds the same place and changes nothing.
pub(super) async fn joining_again_is_the_same_place(mut w: World) {
    w.open(shut()).await;
    let places = [w.place(visitor(1)).await, w.place(visitor(2)).await];
    let version = w.summary().await.mark.version;
    assert_eq!([w.place(visitor(1)).await, w.place(visitor(2)).await], places);
    assert_eq!(w.summary().await.mark.version, version);
    assert_eq!(w.summary().await.line_length, 2);
}

/// N2: gathered calls may hold a visitor twice (two tabs, a retry).
pub(super) async fn a_visitor_twice_in_one_call_is_one_visitor(mut w: World) {
    w.open(limits()).await;
    let twice = vec![visitor(1), visitor(1), visitor(2), visitor(2)];
    let answers = w.join(twice.clone()).await;
    assert!(matches!(answers[0], Joined::Admitted { .. }));
    assert_eq!((answers[0], answers[2]), (answers[1], answers[3]));
    w.propose(shut(), LimitsSource::Operator).await;
    let waiting = vec![visitor(3), visitor(4), visitor(3), visitor(4), visitor(5)];
    let answers = w.join(waiting).await;
    assert_eq!((answers[0], answers[1]), (answers[2], answers[3]));
    let Joined::Placed { place, .. } = answers[4] else { panic!("{answers:?}") };
    assert_eq!(place.sequence.get(), 5);
    let summary = w.summary().await;
    assert_eq!((summary.line_length, summary.sessions), (3, 2));
}

/// Nobody waits without need: ticket and request in one go. The place is used up, and a repetition finds the session.
pub(super) async fn an_empty_line_with_room_lets_straight_in(mut w: World) {
    w.open_usual().await;
    let session = w.straight(visitor(1)).await;
    assert_eq!(session.ends, w.clock.now() + w.terms.session);
    w.pass(Duration::from_secs(5));
    assert_eq!(w.straight(visitor(1)).await, session);
    let mirror = w.whole().await;
    assert_eq!((mirror.summary.sessions, mirror.summary.mark.claims), (1, 1));
    assert_eq!(
        (mirror.line.last().sequence.get(), mirror.line.frontier().sequence.get(), mirror.line.waiting()),
        (1, 1, 0)
    );
}

/// Straight entry obeys the cohort (N6) and the rate (N7) like any other.
pub(super) async fn straight_entry_stops_at_the_cohort_and_at_the_rate(mut w: World) {
    w.open(Limits { burst: 3, ..limits() }).await;
    let answers = w.join((0..5).map(visitor).collect()).await;
    let straight = answers.iter().filter(|joined| matches!(joined, Joined::Admitted { .. })).count();
    assert_eq!(straight, 3, "the burst");
    assert!(matches!(answers[3..], [Joined::Placed { .. }, Joined::Placed { .. }]));
}

/// N3: while anybody waits, newcomers wait behind, even with slots and tokens to spare.
pub(super) async fn nobody_overtakes_a_waiting_line(mut w: World) {
    w.open(Limits { total_active_users: 1, ..limits() }).await;
    w.straight(visitor(0)).await;
    w.place(visitor(1)).await;
    w.propose(limits(), LimitsSource::Operator).await;
    assert_eq!(w.place(visitor(2)).await.sequence.get(), 3);
    assert_eq!(w.call_up_to(3).await, Called::Moved);
    assert_eq!(w.place(visitor(3)).await.sequence.get(), 4, "called and not yet in is still ahead");
}

/// N10: the greatest length is a refusal at once; whoever has a place keeps it, and room that appears is used.
pub(super) async fn a_full_line_says_so(mut w: World) {
    w.open(Limits { max_line_length: 2, ..shut() }).await;
    let answers = w.join((0..4).map(visitor).collect()).await;
    assert!(matches!(answers[..2], [Joined::Placed { .. }, Joined::Placed { .. }]));
    assert_eq!(answers[2..], [Joined::Full, Joined::Full]);
    let first = w.place(visitor(0)).await;
    assert!(w.depart(visitor(0), first).await);
    assert_eq!(w.place(visitor(2)).await.sequence.get(), 3);
    assert_eq!(w.join(vec![visitor(3)]).await, [Joined::Full]);
}

/// N10: from the closing on nobody joins; those who have a place or a session are told so.
pub(super) async fn a_closed_room_says_so(mut w: World) {
    let closes_at = Some(TestClock::START + Duration::from_secs(10));
    w.open(Limits { total_active_users: 1, closes_at, ..limits() }).await;
    let session = w.straight(visitor(0)).await;
    let place = w.place(visitor(1)).await;
    w.pass(Duration::from_millis(9_999));
    w.place(visitor(2)).await;
    w.pass(Duration::from_millis(1));
    assert_eq!(w.join(vec![visitor(3)]).await, [Joined::Closed]);
    assert_eq!(w.straight(visitor(0)).await, session);
    assert_eq!(w.place(visitor(1)).await, place);
}

/// N5: before the opening the line forms and nobody enters; from the opening on, not a millisecond earlier.
pub(super) async fn before_the_opening_everybody_waits(mut w: World) {
    let opens_at = Some(TestClock::START + Duration::from_secs(10));
    w.open(Limits { opens_at, ..limits() }).await;
    w.pass(Duration::from_millis(9_999));
    let place = w.place(visitor(1)).await;
    assert!(w.depart(visitor(1), place).await);
    w.pass(Duration::from_millis(1));
    w.straight(visitor(2)).await;
}

/// N5: pause stops admission, not the line.
pub(super) async fn a_paused_room_takes_joins_and_admits_nobody(mut w: World) {
    w.open_usual().await;
    w.pause(true).await;
    assert!(w.summary().await.paused);
    let place = w.place(visitor(1)).await;
    assert_eq!(w.call_up_to(1).await, Called::Stale);
    assert!(w.depart(visitor(1), place).await);
    w.pause(false).await;
    assert!(!w.summary().await.paused);
    w.straight(visitor(2)).await;
}

/// `queue_all` makes everybody wait.
pub(super) async fn queue_all_admits_nobody(mut w: World) {
    w.open(shut()).await;
    w.place(visitor(1)).await;
}

/// Ids are 128 random bits: zeros, line ends and what formats and patterns mean something by are ids like any other.
pub(super) async fn binary_ids_survive(mut w: World) {
    w.open(Limits { total_active_users: 300, new_users_per_minute: 60_000, burst: 300, ..limits() }).await;
    let ids: Vec<_> = (0..=255).map(|byte| queue_core::VisitorId::from_entropy([byte; 16])).collect();
    let answers = w.join(ids.clone()).await;
    assert_eq!(w.join(ids.clone()).await, answers);
    for (id, joined) in ids.into_iter().zip(answers) {
        let Joined::Admitted { session, .. } = joined else { panic!("{joined:?}") };
        let until = session.ends;
        assert!(w.end(queue_core::store::Ending { session: ticket(id, until) }).await);
        assert_eq!(session.id.visitor, id);
    }
    assert_eq!(w.whole().await.ended.len(), 256);
}

/// Nothing to do is no error.
pub(super) async fn a_call_without_items_does_nothing(mut w: World) {
    w.open_usual().await;
    let version = w.summary().await.mark.version;
    assert!(w.join(Vec::new()).await.is_empty());
    assert!(w.claims(Vec::new()).await.is_empty());
    let none = w.call(|store, room, caller, terms| store.renew(room, caller, terms, Vec::new())).await;
    assert_eq!(none, Ok(Vec::new()));
    assert_eq!(w.call(|store, room, caller, _| store.end(room, caller, Vec::new())).await, Ok(Vec::new()));
    assert_eq!(w.call(|store, room, caller, _| store.depart(room, caller, Vec::new())).await, Ok(Vec::new()));
    assert_eq!(w.call_up_to(0).await, Called::Stale);
    assert_eq!(w.summary().await.mark.version, version);
}
