//! The line's clever structure beside the naive one, and the Redis adapter's pace: `cargo bench -p queue-core`.
//!
//! Visitors ahead are counted by a popcount over a block index (`bits.rs`), beside a sorted tree of those who left and a
//! plain scan of flags. The stores join, claim and follow in calls of 500 through one connection; a Redis is started on
//! a free port and skipped where there is none.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use queue_core::bits::{PlaceBits, PlaceState};
use queue_core::store::{
    Arrival, Caller, Claim, Clock, Departure, Joined, LimitsSource, MAX_BATCH, MemoryStore, Opening, Proposal,
    RedisAddress, RedisSettings, RedisStore, Store, Terms,
};
use queue_core::{Epoch, Life, Limits, Place, RoomId, Sequence, Timestamp, VisitorId};

#[path = "../tests/it/support/redis_server.rs"]
mod redis_server;

use redis_server::RedisServer;

const SIZES: [u32; 2] = [1_000_000, 10_000_000];

/// One place in seven has left: a line in the middle of a sale.
const LEFT_EVERY: u32 = 7;

fn seq(n: u32) -> Sequence {
    Sequence::new(n).unwrap()
}

/// Places in an order that no cache can guess: a Weyl sequence with a fixed step.
struct Places {
    at: u32,
    last: u32,
}

impl Places {
    fn up_to(last: u32) -> Self {
        Self { at: 0, last }
    }

    fn next(&mut self) -> u32 {
        self.at = self.at.wrapping_add(0x9e37_79b9);
        self.at % self.last + 1
    }
}

fn line_of(last: u32) -> PlaceBits {
    let mut bits = PlaceBits::new();
    for left in (1..=last).step_by(LEFT_EVERY as usize) {
        bits.set(seq(left), PlaceState::Spent);
    }
    bits
}

