//! One room's state and the steps on it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::log::Log;
use super::session_end;
use crate::admission::Admission;
use crate::bits::PlaceState;
use crate::bucket::Bucket;
use crate::high_water::{HighWater, Version};
use crate::line::EpochLine;
use crate::store::caller::SharedTime;
use crate::store::{
    Call, Called, Caller, Claim, Claimed, Departure, Ending, Event, Follow, Joined, LEEWAY, LimitsSource, MAX_BATCH,
    News, Opening, Proposal, Renewal, Renewed, Session, Snapshot, StoreError, Summary, Swept, Terms,
};
use crate::{Limits, Place, Sequence, SessionId, Timestamp, VisitorId};

/// A live session.
#[derive(Clone, Copy, Debug)]
struct Stay {
    started: Timestamp,
    ends: Timestamp,
    place: Place,
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
pub(super) struct Room {
    line: EpochLine,
    version: Version,
    claims: u64,
    waiting: BTreeMap<Place, VisitorId>,
    places: HashMap<VisitorId, Place>,
    stays: HashMap<VisitorId, Stay>,
    ends: BTreeSet<(Timestamp, VisitorId)>,
    ended: HashMap<VisitorId, Timestamp>,
    turns: BTreeMap<Sequence, Turn>,
    bucket: Bucket,
    limits: Limits,
    limits_version: u64,
    limits_source: LimitsSource,
    paused: bool,
    hold_until: Timestamp,
    time: SharedTime,
    host_time: Timestamp,
    log: Log,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Room({:?})", self.mark())
    }
}

impl Room {
    pub(super) fn new(opening: &Opening, host_time: Timestamp) -> Self {
        let limits = opening.proposal.limits.clone();
        let now = Timestamp::from_millis(host_time.as_millis());
        Self {
            line: EpochLine::new(opening.epoch),
            version: 0,
            claims: 0,
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
            hold_until: Timestamp::ZERO,
            time: SharedTime::starting(now),
            host_time: now,
            log: Log::default(),
        }
    }

    /// Checks that the caller has not seen more than this store has, and moves shared time on.
    pub(super) fn begin_step(&mut self, caller: &Caller, host_time: Timestamp) -> Result<Timestamp, StoreError> {
        if self.mark().is_behind(&caller.seen) {
            return Err(StoreError::Behind(self.mark()));
        }
        let host_time = Timestamp::from_millis(host_time.as_millis());
        let step = host_time.since(self.host_time);
        let late = caller.is_late(self.time.now, step);
        self.host_time = host_time;
        self.time = self.time.advanced(step, caller);
        if late {
            return Err(StoreError::Late(self.time.now));
        }
        Ok(self.time.now)
    }

    /// Closes a step: what changed becomes one version.
    pub(super) fn end_step(&mut self) {
        if self.log.has_pending() {
            self.version += 1;
            self.log.seal(self.version);
        }
    }

    pub(super) fn mark(&self) -> HighWater {
        HighWater {
            epoch: self.line.epoch,
            version: self.version,
            last: self.line.last,
            frontier: self.line.frontier,
            claims: self.claims,
        }
    }

    pub(super) fn summary(&self, now: Timestamp) -> Summary {
        Summary {
            mark: self.mark(),
            time: now,
            line_length: count(self.waiting.len()),
            sessions: self.sessions(now),
            reserved: count(self.turns.values().filter(|turn| turn.reserved_until > now).count()),
            bucket: self.bucket,
            limits: self.limits.clone(),
            limits_version: self.limits_version,
            limits_by_operator: self.limits_source == LimitsSource::Operator,
            paused: self.paused,
            hold_until: self.hold_until,
        }
    }

    /// Live sessions, those in their leeway counted.
    fn sessions(&self, now: Timestamp) -> u32 {
        let over = self.ends.range(..=(now - LEEWAY, VisitorId::from_entropy([0xff; 16]))).count();
        count(self.ends.len() - over)
    }

    fn live_session(&self, visitor: VisitorId, now: Timestamp) -> Option<(Session, Place)> {
        let stay = self.stays.get(&visitor)?;
        let session = Session { id: SessionId::new(visitor, stay.started), ends: stay.ends };
        (stay.ends + LEEWAY > now).then_some((session, stay.place))
    }

