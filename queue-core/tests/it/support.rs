//! What the tests stand on: a virtual clock, a caller with its memory, a real Redis of their own.

pub(crate) mod caller;
pub(crate) mod clock;
pub(crate) mod dice;
pub(crate) mod redis_data;
pub(crate) mod redis_server;
pub(crate) mod wait;
pub(crate) mod world;

use std::time::Duration;

use queue_core::store::{MAX_BATCH, RedisAddress, RedisSettings, RedisStore, Session, Terms};
use queue_core::{Limits, Place, SessionId, Timestamp, VisitorId};

use self::clock::TestClock;
use self::redis_server::RedisServer;

/// Terms short enough that a test says its times in seconds.
pub(crate) const TERMS: Terms = Terms {
    session: Duration::from_secs(60),
    max_session: Duration::from_secs(150),
    heard_for: Duration::from_secs(3),
    claim_window: Duration::from_secs(10),
    retention: Duration::from_secs(20),
};

/// Limits that leave room: 10 in the cohort, one admission a second, bursts of 5.
pub(crate) fn limits() -> Limits {
    Limits {
        total_active_users: 10,
        new_users_per_minute: 60,
        burst: 5,
        max_line_length: 1_000,
        queue_all: false,
        opens_at: None,
        closes_at: None,
    }
}

/// The visitor with this number. Ids begin with the bytes that text protocols and scripts trip over.
pub(crate) fn visitor(number: u32) -> VisitorId {
    let mut bits = *b"\0\r\n$\xff\"%s:[0]----";
    bits[12..].copy_from_slice(&number.to_be_bytes());
    VisitorId::from_entropy(bits)
}

/// The visitors with these numbers, in calls as large as a call may be.
pub(crate) fn crowds(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Vec<VisitorId>> {
    numbers.clone().step_by(MAX_BATCH).map(move |from| {
        let to = numbers.end.min(from + MAX_BATCH as u32);
        (from..to).map(visitor).collect()
    })
}

/// What a ticket says of a visitor's session that ends then.
pub(crate) fn ticket(visitor: VisitorId, ends: Timestamp) -> Session {
    Session { id: SessionId::new(visitor, TestClock::START), ends }
}

/// The place with this number in the epoch of the tests.
pub(crate) fn place(sequence: u32) -> Place {
    world::life().mark().plus(sequence)
}

/// A store on that server which reads this clock instead of the server's.
pub(crate) fn redis_store(server: &RedisServer, clock: &TestClock) -> RedisStore {
    store_at(&server.url(), clock)
}

/// A store at that address which reads this clock instead of the server's.
pub(crate) fn store_at(url: &str, clock: &TestClock) -> RedisStore {
    let settings = RedisSettings {
        address: RedisAddress::parse(url).unwrap(),
        deadline: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(20),
        max_reconnect_delay: Duration::from_millis(100),
        clock: Some(clock.host()),
    };
    RedisStore::new(settings).unwrap()
}
