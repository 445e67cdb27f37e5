//! One upstream as all cores share it: endpoints, the cap on connections, the count of those who wait.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::endpoint::Endpoint;
use super::fleet::Fleet;
use super::settings::UpstreamSettings;
use super::wait::Rank;
use crate::metrics::UpstreamHandles;

/// A service behind the gateway. Each core makes its own [`Pool`](super::Pool) of it.
#[derive(Debug)]
pub struct Upstream {
    pub(super) settings: UpstreamSettings,
    pub(super) metrics: Arc<UpstreamHandles>,
    pub(super) fleet: Fleet,
    pub(super) permits: Arc<Semaphore>,
    pending: AtomicUsize,
    /// One per core's pool: asks it to give up idle connections.
    reclaim: Mutex<Vec<Arc<Notify>>>,
}

/// One open connection's share of the cap; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// One waiting request's share of the bound; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Pending<'a>(&'a Upstream);

impl Upstream {
    /// An upstream at these endpoints.
    pub fn new(
        first: Endpoint,
        others: Vec<Endpoint>,
        settings: UpstreamSettings,
        metrics: Arc<UpstreamHandles>,
    ) -> Arc<Self> {
        let permits = settings.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            fleet: Fleet::new(std::iter::once(first).chain(others), &settings, Arc::clone(&metrics)),
            settings,
            metrics,
            permits: Arc::new(Semaphore::new(permits)),
            pending: AtomicUsize::new(0),
            reclaim: Mutex::default(),
        })
    }

    /// Connections open now, over all cores.
    pub fn open_connections(&self) -> usize {
        self.settings.max_connections.saturating_sub(self.permits.available_permits())
    }

    /// Requests that wait for a connection, over all cores.
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// A permit, if one is free and nobody waits for it.
    pub(super) fn try_permit(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok().map(Permit)
    }

    /// The next permit given back, first come first served over all cores.
    pub(super) async fn permit(&self) -> Option<Permit> {
        Arc::clone(&self.permits).acquire_owned().await.ok().map(Permit)
    }

    /// A share of the bound on waiting requests, or `None` when all are taken. The second half is kept for admitted
    /// visitors: a crowd on open paths must not have them refused.
    pub(super) fn try_wait(&self, rank: Rank) -> Option<Pending<'_>> {
        let most = match rank {
            Rank::Admitted => self.settings.max_pending,
            Rank::Open => self.settings.max_pending.div_ceil(2),
        };
        let waiting = self.pending.fetch_add(1, Ordering::Relaxed);
        self.metrics.waiting.inc();
        let pending = Pending(self);
        (waiting < most).then_some(pending)
    }

    /// A core joins; the handle asks it to give up idle connections that others wait for.
    pub(super) fn join(&self) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        self.reclaim.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&notify));
        notify
    }

    pub(super) fn leave(&self, handle: &Arc<Notify>) {
        self.reclaim.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| !Arc::ptr_eq(known, handle));
    }

    /// Asks the other cores for idle connections. Rare: only when the cap is reached.
    pub(super) fn ask_for_idle(&self, own: &Arc<Notify>) {
        let cores = self.reclaim.lock().unwrap_or_else(PoisonError::into_inner);
        cores.iter().filter(|core| !Arc::ptr_eq(core, own)).for_each(|core| core.notify_one());
    }

    /// What one core may hold while another one waits.
    pub(super) fn fair_share(&self) -> usize {
        let cores = self.reclaim.lock().unwrap_or_else(PoisonError::into_inner).len();
        let cores = NonZeroUsize::new(cores).unwrap_or(NonZeroUsize::MIN);
        self.settings.max_connections.div_ceil(cores.get())
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.waiting.dec();
    }
}
