//! The fence and the clock: a store that lost something refuses, a late call does nothing, time runs one way.

use std::time::Duration;

use queue_core::store::{Arrival, Caller, Joined, Moment, StoreError};
use queue_core::{Epoch, HighWater, Life, Limits, Place, Sequence};

use super::joining::shut;
use crate::support::caller::{DEADLINE, Memory};
use crate::support::world::{EPOCH, World, opening};
use crate::support::{limits, place, visitor};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn arrival(number: u32) -> Arrival {
    Arrival { visitor: visitor(number), since: None }
}

fn life(epoch: u32) -> Life {
    Life::at(Place { epoch: Epoch::new(epoch).unwrap(), sequence: Sequence::NONE }).unwrap()
}

fn later_life() -> Life {
    life(EPOCH + 1)
}

fn earlier_life() -> Life {
    life(EPOCH - 1)
}

/// One place is never given twice: a store that is behind what any caller has seen refuses every step.
pub(super) async fn a_store_behind_its_caller_refuses(mut w: World) {
    w.open_usual().await;
    w.straight(visitor(1)).await;
    let mark = w.memory.seen;
    let ahead = [
        HighWater { version: mark.version + 1, ..mark },
        HighWater { last: mark.last.plus(1), ..mark },
        HighWater { frontier: mark.frontier.plus(1), ..mark },
        HighWater { claims: mark.claims + 1, ..mark },
        HighWater { life: later_life(), ..HighWater::default() },
    ];
    for seen in ahead {
        let caller = Caller { seen, ..Caller::newcomer() };
        let (room, terms) = (w.room.clone(), w.terms);
        let joined = w.store.join(&room, caller, terms, vec![arrival(2)]).await;
        assert_eq!(joined, Err(StoreError::Behind(mark)), "{seen:?}");
        assert_eq!(w.store.pause(&room, caller, true).await, Err(StoreError::Behind(mark)));
        let followed = w.store.follow(&room, caller, None).await;
        assert_eq!(followed.map(|_| ()), Err(StoreError::Behind(mark)));
        assert_eq!(w.store.open(&room, caller, opening(shut(), 9)).await.map(|_| ()), Err(StoreError::Behind(mark)));
    }
    let older = HighWater { life: earlier_life(), version: 99, ..mark };
    let caller = Caller { seen: older, ..Caller::newcomer() };
    let joined = w.store.join(&w.room, caller, w.terms, vec![arrival(2)]).await;
    assert_eq!(joined, Err(StoreError::Unmerged(mark)), "it first has to say what it remembers of the earlier life");
    assert!(!w.summary().await.paused);
}

/// A room that was never opened is absent, not empty.
pub(super) async fn an_absent_room_is_absent(mut w: World) {
    let joined = w.call(|store, room, caller, terms| store.join(room, caller, terms, vec![arrival(1)])).await;
    assert_eq!(joined, Err(StoreError::Absent));
    let followed = w.call(|store, room, caller, _| store.follow(room, caller, None)).await;
    assert_eq!(followed.map(|_| ()), Err(StoreError::Absent));
}

/// A caller that has seen the room does not begin it anew: that needs a new epoch, and somebody to decide it.
pub(super) async fn a_lost_room_is_not_begun_unasked(mut w: World) {
    let seen = HighWater { life: earlier_life(), last: place(7), ..HighWater::default() };
    let caller = Caller { seen, ..Caller::newcomer() };
    let opened = w.store.open(&w.room, caller, opening(limits(), 0)).await;
    assert_eq!(opened.map(|_| ()), Err(StoreError::Absent));
    assert_eq!(w.open_usual().await.mark.last, place(0));
}

/// A call that was under way longer than anybody waits for it must not take effect behind the caller's back.
pub(super) async fn a_late_call_does_nothing(mut w: World) {
    w.open_usual().await;
    let caller = w.memory.caller(w.clock.now());
    w.pass(DEADLINE + Caller::DRIFT + MS);
    let late = w.store.join(&w.room, caller, w.terms, vec![arrival(1)]).await;
    assert!(matches!(late, Err(StoreError::Late(_))), "{late:?}");
    let summary = w.summary().await;
    assert_eq!((summary.mark.last, summary.sessions), (place(0), 0));
    assert_eq!(summary.time, w.clock.now(), "time went on all the same");
    w.straight(visitor(1)).await;
    let caller = w.memory.caller(w.clock.now());
    w.pass(DEADLINE + Caller::DRIFT);
    let in_time = w.store.join(&w.room, caller, w.terms, vec![arrival(2)]).await.unwrap();
    assert!(matches!(in_time.value[..], [Joined::Admitted { .. }]));
}

/// N7: a host clock set forward mints no tokens and ends no sessions: shared time moves no further than the callers' own.
pub(super) async fn a_forward_jump_is_clamped(mut w: World) {
    w.open(Limits { burst: 2, ..limits() }).await;
    w.straight(visitor(1)).await;
    w.straight(visitor(2)).await;
    let before_jump = w.clock.now();
    w.pass(200 * MS);
    w.clock.jump_forward(HOUR);
    let before = w.memory;
    let late = w.call(|store, room, caller, terms| store.join(room, caller, terms, vec![arrival(3)])).await;
    let moment = Moment { time: before_jump + 300 * MS, host: w.clock.now() + HOUR };
    assert_eq!(late, Err(StoreError::Late(moment)), "it looks like a call that took an hour");
    assert_eq!(w.memory.seen, before.seen);
    w.place(visitor(3)).await;
    let summary = w.summary().await;
    assert!(summary.time <= w.clock.now() + Caller::DRIFT, "{} is {}", w.clock.now(), summary.time);
    assert_eq!((summary.sessions, summary.bucket.refilled(limits().rate(), summary.time).tokens()), (2, 0));
    w.pass(100 * MS);
    assert_eq!(w.summary().await.time, summary.time + 100 * MS, "and goes on from there");
}

/// A host clock set back stops shared time for no longer than until its next step.
pub(super) async fn a_backward_jump_changes_nothing(mut w: World) {
    w.open_usual().await;
    w.straight(visitor(1)).await;
    let before = w.summary().await;
    w.clock.jump_back(24 * HOUR);
    w.pass(MS);
    let after = w.summary().await;
    assert_eq!(after.time, before.time);
    assert_eq!(after.sessions, 1);
    w.pass(Duration::from_secs(1));
    assert_eq!(w.summary().await.time, before.time + Duration::from_secs(1));
}

/// Callers that were quiet for long bound time by their own quiet: nothing of it is lost.
pub(super) async fn slow_callers_do_not_lose_time(mut w: World) {
    w.open_usual().await;
    for _ in 0..5 {
        w.pass(HOUR + MS);
        assert_eq!(w.summary().await.time, w.clock.now());
    }
}

/// A caller that shared time has left behind (it was suspended, or another one brought a leap in) is late once, learns
/// the time by that, and goes on; else it would be late for ever.
pub(super) async fn a_caller_left_behind_finds_back(mut w: World) {
    w.open_usual().await;
    let suspended = w.memory;
    w.memory = Memory::default();
    w.clock.jump_forward(HOUR);
    let leapt = w.summary().await.time;
    assert_eq!(leapt, w.clock.now() + HOUR, "nobody could say better");
    w.memory = suspended;
    let late = w.call(|store, room, caller, terms| store.join(room, caller, terms, vec![arrival(1)])).await;
    assert_eq!(late, Err(StoreError::Late(Moment { time: leapt, host: leapt })));
    w.straight(visitor(1)).await;
}
