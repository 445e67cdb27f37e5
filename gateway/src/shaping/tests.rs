use std::net::IpAddr;
use std::time::Duration;

use prometheus::Registry;
use queue_core::VisitorId;
use queue_core::limit::lease::Away;
use queue_core::limit::{Algorithm, Limit as Rule, Quota};
use queue_core::store::{Clock, GatewayId, LeaseCaller, LeaseStore, MemoryStore, PendingLease, StoreError};
use tokio::task::LocalSet;

use super::*;
use crate::clock::{Instant, monotonic};
use crate::metrics::StoreMetrics;

fn counting(name: &str, scope: Scope, algorithm: Algorithm, rate: f64, burst: u32) -> LimitSettings {
    LimitSettings {
        name: name.into(),
        scope,
        rule: Rule::new(algorithm, Quota::per_second(rate, burst).unwrap()),
        over: Over::OneGateway,
        ipv6_prefix: 64,
        max_tracked_keys: 65_536,
    }
}

fn limit(name: &str, scope: Scope, rate: f64, burst: u32) -> LimitSettings {
    counting(name, scope, Algorithm::TokenBucket, rate, burst)
}

fn from(client: &str) -> Keys<'static> {
    Keys { client: client.parse().unwrap(), visitor: None, room: "concert", upstream: "booking" }
}

fn shaper_and_drivers(limits: &[LimitSettings], start: Instant) -> (Shaper, Vec<LeaseDriver>) {
    let metrics = LimitMetrics::new(&Registry::new(), limits.iter().map(|limit| &*limit.name));
    Shaper::new(limits.to_vec(), &metrics, start)
}

fn shaper(limits: &[LimitSettings]) -> (Shaper, Instant) {
    let start = monotonic();
    (shaper_and_drivers(limits, start).0, start)
}

fn check(shaper: &Shaper, now: Instant, keys: &Keys<'_>) -> Result<Passed, Limited> {
    shaper.check_now(now, keys).map_err(|stop| match stop {
        Stop::Limited(limited) => limited,
        Stop::NothingLeased(_) => panic!("no limit here is leased"),
    })
}

fn passes(shaper: &Shaper, now: Instant, keys: &Keys<'_>, tries: usize) -> usize {
    (0..tries).filter(|_| check(shaper, now, keys).is_ok()).count()
}

/// A burst passes at once, then the rate holds, and a refusal says when to come back.
#[test]
fn a_bucket_has_a_burst_and_a_rate() {
    let (shaper, start) = shaper(&[limit("per-client", Scope::Client, 20.0, 40)]);
    let keys = from("192.0.2.1");
    assert_eq!(passes(&shaper, start, &keys, 100), 40);
    let refusal = check(&shaper, start, &keys).unwrap_err();
    assert_eq!((&*refusal.limit, refusal.scope), ("per-client", Scope::Client));
    assert_eq!(refusal.retry_after, Duration::from_millis(50));
    assert_eq!(refusal.retry_after_seconds(), 1);
    assert!(check(&shaper, start + Duration::from_millis(49), &keys).is_err());
    assert!(check(&shaper, start + Duration::from_millis(50), &keys).is_ok());
    assert_eq!(passes(&shaper, start + Duration::from_secs(1), &keys, 100), 19);
    assert_eq!(passes(&shaper, start + Duration::from_secs(100), &keys, 100), 40);
}

/// A clock that seems to step back neither refuses for ever nor mints tokens.
#[test]
fn time_does_not_go_back() {
    let (shaper, start) = shaper(&[limit("l", Scope::Client, 1.0, 1)]);
    let keys = from("192.0.2.1");
    assert!(check(&shaper, start + Duration::from_secs(10), &keys).is_ok());
    for _ in 0..10 {
        assert!(check(&shaper, start, &keys).is_err());
    }
    assert!(check(&shaper, start + Duration::from_secs(11), &keys).is_ok());
}

/// Clients are told apart by address, IPv6 ones by /64: an attacker owns a whole /64.
#[test]
fn clients_are_told_apart() {
    let (shaper, start) = shaper(&[limit("l", Scope::Client, 1.0, 1)]);
    for (client, passes) in [
        ("192.0.2.1", true),
        ("192.0.2.2", true),
        ("192.0.2.1", false),
        ("::ffff:192.0.2.1", false),
        ("2001:db8:1:2::1", true),
        ("2001:db8:1:2:ffff::9", false),
        ("2001:db8:1:3::1", true),
    ] {
        assert_eq!(check(&shaper, start, &from(client)).is_ok(), passes, "{client}");
    }
}

