//! Keeps a room's memory fresh and its frontier moving: the only place that asks the store again and again, at a fixed
//! pace, however many poll. Where the store remembers less than it should, tells it what is remembered here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use queue_core::line::Line;
use queue_core::pacing::{Pace, poll_after};
use queue_core::recovery::Trouble;
use queue_core::release::{Release, ReleaseView, TICK};
use queue_core::store::{
    Call, Called, Ending, Event, Follow, GatewayId, Heard, MAX_BATCH, Merged, Mirror, News, Opening, Period, Proposal,
    Renewal, StoreError,
};
use queue_core::{Life, Timestamp};

use super::absence::Meanwhile;
use super::line_store::LineStore;
use super::{GRACE, Room, RoomSnapshot};
use crate::clock::{self, Instant};
use crate::metrics::{Departure, StoreMetrics};

/// How often what time has ended is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Looks in a row that fail before the store counts as away: a single late answer is no absence.
const FAILURES_OF_AN_ABSENCE: u32 = 2;
/// How often decisions are made anew when another gateway was first, within one tick.
const DECISIONS_PER_TICK: usize = 3;

pub(super) struct Keeper {
    room: Arc<Room>,
    line: Arc<LineStore>,
    proposal: Proposal,
    listen: Duration,
    gateway: GatewayId,
    memory: Option<Memory>,
    store_metrics: Arc<StoreMetrics>,
    report: Arc<dyn Fn(&str) + Send + Sync>,
    swept: Instant,
    /// The period whose marks are brought next.
    period: Option<Period>,
    store_is_up: Option<bool>,
    /// Looks in a row that failed.
    failures: u32,
    /// Whether the store was away for so long that visitors were told.
    was_stale: bool,
}

/// What is remembered between two looks.
struct Memory {
    mirror: Mirror,
    before_loss: Option<Arc<Line>>,
    pace: Pace,
    last_return: Timestamp,
    last_hold: Timestamp,
    taken: Instant,
}

impl Memory {
    fn new(mirror: Mirror, before: Option<Self>) -> Self {
        let taken = clock::monotonic();
        let pace = before.as_ref().map_or_else(Pace::default, |before| before.pace.clone());
        let last_return = before.as_ref().map_or(Timestamp::ZERO, |before| before.last_return);
        let mut memory = Self { mirror, before_loss: None, pace, last_return, last_hold: Timestamp::ZERO, taken };
        memory.note_hold(before);
        memory
    }

    /// While calls are held, positions come from the line as it was: as this gateway remembers it, else as if everybody who
    /// could come back were there.
    fn note_hold(&mut self, before: Option<Self>) {
        let summary = &self.mirror.summary;
        // A room that only begins has lost nothing.
        if self.mirror.line.stretches().len() > 1 {
            self.last_hold = self.last_hold.max(summary.hold_until);
        }
        if summary.time >= summary.hold_until {
            self.before_loss = None;
        } else if let Some(before) = before {
            self.before_loss = Some(before.before_loss.unwrap_or_else(|| {
                let mut line = before.mirror.line;
                // Given after the last look and known by now.
                let since = self.mirror.line.stretches().iter().find(|stretch| stretch.life() == line.life());
                since.into_iter().for_each(|stretch| line.give(stretch.last()));
                Arc::new(line)
            }));
        } else if self.before_loss.is_none() {
            self.before_loss = Some(Arc::new(self.mirror.line.without_gone()));
        }
    }
}

