//! What every store does, each told once.

use std::time::Duration;

use queue_core::limit::Quota;
use queue_core::limit::lease::{Ask, Grant, LIFETIME, MARGIN, MEMBER_FOR};

use super::bench::{Bench, LISTENS};

const SECOND: Duration = Duration::from_secs(1);
/// In which a bucket fills.
const FULL: Duration = Duration::from_secs(2);

/// Nobody knows whether there were leases before: nothing is leased while they could be spent, and no burst is given.
pub(super) async fn a_first_start_listens_and_begins_empty(mut bench: Bench) {
    assert_eq!(bench.ask(1, 0, 0, 5).await, Grant { granted: 0, kept: 0, wait: LISTENS });
    bench.pass(LISTENS - Duration::from_millis(1));
    assert_eq!(bench.take(1, 5).await, 0);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.take(1, 100).await, 15, "what came back since it began");
    assert_eq!(bench.ask(1, 0, 0, 5).await.wait, Duration::from_millis(100));
}

/// The bound rests on this: what is leased leaves less to come back.
pub(super) async fn tokens_and_leases_are_never_more_than_the_burst(mut bench: Bench) {
    bench.settle(FULL).await;
    assert_eq!(bench.take(1, 12).await, 12);
    bench.pass(SECOND);
    // 8 were left, 10 came back, and there was room for none.
    assert_eq!(bench.take(2, 100).await, 8);
    bench.pass(SECOND * 3 / 10);
    assert_eq!(bench.ask(1, 12, 0, 5).await, Grant { granted: 0, kept: 12, wait: Duration::from_millis(100) });
    // Once the first has told that it spent them, there is.
    assert_eq!(bench.ask(1, 0, 0, 1).await.granted, 0);
    bench.pass(SECOND / 2);
    assert_eq!(bench.take(1, 100).await, 5);
}

/// An answer may be lost and the call repeated on the way.
pub(super) async fn the_same_number_is_the_same_grant(mut bench: Bench) {
    bench.settle(FULL).await;
    let ask = Ask { key: 1, number: 1_000, held: 0, back: 0, want: 7 };
    let first = bench.call(1, vec![ask]).await.grants[0];
    assert_eq!(first.granted, 7);
    bench.pass(Duration::from_millis(50));
    assert_eq!(bench.call(1, vec![ask, ask]).await.grants, [first, first]);
    assert_eq!(bench.take(2, 100).await, 13, "the repetitions cost nothing");
}

/// A call that lay in some buffer for long comes behind newer ones.
pub(super) async fn an_earlier_number_does_nothing(mut bench: Bench) {
    bench.settle(FULL).await;
    let ask = |number, held, want| Ask { key: 1, number, held, back: 0, want };
    assert_eq!(bench.call(1, vec![ask(1_000, 0, 6)]).await.grants[0].granted, 6);
    let late = bench.call(1, vec![ask(999, 0, 6)]).await.grants[0];
    assert_eq!((late.granted, late.kept), (0, 0));
    assert_eq!(bench.call(1, vec![ask(1_001, 6, 1)]).await.grants[0].kept, 6);
}

/// A gateway that crashed costs what it held, until nobody could spend it any more.
pub(super) async fn a_lease_that_ended_makes_room(mut bench: Bench) {
    bench.settle(FULL).await;
    assert_eq!(bench.take(1, 20).await, 20);
    bench.pass(LIFETIME + MARGIN - Duration::from_millis(1));
    assert_eq!(bench.take(2, 100).await, 0);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.take(2, 100).await, 0, "the leased tokens are gone");
    bench.pass(SECOND);
    assert_eq!(bench.take(2, 100).await, 10);
    // Its own gateway cannot keep them either.
    assert_eq!(bench.ask(1, 20, 0, 1).await.kept, 0);
}

/// Else the one that asks first after each token came back would have them all.
pub(super) async fn each_takes_its_part_of_what_is_there(mut bench: Bench) {
    bench.settle(FULL).await;
    assert_eq!(bench.ask(1, 0, 0, 100).await.granted, 10);
    assert_eq!(bench.ask(2, 0, 0, 100).await.granted, 5);
    assert_eq!(bench.ask(2, 5, 0, 100).await, Grant { granted: 3, kept: 5, wait: Duration::ZERO });
}

/// A gateway tells what it will not spend, and somebody else gets it.
pub(super) async fn what_comes_back_is_there_again(mut bench: Bench) {
    bench.settle(FULL).await;
    assert_eq!(bench.take(1, 20).await, 20);
    let answer = bench.ask(1, 0, 14, 1).await;
    assert_eq!((answer.granted, answer.kept), (1, 0));
    assert_eq!(bench.take(2, 100).await, 13);
    // Nobody gives back what was not leased.
    bench.ask(2, 0, 1_000, 1).await;
    assert!(bench.take(2, 100).await <= 13);
}

