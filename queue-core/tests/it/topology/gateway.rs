//! One gateway's use of one room, as short as a test about connections wants it.

use std::time::Duration;

use queue_core::RoomId;
use queue_core::store::{
    Claim, Claimed, Joined, LimitsSource, Opening, Proposal, RedisAddress, RedisSettings, RedisStore, Stamped,
    Store as _, StoreError,
};
use queue_core::{Epoch, Place};

use crate::support::caller::Memory;
use crate::support::clock::TestClock;
use crate::support::{TERMS, limits, visitor};

/// As in the gateway's default configuration.
pub(crate) const DEADLINE: Duration = Duration::from_millis(50);

/// What a deadline may be missed by on a machine with other things to do.
pub(crate) const TOLERANCE: Duration = Duration::from_millis(150);

/// One gateway's use of one room.
pub(crate) struct Gateway {
    pub(crate) store: RedisStore,
    room: RoomId,
    clock: TestClock,
    memory: Memory,
}

/// The settings of a gateway's default configuration.
pub(crate) fn settings(address: RedisAddress) -> RedisSettings {
    RedisSettings {
        address,
        deadline: DEADLINE,
        connect_timeout: Duration::from_secs(1),
        response_timeout: Duration::from_millis(200),
        max_reconnect_delay: Duration::from_millis(200),
        clock: None,
    }
}

impl Gateway {
    pub(crate) fn at(url: &str) -> Self {
        Self::with(settings(RedisAddress::parse(url).unwrap()))
    }

    pub(crate) fn with(settings: RedisSettings) -> Self {
        let clock = TestClock::new();
        let store = RedisStore::new(RedisSettings { clock: Some(clock.host()), ..settings }).unwrap();
        Self { store, room: RoomId::new("concert").unwrap(), clock, memory: Memory::default() }
    }

    /// Goes on with another room.
    pub(crate) fn turn_to(&mut self, room: &str) {
        (self.room, self.memory) = (RoomId::new(room).unwrap(), Memory::default());
    }

    /// Time passes.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.pass(span);
    }

    /// Makes sure the room exists. In an epoch of its own, so that a store that has lost the room begins a later one.
    pub(crate) async fn open(&mut self, epoch: u32) -> Result<(), StoreError> {
        let proposal = Proposal { limits: limits(), source: LimitsSource::Config(TestClock::START) };
        let opening = Opening { proposal, epoch: Epoch::new(epoch).unwrap() };
        let answer = self.store.open(&self.room, self.memory.caller(self.clock.now()), opening).await;
        self.noted(answer).map(|_| ())
    }

    /// Joins the visitor with this number.
    pub(crate) async fn join(&mut self, number: u32) -> Result<Joined, StoreError> {
        let caller = self.memory.caller(self.clock.now());
        let answer = self.store.join(&self.room, caller, TERMS, vec![visitor(number)]).await;
        self.noted(answer).map(|joined| joined[0])
    }

    /// Claims the place of the visitor with this number.
    pub(crate) async fn claim(&mut self, number: u32, place: Place) -> Result<Claimed, StoreError> {
        let caller = self.memory.caller(self.clock.now());
        let claim = Claim { visitor: visitor(number), place, take: true };
        let answer = self.store.claim(&self.room, caller, TERMS, vec![claim]).await;
        self.noted(answer).map(|claimed| claimed[0])
    }

    fn noted<T>(&mut self, answer: Result<Stamped<T>, StoreError>) -> Result<T, StoreError> {
        self.memory.note(self.clock.now(), &answer);
        answer.map(|answer| answer.value)
    }
}
