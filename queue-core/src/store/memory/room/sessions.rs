//! Sessions: begun, prolonged, found again, ended.

use std::time::Duration;

use super::{Room, Stay};
use crate::bits::PlaceState;
use crate::store::{Ending, Event, LEEWAY, Renewal, Renewed, Session, Terms};
use crate::{Place, SessionId, Timestamp, VisitorId};

impl Room {
    pub(super) fn begin_session(&mut self, visitor: VisitorId, place: Place, terms: &Terms, now: Timestamp) -> Session {
        let ends = session_end(now, now, terms.session, terms.max_session);
        self.keep_session(visitor, Stay { started: now, ends, place: Some(place) });
        self.claims += 1;
        self.leave_line(visitor, place, PlaceState::Spent);
        Session { id: SessionId::new(visitor, now), ends }
    }

    pub(in crate::store::memory) fn keep_session(&mut self, visitor: VisitorId, stay: Stay) {
        if let Some(over) = self.stays.insert(visitor, stay) {
            self.ends.remove(&(over.ends, visitor));
        }
        self.ends.insert((stay.ends, visitor));
    }

    /// A session that was lost with data and that somebody vouches for is taken up again, unless its end was heard; one
    /// that is known lives as long as its ticket says.
    pub(super) fn find_session(&mut self, session: Session, place: Option<Place>, now: Timestamp) -> bool {
        let visitor = session.id.visitor;
        let told = Timestamp::from_millis(session.ends.as_millis());
        if let Some((known, place)) = self.live_session(visitor, now)
            && known.id == session.id
            && known.ends < told
        {
            self.keep_session(visitor, Stay { started: known.id.started, ends: told, place });
        }
        let lost = session.ends + LEEWAY > now
            && !self.ended.contains_key(&visitor)
            && self.live_session(visitor, now).is_none();
        if lost {
            self.keep_session(visitor, Stay { started: session.id.started, ends: told, place });
            self.unknown.found(session.id.started, self.began);
        }
        lost
    }

    pub(in crate::store::memory) fn renew(&mut self, renewal: Renewal, terms: &Terms, now: Timestamp) -> Renewed {
        let visitor = renewal.session.id.visitor;
        self.find_session(renewal.session, None, now);
        let Some((session, _)) = self.live_session(visitor, now) else { return Renewed::Ended };
        let ends = session_end(session.id.started, now, renewal.span, terms.max_session).max(session.ends);
        if let Some(stay) = self.stays.get_mut(&visitor) {
            stay.ends = ends;
        }
        self.ends.remove(&(session.ends, visitor));
        self.ends.insert((ends, visitor));
        Renewed::Until(Session { ends, ..session })
    }

    pub(in crate::store::memory) fn end(&mut self, ending: Ending, now: Timestamp) -> bool {
        let Ending { session: told } = ending;
        let visitor = told.id.visitor;
        self.find_session(told, None, now);
        let Some((session, _)) = self.live_session(visitor, now) else { return false };
        self.stays.remove(&visitor);
        self.ends.remove(&(session.ends, visitor));
        self.remember_end(visitor, told.ends.max(session.ends));
        true
    }

    pub(super) fn remember_end(&mut self, visitor: VisitorId, until: Timestamp) {
        let until = Timestamp::from_millis(until.as_millis());
        self.ended.insert(visitor, until);
        self.log.note(Event::Ended(visitor, until));
    }
}

/// A session's end: a whole second, so that the ticket's `exp` says exactly when.
fn session_end(started: Timestamp, now: Timestamp, span: Duration, max: Duration) -> Timestamp {
    Timestamp::from_secs((now + span).min(started + max).as_secs())
}
