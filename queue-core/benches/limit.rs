//! One decision of each algorithm: `cargo bench -p queue-core --bench limit`.
//!
//! The same key asked every 10 ms (all pass, at a fifth of the rate) and every 10 us (nearly all are refused), with the
//! quota of the reference configuration scaled to bursts of 40; governor's bucket beside them.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use governor::clock::FakeRelativeClock;
use queue_core::Timestamp;
use queue_core::limit::{Algorithm, Limit, Quota, Rule as _};

const BURST: u32 = 40;
const RATE: f64 = 500.0;

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for (load, step_us) in [("passing", 10_000), ("refused", 10)] {
        for algorithm in Algorithm::ALL {
            let limit = Limit::new(algorithm, Quota::per_second(RATE, BURST).unwrap());
            let (mut state, mut now) = (limit.idle(), Timestamp::from_secs(1_800_000_000));
            group.bench_function(BenchmarkId::new(algorithm.name(), load), |b| {
                b.iter(|| {
                    now = now + Duration::from_micros(step_us);
                    black_box(limit.decide(&mut state, now, NonZeroU32::MIN))
                });
            });
        }
        let clock = FakeRelativeClock::default();
        let quota = governor::Quota::per_second(NonZeroU32::new(RATE as u32).unwrap());
        let quota = quota.allow_burst(NonZeroU32::new(BURST).unwrap());
        let limiter = governor::RateLimiter::direct_with_clock(quota, clock.clone());
        group.bench_function(BenchmarkId::new("governor", load), |b| {
            b.iter(|| {
                clock.advance(Duration::from_micros(step_us));
                black_box(limiter.check().is_ok())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
