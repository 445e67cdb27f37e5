use std::net::IpAddr;
use std::time::Duration;

use queue_core::VisitorId;

use super::*;
use crate::clock::{Instant, monotonic};

fn limit(name: &str, scope: Scope, rate_per_second: f64, burst: u32) -> LimitSettings {
    LimitSettings { name: name.into(), scope, rate_per_second, burst, max_tracked_keys: DEFAULT_TRACKED_KEYS }
}

fn from(client: &str) -> Keys<'static> {
    Keys { client: client.parse().unwrap(), visitor: None, room: "concert", upstream: "booking" }
}

fn shaper(limits: &[LimitSettings]) -> (Shaper, Instant) {
    let start = monotonic();
    (Shaper::new(limits.to_vec(), start).unwrap(), start)
}

fn passes(shaper: &Shaper, now: Instant, keys: &Keys<'_>, tries: usize) -> usize {
    (0..tries).filter(|_| shaper.check(now, keys).is_ok()).count()
}

/// A burst passes at once, then the rate holds, and a refusal says when to come back.
#[test]
fn a_bucket_has_a_burst_and_a_rate() {
    let (shaper, start) = shaper(&[limit("per-client", Scope::Client, 20.0, 40)]);
    let keys = from("192.0.2.1");
    assert_eq!(passes(&shaper, start, &keys, 100), 40);
    let refusal = shaper.check(start, &keys).unwrap_err();
    assert_eq!((&*refusal.limit, refusal.burst, refusal.scope), ("per-client", 40, Scope::Client));
    assert_eq!(refusal.retry_after, Duration::from_millis(50));
    assert_eq!(refusal.retry_after_seconds(), 1);
    assert!(shaper.check(start + Duration::from_millis(49), &keys).is_err());
    assert!(shaper.check(start + Duration::from_millis(50), &keys).is_ok());
    assert_eq!(passes(&shaper, start + Duration::from_secs(1), &keys, 100), 19);
    assert_eq!(passes(&shaper, start + Duration::from_secs(100), &keys, 100), 40);
}

/// A clock that seems to step back neither refuses for ever nor mints tokens.
#[test]
fn time_does_not_go_back() {
    let (shaper, start) = shaper(&[limit("l", Scope::Client, 1.0, 1)]);
    let keys = from("192.0.2.1");
    assert!(shaper.check(start + Duration::from_secs(10), &keys).is_ok());
    for _ in 0..10 {
        assert!(shaper.check(start, &keys).is_err());
    }
    assert!(shaper.check(start + Duration::from_secs(11), &keys).is_ok());
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
        assert_eq!(shaper.check(start, &from(client)).is_ok(), passes, "{client}");
    }
}

/// Each scope counts what it says; a limit by visitor does not concern those who are none yet.
#[test]
fn scopes_count_what_they_say() {
    let visitor = |byte| Keys { visitor: Some(VisitorId::from_entropy([byte; 16])), ..from("192.0.2.1") };
    let (by_visitor, start) = shaper(&[limit("l", Scope::Visitor, 1.0, 1)]);
    assert!(by_visitor.check(start, &visitor(1)).is_ok());
    assert!(by_visitor.check(start, &visitor(2)).is_ok());
    assert!(by_visitor.check(start, &visitor(1)).is_err());
    assert_eq!(passes(&by_visitor, start, &from("192.0.2.1"), 10), 10);
    let (by_room, start) = shaper(&[limit("l", Scope::Room, 1.0, 1)]);
    assert!(by_room.check(start, &from("192.0.2.1")).is_ok());
    assert!(by_room.check(start, &from("192.0.2.2")).is_err());
    assert!(by_room.check(start, &Keys { room: "ballet", ..from("192.0.2.1") }).is_ok());
    let (by_upstream, start) = shaper(&[limit("l", Scope::Upstream, 1.0, 1)]);
    assert!(by_upstream.check(start, &from("192.0.2.1")).is_ok());
    assert!(by_upstream.check(start, &Keys { room: "ballet", ..from("192.0.2.2") }).is_err());
    assert!(by_upstream.check(start, &Keys { upstream: "other", ..from("192.0.2.2") }).is_ok());
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
        assert_eq!(&*shaper.check(start, &from("192.0.2.1")).unwrap_err().limit, "up");
    }
    // Ten seconds bring the upstream two tokens and the room all three; the client lost two of ten, not fifty-two.
    let later = start + Duration::from_secs(1);
    assert!(shaper.check(later, &from("192.0.2.1")).is_ok());
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
        (0..100_000).filter(|at| shaper.check(now, &Keys { client: address(*at), ..from("192.0.2.1") }).is_ok()).count()
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

/// A limit that lets nothing or everything through is a mistake, and said so.
#[test]
fn senseless_limits_are_refused() {
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-12, 1e10] {
        assert!(Shaper::new(vec![limit("l", Scope::Client, rate, 1)], monotonic()).is_err(), "{rate}");
    }
    assert_eq!(
        Shaper::new(vec![limit("l", Scope::Client, 1.0, 0)], monotonic()).unwrap_err(),
        BadLimit::Burst("l".into())
    );
    assert!(Shaper::new(vec![limit("slow", Scope::Client, 1.0 / 3600.0, 1)], monotonic()).is_ok());
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
