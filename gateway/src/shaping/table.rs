//! The keys of one limit and how far each is charged: sharded, capped, forgetting those whose bucket is full again.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use governor::nanos::Nanos;
use governor::state::StateStore;

/// Independent parts of a table, so that cores hardly ever wait for each other.
const SHARDS: usize = 16;

/// A shard looks for replenished keys when it is full, but not more often than once in this many refused keys: a flood
/// of fresh addresses must not make every request walk the table.
const SWEEP_EVERY: u32 = 256;

/// The state of a key is its theoretical arrival time (TAT): until then its bucket is not full.
#[derive(Debug)]
pub(super) struct Table {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    keys_per_shard: usize,
}

#[derive(Debug, Default)]
struct Shard {
    tats: HashMap<u128, Nanos, RandomState>,
    /// What all keys share that came when the shard was full.
    overflow: Option<Nanos>,
    refused_since_sweep: u32,
    now: Nanos,
}

impl Table {
    /// A table of at most `max_keys`, rounded up to whole shards.
    pub(super) fn new(max_keys: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
            keys_per_shard: max_keys.div_ceil(SHARDS).max(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).tats.len()).sum()
    }

    /// Tells the key's shard what time it is, for the sweep.
    pub(super) fn tell(&self, key: u128, now: Duration) {
        let mut shard = lock(self.shard(key));
        shard.now = shard.now.max(Nanos::from(now));
    }

    /// Takes a charge of `cost` back. Exact in whatever order charges came, because charges only add up.
    pub(super) fn refund(&self, key: u128, cost: Nanos) {
        let mut shard = lock(self.shard(key));
        let shard = &mut *shard;
        if let Some(tat) = shard.tats.get_mut(&key).or(shard.overflow.as_mut()) {
            *tat = tat.saturating_sub(cost);
        }
    }

    fn shard(&self, key: u128) -> &Mutex<Shard> {
        // Visitors are random and addresses are not; the hash spreads both.
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default();
        &self.shards[hash % SHARDS]
    }
}

fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StateStore for Table {
    type Key = u128;

    fn measure_and_replace<T, F, E>(&self, key: &u128, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut shard = lock(self.shard(*key));
        let shard = &mut *shard;
        if let Some(tat) = shard.tats.get_mut(key) {
            let (outcome, next) = decide(Some(*tat))?;
            *tat = next;
            return Ok(outcome);
        }
        if shard.tats.len() >= self.keys_per_shard && !shard.make_room() {
            let (outcome, next) = decide(shard.overflow)?;
            shard.overflow = Some(next);
            return Ok(outcome);
        }
        let (outcome, next) = decide(None)?;
        shard.tats.insert(*key, next);
        Ok(outcome)
    }
}

impl Shard {
    /// Forgets keys whose bucket is full again: to them a fresh entry is the same. Whether there is room now.
    fn make_room(&mut self) -> bool {
        let before = self.tats.len();
        if self.refused_since_sweep == 0 {
            let now = self.now;
            self.tats.retain(|_, tat| *tat > now);
        }
        self.refused_since_sweep = (self.refused_since_sweep + 1) % SWEEP_EVERY;
        let made = self.tats.len() < before;
        if made {
            self.refused_since_sweep = 0;
        }
        made
    }
}
