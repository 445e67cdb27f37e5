//! Places: given, called, silent, given up.

use std::time::Duration;

use queue_core::bits::PlaceState;
use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{
    Arrival, Call, Departure, GatewayId, Joined, Mirror, PERIODS_OF_SILENCE, Period, Stamped, Swept,
};
use queue_core::{Life, Place, Timestamp, VisitorId};

use super::{Collected, Judge, NodeFacts, Owner, Step, broken, require};
use crate::simulation::wire::Reply;
use crate::survival::facts::{Fact, Knowledge};
use crate::survival::world::TERMS;

/// How far a gateway's idea of shared time may be behind or ahead.
const MARKED_LATE: Duration = Duration::from_millis(600);

impl Judge {
    /// A visitor asks for the first time.
    pub(in crate::survival) fn asks(&mut self, visitor: VisitorId) {
        let told = self.told;
        self.fences.entry(visitor).or_insert(told);
    }

    /// A visitor was told of its place.
    pub(in crate::survival) fn told_place(&mut self, visitor: VisitorId, place: Place) -> Result<(), Violation> {
        self.told = self.told.max(place);
        let Some(facts) = self.places.get_mut(&place) else {
            return broken(Invariant::N2, "told of a place never given");
        };
        if let Some(owner) = facts.owners.iter_mut().find(|owner| owner.visitor == visitor) {
            owner.told = true;
        }
        let told: Vec<Owner> = facts.owners.iter().filter(|owner| owner.told).copied().collect();
        if told.len() < 2 {
            return Ok(());
        }
        if told.iter().any(|owner| self.is_traceless(owner.given)) {
            self.excuse("places given twice by a server that fell back as itself");
            return Ok(());
        }
        broken(Invariant::N2, format!("place {place} was given to {told:?}"))
    }

    /// Whether a server that fell back as itself lost what it had given, and nothing told of it.
    fn is_traceless(&self, given: Fact) -> bool {
        self.fallen_back.iter().any(|(lost, kept)| lost.has(given) && !kept.has(given))
    }

    /// A visitor polled at a gateway, at shared time as that one knows it.
    pub(in crate::survival) fn polled(&mut self, place: Place, gateway: GatewayId, time: Timestamp, now: Timestamp) {
        self.places.entry(place).or_default().polled.push((time, now, gateway));
    }

    /// A gateway's process ended, and with it the marks that it had not brought.
    pub(in crate::survival) fn died(&mut self, gateway: GatewayId) {
        self.places.values_mut().for_each(|place| place.polled.retain(|(.., by)| *by != gateway));
    }

    /// What a gateway hears of a visitor when the store answers.
    pub(super) fn learn_of_visitor(&self, knows: &mut Knowledge, has: &Knowledge, visitor: VisitorId) {
        for place in self.places.values() {
            for owner in place.owners.iter().filter(|owner| owner.visitor == visitor && has.has(owner.given)) {
                knows.learn(owner.given);
                if let Some(spent) = place.spent.filter(|spent| has.has(*spent)) {
                    knows.learn(spent);
                }
            }
        }
        for (number, session) in self.sessions.iter().enumerate() {
            if session.session.id.visitor == visitor && has.has(session.began) {
                knows.learn(session.began);
                if let Some(ends) = has.session_end(number) {
                    knows.learn_session(number, ends);
                }
            }
        }
    }