fn bits(c: &mut Criterion) {
    for last in SIZES {
        let line = line_of(last);
        let mut group = c.benchmark_group("bits");
        let mut places = Places::up_to(last);
        group.bench_function(BenchmarkId::new("rank", last), |b| {
            b.iter(|| line.left_before(seq(places.next())));
        });
        group.bench_function(BenchmarkId::new("select", last), |b| {
            b.iter(|| line.nth_waiting_after(seq(places.next()), 100, seq(last)));
        });
        let mut line = line;
        group.bench_function(BenchmarkId::new("depart and return", last), |b| {
            b.iter(|| {
                let place = seq(places.next());
                line.set(place, PlaceState::Gone);
                line.set(place, PlaceState::Waiting)
            });
        });
        group.bench_function(BenchmarkId::new("first change after a snapshot", last), |b| {
            b.iter_batched(
                || line.clone(),
                |mut next| next.set(seq(places.next()), PlaceState::Gone),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

fn naive(c: &mut Criterion) {
    for last in SIZES {
        let left: BTreeSet<u32> = (1..=last).step_by(LEFT_EVERY as usize).collect();
        let flags: Vec<bool> = (1..=last).map(|place| left.contains(&place)).collect();
        let mut group = c.benchmark_group("naive");
        group.sample_size(10);
        let mut places = Places::up_to(last);
        group.bench_function(BenchmarkId::new("rank in a tree", last), |b| {
            b.iter(|| left.range(..places.next()).count());
        });
        group.bench_function(BenchmarkId::new("rank by scan", last), |b| {
            b.iter(|| flags[..places.next() as usize].iter().filter(|left| **left).count());
        });
        group.bench_function(BenchmarkId::new("select by scan", last), |b| {
            b.iter(|| {
                let from = places.next() as usize;
                flags[from..].iter().enumerate().filter(|(_, left)| !**left).nth(99).map(|(at, _)| at)
            });
        });
        group.finish();
    }
}

const TERMS: Terms = Terms {
    session: Duration::from_secs(300),
    max_session: Duration::from_secs(1_800),
    heard_for: Duration::from_secs(3),
    claim_window: Duration::from_secs(180),
    retention: Duration::from_secs(180),
};

/// A store with an open room, and places to give.
struct Bench<'a> {
    store: &'a dyn Store,
    runtime: &'a tokio::runtime::Runtime,
    room: RoomId,
    visitors: u64,
}

impl<'a> Bench<'a> {
    fn open(store: &'a dyn Store, runtime: &'a tokio::runtime::Runtime, name: &str, queue_all: bool) -> Self {
        let room = RoomId::new(name).unwrap();
        let limits = Limits {
            total_active_users: 1 << 24,
            new_users_per_minute: 10_000_000,
            burst: 10_000_000,
            max_line_length: 1 << 24,
            queue_all,
            opens_at: None,
            closes_at: None,
        };
        let proposal = Proposal { limits, source: LimitsSource::Config(Timestamp::ZERO) };
        let mark = Place { epoch: Epoch::new(47_000).unwrap(), sequence: Sequence::NONE };
        let opening = Opening { proposal, life: Life::at(mark).unwrap(), listen: Duration::ZERO };
        runtime.block_on(store.open(&room, Caller::newcomer(), opening)).unwrap();
        Self { store, runtime, room, visitors: 0 }
    }

    fn crowd(&mut self) -> Vec<VisitorId> {
        let from = self.visitors;
        self.visitors += MAX_BATCH as u64;
        // Spread like random ids: a sorted set that grows at one end only would be flattered.
        (from..self.visitors)
            .map(|n| {
                let n = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                VisitorId::from_entropy(n.to_be_bytes())
            })
            .collect()
    }

    fn join(&self, crowd: Vec<VisitorId>) -> Vec<Joined> {
        let crowd = crowd.into_iter().map(|visitor| Arrival { visitor, since: None }).collect();
        let joined = self.store.join(&self.room, Caller::newcomer(), TERMS, crowd);
        self.runtime.block_on(joined).unwrap().value
    }

    fn places(&mut self) -> Vec<(VisitorId, Place)> {
        let crowd = self.crowd();
        let joined = self.join(crowd.clone());
        let place = |joined| match joined {
            Joined::Placed { place, .. } | Joined::Admitted { place, .. } => place,
            other => panic!("{other:?}"),
        };
        crowd.into_iter().zip(joined.into_iter().map(place)).collect()
    }

    /// Time of `rounds` runs of `step`, each on what `prepare` made, without the preparing.
    fn timed<T>(&mut self, rounds: u64, prepare: impl Fn(&mut Self) -> T, step: impl Fn(&Self, T)) -> Duration {
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            let input = prepare(self);
            #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
            let began = Instant::now();
            step(self, input);
            spent += began.elapsed();
        }
        spent
    }
}

fn steps(group: &mut BenchmarkGroup<'_, WallTime>, store: &dyn Store, runtime: &tokio::runtime::Runtime) {
    group.throughput(Throughput::Elements(MAX_BATCH as u64)).sample_size(20);
    let mut waiting = Bench::open(store, runtime, "waiting", true);
    group.bench_function("join", |b| {
        b.iter_custom(|rounds| {
            waiting.timed(rounds, Bench::crowd, |bench, crowd| {
                black_box(bench.join(crowd));
            })
        });
    });
    group.bench_function("join again", |b| {
        let crowd = waiting.crowd();
        waiting.join(crowd.clone());
        b.iter_custom(|rounds| {
            waiting.timed(
                rounds,
                |_| crowd.clone(),
                |bench, crowd| {
                    black_box(bench.join(crowd));
                },
            )
        });
    });
    group.bench_function("claim, not called", |b| {
        let places = waiting.places();
        let claims: Vec<_> = places.into_iter().map(|(visitor, place)| Claim { visitor, place, take: true }).collect();
        b.iter_custom(|rounds| {
            waiting.timed(
                rounds,
                |_| claims.clone(),
                |bench, claims| {
                    let claimed = bench.store.claim(&bench.room, Caller::newcomer(), TERMS, claims);
                    bench.runtime.block_on(claimed).unwrap();
                },
            )
        });
    });
    group.bench_function("depart", |b| {
        b.iter_custom(|rounds| {
            waiting.timed(rounds, Bench::places, |bench, places| {
                let items = places.into_iter().map(|(visitor, place)| Departure { visitor, place }).collect();
                bench.runtime.block_on(bench.store.depart(&bench.room, Caller::newcomer(), items)).unwrap();
            })
        });
    });
    let mut open = Bench::open(store, runtime, "open", false);
    group.bench_function("straight in", |b| {
        b.iter_custom(|rounds| {
            open.timed(rounds, Bench::crowd, |bench, crowd| {
                black_box(bench.join(crowd));
            })
        });
    });
    group.throughput(Throughput::Elements(1));
    let version = |bench: &Bench<'_>| {
        let follow = bench.store.follow(&bench.room, Caller::newcomer(), None);
        bench.runtime.block_on(follow).unwrap().mark.version
    };
    group.bench_function("follow, nothing new", |b| {
        let after = version(&waiting);
        b.iter(|| runtime.block_on(store.follow(&waiting.room, Caller::newcomer(), Some(after))).unwrap());
    });
    group.bench_function("join one", |b| {
        b.iter_custom(|rounds| {
            waiting.timed(
                rounds,
                |bench| bench.crowd()[..1].to_vec(),
                |bench, crowd| {
                    black_box(bench.join(crowd));
                },
            )
        });
    });
}

fn stores(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = Timestamp::from_secs(1_796_122_800);
    let clock = Clock::new(move || start);
    let memory = MemoryStore::new(clock.clone());
    let mut group = c.benchmark_group("memory");
    steps(&mut group, &memory, &runtime);
    group.finish();

    let Some(server) = RedisServer::start() else { return };
    let settings = RedisSettings {
        address: RedisAddress::parse(&server.url()).unwrap(),
        deadline: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(10),
        max_reconnect_delay: Duration::from_secs(1),
        clock: Some(clock),
    };
    let redis = {
        let _inside = runtime.enter();
        RedisStore::new(settings).unwrap()
    };
    let mut group = c.benchmark_group("redis");
    steps(&mut group, &redis, &runtime);
    group.finish();
}

criterion_group!(benches, bits, naive, stores);
criterion_main!(benches);