impl Keeper {
    pub(super) fn new(
        room: Arc<Room>,
        line: Arc<LineStore>,
        proposal: Proposal,
        listen: Duration,
        gateway: GatewayId,
        store_metrics: Arc<StoreMetrics>,
        report: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Self {
        let swept = clock::monotonic();
        Self {
            room,
            line,
            proposal,
            listen,
            gateway,
            memory: None,
            store_metrics,
            report,
            swept,
            period: None,
            store_is_up: None,
            failures: 0,
            was_stale: false,
        }
    }

    fn opening(&self) -> Opening {
        let life = Life::first(clock::now());
        Opening { proposal: self.proposal.clone(), life, listen: self.listen }
    }

    pub(super) async fn run(&mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let mut outcome = self.tick().await;
            let trouble = outcome.as_ref().err().and_then(Trouble::of);
            self.failures = if outcome.is_err() { self.failures + 1 } else { 0 };
            if trouble.is_some() || self.failures >= FAILURES_OF_AN_ABSENCE {
                self.room.is_away.store(true, Ordering::Release);
                self.was_stale |= self.room.snapshot().is_stale(clock::monotonic());
            }
            if let Some(trouble) = trouble {
                outcome = self.heal(trouble).await;
            }
            self.tell_store_state(outcome.err());
        }
    }

    /// One look, as many calls as there is room for, one look published.
    async fn tick(&mut self) -> Result<(), StoreError> {
        for _ in 0..DECISIONS_PER_TICK {
            self.look().await?;
            self.publish();
            if self.release().await? != Some(Called::Stale) {
                break;
            }
        }
        if let Some(trouble) = self.line.trouble() {
            self.heal(trouble).await?;
        }
        self.welcome_back().await?;
        self.bring_marks().await?;
        let collected = self.memory.as_ref().is_some_and(|memory| memory.mirror.summary.has_collected());
        if collected || clock::monotonic().duration_since(self.swept) >= SWEEP_EVERY {
            self.sweep().await?;
        }
        Ok(())
    }

    /// The store remembers less than this gateway does, or nothing at all.
    async fn heal(&mut self, trouble: Trouble) -> Result<(), StoreError> {
        let mirror = self.memory.as_ref().map(|memory| &memory.mirror);
        let Some(merged) = self.line.heal(trouble, mirror).await? else {
            // Nobody remembers anything: the room begins.
            return self.line.open(&self.opening()).await.map(drop);
        };
        match merged {
            Merged::Began => tracing::warn!(
                room = %self.room.id(), ?trouble,
                "the store lost data: a new epoch begins, calls are held until everybody who polls is back"
            ),
            Merged::Resumed => tracing::warn!(
                room = %self.room.id(), ?trouble,
                "the store lagged behind what was seen: it goes on with what is remembered here, calls are held shortly"
            ),
            Merged::Added => {
                tracing::info!(room = %self.room.id(), ?trouble, "the store heard what is remembered here");
            }
        }
        self.look_anew().await
    }

    /// Reads the whole room.
    async fn look_anew(&mut self) -> Result<(), StoreError> {
        let follow = self.line.follow(None).await?;
        let mirror = Mirror::new(follow)
            .ok_or_else(|| StoreError::Script("a whole look at a room did not bring everything".to_owned()))?;
        let life = mirror.line.life();
        let before =
            self.memory.take().filter(|memory| memory.mirror.line.life() != life || memory.before_loss.is_some());
        self.memory = Some(Memory::new(mirror, before));
        self.publish();
        Ok(())
    }