    fn admission(&self, now: Timestamp) -> Admission<'_> {
        Admission {
            limits: &self.limits,
            paused: self.paused,
            hold_until: self.hold_until,
            sessions: self.sessions(now),
        }
    }

    pub(super) fn join(&mut self, visitor: VisitorId, terms: &Terms, now: Timestamp) -> Joined {
        if let Some(place) = self.places.get(&visitor) {
            return Joined::Placed { place: *place, joined: now };
        }
        if let Some((session, place)) = self.live_session(visitor, now) {
            return Joined::Admitted { place, session };
        }
        if self.limits.closes_at.is_some_and(|closes| now >= closes) {
            return Joined::Closed;
        }
        let mut bucket = self.bucket;
        let straight = self.waiting.is_empty() && self.admission(now).admit(&mut bucket, now).is_ok();
        if !straight && self.waiting.len() >= self.limits.max_line_length as usize {
            return Joined::Full;
        }
        let sequence = self.line.last.plus(1);
        let place = Place { epoch: self.line.epoch, sequence };
        self.line.last = sequence;
        self.log.note(Event::Joined(sequence));
        if !straight {
            self.waiting.insert(place, visitor);
            self.places.insert(visitor, place);
            return Joined::Placed { place, joined: now };
        }
        self.bucket = bucket;
        self.line.frontier = sequence;
        self.log.note(Event::Called(sequence));
        Joined::Admitted { place, session: self.begin_session(visitor, place, terms, now) }
    }

    fn begin_session(&mut self, visitor: VisitorId, place: Place, terms: &Terms, now: Timestamp) -> Session {
        let stay = Stay { started: now, ends: session_end(now, now, terms.session, terms.max_session), place };
        if let Some(over) = self.stays.insert(visitor, stay) {
            self.ends.remove(&(over.ends, visitor));
        }
        self.ends.insert((stay.ends, visitor));
        self.claims += 1;
        self.leave_line(visitor, place, PlaceState::Spent);
        Session { id: SessionId::new(visitor, now), ends: stay.ends }
    }

    fn leave_line(&mut self, visitor: VisitorId, place: Place, state: PlaceState) {
        self.waiting.remove(&place);
        if self.places.get(&visitor) == Some(&place) {
            self.places.remove(&visitor);
        }
        self.turns.remove(&place.sequence);
        self.line.bits.set(place.sequence, state);
        self.log.note(Event::Place(place.sequence, state));
    }

    pub(super) fn claim(&mut self, claim: Claim, terms: &Terms, now: Timestamp) -> Claimed {
        let Claim { visitor, place, take } = claim;
        if place.epoch != self.line.epoch || place.sequence > self.line.last {
            return Claimed::Unknown;
        }
        match self.line.bits.state(place.sequence) {
            PlaceState::Spent => {
                return self
                    .live_session(visitor, now)
                    .map_or(Claimed::Ended, |(session, _)| Claimed::Admitted(session));
            }
            PlaceState::Gone => {
                if let Some(settled) = self.come_back(visitor, place, now) {
                    return settled;
                }
            }
            PlaceState::Waiting => {}
        }
        if place.sequence > self.line.frontier {
            return Claimed::NotCalled;
        }
        let mut bucket = self.bucket;
        let verdict = self.admission(now).admit(&mut bucket, now);
        if take && verdict.is_ok() {
            self.bucket = bucket;
            return Claimed::Admitted(self.begin_session(visitor, place, terms, now));
        }
        let missed = self.hear(place.sequence, verdict.is_ok(), terms, now);
        match verdict {
            Err(refusal) => Claimed::Refused(refusal),
            Ok(()) if missed => {
                self.leave_line(visitor, place, PlaceState::Gone);
                Claimed::Missed
            }
            Ok(()) => Claimed::Offered,
        }
    }

    /// A place that was gone is heard again: back into the line. One visitor has one place: whoever lost the token and
    /// joined anew meanwhile keeps the session, else the earlier place. Answers what else there is to say.
    fn come_back(&mut self, visitor: VisitorId, place: Place, now: Timestamp) -> Option<Claimed> {
        if let Some((session, _)) = self.live_session(visitor, now) {
            self.leave_line(visitor, place, PlaceState::Spent);
            return Some(Claimed::Admitted(session));
        }
        match self.places.get(&visitor).copied() {
            Some(earlier) if earlier < place => {
                self.leave_line(visitor, place, PlaceState::Spent);
                return Some(Claimed::Ended);
            }
            Some(later) => self.leave_line(visitor, later, PlaceState::Spent),
            None => {}
        }
        self.line.bits.set(place.sequence, PlaceState::Waiting);
        self.waiting.insert(place, visitor);
        self.places.insert(visitor, place);
        self.log.note(Event::Place(place.sequence, PlaceState::Waiting));
        None
    }

    /// A called place was heard: its slot stays reserved, and the claim window runs while a slot is offered. Answers
    /// whether the window is used up.
    fn hear(&mut self, sequence: Sequence, offered: bool, terms: &Terms, now: Timestamp) -> bool {
        let turn = self.turns.entry(sequence).or_insert(Turn {
            reserved_until: now,
            window_used: Duration::ZERO,
            offered_at: None,
        });
        turn.reserved_until = turn.reserved_until.max(now + terms.heard_for);
        if let Some(at) = turn.offered_at {
            turn.window_used += now.since(at).min(terms.heard_for);
        }
        turn.offered_at = offered.then_some(now);
        turn.window_used >= terms.claim_window
    }

    pub(super) fn renew(&mut self, renewal: Renewal, terms: &Terms, now: Timestamp) -> Renewed {
        let Some((session, _)) = self.live_session(renewal.visitor, now) else { return Renewed::Ended };
        let ends = session_end(session.id.started, now, renewal.span, terms.max_session).max(session.ends);
        if let Some(stay) = self.stays.get_mut(&renewal.visitor) {
            stay.ends = ends;
        }
        self.ends.remove(&(session.ends, renewal.visitor));
        self.ends.insert((ends, renewal.visitor));
        Renewed::Until(Session { ends, ..session })
    }

    pub(super) fn end(&mut self, ending: Ending, now: Timestamp) -> bool {
        let Some((session, _)) = self.live_session(ending.visitor, now) else { return false };
        self.stays.remove(&ending.visitor);
        self.ends.remove(&(session.ends, ending.visitor));
        let until = ending.until.max(session.ends);
        self.ended.insert(ending.visitor, until);
        self.log.note(Event::Ended(ending.visitor, until));
        true
    }

    pub(super) fn depart(&mut self, departure: Departure) -> bool {
        let Departure { visitor, place } = departure;
        let known = place.epoch == self.line.epoch && place.sequence <= self.line.last;
        if !known || self.line.bits.state(place.sequence) == PlaceState::Spent {
            return false;
        }
        self.leave_line(visitor, place, PlaceState::Spent);
        true
    }

    pub(super) fn call(&mut self, call: &Call, terms: &Terms, now: Timestamp) -> Called {
        let fresh = call.from == self.line.frontier && call.limits_version == self.limits_version && !self.paused;
        let Some(to) = call.called.last().copied().filter(|to| *to > self.line.frontier && *to <= self.line.last)
        else {
            return Called::Stale;
        };
        if !fresh {
            return Called::Stale;
        }
        for sequence in &call.called {
            if self.line.bits.state(*sequence) == PlaceState::Waiting {
                let reserved_until = now + terms.heard_for;
                self.turns.insert(*sequence, Turn { reserved_until, window_used: Duration::ZERO, offered_at: None });
            }
        }
        self.line.frontier = to;
        self.log.note(Event::Called(to));
        Called::Moved
    }

    pub(super) fn sweep(&mut self, terms: &Terms, now: Timestamp) -> Swept {
        let silent: Vec<Sequence> = self
            .turns
            .iter()
            .filter(|(_, turn)| turn.reserved_until + terms.retention <= now)
            .map(|(sequence, _)| *sequence)
            .take(MAX_BATCH)
            .collect();
        for sequence in &silent {
            let place = Place { epoch: self.line.epoch, sequence: *sequence };
            if let Some(visitor) = self.waiting.get(&place).copied() {
                self.leave_line(visitor, place, PlaceState::Gone);
            }
        }
        let expired: Vec<_> =
            self.ends.iter().take_while(|(ends, _)| *ends + LEEWAY <= now).take(MAX_BATCH).copied().collect();
        for (ends, visitor) in &expired {
            self.ends.remove(&(*ends, *visitor));
            self.stays.remove(visitor);
        }
        self.ended.retain(|_, until| *until + LEEWAY > now);
        Swept { silent: count(silent.len()), expired: count(expired.len()) }
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
        if proposal.limits != self.limits {
            // What was saved up to now was saved at the old rate; the new one keeps the fill.
            self.bucket = self.bucket.refilled(self.limits.rate(), now);
            self.limits = proposal.limits.clone();
            self.bucket = self.bucket.refilled(self.limits.rate(), now);
            self.limits_version += 1;
            self.log.note(Event::Control);
        }
        true
    }

    pub(super) fn pause(&mut self, paused: bool) {
        if self.paused != paused {
            self.log.note(Event::Control);
        }
        self.paused = paused;
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
