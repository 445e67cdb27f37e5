//! How many connections a listener holds, over all cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A listener's room for connections, shared by its cores.
#[derive(Debug)]
pub struct Capacity {
    open: AtomicUsize,
    limit: usize,
}

/// One connection's share; dropping it gives it back.
#[derive(Debug)]
pub(super) struct CapacityGuard(Arc<Capacity>);

impl Capacity {
    /// The default limit: half the descriptors of a common process limit, the rest being for upstreams and files.
    pub const DEFAULT_CONNECTIONS: usize = 10_000;

    /// Room for `limit` connections.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), limit })
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes a share, or `None` when all are taken.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<CapacityGuard> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        // Made before the check, so that its drop undoes the addition on refusal too.
        let guard = CapacityGuard(Arc::clone(self));
        (taken < self.limit).then_some(guard)
    }
}

impl Drop for CapacityGuard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit is never exceeded, and a refusal leaks nothing.
    #[test]
    fn gives_back_on_drop() {
        let capacity = Capacity::new(2);
        let first = capacity.try_take().unwrap();
        let second = capacity.try_take().unwrap();
        assert!(capacity.try_take().is_none());
        assert_eq!(capacity.open(), 2);
        drop(first);
        assert!(capacity.try_take().is_some());
        drop(second);
        assert_eq!(capacity.open(), 0);
    }
}