/// Whoever leased before may still spend; and nobody gets a burst for a loss.
pub(super) async fn a_lost_store_begins_empty_and_forgets_leases(mut bench: Bench) {
    bench.settle(FULL).await;
    assert_eq!(bench.take(1, 10).await, 10);
    let life = bench.memories[&1].life;
    bench.wipe().await;
    let after = bench.ask(2, 0, 0, 10).await;
    assert_eq!(after, Grant { granted: 0, kept: 0, wait: LISTENS });
    assert!(bench.memories[&2].life > life, "a life of its own");
    assert_eq!(bench.ask(1, 10, 0, 1).await.kept, 0, "of another life");
    bench.pass(LISTENS);
    assert_eq!(bench.take(2, 100).await, 15);
}

/// A gateway that has heard of a later life does not spend out of an earlier one.
pub(super) async fn a_store_behind_its_caller_begins_anew(mut bench: Bench) {
    bench.settle(FULL).await;
    let life = bench.memories[&1].life;
    bench.memories.get_mut(&1).unwrap().life = life + 1_000_000_000;
    assert_eq!(bench.take(1, 1).await, 0);
    assert!(bench.memories[&1].life > life + 1_000_000_000);
}

/// Only time that a gateway saw pass makes tokens, and ends leases.
pub(super) async fn a_jump_of_the_clock_is_not_believed(mut bench: Bench) {
    bench.settle(FULL).await;
    assert_eq!(bench.take(1, 20).await, 20);
    bench.clock.jump_forward(Duration::from_secs(3_600));
    bench.ask(1, 0, 0, 1).await;
    assert!(bench.take(2, 100).await <= 1, "100 ms at most");
    bench.pass(SECOND);
    assert!((9..=11).contains(&bench.take(1, 100).await), "and then as ever");
    bench.clock.jump_back(Duration::from_secs(7_200));
    assert_eq!(bench.take(1, 100).await, 0);
    bench.pass(SECOND);
    assert!((9..=11).contains(&bench.take(1, 100).await));
}

/// A gateway that has just started cannot tell a jump from time that passed.
pub(super) async fn a_newcomer_brings_no_time(mut bench: Bench) {
    bench.settle(FULL).await;
    assert_eq!(bench.take(1, 20).await, 20);
    bench.clock.jump_forward(Duration::from_secs(3_600));
    assert_eq!(bench.take(3, 100).await, 0);
    bench.pass(SECOND);
    // What it saw pass since its first answer is believed; and the lease of the first has not ended.
    assert!(bench.take(3, 100).await <= 1);
}

/// The share of one gateway is worked out from this.
pub(super) async fn gateways_are_counted_while_they_are_heard(mut bench: Bench) {
    bench.settle(Duration::ZERO).await;
    assert_eq!(bench.call(1, Vec::new()).await.gateways, 2);
    assert_eq!(bench.call(3, Vec::new()).await.gateways, 3);
    bench.pass(MEMBER_FOR);
    assert_eq!(bench.call(1, Vec::new()).await.gateways, 1);
}

/// A rolling reload changes the rate and gives no burst.
pub(super) async fn another_rate_keeps_whole_tokens(mut bench: Bench) {
    bench.settle(FULL).await;
    assert_eq!(bench.take(1, 15).await, 15);
    bench.quota = Quota::per_second(3.0, 100).unwrap();
    assert_eq!(bench.take(1, 100).await, 5);
    bench.pass(SECOND);
    assert_eq!(bench.take(1, 100).await, 3);
    bench.quota = Quota::per_second(1_000.0, 2).unwrap();
    assert_eq!(bench.take(1, 100).await, 0, "three are leased, and that is more than the burst now");
    bench.pass(SECOND);
    assert_eq!(bench.take(1, 100).await, 2);
}

/// One client's tokens are not another's; one call asks about many.
pub(super) async fn keys_have_buckets_of_their_own(mut bench: Bench) {
    bench.settle(FULL).await;
    let asks = (0..500).map(|key| Ask { key: u128::MAX - key, number: 1, held: 0, back: 0, want: 21 }).collect();
    let leased = bench.call(1, asks).await;
    assert_eq!(leased.grants.len(), 500);
    assert!(leased.grants.iter().all(|grant| grant.granted == 10), "half of it: there are two gateways");
}

/// Clients come and go: what is full again is not kept.
pub(super) async fn what_rests_is_forgotten(mut bench: Bench) {
    bench.settle(FULL).await;
    let asks = (0..150).map(|key| Ask { key, number: 1, held: 0, back: 0, want: 1 }).collect();
    bench.call(1, asks).await;
    if let Some(keys) = bench.stored_keys().await {
        assert_eq!(keys, 152);
    }
    bench.pass(FULL + LISTENS);
    bench.call(1, Vec::new()).await;
    bench.call(1, Vec::new()).await;
    if let Some(keys) = bench.stored_keys().await {
        assert_eq!(keys, 1);
    }
    assert_eq!(bench.take(1, 100).await, 20);
}
