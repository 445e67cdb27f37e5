//! Places: given, called, silent, given up.

use queue_core::bits::PlaceState;
use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Departure, Event, Joined};
use queue_core::{Place, Sequence, Timestamp, Version, VisitorId};

use super::{At, PlaceFacts, Shadow, Step, broken, require};

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
                    self.frontier = place.sequence;
                    self.admitted(place, session, at)
                }
            },
            Joined::Full => require(known.is_none() && full, Invariant::N10, || {
                format!("told full at {} of {}", self.waiting(), at.limits.max_line_length)
            }),
            Joined::Closed => require(known.is_none() && closed, Invariant::N10, || "told closed".to_owned()),
        }
    }

    /// The place a visitor has. One that was given up is none, nor is one whose session is over: a join that was long
    /// under way then begins anew.
    fn known_place(&self, visitor: VisitorId, now: Timestamp) -> Option<Place> {
        let place = self.visitors.get(&visitor)?.place?;
        let facts = self.place(place.sequence)?;
        let over = facts.departed || (facts.session.is_some() && self.ledger.live(visitor, now).is_none());
        (!over).then_some(place)
    }

    fn give(&mut self, visitor: VisitorId, place: Place, now: Timestamp) -> Result<(), Violation> {
        let next = self.places.len() as u32 + 1;
        require(place.sequence.get() == next, Invariant::N2, || format!("place {place} was given, {next} is next"))?;
        let facts = self.visitors.entry(visitor).or_default();
        facts.place = Some(place);
        let fence = facts.fence;
        require(place.sequence > fence, Invariant::N3, || {
            format!("place {place}, and up to {} were told before it was asked for", fence.get())
        })?;
        self.places.push(PlaceFacts {
            owner: visitor,
            state: PlaceState::Waiting,
            session: None,
            departed: false,
            heard: now,
            offered_since: None,
        });
        self.ledger.waiting += 1;
        Ok(())
    }

    pub(super) fn departed(&mut self, departure: &Departure, left: bool) -> Result<(), Violation> {
        let sequence = departure.place.sequence;
        let Some(place) = self.place(sequence) else { return broken(Invariant::N8, "an unknown place left") };
        let was_in = place.state != PlaceState::Spent;
        require(left == was_in, Invariant::N8, || format!("place {} left: {left}, was in: {was_in}", sequence.get()))?;
        if left {
            self.set(sequence, PlaceState::Spent);
            if let Some(place) = self.place_mut(sequence) {
                place.departed = true;
            }
        }
        Ok(())
    }

    pub(super) fn called(&mut self, called: &[Sequence], step: &Step<'_>, at: At<'_>) -> Result<(), Violation> {
        let Some(to) = called.last().copied() else { return broken(Invariant::N9, "a call of nobody moved") };
        require(to > self.frontier, Invariant::N9, || {
            format!("called up to {}, was at {}", to.get(), self.frontier.get())
        })?;
        self.frontier = to;
        for sequence in called {
            if let Some(place) = self.place_mut(*sequence) {
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
        let silence = self.terms.heard_for + self.terms.retention;
        for (_, event) in events {
            let Event::Place(sequence, PlaceState::Gone) = event else { continue };
            let Some(place) = self.place(*sequence) else { return broken(Invariant::N8, "an unknown place was swept") };
            require(place.heard + silence <= at.time && *sequence <= self.frontier, Invariant::N1, || {
                format!("place {} was swept, heard {:?} before", sequence.get(), at.time.since(place.heard))
            })?;
            self.set(*sequence, PlaceState::Gone);
        }
        Ok(())
    }
}
