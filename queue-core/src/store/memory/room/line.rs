//! Places: given, called, given up.

use std::time::Duration;

use super::{Room, Turn, count};
use crate::bits::PlaceState;
use crate::store::{Arrival, Call, Called, Claim, Claimed, Departure, Event, Joined, MAX_BATCH, Terms};
use crate::{Place, Sequence, Timestamp, VisitorId};

impl Room {
    pub(in crate::store::memory) fn join(&mut self, arrival: Arrival, terms: &Terms, now: Timestamp) -> Joined {
        let Arrival { visitor, since } = arrival;
        let since = since.map_or(now, |since| Timestamp::from_millis(since.as_millis()).min(now));
        if let Some(place) = self.places.get(&visitor) {
            return Joined::Placed { place: *place, joined: since };
        }
        if let Some((session, Some(place))) = self.live_session(visitor, now) {
            return Joined::Admitted { place, session };
        }
        if self.limits.closes_at.is_some_and(|closes| now >= closes) {
            return Joined::Closed;
        }
        let full = self.waiting.len() + self.collected.len() >= self.limits.max_line_length as usize
            || self.line.last().sequence == Sequence::MAX;
        if self.collect_until > Timestamp::ZERO {
            return self.collect_one(arrival, since, full);
        }
        let mut bucket = self.bucket;
        let straight = self.waiting.is_empty() && self.admission(now).admit(&mut bucket, now).is_ok();
        if !straight && full {
            return Joined::Full;
        }
        let place = self.line.last().plus(1);
        self.line.give(place);
        self.log.note(Event::Joined(place));
        if !straight {
            self.waiting.insert(place, visitor);
            self.places.insert(visitor, place);
            return Joined::Placed { place, joined: since };
        }
        self.bucket = bucket;
        self.line.call(place);
        self.log.note(Event::Called(place));
        Joined::Admitted { place, session: self.begin_session(visitor, place, terms, now) }
    }

    /// Who came while the store was away is taken whatever the line's length: it was promised a place.
    fn collect_one(&mut self, arrival: Arrival, since: Timestamp, full: bool) -> Joined {
        if let Some(since) = self.arrivals.get(&arrival.visitor) {
            return Joined::Collected { since: *since };
        }
        if full && arrival.since.is_none() {
            return Joined::Full;
        }
        self.arrivals.insert(arrival.visitor, since);
        self.collected.insert((since, arrival.visitor));
        Joined::Collected { since }
    }

    pub(in crate::store::memory) fn collect(&mut self, span: Duration, now: Timestamp) {
        self.collect_until = self.collect_until.max(now + span);
    }

    /// The collection is over: places in the order of arrival. Answers how many got theirs.
    pub(super) fn settle(&mut self, now: Timestamp) -> u32 {
        if self.collect_until == Timestamp::ZERO || now < self.collect_until {
            return 0;
        }
        let next: Vec<_> = self.collected.iter().take(MAX_BATCH).copied().collect();
        for (since, visitor) in &next {
            self.collected.remove(&(*since, *visitor));
            self.arrivals.remove(visitor);
            if self.places.contains_key(visitor) || self.live_session(*visitor, now).is_some() {
                continue;
            }
            let place = self.line.last().plus(1);
            self.line.give(place);
            self.log.note(Event::Joined(place));
            self.waiting.insert(place, *visitor);
            self.places.insert(*visitor, place);
        }
        if self.collected.is_empty() {
            self.collect_until = Timestamp::ZERO;
        }
        count(next.len())
    }

    pub(super) fn leave_line(&mut self, visitor: VisitorId, place: Place, state: PlaceState) {
        self.waiting.remove(&place);
        if self.places.get(&visitor) == Some(&place) {
            self.places.remove(&visitor);
        }
        self.turns.remove(&place);
        self.line.set(place, state);
        self.log.note(Event::Place(place, state));
    }

