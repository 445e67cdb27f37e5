//! Turns: being called, being heard, falling silent, missing the turn.

use std::time::Duration;

use queue_core::admission::Refusal;
use queue_core::line::Standing;
use queue_core::store::{Call, Called, Claimed, LimitsSource, Swept};
use queue_core::{Limits, Place};

use super::claiming::{called, called_under};
use super::joining::shut;
use crate::support::world::World;
use crate::support::{crowds, limits, place, visitor};

const MS: Duration = Duration::from_millis(1);

/// N1: a called place that is silent for the retention leaves the line, and its token brings it back to the same place.
pub(super) async fn a_silent_called_place_leaves_and_comes_back(mut w: World) {
    let places = called(&mut w, 2).await;
    assert_eq!(w.silence(w.terms.heard_for + w.terms.retention - MS).await, 0);
    w.look(visitor(2), places[1]).await;
    w.pass(MS);
    assert_eq!(w.sweep().await, Swept { silent: 1, expired: 0, settled: 0 });
    let mirror = w.whole().await;
    assert_eq!(mirror.line.standing(places[0]), Standing::Gone { called: true });
    assert_eq!((mirror.summary.line_length, mirror.line.waiting()), (1, 1));
    w.pass(Duration::from_secs(3_600));
    assert_eq!(w.look(visitor(1), places[0]).await, Claimed::Offered);
    let mirror = w.whole().await;
    assert_eq!(mirror.line.standing(places[0]), Standing::Called { ahead: 0 });
    assert_eq!(mirror.line.standing(places[1]), Standing::Called { ahead: 1 });
    assert!(matches!(w.claim(visitor(1), places[0]).await, Claimed::Admitted(_)));
}

/// N1: nobody is silent while the store is away or its time leaps: silence counts from the first sweep after.
pub(super) async fn an_absence_is_no_silence(mut w: World) {
    let places = called(&mut w, 2).await;
    assert_eq!(w.silence(Duration::from_secs(2)).await, 0);
    w.pass(w.terms.heard_for + w.terms.retention * 2);
    assert_eq!(w.sweep().await.silent, 0, "nobody could be heard");
    assert_eq!(w.silence(w.terms.retention - MS).await, 0);
    w.look(visitor(2), places[1]).await;
    w.pass(MS);
    assert_eq!(w.sweep().await.silent, 1);
}

/// Whoever polls stays, however long it takes.
pub(super) async fn a_heard_place_is_not_swept(mut w: World) {
    let full = Limits { total_active_users: 0, ..limits() };
    let place = called_under(&mut w, 1, full).await[0];
    for _ in 0..20 {
        w.pass(w.terms.retention);
        assert_eq!(w.claim(visitor(1), place).await, Claimed::Refused(Refusal::CohortFull));
        assert_eq!(w.sweep().await, Swept::default());
    }
}

/// A called place holds a slot while it is heard, and not a moment longer.
pub(super) async fn a_called_place_reserves_while_heard(mut w: World) {
    let places = called(&mut w, 3).await;
    assert_eq!(w.summary().await.reserved, 3);
    w.pass(w.terms.heard_for - MS);
    assert_eq!(w.summary().await.reserved, 3);
    w.look(visitor(2), places[1]).await;
    w.pass(MS);
    assert_eq!(w.summary().await.reserved, 1);
    assert!(matches!(w.claim(visitor(2), places[1]).await, Claimed::Admitted(_)));
    let summary = w.summary().await;
    assert_eq!((summary.reserved, summary.sessions), (0, 1));
}

/// An offered slot that is heard and not taken for the claim window goes to the next; whoever comes back gets a new window.
pub(super) async fn an_unclaimed_slot_is_missed_after_the_window(mut w: World) {
    let place = called(&mut w, 1).await[0];
    let looks = 2 * w.terms.claim_window.as_secs();
    for round in 0..2 {
        for _ in 0..looks {
            assert_eq!(w.look(visitor(1), place).await, Claimed::Offered, "round {round}");
            w.pass(Duration::from_millis(500));
        }
        assert_eq!(w.look(visitor(1), place).await, Claimed::Missed);
        let mirror = w.whole().await;
        assert_eq!(mirror.line.standing(place), Standing::Gone { called: true });
        assert_eq!((mirror.summary.reserved, mirror.summary.line_length), (0, 0));
    }
    assert!(matches!(w.claim(visitor(1), place).await, Claimed::Admitted(_)));
}