/// Each scope counts what it says; a limit by visitor does not concern those who are none yet.
#[test]
fn scopes_count_what_they_say() {
    let visitor = |byte| Keys { visitor: Some(VisitorId::from_entropy([byte; 16])), ..from("192.0.2.1") };
    let (by_visitor, start) = shaper(&[limit("l", Scope::Visitor, 1.0, 1)]);
    assert!(check(&by_visitor, start, &visitor(1)).is_ok());
    assert!(check(&by_visitor, start, &visitor(2)).is_ok());
    assert!(check(&by_visitor, start, &visitor(1)).is_err());
    assert_eq!(passes(&by_visitor, start, &from("192.0.2.1"), 10), 10);
    let (by_room, start) = shaper(&[limit("l", Scope::Room, 1.0, 1)]);
    assert!(check(&by_room, start, &from("192.0.2.1")).is_ok());
    assert!(check(&by_room, start, &from("192.0.2.2")).is_err());
    assert!(check(&by_room, start, &Keys { room: "ballet", ..from("192.0.2.1") }).is_ok());
    let (by_upstream, start) = shaper(&[limit("l", Scope::Upstream, 1.0, 1)]);
    assert!(check(&by_upstream, start, &from("192.0.2.1")).is_ok());
    assert!(check(&by_upstream, start, &Keys { room: "ballet", ..from("192.0.2.2") }).is_err());
    assert!(check(&by_upstream, start, &Keys { upstream: "other", ..from("192.0.2.2") }).is_ok());
}

/// Several limits apply at once, and a request that one of them refuses is charged to none of them.
#[test]
fn a_refused_request_is_charged_to_no_limit() {
    let (shaper, start) = shaper(&[
        limit("client", Scope::Client, 1.0, 10),
        limit("room", Scope::Room, 1.0, 3),
        limit("up", Scope::Upstream, 1.0, 2),
    ]);
    assert_eq!(passes(&shaper, start, &from("192.0.2.1"), 2), 2);
    for _ in 0..50 {
        assert_eq!(&*check(&shaper, start, &from("192.0.2.1")).unwrap_err().limit, "up");
    }
    // Ten seconds bring the upstream two tokens and the room all three; the client lost two of ten, not fifty-two.
    let later = start + Duration::from_secs(1);
    assert!(check(&shaper, later, &from("192.0.2.1")).is_ok());
    let elsewhere = Keys { room: "ballet", upstream: "other", ..from("192.0.2.1") };
    assert_eq!(passes(&shaper, later, &elsewhere, 2), 2);
}

/// A flood of addresses fills no memory: keys are capped, replenished ones forgotten, the rest share one bucket.
#[test]
fn a_flood_of_keys_limits_itself() {
    let cap = 160;
    let settings = LimitSettings { max_tracked_keys: cap, ..limit("l", Scope::Client, 1.0, 2) };
    let (shaper, start) = shaper(&[settings]);
    let flood = |now| {
        let address = |at: u32| IpAddr::from(at.to_be_bytes());
        (0..100_000)
            .filter(|at| check(&shaper, now, &Keys { client: address(*at), ..from("192.0.2.1") }).is_ok())
            .count()
    };
    let passed = flood(start);
    let tracked = |shaper: &Shaper| shaper.tracked_keys().map(|(_, keys)| keys).sum::<usize>();
    assert!(tracked(&shaper) <= cap);
    assert!((cap..=cap + 2 * 16).contains(&passed), "{passed} passed");
    // Once the flood is over its keys are replenished, and make room for others.
    let later = start + Duration::from_secs(60);
    assert!(passes(&shaper, later, &from("198.51.100.1"), 5) <= 2);
    assert!(flood(later) >= cap);
    assert!(tracked(&shaper) <= cap);
}

/// Cores that check at once never let more through than the burst.
#[test]
fn cores_share_a_bucket() {
    let (shaper, start) = shaper(&[limit("l", Scope::Client, 0.001, 1_000)]);
    let total: usize = std::thread::scope(|scope| {
        let core = || passes(&shaper, start, &from("192.0.2.1"), 1_000);
        let cores: Vec<_> = (0..4).map(|_| scope.spawn(core)).collect();
        cores.into_iter().map(|core| core.join().unwrap()).sum()
    });
    assert_eq!(total, 1_000);
}