    pub(super) fn joined(
        &mut self,
        step: &Step<'_>,
        arrival: &Arrival,
        joined: Joined,
        stamped: &Stamped<Reply>,
    ) -> Result<(), Violation> {
        let visitor = arrival.visitor;
        match joined {
            Joined::Placed { place, .. } => {
                let is_new = self.gave(step, arrival, place)?;
                let facts = &mut self.nodes[step.node];
                // A place of a collection was given before anybody asked for it; it counts as heard once it is claimed, not
                // when it is asked for again.
                if !facts.collected.contains_key(&visitor) {
                    facts.line.entry(place).or_insert(if is_new { step.now } else { Timestamp::ZERO });
                }
                self.collected_in_order(step, visitor, place, stamped.mark.life)
            }
            Joined::Admitted { place, session } => {
                let new = self.sessions.iter().all(|known| known.session.id != session.id);
                if new {
                    self.gave(step, arrival, place)?;
                    let line = &self.nodes[step.node].line;
                    require(line.is_empty(), Invariant::N3, || format!("straight in, and {line:?} wait"))?;
                    self.nobody_is_wronged(step, Place::NOTHING, place, &[place])?;
                }
                self.admitted(step, visitor, place, session, stamped)
            }
            Joined::Collected { since } => {
                let facts = &mut self.nodes[step.node];
                let known = facts.collected.insert(visitor, (facts.collection, since));
                // A store that began by a clock of its own may find that somebody came in its future: that is now.
                let came = arrival.since.filter(|came| known.is_none() && *came <= stamped.time);
                require(came.is_none_or(|came| came == since), Invariant::N3, || {
                    format!("{visitor:?} came at {came:?} and is taken to have come at {since}")
                })
            }
            Joined::Unconfirmed { .. } => {
                broken(Invariant::N6, "unconfirmed: what a replica lacks is not answered here")
            }
            Joined::Full | Joined::Closed => broken(Invariant::N10, format!("told {joined:?}, and there is room")),
        }
    }

    /// Answers whether it was given for the first time.
    fn gave(&mut self, step: &Step<'_>, arrival: &Arrival, place: Place) -> Result<bool, Violation> {
        let visitor = arrival.visitor;
        let knows = &self.nodes[step.node].knows;
        let owners = || self.places.get(&place).into_iter().flat_map(|facts| &facts.owners);
        if let Some(Owner { given, .. }) = owners().find(|owner| owner.visitor == visitor).copied() {
            self.nodes[step.node].knows.learn(given);
            return Ok(false);
        }
        let other = owners().filter(|owner| knows.has(owner.given)).find(|owner| !self.is_traceless(owner.given));
        require(other.is_none(), Invariant::N2, || {
            format!("place {place} is given to {visitor:?} and was {other:?}'s")
        })?;
        let given = self.numbers.next();
        self.places.entry(place).or_default().owners.push(Owner { visitor, given, told: false });
        let fence = self.fences.get(&visitor).copied().unwrap_or_default();
        let fence_known =
            self.places.get(&fence).is_some_and(|fence| fence.owners.iter().any(|owner| knows.has(owner.given)));
        if arrival.since.is_none() && place < fence {
            require(!fence_known, Invariant::N3, || {
                format!("{visitor:?} got {place}, and {fence} was told before it asked")
            })?;
            self.excuse("places given ahead of one that nobody remembered");
        }
        self.nodes[step.node].knows.learn(given);
        Ok(true)
    }

    /// N3 for those who came while the store was away: of one collection the earlier arrival has the earlier place.
    fn collected_in_order(
        &mut self,
        step: &Step<'_>,
        visitor: VisitorId,
        place: Place,
        life: Life,
    ) -> Result<(), Violation> {
        let facts = &mut self.nodes[step.node];
        let Some((collection, since)) = facts.collected.remove(&visitor) else { return Ok(()) };
        if place < life.mark() {
            // It had that place before the collection, and a gateway remembered.
            return Ok(());
        }
        let silence = TERMS.retention - MARKED_LATE;
        if facts.settled.get(&collection).is_some_and(|(last, at)| *last < place && *at + silence <= step.now) {
            // The place that the collection gave it was silent for the retention before it asked again.
            self.excuse("arrivals who asked too late for the place of their collection");
            return Ok(());
        }
        let mine = Collected { collection, life, came: (since, visitor), place };
        let wrong = facts.placed.iter().find(|other| {
            (other.collection, other.life) == (collection, life)
                && (other.came < mine.came) != (other.place < mine.place)
        });
        require(wrong.is_none(), Invariant::N3, || format!("{mine:?}, beside {wrong:?}"))?;
        facts.placed.push(mine);
        Ok(())
    }

