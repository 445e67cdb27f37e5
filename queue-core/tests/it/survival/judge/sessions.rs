//! Claims and sessions: who enters, for how long, until when.

use std::collections::BTreeSet;

use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Claim, Claimed, Ending, LEEWAY, Renewal, Renewed, Session, Stamped};
use queue_core::{Place, Timestamp, VisitorId};

use super::{Judge, SessionFacts, Step, broken, require};
use crate::simulation::wire::Reply;
use crate::survival::facts::Knowledge;
use crate::survival::world::TERMS;

impl SessionFacts {
    /// Whether it may live, to somebody with this knowledge.
    fn is_live(&self, number: usize, knows: &Knowledge, now: Timestamp) -> bool {
        let over = self.ended.is_some_and(|(fact, _)| knows.has(fact));
        let ends = knows.session_end(number).unwrap_or(self.session.ends);
        knows.has(self.began) && !over && ends + LEEWAY > now
    }
}

impl Judge {
    pub(super) fn claimed(
        &mut self,
        step: &Step<'_>,
        claim: &Claim,
        claimed: Claimed,
        stamped: &Stamped<Reply>,
    ) -> Result<(), Violation> {
        let Claim { visitor, place, .. } = *claim;
        match claimed {
            Claimed::Unconfirmed(_) => broken(Invariant::N6, "unconfirmed: what a replica lacks is not answered here"),
            Claimed::Unknown => {
                let facts = self.places.get(&place);
                let known = facts
                    .is_some_and(|facts| facts.owners.iter().any(|owner| self.nodes[step.node].knows.has(owner.given)));
                require(!known, Invariant::N1, || format!("place {place} is unknown to the store"))
            }
            Claimed::Ended => self.told_ended(step, visitor, place, stamped.time),
            Claimed::Admitted(session) => self.admitted(step, visitor, place, session, stamped),
            Claimed::NotCalled | Claimed::Refused(_) | Claimed::Offered => self.heard(step, visitor, place),
            Claimed::Missed => {
                self.missed(step.node, place);
                Ok(())
            }
        }
    }

    /// N1: only a place that was used or given up is over.
    fn told_ended(
        &mut self,
        step: &Step<'_>,
        visitor: VisitorId,
        place: Place,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let Some(facts) = self.places.get(&place) else { return broken(Invariant::N1, "an unknown place is over") };
        if facts.departed || facts.used {
            return Ok(());
        }
        if facts.owners.iter().any(|owner| owner.told && owner.visitor != visitor) {
            self.excuse("places given twice by a server that fell back as itself, and used by the other");
            return Ok(());
        }
        let mut own = self.sessions.iter().filter(|session| session.session.id.visitor == visitor);
        let begun = own.next().is_some();
        // A claim that was carried out and whose answer reached nobody: nobody knows that the visitor never entered.
        let knows = &self.nodes[step.node].knows;
        let live = self.sessions.iter().enumerate().any(|(number, session)| {
            let own = session.session.id.visitor == visitor && knows.session_end(number).is_some();
            own && session.is_live(number, knows, now)
        });
        require(begun && !live, Invariant::N1, || {
            format!("place {place} of {visitor:?} is told ended; a session began: {begun}, lives: {live}")
        })?;
        self.excuse("claims answered to nobody, and the answer lost");
        Ok(())
    }

    /// Somebody is in: for the first time, and then every rule holds, or again, and then it is the same session.
    pub(super) fn admitted(
        &mut self,
        step: &Step<'_>,
        visitor: VisitorId,
        place: Place,
        session: Session,
        stamped: &Stamped<Reply>,
    ) -> Result<(), Violation> {
        if let Some(known) = self.sessions.iter().position(|known| known.session.id == session.id) {
            let fact = self.sessions[known].began;
            self.nodes[step.node].knows.learn(fact);
            self.note_end(step.node, known, session.ends);
            self.spend(step.node, place);
            return Ok(());
        }
        require(session.id.started == stamped.time, Invariant::N13, || {
            format!("{visitor:?} is in since {}, and nobody let it in", session.id.started)
        })?;
        let facts = self.places.entry(place).or_default();
        let spent = facts.spent.filter(|spent| self.nodes[step.node].knows.has(*spent));
        require(spent.is_none(), Invariant::N13, || format!("place {place} was used up and is in again"))?;
        if facts.used {
            self.excuse("second sessions for a place whose first nobody remembered");
        }
        self.spend(step.node, place);
        self.begin(step, session, stamped.time)
    }

    fn begin(&mut self, step: &Step<'_>, session: Session, now: Timestamp) -> Result<(), Violation> {
        let began = self.numbers.next();
        let facts = &mut self.nodes[step.node];
        facts.knows.learn(began);
        facts.knows.learn_session(self.sessions.len(), session.ends);
        let (limits, paused) = self.rules(&self.nodes[step.node].knows);
        self.sessions.push(SessionFacts {
            session,
            began,
            ends: session.ends,
            ended: None,
            told: false,
            confirmed: step.confirmed,
        });
        require(!paused && !limits.queue_all, Invariant::N5, || format!("in at {now}; paused: {paused}"))?;
        let fits = session.ends <= now + TERMS.session;
        require(fits, Invariant::N12, || format!("a session from {now} to {}", session.ends))?;
        self.cohort_fits(step, limits.total_active_users, now)?;
        let bucket = &mut self.nodes[step.node].knows.bucket;
        bucket.advance(&limits, now);
        require(bucket.take(), Invariant::N7, || {
            format!("more than {} + {} a minute × window", limits.burst, limits.new_users_per_minute)
        })
    }

