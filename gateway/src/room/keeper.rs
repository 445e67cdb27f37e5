//! Keeps a room's memory fresh and its frontier moving: the only place that asks the store again and again, at a fixed
//! pace, however many poll.

use std::sync::Arc;
use std::time::Duration;

use queue_core::Timestamp;
use queue_core::admission::Admission;
use queue_core::pacing::{Pace, poll_after};
use queue_core::release::{Release, ReleaseView, TICK};
use queue_core::store::{Call, Called, Event, Follow, Mirror, News, Opening, StoreError};

use super::line_store::LineStore;
use super::{GRACE, Room, RoomSnapshot};
use crate::clock::{self, Instant};
use crate::metrics::{Departure, StoreMetrics};

/// How often what time has ended is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often decisions are made anew when another gateway was first, within one tick.
const DECISIONS_PER_TICK: usize = 3;

pub(super) struct Keeper {
    room: Arc<Room>,
    line: Arc<LineStore>,
    opening: Opening,
    memory: Option<Memory>,
    store_metrics: Arc<StoreMetrics>,
    report: Arc<dyn Fn(&str) + Send + Sync>,
    swept: Instant,
    store_is_up: Option<bool>,
}

/// What is remembered between two looks.
struct Memory {
    mirror: Mirror,
    pace: Pace,
    last_return: Timestamp,
    taken: Instant,
}

impl Keeper {
    pub(super) fn new(
        room: Arc<Room>,
        line: Arc<LineStore>,
        opening: Opening,
        store_metrics: Arc<StoreMetrics>,
        report: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Self {
        let swept = clock::monotonic();
        Self { room, line, opening, memory: None, store_metrics, report, swept, store_is_up: None }
    }

    pub(super) async fn run(&mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let outcome = self.tick().await;
            self.tell_store_state(outcome.err());
        }
    }

    /// One look, as many calls as there is room for, one look published.
    async fn tick(&mut self) -> Result<(), StoreError> {
        if self.memory.is_none() {
            self.line.open(&self.opening).await?;
        }
        for _ in 0..DECISIONS_PER_TICK {
            self.look().await?;
            self.publish();
            if self.release().await? != Some(Called::Stale) {
                break;
            }
        }
        if clock::monotonic().duration_since(self.swept) >= SWEEP_EVERY {
            self.swept = clock::monotonic();
            let swept = self.line.sweep().await?;
            self.room.metrics.departed(Departure::Silent, swept.silent);
            self.room.metrics.departed(Departure::Expired, swept.expired);
        }
        Ok(())
    }

    /// Takes up what changed in the store since the last look.
    async fn look(&mut self) -> Result<(), StoreError> {
        let Some(memory) = &mut self.memory else {
            let follow = self.line.follow(None).await?;
            let mirror = Mirror::new(follow)
                .ok_or_else(|| StoreError::Script("the first look at a room did not bring everything".to_owned()))?;
            let taken = clock::monotonic();
            self.memory = Some(Memory { mirror, pace: Pace::default(), last_return: Timestamp::ZERO, taken });
            return Ok(());
        };
        let follow = self.line.follow(Some(memory.mirror.version())).await?;
        let before = memory.mirror.summary.clone();
        let returned = has_return(&follow);
        let left = match memory.mirror.take(follow) {
            Ok(left) => left,
            Err(gap) => {
                tracing::debug!(room = %self.room.id(), %gap, "reading the whole line anew");
                let whole = self.line.follow(None).await?;
                memory.mirror.take(whole).unwrap_or(0)
            }
        };
        memory.taken = clock::monotonic();
        let now = memory.mirror.summary.time;
        if returned {
            memory.last_return = now;
        }
        memory.pace.note(left, now);
        for violation in queue_core::invariants::sweep(Some(&before), &memory.mirror) {
            tracing::error!(room = %self.room.id(), ?violation, "a promise is broken");
            (self.report)(violation.invariant.label());
        }
        Ok(())
    }

    /// Decides how far the frontier moves and applies it.
    async fn release(&mut self) -> Result<Option<Called>, StoreError> {
        let Some(memory) = &self.memory else { return Ok(None) };
        let summary = &memory.mirror.summary;
        let view = ReleaseView {
            admission: Admission {
                limits: &summary.limits,
                paused: summary.paused,
                hold_until: summary.hold_until,
                sessions: summary.sessions,
            },
            line: &memory.mirror.line,
            reserved: summary.reserved,
            bucket: summary.bucket,
        };
        let Release::Call { count, .. } = view.decide(summary.time) else { return Ok(None) };
        let line = &memory.mirror.line;
        let mut called = Vec::with_capacity(count as usize);
        let mut after = line.frontier;
        while called.len() < count as usize
            && let Some(next) = line.bits.nth_waiting_after(after, 1, line.last)
        {
            called.push(next);
            after = next;
        }
        // The last of them was told to come after this long when everybody called now was still ahead.
        let speed = memory.pace.speed(&summary.limits, self.room.policy(), summary.sessions);
        let told = poll_after(speed.soonest(count), self.room.policy().poll_interval());
        let call = Call { from: line.frontier, limits_version: summary.limits_version, called };
        let answer = self.line.call(&call, told + GRACE).await?;
        if answer == Called::Moved {
            self.room.metrics.calls.inc_by(u64::from(count));
        }
        Ok(Some(answer))
    }

    fn publish(&self) {
        let Some(memory) = &self.memory else { return };
        let summary = &memory.mirror.summary;
        let speed = memory.pace.speed(&summary.limits, self.room.policy(), summary.sessions);
        let metrics = &self.room.metrics;
        metrics.line_length.set(i64::from(summary.line_length));
        metrics.active_sessions.set(i64::from(summary.sessions));
        metrics.active_limit.set(i64::from(summary.limits.total_active_users));
        metrics.epoch.set(i64::from(summary.mark.epoch.get()));
        metrics.release_rate.set(memory.pace.measured());
        if let Some(coverage) = self.room.promises.coverage() {
            metrics.estimate_coverage.set(coverage);
        }
        self.room.snapshot.store(Some(Arc::new(RoomSnapshot {
            mirror: memory.mirror.clone(),
            speed,
            last_return: memory.last_return,
            taken: memory.taken,
        })));
    }

    /// Logs and counts only when the store's state changes: a store that is away for an hour is one line.
    fn tell_store_state(&mut self, error: Option<StoreError>) {
        let up = error.is_none();
        self.store_metrics.set_up(up);
        if self.store_is_up == Some(up) {
            return;
        }
        self.store_is_up = Some(up);
        match error {
            None => tracing::info!(room = %self.room.id(), "the store answers"),
            Some(error) => {
                tracing::warn!(room = %self.room.id(), %error, "the store cannot decide: nobody new is admitted, admitted visitors go on");
            }
        }
    }
}

fn has_return(follow: &Follow) -> bool {
    let News::Changes(changes) = &follow.news else { return false };
    let returned = |event: &Event| matches!(event, Event::Place(_, queue_core::bits::PlaceState::Waiting));
    changes.iter().flat_map(|change| &change.events).any(returned)
}