    pub(super) fn departed(&mut self, step: &Step<'_>, departure: &Departure, left: bool) {
        if left {
            self.spend(step.node, departure.place);
        }
        // Whoever gives up a place that this server never gave is told that it is done; the others hear of it.
        self.places.entry(departure.place).or_default().departed = true;
    }

    /// A place is used up.
    pub(super) fn spend(&mut self, node: usize, place: Place) {
        let facts = self.places.entry(place).or_default();
        let spent = *facts.spent.get_or_insert_with(|| self.numbers.next());
        self.nodes[node].knows.learn(spent);
        self.nodes[node].line.remove(&place);
    }

    /// A place was heard by the store and is in the line.
    pub(super) fn heard(&mut self, step: &Step<'_>, visitor: VisitorId, place: Place) -> Result<(), Violation> {
        let facts = &mut self.nodes[step.node];
        let spent = self.places.get(&place).and_then(|place| place.spent).filter(|spent| facts.knows.has(*spent));
        require(spent.is_none(), Invariant::N13, || format!("place {place} was used up and is in the line again"))?;
        if facts.line.insert(place, step.now).is_none() {
            facts.returns.push((step.now, place));
            self.one_place(step.node, visitor, place);
        }
        Ok(())
    }

    /// Whoever comes back with a place has only that: a later one is given up, an earlier one makes way.
    fn one_place(&mut self, node: usize, visitor: VisitorId, place: Place) {
        let owned = |facts: &super::PlaceFacts| facts.owners.iter().any(|owner| owner.visitor == visitor);
        let line = &self.nodes[node].line;
        let others = line.keys().copied().filter(|other| *other != place && self.places.get(other).is_some_and(owned));
        for other in others.collect::<Vec<_>>() {
            if other > place {
                self.spend(node, other);
            } else {
                self.nodes[node].line.remove(&other);
            }
        }
    }

    /// Missed its turn.
    pub(super) fn missed(&mut self, node: usize, place: Place) {
        self.nodes[node].line.remove(&place);
    }

    pub(super) fn called(&mut self, step: &Step<'_>, call: &Call) -> Result<(), Violation> {
        let Some(to) = call.called.last().copied() else { return broken(Invariant::N9, "a call of nobody moved") };
        require(to > call.from, Invariant::N9, || format!("called up to {to}, was at {}", call.from))?;
        let facts = &mut self.nodes[step.node];
        for place in &call.called {
            facts.line.entry(*place).and_modify(|heard| *heard = step.now);
        }
        let facts = &self.nodes[step.node];
        let between = facts.line.range((std::ops::Bound::Excluded(call.from), std::ops::Bound::Included(to)));
        let passed = between.map(|(place, _)| *place).find(|place| !call.called.contains(place) && self.stays(*place));
        // A gateway that looked a moment ago has not heard of the very last return; it comes in called.
        let just = |place: &Place| {
            facts.returns.iter().rev().take(50).any(|(at, who)| who == place && *at + Duration::from_secs(2) > step.now)
        };
        require(passed.is_none_or(|place| just(&place)), Invariant::N3, || {
            format!("called up to {to}, past {passed:?} who waits")
        })?;
        self.nobody_is_wronged(step, call.from, to, &call.called)
    }

    /// N3 after a loss: nobody is called while somebody ahead who keeps polling could not be heard yet.
    fn nobody_is_wronged(
        &mut self,
        step: &Step<'_>,
        from: Place,
        to: Place,
        called: &[Place],
    ) -> Result<(), Violation> {
        let facts = &self.nodes[step.node];
        let ahead =
            step.present.iter().filter(|one| one.place > from && one.place < to && !called.contains(&one.place));
        let waiting: Vec<_> =
            ahead.filter(|one| !facts.line.contains_key(&one.place) && one.lucky_since <= facts.began).collect();
        let known = |one: &&&super::Present| {
            let place = self.places.get(&one.place);
            place.is_some_and(|place| place.owners.iter().any(|owner| facts.knows.has(owner.given)))
        };
        // Who polls is heard by the primary; behind a partition calls lead to no ticket.
        let wronged = waiting.iter().find(known).filter(|_| step.confirmed);
        require(wronged.is_none(), Invariant::N3, || {
            format!(
                "called up to {to}, past {wronged:?} who polls; the life began {:?} ago",
                step.now.since(facts.began)
            )
        })?;
        if !waiting.is_empty() {
            self.excuse(if step.confirmed {
                "called past somebody whom nobody remembered"
            } else {
                "called past somebody who polls at the other side of a partition"
            });
        }
        Ok(())
    }

