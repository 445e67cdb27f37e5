//! One room's state and the steps on it.

mod line;
mod merge;
mod sessions;
mod silence;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use self::merge::Unknown;
use self::silence::Silence;
use super::log::Log;
use crate::admission::Admission;
use crate::bits::PlaceState;
use crate::bucket::Bucket;
use crate::high_water::{HighWater, Version};
use crate::line::Line;
use crate::store::caller::SharedTime;
use crate::store::{
    Caller, Event, Follow, Heard, LEEWAY, LONGEST_GAP, LimitsSource, MAX_BATCH, Moment, News, Opening, Proposal,
    Session, Snapshot, StoreError, Summary, Swept, Terms,
};
use crate::{Limits, Place, SessionId, Timestamp, VisitorId};

/// A live session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stay {
    pub(super) started: Timestamp,
    pub(super) ends: Timestamp,
    /// The place it was claimed with; not known of a session that was found again by its ticket.
    pub(super) place: Option<Place>,
}

/// A called place that was not claimed yet.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// Until when its slot is reserved.
    reserved_until: Timestamp,
    /// How much of the claim window has run.
    window_used: Duration,
    /// When it was last heard while a slot was offered.
    offered_at: Option<Timestamp>,
}

/// One room's state.
#[derive(Clone)]
pub(super) struct Room {
    pub(super) line: Line,
    version: Version,
    pub(super) claims: u64,
    /// Steps so far.
    steps: u64,
    pub(super) waiting: BTreeMap<Place, VisitorId>,
    pub(super) places: HashMap<VisitorId, Place>,
    pub(super) stays: HashMap<VisitorId, Stay>,
    ends: BTreeSet<(Timestamp, VisitorId)>,
    pub(super) ended: HashMap<VisitorId, Timestamp>,
    turns: BTreeMap<Place, Turn>,
    pub(super) bucket: Bucket,
    pub(super) limits: Limits,
    /// Higher with every change of the limits or the pause.
    pub(super) limits_version: u64,
    pub(super) limits_source: LimitsSource,
    pub(super) paused: bool,
    /// When this life began.
    began: Timestamp,
    pub(super) hold_until: Timestamp,
    /// Whether calls were held for a loss in this life.
    held: bool,
    unknown: Unknown,
    silence: Silence,
    /// Until when arrivals are collected; zero: they are not.
    pub(super) collect_until: Timestamp,
    pub(super) collected: BTreeSet<(Timestamp, VisitorId)>,
    pub(super) arrivals: HashMap<VisitorId, Timestamp>,
    time: SharedTime,
    /// Shared time of the last step that was carried out.
    served: Timestamp,
    pub(super) host_time: Timestamp,
    server: u64,
    log: Log,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Room({:?})", self.mark())
    }
}

impl Room {
    pub(super) fn new(opening: &Opening, host_time: Timestamp, server: u64) -> Self {
        let limits = opening.proposal.limits.clone();
        let now = Timestamp::from_millis(host_time.as_millis());
        Self {
            line: Line::new(opening.life),
            version: 0,
            claims: 0,
            steps: 0,
            waiting: BTreeMap::new(),
            places: HashMap::new(),
            stays: HashMap::new(),
            ends: BTreeSet::new(),
            ended: HashMap::new(),
            turns: BTreeMap::new(),
            bucket: Bucket::full(limits.rate(), now),
            limits,
            limits_version: 1,
            limits_source: opening.proposal.source,
            paused: false,
            began: now,
            hold_until: after(now, opening.listen),
            held: false,
            unknown: Unknown::default(),
            silence: Silence::default(),
            collect_until: after(now, opening.listen),
            collected: BTreeSet::new(),
            arrivals: HashMap::new(),
            time: SharedTime::starting(now),
            served: now,
            host_time: now,
            server,
            log: Log::default(),
        }
    }

    /// Checks that the caller has not seen more than this store has and has said what it remembers, and moves shared time
    /// on.
    pub(super) fn begin_step(
        &mut self,
        caller: &Caller,
        host_time: Timestamp,
        server: u64,
    ) -> Result<Timestamp, StoreError> {
        let mark = self.mark();
        if mark.is_behind(&caller.seen) {
            return Err(StoreError::Behind(mark));
        }
        if self.server != server {
            return Err(StoreError::Moved(mark));
        }
        if !caller.seen.is_nothing() && caller.seen.life < mark.life {
            return Err(StoreError::Unmerged(mark));
        }
        self.pass_time(caller, host_time)
    }

    /// Moves shared time on.
    fn pass_time(&mut self, caller: &Caller, host_time: Timestamp) -> Result<Timestamp, StoreError> {
        let host_time = Timestamp::from_millis(host_time.as_millis());
        let step = host_time.since(self.host_time);
        self.host_time = host_time;
        self.time = self.time.advanced(step, caller);
        if caller.is_late(host_time) {
            return Err(StoreError::Late(Moment { time: self.time.now, host: host_time }));
        }
        if self.time.now.since(self.served) > LONGEST_GAP {
            self.hold_longer(self.served);
        }
        self.served = self.time.now;
        self.steps += 1;
        Ok(self.time.now)
    }

    /// Shared time moved on from `before` while nobody could be heard: what is held or collected lasts as much longer.
    fn hold_longer(&mut self, before: Timestamp) {
        let gap = self.time.now.since(before);
        for until in [&mut self.hold_until, &mut self.collect_until] {
            if *until > before {
                *until = *until + gap;
            }
        }
    }

    /// Closes a step: what changed becomes one version.
    pub(super) fn end_step(&mut self) {
        if self.log.has_pending() {
            self.version += 1;
            self.log.seal(self.version);
        }
    }

