//! Claiming: the step that enforces everything, whoever asks.

use std::time::Duration;

use queue_core::admission::Refusal;
use queue_core::store::{Claim, Claimed, Ending, LimitsSource};
use queue_core::{Epoch, Limits, Place, Sequence};

use super::joining::shut;
use crate::support::clock::TestClock;
use crate::support::world::World;
use crate::support::{limits, ticket, visitor};

/// A room in which visitors 1 to `count` stand called in a line, and the limits are the usual ones.
pub(super) async fn called(w: &mut World, count: u32) -> Vec<Place> {
    called_under(w, count, limits()).await
}

/// A room in which visitors 1 to `count` stand called in a line, under these limits.
pub(super) async fn called_under(w: &mut World, count: u32, limits: Limits) -> Vec<Place> {
    w.open(shut()).await;
    let mut places = Vec::new();
    for number in 1..=count {
        places.push(w.place(visitor(number)).await);
    }
    w.propose(limits, LimitsSource::Operator).await;
    w.call_up_to(count).await;
    places
}

fn waits(ms: u64) -> Claimed {
    Claimed::Refused(Refusal::RateLimited(Duration::from_millis(ms)))
}

/// N13: a place becomes one session; a repeated claim finds it again, and after its end the place is used up.
pub(super) async fn a_claim_is_answered_once_and_for_all(mut w: World) {
    let place = called(&mut w, 1).await[0];
    let Claimed::Admitted(session) = w.claim(visitor(1), place).await else { panic!("not admitted") };
    assert_eq!(session.id.started, w.clock.now());
    assert_eq!(session.ends, w.clock.now() + w.terms.session);
    w.pass(Duration::from_millis(1_500));
    assert_eq!(w.claim(visitor(1), place).await, Claimed::Admitted(session));
    assert_eq!(w.look(visitor(1), place).await, Claimed::Admitted(session));
    let summary = w.summary().await;
    assert_eq!((summary.sessions, summary.mark.claims, summary.line_length), (1, 1, 0));
    assert!(w.end(Ending { session: ticket(visitor(1), session.ends) }).await);
    assert_eq!(w.claim(visitor(1), place).await, Claimed::Ended);
    assert!(!w.depart(visitor(1), place).await);
}

/// Whoever is not called stays where they are.
pub(super) async fn a_place_not_called_is_told_so(mut w: World) {
    called(&mut w, 2).await;
    let third = w.place(visitor(3)).await;
    assert_eq!(w.claim(visitor(3), third).await, Claimed::NotCalled);
    assert_eq!(w.look(visitor(3), third).await, Claimed::NotCalled);
    let summary = w.summary().await;
    assert_eq!((summary.line_length, summary.sessions), (3, 0));
}

/// A place the store never gave, or of another epoch, is nobody's turn.
pub(super) async fn a_place_never_given_is_unknown(mut w: World) {
    let place = called(&mut w, 1).await[0];
    let later = Place { sequence: Sequence::new(2).unwrap(), ..place };
    let elsewhere = Place { epoch: Epoch::new(place.epoch.get() - 1).unwrap(), ..place };
    for unknown in [later, elsewhere] {
        assert_eq!(w.claim(visitor(1), unknown).await, Claimed::Unknown);
        assert!(!w.depart(visitor(1), unknown).await);
    }
}

/// N6: not one more than `total_active_users`, however many are called and however they ask.
pub(super) async fn the_cohort_is_never_exceeded(mut w: World) {
    let small = Limits { total_active_users: 3, burst: 100, ..limits() };
    let places = called_under(&mut w, 6, small).await;
    w.pass(Duration::from_secs(60));
    let claims = (1..).zip(&places).map(|(n, place)| Claim { visitor: visitor(n), place: *place, take: true });
    let answers = w.claims(claims.collect()).await;
    assert!(answers[..3].iter().all(|claimed| matches!(claimed, Claimed::Admitted(_))));
    assert_eq!(answers[3..], [Claimed::Refused(Refusal::CohortFull); 3]);
    assert_eq!(w.claim(visitor(4), places[3]).await, Claimed::Refused(Refusal::CohortFull));
    assert_eq!(w.summary().await.sessions, 3);
}