    /// Only the silent leave.
    pub(super) fn swept(&mut self, step: &Step<'_>, swept: Swept, stamped: &Stamped<Reply>) -> Result<(), Violation> {
        if swept.silent + swept.settled == 0 {
            return Ok(());
        }
        let Some(mirror) = (step.inspect)() else { return Ok(()) };
        let facts = &self.nodes[step.node];
        let left = facts.line.iter().filter(|(place, _)| mirror.line.state(**place) == Some(PlaceState::Gone));
        let left: Vec<(Place, Timestamp)> = left.map(|(place, heard)| (*place, *heard)).collect();
        for (place, heard) in &left {
            if *place <= mirror.line.frontier() {
                let silence = TERMS.retention - MARKED_LATE;
                require(*heard + silence <= step.now, Invariant::N1, || {
                    format!("the called place {place} was swept, heard {:?} before", step.now.since(*heard))
                })?;
            } else {
                let heard = self.heard_in_retention(facts, *place, stamped.time, step.now);
                require(heard.is_none(), Invariant::N1, || {
                    format!("place {place} was swept at {}, heard at {heard:?}", stamped.time)
                })?;
            }
        }
        let facts = &mut self.nodes[step.node];
        facts.line.retain(|place, _| left.iter().all(|(gone, _)| gone != place));
        if swept.settled > 0 {
            facts.recast = step.now;
            facts.settled.insert(facts.collection, (mirror.summary.mark.last, step.now));
            facts.collection += u32::from(mirror.summary.collect_until == Timestamp::ZERO);
        }
        self.line_is_there(step.node, &mirror)
    }

    /// When a gateway that still counts heard a place in the whole periods before this one.
    fn heard_in_retention(
        &self,
        facts: &NodeFacts,
        place: Place,
        now: Timestamp,
        true_now: Timestamp,
    ) -> Option<Timestamp> {
        let length = Period::length(TERMS.retention);
        let began = Timestamp::from_millis(now.as_millis() - now.as_millis() % length.as_millis() as u64);
        let from = began - length * PERIODS_OF_SILENCE as u32 + MARKED_LATE;
        let counts = |gateway| facts.brought.get(gateway).is_some_and(|at| *at + TERMS.retention > now);
        let polled = &self.places.get(&place)?.polled;
        // Two servers may have different ideas of the time: what was marked by another one lies elsewhere.
        let alike = |at: Timestamp, polled: Timestamp| {
            let (then, today) = (polled.as_millis() + now.as_millis(), true_now.as_millis() + at.as_millis());
            then.abs_diff(today) < 300
        };
        let heard = polled.iter().rev().filter(|(at, ..)| (from..began - MARKED_LATE).contains(at));
        heard.filter(|(at, polled, gateway)| counts(gateway) && alike(*at, *polled)).map(|(at, ..)| *at).next()
    }

    /// Whether whoever has the place never gave it up.
    fn stays(&self, place: Place) -> bool {
        self.places.get(&place).is_none_or(|facts| !facts.departed)
    }

    /// N1: who was heard in this life, and not silent since, is in the line.
    pub(super) fn line_is_there(&self, node: usize, mirror: &Mirror) -> Result<(), Violation> {
        let facts = &self.nodes[node];
        let mut lost = facts.line.keys().filter(|place| mirror.line.state(**place) != Some(PlaceState::Waiting));
        let lost = lost.find(|place| self.stays(**place));
        require(lost.is_none(), Invariant::N1, || {
            format!(
                "place {lost:?} waits, and to the store it is {:?}",
                lost.and_then(|place| mirror.line.state(*place))
            )
        })
    }
}
