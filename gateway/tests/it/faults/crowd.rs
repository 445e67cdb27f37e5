//! A crowd in line: thousands of visitors on one thread, each with the newest token it was given, polling when told.

mod arrivals;
mod document;
mod line;
mod pool;
mod stay;
mod visitor;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue_core::ticket::KeyRing;
use tokio::sync::mpsc;

use self::arrivals::Wave;
use self::pool::Pool;
use super::aside::Aside;
use super::record::Record;

/// How somebody visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// A few requests, then the checkout.
    Shopper,
    /// Stays inside and asks again and again until everybody is told to finish.
    Insider,
}

/// The running crowd.
pub(super) struct Crowd {
    shared: Arc<Shared>,
    waves: mpsc::UnboundedSender<Wave>,
    _aside: Aside,
}

/// What all visitors share.
struct Shared {
    ring: KeyRing,
    seed: u64,
    /// The gateways that are alive as far as the crowd knows.
    gateways: Mutex<Vec<Arc<Pool>>>,
    /// How long a shopper stays inside on average, milliseconds.
    stay_ms: AtomicU64,
    /// Those who have been in and out ask once more with their token, to see whether they get in twice.
    greedy: AtomicBool,
    /// Insiders go on.
    insiders_stay: AtomicBool,
    to_come: AtomicU32,
    joining: AtomicU32,
    waiting: AtomicU32,
    inside: AtomicU32,
    present: AtomicU32,
    visitors: Mutex<Vec<Arc<Mutex<Record>>>>,
}

impl Crowd {
    pub(super) fn gather(ring: KeyRing, seed: u64, gateways: &[SocketAddr]) -> Self {
        let shared = Arc::new(Shared {
            ring,
            seed,
            gateways: Mutex::default(),
            stay_ms: AtomicU64::new(400),
            greedy: AtomicBool::new(true),
            insiders_stay: AtomicBool::new(true),
            to_come: AtomicU32::new(0),
            joining: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            inside: AtomicU32::new(0),
            present: AtomicU32::new(0),
            visitors: Mutex::default(),
        });
        let (waves, coming) = mpsc::unbounded_channel();
        let (crowd, arrivals) = (Arc::clone(&shared), coming);
        let aside = Aside::run("crowd", move || arrivals::receive(crowd, arrivals));
        let crowd = Self { shared, waves, _aside: aside };
        crowd.knows(gateways);
        crowd
    }

    /// From now on these are the gateways; what is open to others is forgotten.
    pub(super) fn knows(&self, gateways: &[SocketAddr]) {
        let mut pools = self.shared.gateways.lock().unwrap();
        let kept = |address: &SocketAddr| pools.iter().find(|pool| pool.address == *address).map(Arc::clone);
        *pools = gateways.iter().map(|address| kept(address).unwrap_or_else(|| Arc::new(Pool::to(*address)))).collect();
    }

    /// So many come, so many a second.
    pub(super) fn comes(&self, count: u32, per_second: u32, manner: Manner) {
        self.shared.to_come.fetch_add(count, Ordering::Relaxed);
        self.waves.send(Wave { count, per_second, manner }).unwrap();
    }

    pub(super) fn stays_for(&self, average: Duration) {
        self.shared.stay_ms.store(u64::try_from(average.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Nobody comes back with a used token: for faults after which only tokens know that a place was used.
    pub(super) fn is_modest(&self) {
        self.shared.greedy.store(false, Ordering::Relaxed);
    }

    /// Insiders finish.
    pub(super) fn insiders_leave(&self) {
        self.shared.insiders_stay.store(false, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self) -> u32 {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn inside(&self) -> u32 {
        self.shared.inside.load(Ordering::Relaxed)
    }

    fn left(&self) -> u32 {
        self.shared.to_come.load(Ordering::Relaxed) + self.shared.present.load(Ordering::Relaxed)
    }

    /// Whether everybody who was to come has a place.
    pub(super) fn have_all_come(&self) -> bool {
        self.shared.to_come.load(Ordering::Relaxed) + self.shared.joining.load(Ordering::Relaxed) == 0
    }

    /// Waits until nobody is left, as long as that takes at most: how many are.
    pub(super) async fn has_gone(&self, patience: Duration) -> u32 {
        let began = gateway::clock::monotonic();
        let mut ticks = tokio::time::interval(crate::journey::wait::PERIOD);
        while self.left() > 0 && gateway::clock::monotonic().duration_since(began) < patience {
            ticks.tick().await;
        }
        self.left()
    }

    /// What has happened so far.
    pub(super) fn records(&self) -> Vec<Record> {
        let visitors = self.shared.visitors.lock().unwrap();
        visitors.iter().map(|record| record.lock().unwrap().clone()).collect()
    }
}