/// N7: the bucket pays for its burst, then refuses with the exact wait: a millisecond earlier is too early.
pub(super) async fn the_rate_says_exactly_when(mut w: World) {
    let slow = Limits { new_users_per_minute: 7, burst: 2, ..limits() };
    let places = called_under(&mut w, 4, slow).await;
    for n in [1, 2] {
        assert!(matches!(w.claim(visitor(n), places[n as usize - 1]).await, Claimed::Admitted(_)));
    }
    assert_eq!(w.claim(visitor(3), places[2]).await, waits(8_572));
    w.pass(Duration::from_millis(8_571));
    assert_eq!(w.claim(visitor(3), places[2]).await, waits(1));
    w.pass(Duration::from_millis(1));
    assert!(matches!(w.claim(visitor(3), places[2]).await, Claimed::Admitted(_)));
    // 8,572 ms paid 60,004 parts: four of them are saved.
    assert_eq!(w.claim(visitor(4), places[3]).await, waits(8_571));
}

/// Within a call those named first are served first.
pub(super) async fn a_batch_is_served_in_order(mut w: World) {
    let one = Limits { total_active_users: 1, ..limits() };
    let places = called_under(&mut w, 3, one).await;
    let claims = [3, 1, 2].map(|n| Claim { visitor: visitor(n), place: places[n as usize - 1], take: true });
    let answers = w.claims(claims.to_vec()).await;
    assert!(matches!(answers[0], Claimed::Admitted(session) if session.id.visitor == visitor(3)));
    assert_eq!(answers[1..], [Claimed::Refused(Refusal::CohortFull); 2]);
}

/// N5: the claim itself refuses before opening, after closing and while paused, with the time where there is one.
pub(super) async fn closed_paused_and_early_rooms_refuse(mut w: World) {
    let place = called(&mut w, 1).await[0];
    let at = |secs| Some(TestClock::START + Duration::from_secs(secs));
    w.propose(Limits { opens_at: at(10), closes_at: at(20), ..limits() }, LimitsSource::Operator).await;
    w.pass(Duration::from_millis(2_500));
    let early = Refusal::NotOpen(Duration::from_millis(7_500));
    assert_eq!(w.claim(visitor(1), place).await, Claimed::Refused(early));
    w.pass(Duration::from_millis(7_500));
    w.pause(true).await;
    assert_eq!(w.claim(visitor(1), place).await, Claimed::Refused(Refusal::Paused));
    assert_eq!(w.look(visitor(1), place).await, Claimed::Refused(Refusal::Paused));
    w.pause(false).await;
    assert_eq!(w.look(visitor(1), place).await, Claimed::Offered);
    w.pass(Duration::from_secs(10));
    assert_eq!(w.claim(visitor(1), place).await, Claimed::Refused(Refusal::Closed));
}

/// A place given up is spent: its token brings nothing back, and those behind move up by one.
pub(super) async fn whoever_leaves_is_gone_for_good(mut w: World) {
    w.open(shut()).await;
    let first = w.place(visitor(1)).await;
    let second = w.place(visitor(2)).await;
    assert!(w.depart(visitor(1), first).await);
    assert!(!w.depart(visitor(1), first).await, "only once");
    assert_eq!(w.claim(visitor(1), first).await, Claimed::Ended);
    let mirror = w.whole().await;
    assert_eq!(mirror.line.standing(second), queue_core::line::Standing::Waiting { ahead: 0 });
    assert_eq!((mirror.summary.line_length, mirror.line.waiting()), (1, 1));
    assert_eq!(w.place(visitor(1)).await.sequence.get(), 3, "who left and joins again stands at the end");
}

/// N2: whoever lost their token, joined anew and then finds it again has the old place, and only that.
pub(super) async fn a_returning_place_replaces_a_second_one(mut w: World) {
    let old = called(&mut w, 1).await[0];
    assert_eq!(w.silence(w.terms.heard_for + w.terms.retention).await, 1);
    w.pause(true).await;
    let new = w.place(visitor(1)).await;
    assert_ne!(new, old);
    assert_eq!(w.claim(visitor(1), old).await, Claimed::Refused(Refusal::Paused));
    assert_eq!(w.claim(visitor(1), new).await, Claimed::Ended);
    assert_eq!(w.place(visitor(1)).await, old);
    let mirror = w.whole().await;
    assert_eq!((mirror.summary.line_length, mirror.line.waiting()), (1, 1));
    w.pause(false).await;
    assert!(matches!(w.claim(visitor(1), old).await, Claimed::Admitted(_)));
}
