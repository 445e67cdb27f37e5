//! A new life, and what gateways remember of the earlier ones.

use std::time::Duration;

use super::{Room, Stay};
use crate::bits::PlaceState;
use crate::bucket::Bucket;
use crate::store::caller::SharedTime;
use crate::store::{
    Ask, Caller, Control, Event, Inside, LEEWAY, LimitsSource, Merged, Opening, Proof, Proposal, StoreError, Testimony,
};
use crate::{Life, Limits, Place, Timestamp};

/// Sessions that may live and are not known.
#[derive(Clone, Debug, Default)]
pub(super) struct Unknown {
    /// The most that may have been inside when this life began.
    most: Option<u32>,
    /// Nobody remembers: the cohort may be full.
    all: bool,
    /// Those who were not known before this life either.
    carried: u32,
    /// The latest end of any of them.
    until: Timestamp,
    /// How many of those who may have been inside are known by now.
    known: u32,
    /// Until when whoever was let in is among them; zero: nobody said.
    seen_at: Timestamp,
}

impl Unknown {
    /// How many there may be.
    pub(super) fn count(&self, limits: &Limits, now: Timestamp) -> u32 {
        if self.until + LEEWAY <= now {
            return 0;
        }
        let limit = limits.total_active_users;
        // Not the other way round: a limit that was lowered since puts nobody out.
        let most = self.most.unwrap_or(if self.all { limit } else { 0 });
        most.saturating_sub(self.known).max(self.carried).min(limit)
    }

    /// The latest end of any of them, if there may still be some.
    pub(super) fn latest_end(&self, now: Timestamp) -> Timestamp {
        if self.until + LEEWAY > now { self.until } else { Timestamp::ZERO }
    }

    /// Whether whoever was let in at `started` is one of them when this life began at `began`.
    fn counts(&self, started: Timestamp, began: Timestamp) -> bool {
        started <= began && (self.seen_at == Timestamp::ZERO || started <= self.seen_at)
    }

    /// A session was found again.
    pub(super) fn found(&mut self, started: Timestamp, began: Timestamp) {
        let earlier = self.counts(started, began);
        self.known += u32::from(earlier);
        self.carried = self.carried.saturating_sub(u32::from(earlier));
    }

    /// A session that was known turns out to have ended before this life, so it is none of those who were inside.
    fn was_over(&mut self, started: Timestamp, began: Timestamp) {
        let earlier = self.counts(started, began);
        self.known = self.known.saturating_sub(u32::from(earlier));
    }

    /// A new life begins with `sessions` that are known.
    fn restart(&mut self, sessions: u32, limits: &Limits, now: Timestamp) {
        *self = Self { carried: self.count(limits, now), until: self.until, known: sessions, ..Self::default() };
    }

    /// Takes up what somebody knows.
    fn raise(&mut self, inside: &Inside) {
        if inside.until == Timestamp::ZERO {
            return;
        }
        match inside.most {
            Some(_) => {
                self.most = self.most.max(inside.most);
                self.seen_at = self.seen_at.max(Timestamp::from_millis(inside.seen_at.as_millis()));
            }
            None => self.all = true,
        }
        self.until = self.until.max(Timestamp::from_millis(inside.until.as_millis()));
    }
}

impl Room {
    /// A room whose data is gone, as a gateway remembers it.
    pub(in crate::store::memory) fn remembered(
        life: Life,
        testimony: &Testimony,
        host_time: Timestamp,
        server: u64,
    ) -> Self {
        let Control { limits, source, .. } = testimony.control.clone();
        let proposal = Proposal { limits, source };
        let mut room = Self::new(&Opening { proposal, life, listen: Duration::ZERO }, host_time, server);
        if testimony.time > Timestamp::ZERO {
            room.time = SharedTime::starting(Timestamp::from_millis(testimony.time.as_millis()));
            room.served = room.time.now;
        }
        room.steps = 1;
        room.limits_version = testimony.control.version.max(1);
        room.paused = testimony.control.paused;
        room.live_on(testimony, room.time.now);
        room
    }

    /// The step that a store which is behind carries out too.
    pub(in crate::store::memory) fn merge(
        &mut self,
        caller: &Caller,
        testimony: &Testimony,
        host_time: Timestamp,
        server: u64,
    ) -> Result<(Merged, Timestamp), StoreError> {
        let mark = self.mark();
        let behind = mark.is_behind(&caller.seen);
        let moved = self.server != server;
        let disproved = testimony.past.iter().any(|past| past.last > mark.last);
        let follows = |life: Life| life > mark.life && life.mark() >= mark.last;
        let merged = match testimony.ask {
            Ask::Begin(life) if (behind || moved || disproved) && follows(life) => Merged::Began,
            Ask::Resume { life, known_since } if (behind || moved) && follows(life) => {
                let older = caller.seen.life > mark.life;
                if older || caller.seen.life == mark.life && mark.version < known_since {
                    return Err(StoreError::Behind(mark));
                }
                Merged::Resumed
            }
            _ if behind => return Err(StoreError::Behind(mark)),
            _ if moved => return Err(StoreError::Moved(mark)),
            _ => Merged::Added,
        };
        let mut now = self.pass_time(caller, host_time)?;
        if merged != Merged::Added {
            // The clock of the server that took over may have been set back since the copy was made.
            now = now.max(Timestamp::from_millis(testimony.time.as_millis()));
            (self.time.now, self.served) = (now, now);
        } else if testimony.proof == Proof::Memory {
            now = self.catch_up(Timestamp::from_millis(testimony.time.as_millis()));
        }
        match testimony.ask {
            Ask::Begin(life) if merged == Merged::Began => {
                self.waiting.clear();
                self.places.clear();
                self.turns.clear();
                self.begin_life(life, true, testimony, now, server);
            }
            Ask::Resume { life, .. } if merged == Merged::Resumed => {
                self.begin_life(life, false, testimony, now, server);
            }
            _ => {}
        }
        self.remember(testimony, now);
        Ok((merged, now))
    }