/// The window does not run for somebody who could not have entered, nor while nobody is heard.
pub(super) async fn the_window_rests_while_no_slot_is_offered(mut w: World) {
    let place = called(&mut w, 1).await[0];
    w.pause(true).await;
    for _ in 0..20 {
        w.pass(Duration::from_secs(1));
        assert_eq!(w.look(visitor(1), place).await, Claimed::Refused(Refusal::Paused));
    }
    w.pause(false).await;
    assert_eq!(w.look(visitor(1), place).await, Claimed::Offered);
    // A silence counts as the longest time it could have been heard for: 3 of 10 seconds each.
    for _ in 0..3 {
        w.pass(Duration::from_secs(15));
        assert_eq!(w.look(visitor(1), place).await, Claimed::Offered);
    }
    w.pass(Duration::from_secs(15));
    assert_eq!(w.look(visitor(1), place).await, Claimed::Missed);
}

/// A decision made on what is no longer so is not applied.
pub(super) async fn stale_decisions_change_nothing(mut w: World) {
    w.open(shut()).await;
    for n in 1..=5 {
        w.place(visitor(n)).await;
    }
    let fresh = Call { from: Place::NOTHING, limits_version: 1, called: vec![place(1), place(2)] };
    let unlike = [
        Call { from: place(1), ..fresh.clone() },
        Call { limits_version: 2, ..fresh.clone() },
        Call { called: Vec::new(), ..fresh.clone() },
        Call { called: vec![place(6)], ..fresh.clone() },
    ];
    for call in unlike {
        let answer = w.call(|store, room, caller, terms| store.call(room, caller, terms, call.clone())).await;
        assert_eq!(answer, Ok(Called::Stale), "{call:?}");
    }
    let version = w.summary().await.mark.version;
    let answer = w.call(|store, room, caller, terms| store.call(room, caller, terms, fresh.clone())).await;
    assert_eq!(answer, Ok(Called::Moved));
    assert_eq!(w.summary().await.mark.version, version + 1);
    let again = w.call(|store, room, caller, terms| store.call(room, caller, terms, fresh)).await;
    assert_eq!(again, Ok(Called::Stale), "a repeated call finds that it was done");
}

/// N9: no call takes a turn back.
pub(super) async fn the_frontier_never_moves_back(mut w: World) {
    called(&mut w, 5).await;
    let limits_version = w.summary().await.limits_version;
    for to in [4, 5] {
        let call = Call { from: place(5), limits_version, called: vec![place(to)] };
        let answer = w.call(|store, room, caller, terms| store.call(room, caller, terms, call)).await;
        assert_eq!(answer, Ok(Called::Stale));
        assert_eq!(w.whole().await.line.frontier(), place(5));
    }
}

/// A place that left between decision and call reserves nothing.
pub(super) async fn those_who_left_are_not_called(mut w: World) {
    w.open(shut()).await;
    let mut places = Vec::new();
    for n in 1..=3 {
        places.push(w.place(visitor(n)).await);
    }
    w.depart(visitor(2), places[1]).await;
    assert_eq!(w.call_up_to(3).await, Called::Moved);
    let summary = w.summary().await;
    assert_eq!((summary.reserved, summary.line_length), (2, 2));
    assert_eq!(w.claim(visitor(2), places[1]).await, Claimed::Ended);
}

/// A sweep is a bounded step; what it leaves over the next one takes.
pub(super) async fn many_silent_places_leave_in_bounded_sweeps(mut w: World) {
    w.open(Limits { max_line_length: 2_000, ..shut() }).await;
    for crowd in crowds(0..1_200) {
        w.join(crowd).await;
    }
    w.propose(Limits { max_line_length: 2_000, ..limits() }, LimitsSource::Operator).await;
    for to in [500, 1_000, 1_200] {
        assert_eq!(w.call_up_to(to).await, Called::Moved);
    }
    assert_eq!(w.silence(w.terms.heard_for + w.terms.retention - MS).await, 0);
    w.pass(MS);
    for expected in [500, 500, 200, 0] {
        assert_eq!(w.sweep().await.silent, expected);
    }
    let mirror = w.whole().await;
    assert_eq!((mirror.summary.line_length, mirror.line.waiting(), mirror.summary.reserved), (0, 0, 0));
}
