//! One gateway's use of one room, as short as a test about connections wants it.

use std::time::Duration;

use queue_core::RoomId;
use queue_core::recovery::{House, Trouble, Witness, plan};
use queue_core::store::{
    Arrival, Call, Called, Claim, Claimed, Departure, Ending, Joined, LimitsSource, Opening, Proposal, RedisAddress,
    RedisSettings, RedisStore, Renewal, Renewed, Stamped, Store as _, StoreError,
};
use queue_core::{Epoch, Life, Place, Sequence};

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
    witness: Witness,
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
        Self {
            store,
            room: RoomId::new("concert").unwrap(),
            clock,
            memory: Memory::default(),
            witness: Witness::default(),
        }
    }

    /// Goes on with another room.
    pub(crate) fn turn_to(&mut self, room: &str) {
        (self.room, self.memory) = (RoomId::new(room).unwrap(), Memory::default());
        self.witness = Witness::default();
    }

    /// Time passes.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.pass(span);
    }

    /// Makes sure the room exists. In an epoch of its own, so that a store that has lost the room begins a later one.
    pub(crate) async fn open(&mut self, epoch: u32) -> Result<(), StoreError> {
        let proposal = Proposal { limits: limits(), source: LimitsSource::Config(TestClock::START) };
        let place = Place { epoch: Epoch::new(epoch).unwrap(), sequence: Sequence::NONE };
        let opening = Opening { proposal, life: Life::at(place).unwrap(), listen: Duration::ZERO };
        let answer = self.store.open(&self.room, self.memory.caller(self.clock.now()), opening).await;
        self.noted(answer).map(|_| ())
    }

    /// Joins the visitor with this number; tells the store first what is remembered, if it asks for it.
    pub(crate) async fn join(&mut self, number: u32) -> Result<Joined, StoreError> {
        match self.join_once(number).await {
            Err(error) if error.needs_memory() && error != StoreError::Absent => {
                self.heal(&error).await?;
                self.join_once(number).await
            }
            answer => answer,
        }
    }

    async fn join_once(&mut self, number: u32) -> Result<Joined, StoreError> {
        let caller = self.memory.caller(self.clock.now());
        let items = vec![Arrival { visitor: visitor(number), since: None }];
        let answer = self.store.join(&self.room, caller, TERMS, items.clone()).await;
        if let Ok(answer) = &answer {
            self.witness.joined(answer.time, &items, &answer.value);
        }
        self.noted(answer).map(|joined| joined[0])
    }

    async fn heal(&mut self, error: &StoreError) -> Result<(), StoreError> {
        let proposal = Proposal { limits: limits(), source: LimitsSource::Config(TestClock::START) };
        let longest_poll = Duration::from_secs(5);
        let house = House { proposal, session: TERMS.session, longest_poll, collect: Duration::ZERO, salt: 0 };
        let trouble = Trouble::of(error).unwrap();
        let Some(testimony) = plan(trouble, &self.witness, None, &house, self.clock.now()) else { return Ok(()) };
        let caller = self.memory.caller(self.clock.now());
        let answer = self.store.merge(&self.room, caller, testimony).await;
        self.noted(answer).map(drop)
    }

    /// Claims the place of the visitor with this number.
    pub(crate) async fn claim(&mut self, number: u32, place: Place) -> Result<Claimed, StoreError> {
        let caller = self.memory.caller(self.clock.now());
        let claim = Claim { visitor: visitor(number), place, take: true };
        let answer = self.store.claim(&self.room, caller, TERMS, vec![claim]).await;
        self.noted(answer).map(|claimed| claimed[0])
    }

    /// Every operation that a room has, with visitors of its own.
    pub(crate) async fn every_operation(&mut self) -> Result<(), StoreError> {
        self.open(1).await?;
        let Joined::Placed { place, .. } = self.paused_join(1).await? else { panic!("let in while paused") };
        let Joined::Placed { place: left, .. } = self.paused_join(2).await? else { panic!("let in while paused") };
        let (room, terms) = (self.room.clone(), TERMS);
        let caller = |this: &Self| this.memory.caller(this.clock.now());
        let answer = self.store.pause(&room, caller(self), false).await;
        self.noted(answer)?;
        let answer = self.store.follow(&room, caller(self), None).await;
        let summary = self.noted(answer)?.summary;
        let (from, limits_version) = (summary.mark.frontier, summary.limits_version);
        let call = Call { from, limits_version, called: vec![place] };
        let answer = self.store.call(&room, caller(self), terms, call).await;
        assert_eq!(self.noted(answer)?, Called::Moved);
        let Claimed::Admitted(session) = self.claim(1, place).await? else { panic!("not let in") };
        let renewal = Renewal { session, span: Duration::from_secs(60) };
        let answer = self.store.renew(&room, caller(self), terms, vec![renewal]).await;
        assert!(matches!(self.noted(answer)?[..], [Renewed::Until(_)]));
        let ending = Ending { session };
        let answer = self.store.end(&room, caller(self), vec![ending]).await;
        assert_eq!(self.noted(answer)?, [true]);
        let departure = Departure { visitor: visitor(2), place: left };
        let answer = self.store.depart(&room, caller(self), vec![departure]).await;
        assert_eq!(self.noted(answer)?, [true]);
        let answer = self.store.sweep(&room, caller(self), terms).await;
        self.noted(answer)?;
        let proposal = Proposal { limits: limits(), source: LimitsSource::Operator };
        let answer = self.store.propose(&room, caller(self), proposal).await;
        assert!(self.noted(answer)?);
        Ok(())
    }

    async fn paused_join(&mut self, number: u32) -> Result<Joined, StoreError> {
        let caller = self.memory.caller(self.clock.now());
        let answer = self.store.pause(&self.room, caller, true).await;
        self.noted(answer)?;
        self.join(number).await
    }

    fn noted<T>(&mut self, answer: Result<Stamped<T>, StoreError>) -> Result<T, StoreError> {
        self.memory.note(self.clock.now(), &answer);
        if let Ok(answer) = &answer {
            self.witness.saw(&answer.mark);
            self.witness.looked(answer.time, answer.mark.life, answer.mark.version);
        }
        answer.map(|answer| answer.value)
    }
}
