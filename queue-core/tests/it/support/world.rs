//! One room on one store, with a clock and a caller: what a behaviour is told in.

use std::sync::Arc;
use std::time::Duration;

use queue_core::store::{
    Arrival, Call, Called, Claim, Claimed, Departure, Ending, GatewayId, Heard, HeardChunk, Joined, LimitsSource,
    MemoryStore, Mirror, Opening, Pending, Period, Proposal, Renewal, Renewed, Session, Stamped, Store, StoreError,
    Summary, Swept, Terms,
};
use queue_core::{Epoch, Life, Limits, Place, RoomId, Sequence, Timestamp, VisitorId};

use super::caller::Memory;
use super::clock::TestClock;
use super::redis_data::Dump;
use super::redis_server::RedisServer;
use super::{TERMS, crowds, limits, place, redis_store, store_at, ticket};
use crate::topology::cluster::Cluster;

/// The epoch every test's room begins with.
pub(crate) const EPOCH: u32 = 47_000;

/// One room on one store. Calls go out and are answered at one moment of the clock.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: TestClock,
    pub(crate) room: RoomId,
    pub(crate) terms: Terms,
    pub(crate) memory: Memory,
    /// The one that keeps the room.
    server: Option<RedisServer>,
    /// The rest of its cluster.
    _others: Vec<RedisServer>,
    memory_store: Option<Arc<MemoryStore>>,
}

/// What a store had at a moment.
pub(crate) enum Kept {
    Memory(MemoryStore),
    Redis(Dump),
}

/// The opening that a config with these limits proposes, loaded `secs` after the start.
pub(crate) fn opening(limits: Limits, secs: u64) -> Opening {
    let source = LimitsSource::Config(TestClock::START + Duration::from_secs(secs));
    Opening { proposal: Proposal { limits, source }, life: life(), listen: Duration::ZERO }
}

/// The life every test's room begins with.
pub(crate) fn life() -> Life {
    Life::at(Place { epoch: Epoch::new(EPOCH).unwrap(), sequence: Sequence::NONE }).unwrap()
}

impl World {
    /// A world on the memory store.
    pub(crate) fn on_memory() -> Self {
        let clock = TestClock::new();
        let store = Arc::new(MemoryStore::new(clock.host()));
        Self { memory_store: Some(store.clone()), ..Self::new(store, clock, None) }
    }

    /// A world on a Redis of its own; `None` where there is no Redis to start.
    pub(crate) fn on_redis() -> Option<Self> {
        let server = RedisServer::start()?;
        let clock = TestClock::new();
        let store = Arc::new(redis_store(&server, &clock));
        Some(Self::new(store, clock, Some(server)))
    }

    /// A world on one node of a Redis Cluster; `None` where there is no Redis to start.
    pub(crate) async fn on_cluster() -> Option<Self> {
        let cluster = Cluster::start().await?;
        let clock = TestClock::new();
        let world = Self::new(Arc::new(store_at(&cluster.url(), &clock)), clock, None);
        let (server, others) = cluster.split_at(world.room.as_str()).await;
        Some(Self { server: Some(server), _others: others, ..world })
    }

    fn new(store: Arc<dyn Store>, clock: TestClock, server: Option<RedisServer>) -> Self {
        let room = RoomId::new("concert").unwrap();
        Self {
            store,
            clock,
            room,
            terms: TERMS,
            memory: Memory::default(),
            server,
            _others: Vec::new(),
            memory_store: None,
        }
    }

    /// As if `count` visitors had joined. On a Redis it says so in the room's state, which a million joins would fill
    /// with a sorted set that no behaviour looks at.
    pub(crate) async fn give_places(&mut self, count: u32) {
        match &self.server {
            Some(server) => {
                let client = redis::Client::open(server.url()).unwrap();
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                let key = format!("usher:{{{}}}:state", self.room);
                let set: i64 = redis::cmd("HSET")
                    .arg(key)
                    .arg("last")
                    .arg(place(count).score())
                    .query_async(&mut connection)
                    .await
                    .unwrap();
                assert_eq!(set, 0, "the field was there");
            }
            None => {
                for crowd in crowds(0..count) {
                    self.join(crowd).await;
                }
            }
        }
    }

