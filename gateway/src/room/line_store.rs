//! The store as one gateway uses it for one room: every call carries what was seen, and every answer is learned from.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::store::{
    Call, Called, Caller, Claim, Claimed, Departure, Ending, Follow, Joined, Opening, Renewal, Renewed, Stamped, Store,
    StoreError, Summary, Swept, Terms,
};
use queue_core::{HighWater, RoomId, Timestamp, Version, VisitorId};

use crate::clock::{self, Instant};
use crate::metrics::StoreMetrics;

/// What was seen last, and when by this process's monotonic clock.
#[derive(Clone, Copy)]
struct Seen {
    mark: HighWater,
    time: Timestamp,
    at: Instant,
}

/// One room's line in the store.
pub(super) struct LineStore {
    store: Arc<dyn Store>,
    room: RoomId,
    terms: Terms,
    deadline: Duration,
    seen: Mutex<Option<Seen>>,
    metrics: Arc<StoreMetrics>,
}

impl LineStore {
    pub(super) fn new(
        store: Arc<dyn Store>,
        room: RoomId,
        terms: Terms,
        deadline: Duration,
        metrics: Arc<StoreMetrics>,
    ) -> Self {
        Self { store, room, terms, deadline, seen: Mutex::new(None), metrics }
    }

    fn caller(&self) -> Caller {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map_or(Caller::newcomer(), |seen| {
            Caller::after(seen.mark, seen.time, clock::monotonic().duration_since(seen.at), self.deadline)
        })
    }

    fn learn(&self, mark: &HighWater, time: Timestamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let at = clock::monotonic();
        match &mut *seen {
            Some(seen) => {
                seen.mark.raise(mark);
                if time >= seen.time {
                    (seen.time, seen.at) = (time, at);
                }
            }
            None => *seen = Some(Seen { mark: *mark, time, at }),
        }
    }

    /// One call: measured, learned from, and sent once more when it did nothing because it came late.
    async fn step<T, F>(&self, operation: &'static str, call: impl Fn(Caller) -> F) -> Result<Stamped<T>, StoreError>
    where
        F: Future<Output = Result<Stamped<T>, StoreError>>,
    {
        let began = clock::monotonic();
        let mut answer = call(self.caller()).await;
        if let Err(StoreError::Late(time)) = answer {
            // It did nothing, but told the time: without learning it, a gateway that slept would be late for ever.
            self.learn(&HighWater::NOTHING, time);
            answer = call(self.caller()).await;
        }
        self.metrics.observe(operation, clock::monotonic().duration_since(began), answer.as_ref().err());
        if let Ok(answer) = &answer {
            self.learn(&answer.mark, answer.time);
        }
        answer
    }

    pub(super) async fn open(&self, opening: &Opening) -> Result<Stamped<Summary>, StoreError> {
        self.step("open", |caller| self.store.open(&self.room, caller, opening.clone())).await
    }

    pub(super) async fn join(&self, items: Vec<VisitorId>) -> Result<Vec<Joined>, StoreError> {
        let call = |caller| self.store.join(&self.room, caller, self.terms, items.clone());
        Ok(self.step("join", call).await?.value)
    }

    pub(super) async fn claim(&self, items: Vec<Claim>) -> Result<Vec<Claimed>, StoreError> {
        let call = |caller| self.store.claim(&self.room, caller, self.terms, items.clone());
        Ok(self.step("claim", call).await?.value)
    }

    pub(super) async fn renew(&self, items: Vec<Renewal>) -> Result<Vec<Renewed>, StoreError> {
        let call = |caller| self.store.renew(&self.room, caller, self.terms, items.clone());
        Ok(self.step("renew", call).await?.value)
    }

    pub(super) async fn end(&self, items: Vec<Ending>) -> Result<Vec<bool>, StoreError> {
        Ok(self.step("end", |caller| self.store.end(&self.room, caller, items.clone())).await?.value)
    }

    pub(super) async fn depart(&self, items: Vec<Departure>) -> Result<Vec<bool>, StoreError> {
        Ok(self.step("depart", |caller| self.store.depart(&self.room, caller, items.clone())).await?.value)
    }

    pub(super) async fn call(&self, release: &Call, heard_for: Duration) -> Result<Called, StoreError> {
        let terms = Terms { heard_for, ..self.terms };
        Ok(self.step("call", |caller| self.store.call(&self.room, caller, terms, release.clone())).await?.value)
    }

    pub(super) async fn sweep(&self) -> Result<Swept, StoreError> {
        Ok(self.step("sweep", |caller| self.store.sweep(&self.room, caller, self.terms)).await?.value)
    }

    pub(super) async fn follow(&self, after: Option<Version>) -> Result<Follow, StoreError> {
        Ok(self.step("follow", |caller| self.store.follow(&self.room, caller, after)).await?.value)
    }
}
