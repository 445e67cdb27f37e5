//! A planned restart of a memory store: everything goes on where it was, and nothing broken is taken up.

use std::time::Duration;

use queue_core::line::Standing;
use queue_core::store::{Arrival, Caller, Claim, Claimed, Departure, Joined, MemoryStore, Mirror, Store as _};
use queue_core::{Limits, RoomId};

use crate::support::clock::TestClock;
use crate::support::world::opening;
use crate::support::{TERMS, limits, place, visitor};

fn room() -> RoomId {
    RoomId::new("concert").unwrap()
}

async fn joined(store: &MemoryStore, number: u32) -> Joined {
    let items = vec![Arrival { visitor: visitor(number), since: None }];
    store.join(&room(), Caller::newcomer(), TERMS, items).await.unwrap().value[0]
}

async fn look(store: &MemoryStore) -> Mirror {
    Mirror::new(store.follow(&room(), Caller::newcomer(), None).await.unwrap().value).unwrap()
}

/// One in, two waiting, one gone for good.
async fn occupied(clock: &TestClock) -> MemoryStore {
    let store = MemoryStore::new(clock.host());
    let limits = Limits { total_active_users: 1, ..limits() };
    store.open(&room(), Caller::newcomer(), opening(limits, 0)).await.unwrap();
    for number in 1..=4 {
        joined(&store, number).await;
    }
    let gone = vec![Departure { visitor: visitor(3), place: place(3) }];
    store.depart(&room(), Caller::newcomer(), gone).await.unwrap();
    store
}

/// N1, N2, N6: places, sessions and rules are what they were, and the next place is the next one.
#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let clock = TestClock::new();
    let before = occupied(&clock).await;
    let kept = before.keep();
    clock.pass(Duration::from_secs(5));
    let after = MemoryStore::new(clock.host());
    assert_eq!(after.restore(&kept).unwrap(), 1);
    let (old, new) = (look(&before).await, look(&after).await);
    assert_eq!((new.summary.mark.last, new.summary.mark.claims), (old.summary.mark.last, old.summary.mark.claims));
    assert_eq!((new.summary.sessions, new.summary.line_length), (1, 2));
    assert_eq!(new.summary.limits, old.summary.limits);
    assert_eq!(new.summary.time, clock.now());
    for (number, standing) in [
        (1, Standing::Spent),
        (2, Standing::Waiting { ahead: 0 }),
        (3, Standing::Spent),
        (4, Standing::Waiting { ahead: 1 }),
    ] {
        assert_eq!(new.line.standing(place(number)), standing, "{number}");
    }
    assert_eq!(joined(&after, 2).await, Joined::Placed { place: place(2), joined: clock.now() });
    assert!(matches!(joined(&after, 5).await, Joined::Placed { place: next, .. } if next == place(5)));
    let again = vec![Claim { visitor: visitor(1), place: place(1), take: true }];
    let claimed = after.claim(&room(), Caller::newcomer(), TERMS, again).await.unwrap().value[0];
    assert!(matches!(claimed, Claimed::Admitted(session) if session.id.started == TestClock::START), "{claimed:?}");
}

/// A file that is cut, changed or of another form is refused whole.
#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let clock = TestClock::new();
    let kept = occupied(&clock).await.keep();
    let text = String::from_utf8(kept.clone()).unwrap();
    let store = MemoryStore::new(clock.host());
    for length in (0..kept.len()).step_by(7) {
        assert!(store.restore(&kept[..length]).is_err(), "cut at {length}");
    }
    for (was, is) in [("\"form\":1", "\"form\":2"), ("\"waiting\":[[", "\"waiting\":[[7"), ("concert", "Con Cert")] {
        let changed = text.replacen(was, is, 1);
        assert_ne!(changed, text, "{was}");
        assert!(store.restore(changed.as_bytes()).is_err(), "{is}");
    }
    clock.jump_back(Duration::from_secs(86_400));
    assert!(store.restore(&kept).unwrap_err().to_string().contains("clock"));
    assert!(store.follow(&room(), Caller::newcomer(), None).await.is_err(), "nothing was taken up");
}
