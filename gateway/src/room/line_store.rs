//! The store as one gateway uses it for one room: every call carries what was seen, and every answer is learned from.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::recovery::{House, Trouble, Witness, plan};
use queue_core::store::{
    Arrival, Call, Called, Caller, Claim, Claimed, Departure, Ending, Follow, Heard, Joined, Merged, Mirror, Moment,
    Opening, Renewal, Renewed, Stamped, Store, StoreError, Summary, Swept, Terms,
};
use queue_core::{Place, RoomId, Timestamp, Version};

use crate::clock::{self, Instant};
use crate::metrics::StoreMetrics;

/// One room's line in the store.
pub(super) struct LineStore {
    store: Arc<dyn Store>,
    room: RoomId,
    terms: Terms,
    house: House,
    deadline: Duration,
    witness: Mutex<Witness>,
    /// The store's moment of the last answer, and when that arrived by this process's monotonic clock.
    answered: Mutex<Option<(Moment, Instant)>>,
    metrics: Arc<StoreMetrics>,
}

/// What a [`LineStore`] is made from.
pub(super) struct LineStoreParts {
    pub(super) store: Arc<dyn Store>,
    pub(super) room: RoomId,
    pub(super) terms: Terms,
    pub(super) house: House,
    pub(super) deadline: Duration,
    pub(super) metrics: Arc<StoreMetrics>,
}

impl LineStore {
    pub(super) fn new(parts: LineStoreParts) -> Self {
        let LineStoreParts { store, room, terms, house, deadline, metrics } = parts;
        Self { store, room, terms, house, deadline, witness: Mutex::default(), answered: Mutex::new(None), metrics }
    }

    fn witness(&self) -> MutexGuard<'_, Witness> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self) -> Option<(Moment, Instant)> {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn caller(&self) -> Caller {
        let seen = self.witness().seen();
        self.answered().map_or(Caller::newcomer(), |(moment, arrived)| {
            Caller::after(seen, moment, clock::monotonic().duration_since(arrived), self.deadline)
        })
    }

    /// Shared time as far as it is known here; before the first answer this host's own.
    pub(super) fn time(&self) -> Timestamp {
        self.answered()
            .map_or_else(clock::now, |(moment, arrived)| moment.time + clock::monotonic().duration_since(arrived))
    }

    fn learn(&self, moment: Moment) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.is_none_or(|(known, _)| moment.time >= known.time) {
            *answered = Some((moment, clock::monotonic()));
        }
    }

    fn learn_anew(&self, moment: Moment) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some((moment, clock::monotonic()));
    }

    /// One call: measured, learned from, and sent once more when it did nothing because it came late.
    async fn step<T, F>(&self, operation: &'static str, call: impl Fn(Caller) -> F) -> Result<Stamped<T>, StoreError>
    where
        F: Future<Output = Result<Stamped<T>, StoreError>>,
    {
        let began = clock::monotonic();
        let mut answer = call(self.caller()).await;
        if let Err(StoreError::Late(moment)) = answer {
            // It did nothing, but told the time: without learning it, a gateway that slept, or whose data moved to a host
            // with another clock, would be late for ever.
            self.learn_anew(moment);
            answer = call(self.caller()).await;
        }
        self.metrics.observe(operation, clock::monotonic().duration_since(began), answer.as_ref().err());
        if let Ok(answer) = &answer {
            self.witness().saw(&answer.mark);
            self.learn(Moment { time: answer.time, host: answer.host });
        }
        answer
    }

    pub(super) async fn open(&self, opening: &Opening) -> Result<Stamped<Summary>, StoreError> {
        self.step("open", |caller| self.store.open(&self.room, caller, opening.clone())).await
    }

    pub(super) async fn join(&self, items: Vec<Arrival>) -> Result<Vec<Joined>, StoreError> {
        let call = |caller| self.store.join(&self.room, caller, self.terms, items.clone());
        let answer = self.step("join", call).await?;
        self.witness().joined(answer.time, &items, &answer.value);
        Ok(answer.value)
    }

    pub(super) async fn claim(&self, items: Vec<Claim>) -> Result<Vec<Claimed>, StoreError> {
        let call = |caller| self.store.claim(&self.room, caller, self.terms, items.clone());
        let answer = self.step("claim", call).await?;
        self.witness().claimed(answer.time, &items, &answer.value);
        Ok(answer.value)
    }

    pub(super) async fn renew(&self, items: Vec<Renewal>) -> Result<Vec<Renewed>, StoreError> {
        let call = |caller| self.store.renew(&self.room, caller, self.terms, items.clone());
        let answer = self.step("renew", call).await?;
        self.witness().renewed(&answer.value);
        Ok(answer.value)
    }

    pub(super) async fn end(&self, items: Vec<Ending>) -> Result<Vec<bool>, StoreError> {
        let answer = self.step("end", |caller| self.store.end(&self.room, caller, items.clone())).await?;
        self.witness().ended(answer.time, &items);
        Ok(answer.value)
    }

    pub(super) async fn depart(&self, items: Vec<Departure>) -> Result<Vec<bool>, StoreError> {
        let answer = self.step("depart", |caller| self.store.depart(&self.room, caller, items.clone())).await?;
        self.witness().departed(answer.time, &items);
        Ok(answer.value)
    }

    pub(super) async fn call(&self, release: &Call, heard_for: Duration) -> Result<Called, StoreError> {
        let terms = Terms { heard_for, ..self.terms };
        Ok(self.step("call", |caller| self.store.call(&self.room, caller, terms, release.clone())).await?.value)
    }

    pub(super) async fn hear(&self, heard: &Heard) -> Result<(), StoreError> {
        self.step("hear", |caller| self.store.hear(&self.room, caller, heard.clone())).await.map(drop)
    }

    pub(super) async fn collect(&self, span: Duration) -> Result<(), StoreError> {
        self.step("collect", |caller| self.store.collect(&self.room, caller, span)).await.map(drop)
    }

    pub(super) async fn sweep(&self) -> Result<Swept, StoreError> {
        Ok(self.step("sweep", |caller| self.store.sweep(&self.room, caller, self.terms)).await?.value)
    }

    pub(super) async fn follow(&self, after: Option<Version>) -> Result<Follow, StoreError> {
        let answer = self.step("follow", |caller| self.store.follow(&self.room, caller, after)).await?;
        self.witness().looked(answer.time, answer.mark.life, answer.mark.version);
        Ok(answer.value)
    }

    /// A valid token speaks of a place that the store does not know.
    pub(super) fn token(&self, place: Place) {
        self.witness().token(place);
    }

    /// What the store has to hear of although it answers, if anything.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.witness().trouble()
    }

    /// Tells the store what is remembered here; `None` when that is nothing.
    pub(super) async fn heal(&self, trouble: Trouble, mirror: Option<&Mirror>) -> Result<Option<Merged>, StoreError> {
        let testimony = {
            let mut witness = self.witness();
            let testimony = plan(trouble, &witness, mirror, &self.house, self.time());
            witness.tells();
            testimony
        };
        let Some(testimony) = testimony else { return Ok(None) };
        let past = testimony.past.clone();
        let mut merged = None;
        for part in testimony.parts() {
            let answer = self.step("merge", |caller| self.store.merge(&self.room, caller, part.clone())).await?;
            merged.get_or_insert(answer.value);
        }
        self.witness().told(&past);
        Ok(merged)
    }
}