    /// Shared time of the last step.
    pub(super) fn now(&self) -> Timestamp {
        self.time.now
    }

    pub(super) fn host_time(&self) -> Timestamp {
        self.host_time
    }

    pub(super) fn mark(&self) -> HighWater {
        HighWater {
            life: self.line.life(),
            version: self.version,
            last: self.line.last(),
            frontier: self.line.frontier(),
            claims: self.claims,
            steps: self.steps,
        }
    }

    pub(super) fn summary(&self, now: Timestamp) -> Summary {
        Summary {
            mark: self.mark(),
            time: now,
            line_length: count(self.waiting.len()),
            sessions: self.sessions(now),
            unknown: self.unknown.count(&self.limits, now),
            latest_end: self.unknown.latest_end(now).max(self.ends.last().map_or(Timestamp::ZERO, |(ends, _)| *ends)),
            reserved: count(self.turns.values().filter(|turn| turn.reserved_until > now).count()),
            bucket: self.bucket,
            limits: self.limits.clone(),
            limits_version: self.limits_version,
            limits_by_operator: self.limits_source == LimitsSource::Operator,
            paused: self.paused,
            began: self.began,
            hold_until: self.hold_until,
            collect_until: self.collect_until,
        }
    }

    /// Live sessions, those in their leeway counted.
    fn sessions(&self, now: Timestamp) -> u32 {
        let over = self.ends.range(..=(now - LEEWAY, VisitorId::from_entropy([0xff; 16]))).count();
        count(self.ends.len() - over)
    }

    fn live_session(&self, visitor: VisitorId, now: Timestamp) -> Option<(Session, Option<Place>)> {
        let stay = self.stays.get(&visitor)?;
        let session = Session { id: SessionId::new(visitor, stay.started), ends: stay.ends };
        (stay.ends + LEEWAY > now).then_some((session, stay.place))
    }

    fn admission(&self, now: Timestamp) -> Admission<'_> {
        Admission {
            limits: &self.limits,
            paused: self.paused,
            hold_until: self.hold_until,
            sessions: self.sessions(now) + self.unknown.count(&self.limits, now),
        }
    }

    pub(super) fn sweep(&mut self, terms: &Terms, now: Timestamp) -> Swept {
        let watched = self.silence.watched_since(now);
        let mut silent: Vec<Place> = self
            .turns
            .iter()
            .filter(|(_, turn)| turn.reserved_until.max(watched) + terms.retention <= now)
            .map(|(place, _)| *place)
            .take(MAX_BATCH)
            .collect();
        let (last, frontier) = (self.line.last(), self.line.frontier());
        silent.extend(self.silence.find(&self.waiting, last, frontier, terms.retention, now));
        for place in &silent {
            if let Some(visitor) = self.waiting.get(place).copied() {
                self.leave_line(visitor, *place, PlaceState::Gone);
            }
        }
        let expired: Vec<_> =
            self.ends.iter().take_while(|(ends, _)| *ends + LEEWAY <= now).take(MAX_BATCH).copied().collect();
        for (ends, visitor) in &expired {
            self.ends.remove(&(*ends, *visitor));
            self.stays.remove(visitor);
        }
        self.ended.retain(|_, until| *until + LEEWAY > now);
        let settled = self.settle(now);
        Swept { silent: count(silent.len()), expired: count(expired.len()), settled }
    }

    pub(super) fn hear(&mut self, heard: &Heard, now: Timestamp) {
        self.silence.hear(heard, now);
    }

    pub(super) fn follow(&self, after: Option<Version>, now: Timestamp) -> Follow {
        let news = match after.and_then(|after| self.log.after(after, self.version)) {
            Some(changes) => News::Changes(changes),
            None => News::Whole(Box::new(Snapshot { line: self.line.clone(), ended: self.ended.clone() })),
        };
        Follow { summary: self.summary(now), news }
    }

    pub(super) fn propose(&mut self, proposal: &Proposal, now: Timestamp) -> bool {
        let source = match (proposal.source, self.limits_source) {
            (LimitsSource::Config(_), LimitsSource::Operator) => return false,
            (LimitsSource::Config(new), LimitsSource::Config(old)) if new < old => return false,
            (LimitsSource::Reset, _) => LimitsSource::Config(now),
            (source, _) => source,
        };
        self.limits_source = source;
        let changes = proposal.limits != self.limits;
        if changes {
            self.limit(&proposal.limits, now);
        }
        match proposal.source {
            LimitsSource::Operator | LimitsSource::Reset => self.number_word(now),
            LimitsSource::Config(_) if changes => {
                self.limits_version += 1;
                self.log.note(Event::Control);
            }
            LimitsSource::Config(_) => {}
        }
        true
    }

    /// What was saved up to now was saved at the old rate; the new one keeps the fill.
    fn limit(&mut self, limits: &Limits, now: Timestamp) {
        self.bucket = self.bucket.refilled(self.limits.rate(), now);
        self.limits = limits.clone();
        self.bucket = self.bucket.refilled(self.limits.rate(), now);
    }

    /// An operator's word is numbered by its time: of words spoken on two copies of a room the later one then has the higher
    /// version, and any has a higher one than what configs said. Also one that changes nothing here: elsewhere it may.
    fn number_word(&mut self, now: Timestamp) {
        self.limits_version = (self.limits_version + 1).max(now.as_millis());
        self.log.note(Event::Control);
    }

    pub(super) fn pause(&mut self, paused: bool, now: Timestamp) {
        self.number_word(now);
        self.paused = paused;
    }
}

/// The end of a span that begins now; zero when there is none.
fn after(now: Timestamp, span: Duration) -> Timestamp {
    if span > Duration::ZERO { now + span } else { Timestamp::ZERO }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