    /// N6: everybody inside of whom the server must know.
    fn cohort_fits(&mut self, step: &Step<'_>, limit: u32, now: Timestamp) -> Result<(), Violation> {
        let knows = &self.nodes[step.node].knows;
        let live = || self.sessions.iter().enumerate().filter(|(number, session)| session.is_live(*number, knows, now));
        // Begun behind a partition: the visitor was not told, and the primary does not know whose it is.
        let nobodys =
            |number, facts: &SessionFacts| !facts.confirmed && !facts.told && knows.session_end(number).is_none();
        let inside: BTreeSet<VisitorId> = live()
            .filter(|(number, facts)| !nobodys(*number, facts))
            .map(|(_, facts)| facts.session.id.visitor)
            .collect();
        let (inside, all) = (inside.len() as u32, live().count() as u32);
        require(inside <= limit, Invariant::N6, || {
            let counted = (step.inspect)().map(|mirror| (mirror.summary.sessions, mirror.summary.unknown));
            let whose: Vec<_> = live().map(|(number, facts)| (facts.session.id, knows.session_end(number))).collect();
            format!("{inside} are inside, {limit} may be; the store knows and assumes {counted:?} of {whose:?}")
        })?;
        if all > limit {
            self.excuse("above the limit by sessions nobody was told of, or a visitor's second one");
        }
        let really = self
            .sessions
            .iter()
            .filter(|session| session.told && session.ended.is_none() && session.ends + LEEWAY > now);
        if really.count() as u32 > limit {
            self.excuse("above the limit by sessions that nobody remembered");
        }
        Ok(())
    }

    /// A visitor was told that it is in.
    pub(in crate::survival) fn told_session(
        &mut self,
        place: Place,
        session: Session,
        confirmed: bool,
    ) -> Result<(), Violation> {
        self.places.entry(place).or_default().used = true;
        let Some(facts) = self.sessions.iter_mut().find(|facts| facts.session.id == session.id) else { return Ok(()) };
        let late = !facts.told && !facts.confirmed;
        facts.told = true;
        require(confirmed || !late, Invariant::N6, || {
            format!("{:?} got a ticket that no replica confirmed", session.id.visitor)
        })?;
        if late {
            self.excuse("sessions begun behind a partition and handed out later");
        }
        Ok(())
    }

    fn note_end(&mut self, node: usize, known: usize, ends: Timestamp) {
        let facts = &mut self.sessions[known];
        facts.ends = facts.ends.max(ends);
        self.nodes[node].knows.learn_session(known, ends);
    }

    /// A gateway that knows whose session it is remembers until when it was prolonged.
    pub(super) fn learn_of_renewal(&self, knows: &mut Knowledge, has: &Knowledge, visitor: VisitorId) {
        for (number, _) in self.sessions.iter().enumerate().filter(|(_, known)| known.session.id.visitor == visitor) {
            if let Some(ends) = has.session_end(number).filter(|_| knows.session_end(number).is_some()) {
                knows.learn_session(number, ends);
            }
        }
    }

    pub(super) fn renewed(
        &mut self,
        step: &Step<'_>,
        renewal: &Renewal,
        renewed: Renewed,
        stamped: &Stamped<Reply>,
    ) -> Result<(), Violation> {
        let now = stamped.time;
        let ticket = renewal.session;
        match renewed {
            Renewed::Until(session) => {
                let Some(known) = self.sessions.iter().position(|known| known.session.id == session.id) else {
                    return broken(Invariant::N12, "a session that nobody began was renewed");
                };
                let knows = &self.nodes[step.node].knows;
                let ended = self.sessions[known].ended;
                let over = ended.is_some_and(|(fact, until)| knows.has(fact) && until > self.latest);
                require(!over, Invariant::N12, || format!("{:?} was ended and is renewed", session.id.visitor))?;
                let old = self.sessions[known].ends;
                let longest = (now + renewal.span).min(session.id.started + TERMS.max_session).max(old);
                require(session.ends <= longest, Invariant::N12, || {
                    format!("renewed to {}, at most {longest}", session.ends)
                })?;
                let began = self.sessions[known].began;
                self.nodes[step.node].knows.learn(began);
                self.note_end(step.node, known, session.ends);
                Ok(())
            }
            Renewed::Ended => {
                let visitor = ticket.id.visitor;
                let ended =
                    self.sessions.iter().any(|known| known.session.id.visitor == visitor && known.ended.is_some());
                require(ended || ticket.ends + LEEWAY <= now, Invariant::N18, || {
                    format!("{visitor:?} was thrown out at {now} with a ticket until {}", ticket.ends)
                })
            }
        }
    }

    /// Whoever leaves is out with every session: a store that had lost the first one may have begun a second.
    pub(super) fn ended(&mut self, step: &Step<'_>, ending: &Ending, was_live: bool) {
        if !was_live {
            return;
        }
        let visitor = ending.session.id.visitor;
        let knows = &mut self.nodes[step.node].knows;
        let known = self.sessions.iter_mut().filter(|known| known.session.id.visitor == visitor);
        for known in known {
            if known.session.id != ending.session.id && !knows.has(known.began) {
                continue;
            }
            let until = known.ends.min(ending.session.ends);
            let (fact, _) = *known.ended.get_or_insert_with(|| (self.numbers.next(), until));
            knows.learn(fact);
        }
    }
}
