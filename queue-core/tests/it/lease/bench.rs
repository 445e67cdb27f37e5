//! One limit on one store, with a clock and gateways that ask: what a behaviour is told in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use queue_core::Timestamp;
use queue_core::limit::Quota;
use queue_core::limit::lease::{Ask, Grant, LIFETIME, MARGIN};
use queue_core::store::{Caller, GatewayId, LeaseCaller, LeaseStore, Leased, MemoryStore};

use crate::support::clock::TestClock;
use crate::support::redis_server::RedisServer;
use crate::support::redis_store;

/// What a gateway remembers of the store: the life, and when it was told the time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) life: u64,
    told: Option<(Timestamp, Timestamp)>,
}

impl Memory {
    pub(crate) fn caller(&self, gateway: GatewayId, now: Timestamp) -> LeaseCaller {
        let latest = self.told.map(|(at, arrived)| at + now.since(arrived) + Caller::DRIFT);
        LeaseCaller { gateway, life: self.life, latest }
    }

    pub(crate) fn note(&mut self, leased: &Leased, now: Timestamp) {
        if leased.life < self.life {
            return;
        }
        let newer = leased.life > self.life || self.told.is_none_or(|(at, _)| leased.at.time >= at);
        if newer {
            self.told = Some((leased.at.time, now));
        }
        self.life = leased.life;
    }
}

pub(crate) struct Bench {
    pub(crate) store: Arc<dyn LeaseStore>,
    pub(crate) clock: TestClock,
    pub(crate) quota: Quota,
    pub(crate) memories: HashMap<u64, Memory>,
    numbers: u64,
    server: Option<RedisServer>,
    memory: Option<Arc<MemoryStore>>,
}

/// How long a limit that begins leases nothing.
pub(crate) const LISTENS: Duration = LIFETIME.saturating_add(MARGIN);

impl Bench {
    pub(crate) fn on_memory() -> Self {
        let clock = TestClock::new();
        let store = Arc::new(MemoryStore::new(clock.host()));
        Self { memory: Some(store.clone()), ..Self::new(store, clock, None) }
    }

    pub(crate) fn on_redis() -> Option<Self> {
        let server = RedisServer::start()?;
        let clock = TestClock::new();
        let store = Arc::new(redis_store(&server, &clock));
        Some(Self::new(store, clock, Some(server)))
    }

    /// 10 a second, bursts of 20.
    fn new(store: Arc<dyn LeaseStore>, clock: TestClock, server: Option<RedisServer>) -> Self {
        let quota = Quota::per_second(10.0, 20).unwrap();
        Self { store, clock, quota, memories: HashMap::new(), numbers: 0, server, memory: None }
    }

    /// Sends these questions as this gateway.
    pub(crate) async fn call(&mut self, gateway: u64, asks: Vec<Ask>) -> Leased {
        let now = self.clock.now();
        let memory = self.memories.entry(gateway).or_default();
        let caller = memory.caller(GatewayId(gateway), now);
        let leased = self.store.lease("all", caller, self.quota, asks).await.unwrap();
        memory.note(&leased, now);
        leased
    }

    /// Asks for tokens of key 1 under the next number, holding some.
    pub(crate) async fn ask(&mut self, gateway: u64, held: u32, back: u32, want: u32) -> Grant {
        self.numbers += 1;
        let ask = Ask { key: 1, number: self.numbers, held, back, want };
        self.call(gateway, vec![ask]).await.grants[0]
    }

    /// All tokens of key 1 that a gateway gets which holds nothing, asking until there are no more.
    pub(crate) async fn take(&mut self, gateway: u64, want: u32) -> u32 {
        let mut held = 0;
        loop {
            match self.ask(gateway, held, 0, want - held).await.granted {
                0 => return held,
                granted => held += granted,
            }
        }
    }

    /// Lets the first silence pass, and as much more time; both gateways are there all the while.
    pub(crate) async fn settle(&mut self, more: Duration) {
        for span in [Duration::ZERO, LISTENS, more] {
            self.pass(span);
            for gateway in [1, 2] {
                self.call(gateway, Vec::new()).await;
            }
        }
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.clock.pass(span);
    }

    /// The store loses everything.
    pub(crate) async fn wipe(&mut self) {
        match &self.server {
            Some(server) => server.command(&["FLUSHALL"]).await,
            None => self.memory.as_ref().unwrap().wipe(),
        }
    }

    /// How many keys the store has; `None` where that cannot be seen.
    pub(crate) async fn stored_keys(&self) -> Option<i64> {
        let client = redis::Client::open(self.server.as_ref()?.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        Some(redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap())
    }
}
