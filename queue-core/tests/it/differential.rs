//! The same random trace on memory and on Redis: every answer and the whole room are the same after every step.

mod answer;
mod memories;
mod trace;

use std::sync::Arc;

use queue_core::RoomId;
use queue_core::store::{MemoryStore, Store, StoreError};

use self::answer::Answer;
use self::trace::{Op, Tally, Trace};
use crate::support::caller::Memory;
use crate::support::clock::TestClock;
use crate::support::dice::{SEED, seeds};
use crate::support::redis_server::RedisServer;
use crate::support::redis_store;

/// Traces of the default run, each of this many steps.
const TRACES: u64 = 15;
const STEPS: usize = 1_000;

/// A model test by another name: random calls against the memory store as the model, each answer and the whole room compared
/// after each of 15,000 calls of the default run. A state-machine library would add the shrinking of a failing trace; here a
/// trace is compared after every step, so it fails at the first call that tells the stores apart, and what it prints, the
/// seed, the step, the call and its caller, was short enough for every difference found so far.
///
/// The scripts are mechanical steps of the rules in Rust: no trace of joins, claims, calls, sweeps, limits, late and
/// doubled calls, clocks that jump and callers that saw more tells the two stores apart.
#[tokio::test]
async fn memory_and_redis_cannot_be_told_apart() {
    let Some(server) = RedisServer::start() else { return };
    let mut tally = Tally::default();
    let seeds = seeds(TRACES);
    for seed in seeds.clone() {
        // Shown when the test fails.
        println!("trace {seed}; to replay: {SEED}={seed}");
        run(seed, &server).await.tell(&mut tally);
    }
    if seeds.count() as u64 >= TRACES {
        tally.assert_was_worth_it();
    }
}

async fn run(seed: u64, server: &RedisServer) -> Trace {
    let clock = TestClock::new();
    let room = RoomId::new(&format!("trace-{seed}")).unwrap();
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.host()));
    let redis: Arc<dyn Store> = Arc::new(redis_store(server, &clock));
    let mut trace = Trace::new(seed, clock.clone());
    let mut auditor = Memory::default();
    for step in 0..STEPS {
        let (op, caller, by) = trace.next_call();
        let expected = op.apply(&*memory, &room, caller).await;
        let actual = op.apply(&*redis, &room, caller).await;
        assert_eq!(actual, expected, "seed {seed}, step {step}: {op:?} by {caller:?}");
        trace.note(by, &op, &expected);

        let caller = auditor.caller(clock.now());
        let expected = Op::Follow(None).apply(&*memory, &room, caller).await;
        let actual = Op::Follow(None).apply(&*redis, &room, caller).await;
        assert_eq!(actual, expected, "seed {seed}, the room after step {step}: {op:?}");
        if matches!(expected, Err(StoreError::Unmerged(_))) {
            auditor = Memory::default();
        }
        auditor.note(clock.now(), &expected);
        if let Ok(stamped) = &expected
            && let Answer::Follow(room) = &stamped.value
        {
            trace.look(room);
        }
    }
    trace
}
