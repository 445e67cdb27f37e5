//! Places: given, called, silent, given up.

use std::time::Duration;

use queue_core::bits::PlaceState;
use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Departure, Event, Joined, PERIODS_OF_SILENCE, Period};
use queue_core::{Place, Timestamp, Version, VisitorId};

use super::{At, PlaceFacts, Shadow, Step, broken, require};

/// How far a gateway's idea of shared time may be behind or ahead.
const MARKED_LATE: Duration = Duration::from_millis(500);

impl Shadow {
    pub(super) fn joined(&mut self, visitor: VisitorId, joined: Joined, at: At<'_>) -> Result<(), Violation> {
        let known = self.known_place(visitor, at.time);
        let closed = at.limits.closes_at.is_some_and(|closes| at.time >= closes);
        let full = self.waiting() >= at.limits.max_line_length;
        match joined {
            Joined::Placed { place, .. } => match known {
                Some(known) => {
                    require(known == place, Invariant::N2, || format!("{visitor:?} has {known} and {place}"))
                }
                None => {
                    require(!closed && !full, Invariant::N10, || {
                        format!(
                            "joined as number {} of {}, closed: {closed}",
                            self.waiting() + 1,
                            at.limits.max_line_length
                        )
                    })?;
                    self.give(visitor, place, at.time)
                }
            },
            Joined::Admitted { place, session } => match known {
                Some(known) => {
                    require(known == place, Invariant::N2, || format!("{visitor:?} has {known} and {place}"))?;
                    self.admitted(place, session, at)
                }
                None => {
                    require(self.waiting() == 0, Invariant::N3, || {
                        format!("straight in, and {} wait", self.waiting())
                    })?;
                    require(!closed, Invariant::N5, || "straight into a closed room".to_owned())?;
                    self.give(visitor, place, at.time)?;
                    self.frontier = place;
                    self.admitted(place, session, at)
                }
            },
            Joined::Full => require(known.is_none() && full, Invariant::N10, || {
                format!("told full at {} of {}", self.waiting(), at.limits.max_line_length)
            }),
            Joined::Unconfirmed { .. } => broken(Invariant::N6, "unconfirmed, and there is no replica"),
            Joined::Collected { .. } => broken(Invariant::N10, "collected, and the store never was away"),
            Joined::Closed => require(known.is_none() && closed, Invariant::N10, || "told closed".to_owned()),
        }
    }

    /// The place a visitor has. One that was given up is none, nor is one whose session is over: a join that was long
    /// under way then begins anew.
    fn known_place(&self, visitor: VisitorId, now: Timestamp) -> Option<Place> {
        let place = self.visitors.get(&visitor)?.place?;
        let facts = self.place(place)?;
        let over = facts.departed || (facts.session.is_some() && self.ledger.live(visitor, now).is_none());
        (!over).then_some(place)
    }

    fn give(&mut self, visitor: VisitorId, place: Place, now: Timestamp) -> Result<(), Violation> {
        let next = self.places.len() as u32 + 1;
        require(place.sequence.get() == next, Invariant::N2, || format!("place {place} was given, {next} is next"))?;
        let facts = self.visitors.entry(visitor).or_default();
        facts.place = Some(place);
        let fence = facts.fence;
        require(place > fence, Invariant::N3, || {
            format!("place {place}, and up to {} were told before it was asked for", fence)
        })?;
        self.places.push(PlaceFacts {
            owner: visitor,
            state: PlaceState::Waiting,
            session: None,
            departed: false,
            heard: now,
            polled: Vec::new(),
            offered_since: None,
        });
        self.ledger.waiting += 1;
        Ok(())
    }

    pub(super) fn departed(&mut self, departure: &Departure, left: bool) -> Result<(), Violation> {
        let Departure { place: which, .. } = *departure;
        let Some(place) = self.place(which) else { return broken(Invariant::N8, "an unknown place left") };
        let was_in = place.state != PlaceState::Spent;
        require(left == was_in, Invariant::N8, || format!("place {which} left: {left}, was in: {was_in}"))?;
        if left {
            self.set(which, PlaceState::Spent);
            if let Some(place) = self.place_mut(which) {
                place.departed = true;
            }
        }
        Ok(())
    }

    pub(super) fn called(&mut self, called: &[Place], step: &Step<'_>, at: At<'_>) -> Result<(), Violation> {
        let Some(to) = called.last().copied() else { return broken(Invariant::N9, "a call of nobody moved") };
        require(to > self.frontier, Invariant::N9, || format!("called up to {to}, was at {}", self.frontier))?;
        self.frontier = to;
        for place in called {
            if let Some(place) = self.place_mut(*place) {
                place.heard = at.time;
            }
        }
        let now = &step.truth.summary;
        let promised = now.sessions + now.reserved;
        require(!step.at_once || promised <= at.limits.total_active_users, Invariant::N6, || {
            format!("{promised} slots are taken or promised, {} there are", at.limits.total_active_users)
        })
    }

    /// Only the silent leave.
    pub(super) fn swept(&mut self, events: &[(Version, Event)], at: At<'_>) -> Result<(), Violation> {
        for (_, event) in events {
            let Event::Place(which, PlaceState::Gone) = event else { continue };
            let Some(place) = self.place(*which) else { return broken(Invariant::N8, "an unknown place was swept") };
            if *which <= self.frontier {
                let silence = self.terms.heard_for + self.terms.retention;
                require(place.heard + silence <= at.time, Invariant::N1, || {
                    format!("the called place {which} was swept, heard {:?} before", at.time.since(place.heard))
                })?;
            } else {
                let heard = self.heard_in_retention(place, at.time);
                require(heard.is_none(), Invariant::N1, || {
                    format!("place {which} was swept at {}, heard at {heard:?}", at.time)
                })?;
            }
            self.set(*which, PlaceState::Gone);
        }
        Ok(())
    }

    /// When a gateway that still counts heard a place in the whole periods before this one. A mark may lie in the period
    /// next to the one in which it was made, by what the gateway's time is off.
    fn heard_in_retention(&self, place: &PlaceFacts, now: Timestamp) -> Option<Timestamp> {
        let length = Period::length(self.terms.retention);
        let began = Timestamp::from_millis(now.as_millis() - now.as_millis() % length.as_millis() as u64);
        let from = began - length * PERIODS_OF_SILENCE as u32 + MARKED_LATE;
        let counts = |gateway| self.brought.get(gateway).is_some_and(|brought| *brought + self.terms.retention > now);
        let heard = place.polled.iter().filter(|(at, _)| (from..began - MARKED_LATE).contains(at));
        heard.filter(|(_, gateway)| counts(gateway)).map(|(at, _)| *at).next()
    }
}