    pub(in crate::store::memory) fn claim(&mut self, claim: Claim, terms: &Terms, now: Timestamp) -> Claimed {
        let Claim { visitor, place, take } = claim;
        match self.line.state(place) {
            None => return Claimed::Unknown,
            Some(PlaceState::Spent) => {
                return self
                    .live_session(visitor, now)
                    .map_or(Claimed::Ended, |(session, _)| Claimed::Admitted(session));
            }
            Some(PlaceState::Gone) => {
                if let Some(settled) = self.come_back(visitor, place, now) {
                    return settled;
                }
            }
            Some(PlaceState::Waiting) => {
                // Found again by its ticket while its place was in the line again.
                if let Some((session, _)) = self.live_session(visitor, now) {
                    self.leave_line(visitor, place, PlaceState::Spent);
                    return Claimed::Admitted(session);
                }
            }
        }
        if place > self.line.frontier() {
            return Claimed::NotCalled;
        }
        let mut bucket = self.bucket;
        let verdict = self.admission(now).admit(&mut bucket, now);
        if take && verdict.is_ok() {
            self.bucket = bucket;
            return Claimed::Admitted(self.begin_session(visitor, place, terms, now));
        }
        let missed = self.hear_called(place, verdict.is_ok(), terms, now);
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
    /// joined anew meanwhile keeps the session; else a later place is given up for an earlier one that is shown. An
    /// earlier one that nobody shows may never have been told to anybody: it makes way, and may return. Answers what else
    /// there is to say.
    fn come_back(&mut self, visitor: VisitorId, place: Place, now: Timestamp) -> Option<Claimed> {
        if let Some((session, _)) = self.live_session(visitor, now) {
            self.leave_line(visitor, place, PlaceState::Spent);
            return Some(Claimed::Admitted(session));
        }
        match self.places.get(&visitor).copied() {
            Some(earlier) if earlier < place => self.leave_line(visitor, earlier, PlaceState::Gone),
            Some(later) => self.leave_line(visitor, later, PlaceState::Spent),
            None => {}
        }
        self.put_back(visitor, place, now);
        None
    }

    pub(super) fn put_back(&mut self, visitor: VisitorId, place: Place, now: Timestamp) {
        self.line.set(place, PlaceState::Waiting);
        self.waiting.insert(place, visitor);
        self.places.insert(visitor, place);
        self.log.note(Event::Place(place, PlaceState::Waiting));
        if place <= self.line.frontier() {
            self.watch(place, now);
        }
    }

    /// Whoever is called and in the line has a turn, or silence would never end it.
    pub(in crate::store::memory) fn watch(&mut self, place: Place, now: Timestamp) {
        self.turns.entry(place).or_insert(Turn { reserved_until: now, window_used: Duration::ZERO, offered_at: None });
    }

    /// A called place was heard: its slot stays reserved, and the claim window runs while a slot is offered. Answers
    /// whether the window is used up.
    fn hear_called(&mut self, place: Place, offered: bool, terms: &Terms, now: Timestamp) -> bool {
        self.watch(place, now);
        let Some(turn) = self.turns.get_mut(&place) else { return false };
        turn.reserved_until = turn.reserved_until.max(now + terms.heard_for);
        if let Some(at) = turn.offered_at {
            turn.window_used += now.since(at).min(terms.heard_for);
        }
        turn.offered_at = offered.then_some(now);
        turn.window_used >= terms.claim_window
    }

    pub(in crate::store::memory) fn depart(&mut self, departure: Departure) -> bool {
        let Departure { visitor, place } = departure;
        let leaves = matches!(self.line.state(place), Some(PlaceState::Waiting | PlaceState::Gone));
        if leaves {
            self.leave_line(visitor, place, PlaceState::Spent);
        }
        leaves
    }

    pub(in crate::store::memory) fn call(&mut self, call: &Call, terms: &Terms, now: Timestamp) -> Called {
        let fresh = call.from == self.line.frontier() && call.limits_version == self.limits_version && !self.paused;
        let Some(to) = call.called.last().copied().filter(|to| *to > self.line.frontier() && *to <= self.line.last())
        else {
            return Called::Stale;
        };
        if !fresh {
            return Called::Stale;
        }
        for place in &call.called {
            if self.line.state(*place) == Some(PlaceState::Waiting) {
                let reserved_until = now + terms.heard_for;
                self.turns.insert(*place, Turn { reserved_until, window_used: Duration::ZERO, offered_at: None });
            }
        }
        self.line.call(to);
        self.log.note(Event::Called(to));
        Called::Moved
    }
}