/// A refused request costs nothing whatever the algorithms and their order: each limit refuses once, the other is whole.
#[test]
fn no_algorithm_is_charged_for_a_refusal() {
    for algorithm in Algorithm::ALL {
        for refuses_first in [false, true] {
            let other = counting("other", Scope::Client, algorithm, 0.5, 5);
            let narrow = limit("narrow", Scope::Room, 0.001, 1);
            let order = if refuses_first { [narrow, other] } else { [other, narrow] };
            let (shaper, start) = shaper(&order);
            assert_eq!(passes(&shaper, start, &from("192.0.2.1"), 50), 1);
            let elsewhere = Keys { room: "ballet", ..from("192.0.2.1") };
            assert_eq!(passes(&shaper, start, &elsewhere, 1), 1, "{algorithm:?}");
            let third = Keys { room: "circus", ..elsewhere };
            assert_eq!(passes(&shaper, start, &third, 50), 1, "{algorithm:?}");
        }
    }
}

/// Nobody gets a fresh allowance by filling the table with other addresses: what is used up is not forgotten.
#[test]
fn a_flood_resets_nobody() {
    for algorithm in Algorithm::ALL {
        let settings = LimitSettings { max_tracked_keys: 64, ..counting("l", Scope::Client, algorithm, 0.5, 2) };
        let (shaper, start) = shaper(&[settings]);
        let attacker = from("192.0.2.1");
        assert_eq!(passes(&shaper, start, &attacker, 10), 2);
        for at in 0..20_000_u32 {
            let other = Keys { client: IpAddr::from((0x0a00_0000 + at).to_be_bytes()), ..attacker };
            let _ = check(&shaper, start + Duration::from_millis(1), &other);
        }
        assert_eq!(passes(&shaper, start + Duration::from_millis(2), &attacker, 10), 0, "{algorithm:?}");
        assert!(shaper.tracked_keys().all(|(_, keys)| keys <= 64));
    }
}

/// The prefix by which IPv6 clients count is the operator's.
#[test]
fn prefixes_are_as_configured() {
    for (prefix, passed) in [(48, 1), (56, 1), (64, 2), (128, 3)] {
        let (shaper, start) = shaper(&[LimitSettings { ipv6_prefix: prefix, ..limit("l", Scope::Client, 1.0, 1) }]);
        let clients = ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:3::1"];
        let count = clients.iter().filter(|client| check(&shaper, start, &from(client)).is_ok()).count();
        assert_eq!(count, passed, "/{prefix}");
    }
}

/// A leaky bucket sends requests on one by one, in the order in which they came, and refuses those beyond its queue.
#[tokio::test(start_paused = true)]
async fn a_leaky_bucket_smooths() {
    let (shaper, start) = shaper(&[counting("l", Scope::Upstream, Algorithm::LeakyBucket, 10.0, 4)]);
    let keys = from("192.0.2.1");
    let crowd = (0..6).map(|_| async {
        let passed = shaper.check(start, &keys).await;
        passed.map(|_| monotonic().duration_since(start).as_millis() as u64)
    });
    let left: Vec<_> = futures_util::future::join_all(crowd).await.into_iter().map(Result::ok).collect();
    assert_eq!(left, [Some(0), Some(100), Some(200), Some(300), None, None]);
}

/// What is told is readable by a client: the policies, what the tightest own limit has left, and which one refused.
#[test]
fn fields_tell_what_is_left() {
    let (shaper, start) = shaper(&[
        limit("per-client", Scope::Client, 20.0, 40),
        limit("per-visitor", Scope::Visitor, 10.0, 3),
        limit("all", Scope::Upstream, 1.0, 2),
    ]);
    let keys = Keys { visitor: Some(VisitorId::from_entropy([7; 16])), ..from("192.0.2.1") };
    let mut headers = http::HeaderMap::new();
    shaper.fields().passed(&check(&shaper, start, &keys).unwrap(), &mut headers);
    assert_eq!(headers["ratelimit-policy"], "\"per-client\";q=40;w=2, \"per-visitor\";q=3;w=1");
    assert_eq!(headers["ratelimit"], "\"per-visitor\";r=2;t=1");
    check(&shaper, start, &keys).unwrap();
    let mut headers = http::HeaderMap::new();
    shaper.fields().limited(&check(&shaper, start, &keys).unwrap_err(), &mut headers);
    assert_eq!(
        (&headers["ratelimit-policy"], &headers["ratelimit"]),
        (&"\"all\";q=2;w=2".parse().unwrap(), &"\"all\";r=0;t=1".parse().unwrap())
    );
    // Nothing is said where nothing is limited, nor what a whole room has left.
    let mut headers = http::HeaderMap::new();
    let (none, start) = super::tests::shaper(&[limit("all", Scope::Room, 1.0, 2)]);
    none.fields().passed(&check(&none, start, &keys).unwrap(), &mut headers);
    assert!(headers.is_empty());
}

