//! One upstream as all cores share it: endpoints, the cap on connections, the count of those who wait.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::endpoint::{Endpoint, Watched};
use super::settings::UpstreamSettings;
use super::wait::Rank;
use crate::clock::{self, Instant};
use crate::metrics::UpstreamHandles;

/// A service behind the gateway. Each core makes its own [`Pool`](super::Pool) of it.
#[derive(Debug)]
pub struct Upstream {
    pub(super) settings: UpstreamSettings,
    pub(super) metrics: Arc<UpstreamHandles>,
    pub(super) endpoints: Vec<Watched>,
    pub(super) permits: Arc<Semaphore>,
    pending: AtomicUsize,
    started: Instant,
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
    /// An upstream at these endpoints. Which of several is asked first changes from request to request.
    pub fn new(
        first: Endpoint,
        others: Vec<Endpoint>,
        settings: UpstreamSettings,
        metrics: Arc<UpstreamHandles>,
    ) -> Arc<Self> {
        let permits = settings.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            settings,
            metrics,
            endpoints: std::iter::once(first).chain(others).map(Watched::new).collect(),
            permits: Arc::new(Semaphore::new(permits)),
            pending: AtomicUsize::new(0),
            started: clock::monotonic(),
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

    pub(super) fn now_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
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

    /// Which endpoint is asked: the less busy of two that follow each other, passing over those that just refused.
    pub(super) fn choose(&self, turn: usize, now: Instant) -> usize {
        let count = self.endpoints.len();
        if count == 1 {
            return 0;
        }
        let now_ms = self.now_ms(now);
        let mut open =
            (0..count).map(|step| (turn + step) % count).filter(|at| !self.endpoints[*at].is_passed_over(now_ms));
        let first = open.next().unwrap_or(turn % count);
        let busy = |at: usize| self.endpoints[at].busy.load(Ordering::Relaxed);
        match open.next() {
            Some(second) if busy(second) < busy(first) => second,
            _ => first,
        }
    }

    pub(super) fn refused(&self, at: usize, now: Instant) {
        let pause: Duration = self.settings.refused_pause;
        self.endpoints[at].refused_until(self.now_ms(now + pause));
        let now_ms = self.now_ms(now);
        if self.endpoints.iter().all(|endpoint| endpoint.is_passed_over(now_ms)) {
            self.metrics.up.set(0);
        }
    }

    pub(super) fn accepted(&self, at: usize) {
        self.endpoints[at].accepted();
        self.metrics.up.set(1);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.waiting.dec();
    }
}
