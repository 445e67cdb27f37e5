//! Sessions: how long they last, what they count, how they end.

use std::time::Duration;

use queue_core::Limits;
use queue_core::store::{Claimed, Ending, Joined, LEEWAY, Renewed, Swept};

use super::claiming::called;
use crate::support::world::World;
use crate::support::{limits, ticket, visitor};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Renewal moves the end to a whole second, and never beyond the longest session.
pub(super) async fn renewal_is_bounded(mut w: World) {
    w.open_usual().await;
    let session = w.straight(visitor(1)).await;
    let start = w.clock.now();
    w.pass(40 * SECOND + 700 * MS);
    let Renewed::Until(renewed) = w.renew(visitor(1), 60 * SECOND).await else { panic!("ended") };
    assert_eq!((renewed.id, renewed.ends), (session.id, start + 100 * SECOND), "whole seconds");
    let Renewed::Until(extended) = w.renew(visitor(1), 1_000 * SECOND).await else { panic!("ended") };
    assert_eq!(extended.ends, start + w.terms.max_session);
    assert_eq!(w.straight(visitor(1)).await, extended, "every answer tells the new end");
    assert_eq!(w.renew(visitor(2), SECOND).await, Renewed::Ended, "no session, no renewal");
}

/// A shorter span takes nothing away.
pub(super) async fn renewal_never_shortens(mut w: World) {
    w.open_usual().await;
    let session = w.straight(visitor(1)).await;
    assert_eq!(w.renew(visitor(1), SECOND).await, Renewed::Until(session));
}

/// N6: a slot is free at `exp` + leeway, when no clock can still honour the ticket, and not before.
pub(super) async fn a_session_counts_through_its_leeway(mut w: World) {
    w.open(Limits { total_active_users: 1, ..limits() }).await;
    let session = w.straight(visitor(1)).await;
    w.pass(session.ends.since(w.clock.now()) + LEEWAY - MS);
    assert_eq!(w.summary().await.sessions, 1);
    assert!(matches!(w.renew(visitor(1), SECOND).await, Renewed::Until(_)));
    w.pass(MS + SECOND + LEEWAY);
    assert_eq!(w.summary().await.sessions, 0);
    assert_eq!(w.renew(visitor(1), SECOND).await, Renewed::Ended);
    w.straight(visitor(2)).await;
}

/// What the upstream completes or the visitor leaves is free for the next one at once.
pub(super) async fn an_ended_session_frees_its_slot_at_once(mut w: World) {
    w.open(Limits { total_active_users: 1, ..limits() }).await;
    let session = w.straight(visitor(1)).await;
    let place = w.place(visitor(2)).await;
    w.call_up_to(2).await;
    assert!(!matches!(w.claim(visitor(2), place).await, Claimed::Admitted(_)));
    let ending = Ending { session: ticket(visitor(1), session.ends) };
    assert!(w.end(ending).await);
    assert!(!w.end(ending).await, "only once");
    assert_eq!(w.renew(visitor(1), SECOND).await, Renewed::Ended);
    assert!(matches!(w.claim(visitor(2), place).await, Claimed::Admitted(_)));
}

/// An ended session is told to everybody, remembered while a ticket of it could be used, and then forgotten.
pub(super) async fn ending_reaches_followers_and_is_forgotten_in_time(mut w: World) {
    w.open_usual().await;
    let mut mirror = w.whole().await;
    let session = w.straight(visitor(1)).await;
    let until = session.ends + 30 * SECOND;
    w.end(Ending { session: ticket(visitor(1), until) }).await;
    let after = mirror.version();
    let follow = w.call(|store, room, caller, _| store.follow(room, caller, Some(after))).await.unwrap();
    mirror.take(follow).unwrap();
    assert_eq!(mirror.ended.get(&visitor(1)), Some(&until));
    assert_eq!(w.whole().await.ended, mirror.ended);
    w.pass(until.since(w.clock.now()) + LEEWAY - MS);
    w.sweep().await;
    assert_eq!(w.whole().await.ended.len(), 1);
    w.pass(MS);
    w.sweep().await;
    assert_eq!(w.whole().await.ended.len(), 0);
    let after = mirror.version();
    mirror.take(w.call(|store, room, caller, _| store.follow(room, caller, Some(after))).await.unwrap()).unwrap();
    assert!(mirror.ended.is_empty());
}

/// What is over leaves the store, a bounded number a sweep.
pub(super) async fn expired_sessions_are_swept(mut w: World) {
    w.open(Limits { total_active_users: 1_000, new_users_per_minute: 60_000, burst: 1_000, ..limits() }).await;
    for numbers in [0..400, 400..700] {
        assert!(w.join(numbers.map(visitor).collect()).await.iter().all(|j| matches!(j, Joined::Admitted { .. })));
    }
    w.pass(w.terms.session + LEEWAY - MS);
    assert_eq!(w.sweep().await, Swept::default());
    w.pass(MS);
    assert_eq!(w.summary().await.sessions, 0);
    for expired in [500, 200, 0] {
        assert_eq!(w.sweep().await, Swept { silent: 0, expired, settled: 0 });
    }
}

/// A visitor whose session is over and who comes back before anybody swept has the new session and nothing of the old.
pub(super) async fn a_returning_visitor_has_one_session(mut w: World) {
    let place = called(&mut w, 1).await[0];
    let Claimed::Admitted(first) = w.claim(visitor(1), place).await else { panic!("not admitted") };
    w.pass(first.ends.since(w.clock.now()) + LEEWAY);
    let second = w.straight(visitor(1)).await;
    assert_ne!(first.id, second.id);
    assert_eq!(w.summary().await.sessions, 1);
    assert_eq!(w.sweep().await, Swept::default());
    assert_eq!(w.renew(visitor(1), SECOND).await, Renewed::Until(second));
    assert_eq!(w.summary().await.sessions, 1);
}