    /// The store loses everything.
    pub(crate) async fn wipe(&mut self) {
        match &self.server {
            Some(server) => server.command(&["FLUSHALL"]).await,
            None => self.memory_store.as_ref().unwrap().wipe(),
        }
    }

    /// What the store has now, to be restored later as if nothing had happened since.
    pub(crate) async fn keep(&mut self) -> Kept {
        match &self.server {
            Some(server) => Kept::Redis(server.dump().await),
            None => Kept::Memory(self.memory_store.as_ref().unwrap().copy(0)),
        }
    }

    pub(crate) async fn restore(&mut self, kept: Kept) {
        match (&self.server, kept) {
            (Some(server), Kept::Redis(dump)) => server.restore(dump).await,
            (None, Kept::Memory(store)) => {
                let store = Arc::new(store);
                self.memory_store = Some(store.clone());
                self.store = store;
            }
            _ => unreachable!("it was kept by another store"),
        }
    }

    /// Opens the room with these limits.
    pub(crate) async fn open(&mut self, limits: Limits) -> Summary {
        let caller = self.memory.caller(self.clock.now());
        let opening = opening(limits, 0);
        let answer = self.store.clone().open(&self.room.clone(), caller, opening).await;
        self.noted(answer).unwrap().value
    }

    /// Opens the room with [`limits`].
    pub(crate) async fn open_usual(&mut self) -> Summary {
        self.open(limits()).await
    }

    /// Makes one call and remembers what its answer shows.
    pub(crate) async fn call<T>(
        &mut self,
        call: impl for<'a> FnOnce(&'a dyn Store, &'a RoomId, queue_core::store::Caller, Terms) -> Pending<'a, T>,
    ) -> Result<T, StoreError> {
        let caller = self.memory.caller(self.clock.now());
        let store = self.store.clone();
        let answer = call(&*store, &self.room.clone(), caller, self.terms).await;
        Ok(self.noted(answer)?.value)
    }

    fn noted<T>(&mut self, answer: Result<Stamped<T>, StoreError>) -> Result<Stamped<T>, StoreError> {
        self.memory.note(self.clock.now(), &answer);
        answer
    }

    pub(crate) async fn join(&mut self, items: Vec<VisitorId>) -> Vec<Joined> {
        self.join_as(items.into_iter().map(|visitor| Arrival { visitor, since: None }).collect()).await
    }

    pub(crate) async fn join_as(&mut self, items: Vec<Arrival>) -> Vec<Joined> {
        self.call(|store, room, caller, terms| store.join(room, caller, terms, items)).await.unwrap()
    }

    /// Joins one visitor who must get a place.
    pub(crate) async fn place(&mut self, visitor: VisitorId) -> Place {
        match self.join(vec![visitor]).await[..] {
            [Joined::Placed { place, .. }] => place,
            ref other => panic!("{visitor:?} got no place but {other:?}"),
        }
    }

    /// Joins one visitor who must be let straight in.
    pub(crate) async fn straight(&mut self, visitor: VisitorId) -> Session {
        match self.join(vec![visitor]).await[..] {
            [Joined::Admitted { session, .. }] => session,
            ref other => panic!("{visitor:?} was not let in but {other:?}"),
        }
    }

    pub(crate) async fn claims(&mut self, items: Vec<Claim>) -> Vec<Claimed> {
        self.call(|store, room, caller, terms| store.claim(room, caller, terms, items)).await.unwrap()
    }

    /// Swaps a place for a session.
    pub(crate) async fn claim(&mut self, visitor: VisitorId, place: Place) -> Claimed {
        self.claims(vec![Claim { visitor, place, take: true }]).await[0]
    }

    /// Is heard without claiming.
    pub(crate) async fn look(&mut self, visitor: VisitorId, place: Place) -> Claimed {
        self.claims(vec![Claim { visitor, place, take: false }]).await[0]
    }

    pub(crate) async fn renew(&mut self, visitor: VisitorId, span: Duration) -> Renewed {
        let items = vec![Renewal { session: ticket(visitor, Timestamp::ZERO), span }];
        self.call(|store, room, caller, terms| store.renew(room, caller, terms, items)).await.unwrap()[0]
    }