    /// Somebody remembers a later time: shared time never goes back, whichever store showed it. Nothing that the leap left out
    /// counts: no token came, nobody could be heard, and what is held is held as long.
    fn catch_up(&mut self, time: Timestamp) -> Timestamp {
        let now = self.time.now;
        let leap = time.since(now);
        if leap > Duration::ZERO {
            self.bucket = Bucket::from_parts(self.bucket.refilled(self.limits.rate(), now).parts(), time);
            (self.time.now, self.served) = (time, time);
            self.hold_longer(now);
        }
        self.time.now
    }

    fn begin_life(&mut self, life: Life, lost: bool, testimony: &Testimony, now: Timestamp, server: u64) {
        self.line.begin(life, lost);
        self.version = 0;
        self.log.clear();
        self.server = server;
        self.live_on(testimony, now);
    }

    /// What every new life begins with: an empty bucket, calls held, and whoever is known to be inside.
    fn live_on(&mut self, testimony: &Testimony, now: Timestamp) {
        self.began = now;
        self.bucket = Bucket::empty(now);
        self.hold_until = self.hold_until.max(now + testimony.hold);
        self.held = true;
        if testimony.collect > Duration::ZERO {
            self.collect_until = self.collect_until.max(now + testimony.collect);
        }
        self.silence.restart();
        self.unknown.restart(self.sessions(now), &self.limits, now);
        self.claims = self.claims.max(testimony.inside.claims);
    }

    /// Adds what is missing.
    pub(in crate::store::memory) fn remember(&mut self, testimony: &Testimony, now: Timestamp) {
        self.obey(&testimony.control, now);
        let news = testimony.past.iter().filter(|past| self.line.learn(past.life, past.last)).count() > 0;
        let young = now < self.began + testimony.hold;
        let held = self.held;
        let memory = testimony.proof == Proof::Memory;
        if news && !held && (memory || young) {
            self.held = true;
            self.hold_until = self.hold_until.max(now + testimony.hold);
        }
        if memory || news && !held && young {
            self.unknown.raise(&testimony.inside);
        }
        self.line.call(testimony.frontier.min(self.line.last()));
        for past in &testimony.past {
            for (chunk, bytes) in &past.spent {
                for place in self.line.spend(past.life, *chunk, bytes) {
                    self.forget_place(place);
                }
            }
        }
        for place in &testimony.spent {
            if self.line.state(*place).is_some_and(|state| state != PlaceState::Spent) {
                self.line.set(*place, PlaceState::Spent);
                self.forget_place(*place);
            }
        }
        for (visitor, until) in &testimony.ended {
            if *until + LEEWAY > now && !self.ended.contains_key(visitor) {
                if let Some(Stay { ends, started, .. }) = self.stays.remove(visitor) {
                    self.ends.remove(&(ends, *visitor));
                    self.unknown.was_over(started, self.began);
                }
                self.remember_end(*visitor, *until);
            }
        }
        let unconfirmed = testimony.unconfirmed.iter().filter(|_| now < self.hold_until).copied();
        let sessions: Vec<_> = testimony.sessions.iter().copied().chain(unconfirmed).collect();
        for (session, place) in &sessions {
            self.find_session(*session, Some(*place), now);
            if let Some(state) = self.line.state(*place)
                && state != PlaceState::Spent
            {
                self.line.set(*place, PlaceState::Spent);
                self.forget_place(*place);
            }
        }
        for (visitor, place) in &testimony.joins {
            let lost = self.line.state(*place) == Some(PlaceState::Gone);
            if lost && !self.places.contains_key(visitor) && self.live_session(*visitor, now).is_none() {
                self.put_back(*visitor, *place, now);
            }
        }
        // Whoever is called and never comes leaves the line again.
        let called: Vec<Place> = self.waiting.range(..=self.line.frontier()).map(|(place, _)| *place).collect();
        called.into_iter().for_each(|place| self.watch(place, now));
        self.log.note(Event::Recast);
    }

    /// Takes up newer rules.
    fn obey(&mut self, control: &Control, now: Timestamp) {
        if control.version <= self.limits_version {
            return;
        }
        self.limit(&control.limits, now);
        self.limits_version = control.version;
        self.limits_source = match control.source {
            LimitsSource::Reset => LimitsSource::Config(now),
            source => source,
        };
        self.paused = control.paused;
    }

    /// A place that turns out to be spent is in the line no longer.
    fn forget_place(&mut self, place: Place) {
        if let Some(visitor) = self.waiting.remove(&place)
            && self.places.get(&visitor) == Some(&place)
        {
            self.places.remove(&visitor);
        }
        self.turns.remove(&place);
    }
}