fn all_gateways(settings: LimitSettings, away: Away) -> LimitSettings {
    LimitSettings { over: Over::AllGateways(away), ..settings }
}

/// Starts a gateway's shaper whose limits are leased from this store.
fn leasing(limits: &[LimitSettings], store: Arc<dyn LeaseStore>, gateway: u64, start: Instant) -> Shaper {
    let (shaper, drivers) = shaper_and_drivers(limits, start);
    let registry = Registry::new();
    let parts = LeaseParts { store, gateway: GatewayId(gateway), metrics: Arc::new(StoreMetrics::new(&registry)) };
    for driver in drivers {
        tokio::task::spawn_local(driver.run(parts.clone()));
    }
    shaper
}

/// Two gateways share one limit: a crowd at both, of clients each with a bucket of its own, gets what one bucket gives.
#[tokio::test(start_paused = true)]
async fn gateways_share_a_leased_limit() {
    let crowd = async {
        let start = monotonic();
        let clock = Clock::new(move || Timestamp::from_secs(1_800_000_000) + monotonic().duration_since(start));
        let store = Arc::new(MemoryStore::new(clock));
        let limits = [
            all_gateways(limit("all", Scope::Upstream, 100.0, 100), Away::Closed),
            limit("per-client", Scope::Client, 1_000.0, 1_000),
        ];
        let gateways = [1, 2].map(|gateway| leasing(&limits, store.clone(), gateway, start));
        tokio::time::sleep(Duration::from_secs(10)).await;
        let (began, mut passed) = (monotonic(), [0_u64; 2]);
        while monotonic().duration_since(began) < Duration::from_secs(10) {
            for (gateway, passed) in gateways.iter().zip(&mut passed) {
                *passed += u64::from(gateway.check(monotonic(), &from("192.0.2.1")).await.is_ok());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let took = monotonic().duration_since(began).as_millis() as u64;
        let (total, most) = (passed.iter().sum::<u64>(), 100 + took / 10);
        assert!(total <= most, "{passed:?} in {took} ms");
        assert!(total >= most * 9 / 10, "{passed:?} in {took} ms");
        assert!(passed.iter().all(|passed| *passed > 200), "{passed:?}");
    };
    LocalSet::new().run_until(crowd).await;
}

/// A store that never answers.
struct NeverAnswers;

impl LeaseStore for NeverAnswers {
    fn lease<'a>(
        &'a self,
        _: &'a str,
        _: LeaseCaller,
        _: Quota,
        _: Vec<queue_core::limit::lease::Ask>,
    ) -> PendingLease<'a> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(StoreError::Timeout)
        })
    }
}

/// While the store is away requests are answered at once by what the limit says of that: nobody waits for it each time.
#[tokio::test(start_paused = true)]
async fn an_absent_store_holds_nobody_up() {
    let crowd = async {
        for (away, passes) in [(Away::Open, 100), (Away::Closed, 0), (Away::Share, 0)] {
            let start = monotonic();
            let limits = [all_gateways(limit("all", Scope::Client, 100.0, 100), away)];
            let shaper = leasing(&limits, Arc::new(NeverAnswers), 1, start);
            tokio::time::sleep(Duration::from_millis(60)).await;
            let began = monotonic();
            let mut passed = 0;
            for client in 0..100_u8 {
                passed += usize::from(shaper.check(monotonic(), &from(&format!("192.0.2.{client}"))).await.is_ok());
            }
            // A share of a limit of which nobody told how many have it is nothing.
            assert_eq!(passed, passes, "{away:?}");
            assert_eq!(monotonic().duration_since(began), Duration::ZERO);
        }
    };
    LocalSet::new().run_until(crowd).await;
}
