//! The keys of one limit and the state of each: sharded, capped, forgetting only those whose state is as good as none.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

/// Independent parts of a table, so that cores hardly ever wait for each other.
const SHARDS: usize = 16;

/// A shard looks for keys it may forget when it is full, but not more often than once in this many refused keys: a flood
/// of fresh addresses must not make every request walk the table.
const SWEEP_EVERY: u32 = 256;

/// The keys that the shared states go by, one a shard, counted down from here. No client has such an address (it would be
/// a multicast one), and no visitor such an id but with a chance of one in 2^124.
const SHARED: u128 = u128::MAX;

#[derive(Debug)]
pub(super) struct Table<S> {
    shards: Box<[Mutex<Shard<S>>]>,
    hasher: RandomState,
    keys_per_shard: usize,
}

#[derive(Debug)]
struct Shard<S> {
    states: HashMap<u128, S, RandomState>,
    /// What all keys share that came when the shard was full.
    shared: Option<S>,
    refused_since_sweep: u32,
}

/// What becomes of a state that was made for a key.
pub(super) enum Fate {
    /// It is remembered.
    Keep,
    /// Nothing happened to it.
    Drop,
}

impl<S> Table<S> {
    /// A table of at most `max_keys`, rounded up to whole shards.
    pub(super) fn new(max_keys: usize) -> Self {
        let shard =
            || Shard { states: HashMap::with_hasher(RandomState::default()), shared: None, refused_since_sweep: 0 };
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            hasher: RandomState::default(),
            keys_per_shard: max_keys.div_ceil(SHARDS).max(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).states.len()).sum()
    }

    /// Does something with the state of a key while nobody else can; a key without one gets a `fresh` one. Where the table
    /// is full and no state `rests`, that is a state shared by several keys. The action is told the key that the state goes
    /// by.
    pub(super) fn with<R>(
        &self,
        key: u128,
        fresh: impl FnOnce() -> S,
        rests: impl Fn(&S) -> bool,
        act: impl FnOnce(u128, &mut S) -> (R, Fate),
    ) -> R {
        let at = self.shard_of(key);
        let mut shard = lock(&self.shards[at]);
        let shard = &mut *shard;
        let shared_key = SHARED - at as u128;
        if key != shared_key {
            if let Some(state) = shard.states.get_mut(&key) {
                return act(key, state).0;
            }
            if shard.states.len() < self.keys_per_shard || shard.make_room(rests) {
                let mut state = fresh();
                let (result, fate) = act(key, &mut state);
                if matches!(fate, Fate::Keep) {
                    shard.states.insert(key, state);
                }
                return result;
            }
        }
        act(shared_key, shard.shared.get_or_insert_with(fresh)).0
    }

    fn shard_of(&self, key: u128) -> usize {
        match usize::try_from(SHARED - key) {
            Ok(at) if at < SHARDS => at,
            // Visitors are random and addresses are not; the hash spreads both.
            _ => usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default() % SHARDS,
        }
    }
}

fn lock<S>(shard: &Mutex<Shard<S>>) -> MutexGuard<'_, Shard<S>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Shard<S> {
    /// Forgets keys that rest: to them a fresh state is the same. Whether there is room now.
    fn make_room(&mut self, rests: impl Fn(&S) -> bool) -> bool {
        let before = self.states.len();
        if self.refused_since_sweep == 0 {
            self.states.retain(|_, state| !rests(state));
        }
        self.refused_since_sweep = (self.refused_since_sweep + 1) % SWEEP_EVERY;
        let made = self.states.len() < before;
        if made {
            self.refused_since_sweep = 0;
        }
        made
    }
}