    pub(crate) async fn end(&mut self, ending: Ending) -> bool {
        self.call(|store, room, caller, _| store.end(room, caller, vec![ending])).await.unwrap()[0]
    }

    pub(crate) async fn depart(&mut self, visitor: VisitorId, place: Place) -> bool {
        let items = vec![Departure { visitor, place }];
        self.call(|store, room, caller, _| store.depart(room, caller, items)).await.unwrap()[0]
    }

    /// Calls everybody up to `to`, from the frontier as it is.
    pub(crate) async fn call_up_to(&mut self, to: u32) -> Called {
        let mirror = self.whole().await;
        let from = mirror.line.frontier();
        let called = (from.sequence.get() + 1..=to).map(place).collect();
        let call = Call { from, limits_version: mirror.summary.limits_version, called };
        self.call(|store, room, caller, terms| store.call(room, caller, terms, call)).await.unwrap()
    }

    /// Calls these places, from the frontier as it is.
    pub(crate) async fn call_places(&mut self, places: &[Place]) -> Called {
        let mirror = self.whole().await;
        let limits_version = mirror.summary.limits_version;
        let call = Call { from: mirror.line.frontier(), limits_version, called: places.to_vec() };
        self.call(|store, room, caller, terms| store.call(room, caller, terms, call)).await.unwrap()
    }

    /// How long a period of marks lasts.
    pub(crate) fn period(&self) -> Duration {
        Period::length(self.terms.retention)
    }

    /// A gateway brings whom it heard in the period before.
    pub(crate) async fn hear(&mut self, gateway: u64, places: &[Place]) {
        let now = self.summary().await.time;
        let period = Period::of(now, self.terms.retention).before(1);
        let mut bits = vec![0_u8; 4];
        let mut epoch = life().epoch();
        for place in places {
            let (of, _, offset) = HeardChunk::locate(*place);
            epoch = of;
            bits[offset as usize / 8] |= 0x80 >> (offset % 8);
        }
        let chunks = vec![HeardChunk { epoch, chunk: 0, bits }];
        let heard = Heard { gateway: GatewayId(gateway), period, retention: self.terms.retention, chunks };
        self.call(|store, room, caller, _| store.hear(room, caller, heard)).await.unwrap();
    }

    /// Time passes while the store serves: somebody looks every second.
    pub(crate) async fn serve(&mut self, span: Duration) {
        let mut rest = span;
        while rest > Duration::ZERO {
            let step = rest.min(Duration::from_secs(1));
            self.pass(step);
            rest -= step;
            self.summary().await;
        }
    }

    /// Time passes in silence, and sweeps come every second as gateways make them; answers how many left the line.
    pub(crate) async fn silence(&mut self, span: Duration) -> u32 {
        let mut silent = self.sweep().await.silent;
        let mut rest = span;
        while rest > Duration::ZERO {
            let step = rest.min(Duration::from_secs(1));
            self.pass(step);
            rest -= step;
            silent += self.sweep().await.silent;
        }
        silent
    }

    pub(crate) async fn sweep(&mut self) -> Swept {
        self.call(|store, room, caller, terms| store.sweep(room, caller, terms)).await.unwrap()
    }

    pub(crate) async fn propose(&mut self, limits: Limits, source: LimitsSource) -> bool {
        let proposal = Proposal { limits, source };
        self.call(|store, room, caller, _| store.propose(room, caller, proposal)).await.unwrap()
    }

    pub(crate) async fn pause(&mut self, paused: bool) {
        self.call(|store, room, caller, _| store.pause(room, caller, paused)).await.unwrap();
    }

    /// The whole room, read anew.
    pub(crate) async fn whole(&mut self) -> Mirror {
        let follow = self.call(|store, room, caller, _| store.follow(room, caller, None)).await.unwrap();
        Mirror::new(follow).unwrap()
    }

    pub(crate) async fn summary(&mut self) -> Summary {
        self.whole().await.summary
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.clock.pass(span);
    }
}
