//! Claims and sessions: who enters, for how long, until when.

use queue_core::Place;
use queue_core::bits::PlaceState;
use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Claim, Claimed, Ending, Renewal, Renewed, Session};

use super::{At, EndFact, Shadow, broken, require};

impl Shadow {
    pub(super) fn claimed(&mut self, claim: &Claim, claimed: Claimed, at: At<'_>) -> Result<(), Violation> {
        let which = claim.place;
        let Some(place) = self.place(which) else {
            return require(claimed == Claimed::Unknown, Invariant::N13, || "an unknown place was claimed".to_owned());
        };
        let over = place.departed || place.session.is_some();
        match claimed {
            Claimed::Unconfirmed(_) => broken(Invariant::N6, "unconfirmed, and there is no replica"),
            Claimed::Unknown => broken(Invariant::N1, format!("place {} is unknown to the store", which)),
            Claimed::Ended => {
                let live = self.ledger.live(place.owner, at.time).is_some() && !place.departed;
                require(over && !live, Invariant::N1, || {
                    format!("place {} is told ended; used up: {over}, inside: {live}", which)
                })
            }
            Claimed::Admitted(session) => self.admitted(claim.place, session, at),
            Claimed::NotCalled => {
                require(which > self.frontier, Invariant::N1, || {
                    format!("place {} lost its turn: called up to {}", which, self.frontier)
                })?;
                self.heard(which, false, at);
                Ok(())
            }
            Claimed::Refused(_) => {
                self.heard(which, false, at);
                Ok(())
            }
            Claimed::Offered => {
                self.heard(which, true, at);
                Ok(())
            }
            Claimed::Missed => {
                let window = self.terms.claim_window;
                let since = place.offered_since;
                require(since.is_some_and(|since| since + window <= at.time), Invariant::N1, || {
                    format!("place {} missed its turn, offered since {since:?} at {:?}", which, at.time)
                })?;
                self.heard(which, true, at);
                self.set(which, PlaceState::Gone);
                Ok(())
            }
        }
    }

    /// Somebody was heard: whoever was gone is back.
    fn heard(&mut self, which: Place, offered: bool, at: At<'_>) {
        if self.place(which).is_some_and(|place| place.state == PlaceState::Gone) {
            self.set(which, PlaceState::Waiting);
        }
        if let Some(place) = self.place_mut(which) {
            place.heard = at.time;
            if offered {
                place.offered_since.get_or_insert(at.time);
            }
        }
    }

    /// Somebody is in: for the first time, and then every rule holds, or again, and then it is the same session.
    pub(super) fn admitted(&mut self, place: Place, session: Session, at: At<'_>) -> Result<(), Violation> {
        let which = place;
        let Some(facts) = self.place(which) else { return broken(Invariant::N13, "an unknown place is in") };
        if let Some(first) = facts.session {
            return require(first == session.id, Invariant::N13, || {
                format!("place {} has a second session, begun at {}", which, session.id.started)
            });
        }
        require(facts.state != PlaceState::Spent, Invariant::N13, || {
            format!("place {} was given up and claimed", which)
        })?;
        require(which <= self.frontier, Invariant::N3, || {
            format!("place {} is in, called up to {}", which, self.frontier)
        })?;
        self.rules_hold(session, at)?;
        if let Some(facts) = self.place_mut(which) {
            facts.session = Some(session.id);
        }
        self.set(which, PlaceState::Spent);
        Ok(())
    }

    fn rules_hold(&mut self, session: Session, at: At<'_>) -> Result<(), Violation> {
        let early = at.limits.opens_at.is_some_and(|opens| at.time < opens);
        let late = at.limits.closes_at.is_some_and(|closes| at.time >= closes);
        require(!early && !late && !at.paused && !at.limits.queue_all, Invariant::N5, || {
            format!("in at {}; early: {early}, late: {late}, paused: {}", at.time, at.paused)
        })?;
        self.ledger.note(session);
        let inside = self.ledger.count(at.time);
        require(inside <= at.limits.total_active_users, Invariant::N6, || {
            format!("{inside} are inside, {} may be", at.limits.total_active_users)
        })?;
        require(self.bucket.take(), Invariant::N7, || {
            format!("more than {} + {} a minute × window", at.limits.burst, at.limits.new_users_per_minute)
        })?;
        let fits = session.id.started == at.time && session.ends <= at.time + self.terms.session;
        require(fits, Invariant::N12, || format!("a session from {} to {}", session.id.started, session.ends))
    }

    pub(super) fn renewed(&mut self, renewal: &Renewal, renewed: Renewed, at: At<'_>) -> Result<(), Violation> {
        let live = self.ledger.live(renewal.session.id.visitor, at.time);
        match (renewed, live) {
            (Renewed::Until(session), Some(old)) => {
                let longest = (at.time + renewal.span).min(old.id.started + self.terms.max_session).max(old.ends);
                let fits = session.id == old.id && (old.ends..=longest).contains(&session.ends);
                self.ledger.note(session);
                require(fits, Invariant::N12, || {
                    format!("from {} renewed to {}, at most {longest}", old.ends, session.ends)
                })
            }
            (Renewed::Ended, None) => Ok(()),
            (Renewed::Until(_), None) => broken(Invariant::N12, "a session that is over was renewed"),
            (Renewed::Ended, Some(_)) => broken(Invariant::N18, "a live session was thrown out"),
        }
    }

    pub(super) fn ended(&mut self, ending: &Ending, was_live: bool, at: At<'_>) -> Result<(), Violation> {
        let visitor = ending.session.id.visitor;
        let live = self.ledger.live(visitor, at.time);
        require(live.is_some() == was_live, Invariant::N12, || {
            format!("ended as live: {was_live}, by all answers: {}", live.is_some())
        })?;
        if let Some(session) = live {
            self.ledger.forget(visitor);
            self.ends.push(EndFact { visitor, told_until: ending.session.ends.max(session.ends) });
        }
        Ok(())
    }
}