    /// Takes up what changed in the store since the last look.
    async fn look(&mut self) -> Result<(), StoreError> {
        let Some(memory) = &mut self.memory else {
            // A gateway that starts also says which limits its config has.
            if self.line.trouble().is_none() {
                self.line.open(&self.opening()).await?;
            }
            return self.look_anew().await;
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
        memory.note_hold(None);
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

    /// The store is back: those who came meanwhile are collected before anybody gets a place, and whoever was let in makes
    /// itself known.
    async fn welcome_back(&mut self) -> Result<(), StoreError> {
        let meanwhile = self.room.absence.end();
        let told = self.tell(&meanwhile).await;
        match &told {
            Ok(()) => {
                self.was_stale = false;
                self.room.is_away.store(false, Ordering::Release);
            }
            Err(_) => self.room.absence.go_on(meanwhile),
        }
        told
    }

    async fn tell(&self, meanwhile: &Meanwhile) -> Result<(), StoreError> {
        if self.room.is_away.load(Ordering::Acquire) {
            // Others may have been given tokens too, by gateways that are not back yet.
            let others = if self.was_stale { self.listen } else { Duration::ZERO };
            let span = if meanwhile.arrived > 0 { self.room.provisional_poll() + GRACE } else { others };
            if span > Duration::ZERO {
                self.line.collect(span).await?;
            }
        }
        for sessions in meanwhile.let_in.chunks(MAX_BATCH) {
            let known = sessions.iter().map(|session| Renewal { session: *session, span: Duration::ZERO }).collect();
            self.line.renew(known).await?;
        }
        for sessions in meanwhile.ended.chunks(MAX_BATCH) {
            self.line.end(sessions.iter().map(|session| Ending { session: *session }).collect()).await?;
        }
        Ok(())
    }

    /// Brings the marks of the period that is over; a gateway that starts says that it runs.
    async fn bring_marks(&mut self) -> Result<(), StoreError> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let retention = self.room.policy().position_retention();
        let current = Period::of(memory.mirror.summary.time, retention);
        if self.period == Some(current) {
            return Ok(());
        }
        let over = current.before(1);
        let chunks = match self.period {
            Some(_) => self.room.heard.chunks(&memory.mirror.line, over),
            None => Vec::new(),
        };
        self.line.hear(&Heard { gateway: self.gateway, period: over, retention, chunks }).await?;
        self.period = Some(current);
        Ok(())
    }

    async fn sweep(&mut self) -> Result<(), StoreError> {
        self.swept = clock::monotonic();
        loop {
            let swept = self.line.sweep().await?;
            self.room.metrics.departed(Departure::Silent, swept.silent);
            self.room.metrics.departed(Departure::Expired, swept.expired);
            self.room.metrics.joins.inc_by(u64::from(swept.settled));
            // Who waits for a first place waits no longer than it takes; the rest may take its turns.
            if (swept.settled as usize) < MAX_BATCH {
                return Ok(());
            }
        }
    }

    /// Decides how far the frontier moves and applies it.
    async fn release(&mut self) -> Result<Option<Called>, StoreError> {
        let Some(memory) = &self.memory else { return Ok(None) };
        let summary = &memory.mirror.summary;
        let view = ReleaseView {
            admission: summary.admission(),
            line: &memory.mirror.line,
            reserved: summary.reserved,
            bucket: summary.bucket,
        };
        let Release::Call { count, .. } = view.decide(summary.time) else { return Ok(None) };
        let line = &memory.mirror.line;
        let mut called = Vec::with_capacity(count as usize);
        let mut after = line.frontier();
        while called.len() < count as usize
            && let Some(next) = line.nth_waiting_after(after, 1)
        {
            called.push(next);
            after = next;
        }
        // The last of them was told to come after this long when everybody called now was still ahead.
        let speed = memory.pace.speed(&summary.limits, self.room.policy(), summary.sessions);
        let told = poll_after(speed.soonest(count), self.room.policy().poll_interval());
        let call = Call { from: line.frontier(), limits_version: summary.limits_version, called };
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
        metrics.unknown_sessions.set(i64::from(summary.unknown));
        metrics.collecting.set(i64::from(summary.collect_until > Timestamp::ZERO));
        metrics.hold.set(summary.hold_until.since(summary.time).as_secs_f64());
        metrics.epoch.set(i64::from(summary.mark.epoch().get()));
        metrics.release_rate.set(memory.pace.measured());
        if let Some(coverage) = self.room.promises.coverage() {
            metrics.estimate_coverage.set(coverage);
        }
        self.room.snapshot.store(Arc::new(RoomSnapshot {
            mirror: memory.mirror.clone(),
            before_loss: memory.before_loss.clone(),
            speed,
            last_return: memory.last_return,
            last_hold: memory.last_hold,
            taken: memory.taken,
            seen: true,
        }));
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
