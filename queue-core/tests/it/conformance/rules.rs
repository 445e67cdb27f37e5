//! Limits in force: kept in the room, changed by configs and operators.

use std::time::Duration;

use queue_core::recovery::{House, Trouble, Witness, plan};
use queue_core::store::{LimitsSource, Summary};
use queue_core::{HighWater, Limits};

use crate::support::caller::Memory;
use crate::support::clock::TestClock;
use crate::support::world::{World, opening};
use crate::support::{limits, visitor};

fn config(secs: u64) -> LimitsSource {
    LimitsSource::Config(TestClock::START + Duration::from_secs(secs))
}

fn cap(total_active_users: u32) -> Limits {
    Limits { total_active_users, ..limits() }
}

/// During a rolling reload the newest config wins, whichever gateway comes last.
pub(super) async fn the_newest_config_wins(mut w: World) {
    w.open(cap(10)).await;
    assert!(w.propose(cap(20), config(60)).await);
    assert!(!w.propose(cap(10), config(59)).await);
    let summary = w.summary().await;
    assert_eq!((summary.limits, summary.limits_version, summary.limits_by_operator), (cap(20), 2, false));
}

/// An operator's word outlives configs and restarts until it is taken back.
pub(super) async fn an_operator_outlives_configs_until_reset(mut w: World) {
    w.open(cap(10)).await;
    assert!(w.propose(cap(5), LimitsSource::Operator).await);
    assert!(!w.propose(cap(20), config(3_600)).await);
    let summary = w.open(cap(30)).await;
    assert_eq!((summary.limits, summary.limits_by_operator), (cap(5), true));
    assert!(w.propose(cap(6), LimitsSource::Operator).await);
    let word = w.summary().await.limits_version;
    assert!(word > summary.limits_version);
    w.pass(Duration::from_secs(100));
    assert!(w.propose(cap(10), LimitsSource::Reset).await);
    let summary = w.summary().await;
    assert_eq!((summary.limits, summary.limits_by_operator), (cap(10), false));
    assert!(summary.limits_version > word);
    assert!(!w.propose(cap(40), config(99)).await, "loaded before the reset");
    assert!(w.propose(cap(40), config(101)).await);
}

/// N5, N6: of words spoken on two copies of a room the later one wins, however many either copy has heard.
pub(super) async fn the_later_of_two_words_wins(mut w: World) {
    w.open(cap(10)).await;
    let kept = w.keep().await;
    w.propose(cap(5), LimitsSource::Operator).await;
    w.pause(true).await;
    let lost = w.whole().await;
    w.restore(kept).await;
    w.memory = Memory::default();
    w.pass(Duration::from_secs(1));
    w.pause(false).await;
    let house = House {
        proposal: opening(limits(), 0).proposal,
        session: w.terms.session,
        longest_poll: Duration::from_secs(5),
        collect: Duration::ZERO,
        salt: 0,
    };
    let told = plan(Trouble::Unmerged, &Witness::default(), Some(&lost), &house, w.clock.now()).unwrap();
    w.call(|store, room, caller, _| store.merge(room, caller, told)).await.unwrap();
    let summary = w.summary().await;
    assert_eq!((summary.limits, summary.paused), (cap(10), false), "also one that changed nothing where it was spoken");
}

/// Limits that are in force already change neither version nor log: a hundred gateways may propose them.
pub(super) async fn the_same_limits_are_not_a_change(mut w: World) {
    let first = w.open(cap(10)).await;
    assert!(w.propose(cap(10), config(60)).await);
    let summary = w.summary().await;
    assert_eq!((summary.limits_version, summary.mark.version), (first.limits_version, first.mark.version));
    assert!(!w.propose(cap(9), config(59)).await, "but they are the newer config's now");
}

/// N7: a change of rate mints nothing: what was saved stays, at most the new burst.
pub(super) async fn new_limits_keep_the_fill(mut w: World) {
    w.open(Limits { new_users_per_minute: 60, burst: 5, ..limits() }).await;
    for n in 0..4 {
        w.straight(visitor(n)).await;
    }
    w.pass(Duration::from_millis(500));
    let fast = Limits { new_users_per_minute: 6_000, burst: 50, ..limits() };
    w.propose(fast.clone(), LimitsSource::Operator).await;
    let summary = w.summary().await;
    assert_eq!(summary.bucket.refilled(fast.rate(), summary.time).parts(), 90_000, "one and a half");
    w.pass(Duration::from_secs(60));
    let tight = Limits { burst: 2, ..fast };
    w.propose(tight.clone(), LimitsSource::Operator).await;
    let summary = w.summary().await;
    assert_eq!(summary.bucket.refilled(tight.rate(), summary.time).tokens(), 2);
}

/// A gateway that starts later finds the room as it is.
pub(super) async fn opening_again_keeps_the_room(mut w: World) {
    w.open_usual().await;
    w.straight(visitor(1)).await;
    let before = w.summary().await;
    w.memory = crate::support::caller::Memory::default();
    let mut opening = opening(limits(), 0);
    opening.life = queue_core::Life::first(w.clock.now());
    let after = w.call(|store, room, caller, _| store.open(room, caller, opening)).await.unwrap();
    let mark = HighWater { steps: before.mark.steps + 1, ..before.mark };
    assert_eq!(after, Summary { mark, ..before }, "nothing but a step");
}
