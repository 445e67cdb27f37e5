//! The shadow model: knows every fact, believes no answer.

mod ledger;
mod line;
mod sessions;

use std::collections::HashMap;

use queue_core::bits::PlaceState;
use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Called, Caller, Event, GatewayId, Mirror, Summary, Terms};
use queue_core::{Limits, Place, SessionId, Timestamp, Version, VisitorId};

use self::ledger::Ledger;
use super::ideal_bucket::IdealBucket;
use super::visitor::Shown;
use super::wire::{Answer, Reply, Request};

/// What is known of a place.
#[derive(Clone, Debug)]
struct PlaceFacts {
    owner: VisitorId,
    state: PlaceState,
    session: Option<SessionId>,
    departed: bool,
    /// When it was called, or last heard by the store since.
    heard: Timestamp,
    /// When it polled, and where.
    polled: Vec<(Timestamp, GatewayId)>,
    /// Since when a slot has been offered and not taken.
    offered_since: Option<Timestamp>,
}

/// What is known of a visitor.
#[derive(Clone, Copy, Debug, Default)]
struct VisitorFacts {
    /// The last place that anybody had been told of when this visitor first asked.
    fence: Place,
    place: Option<Place>,
}

/// A session that ended before its time.
#[derive(Clone, Copy, Debug)]
struct EndFact {
    visitor: VisitorId,
    told_until: Timestamp,
}

/// All facts.
pub(super) struct Shadow {
    terms: Terms,
    visitors: HashMap<VisitorId, VisitorFacts>,
    places: Vec<PlaceFacts>,
    frontier: Place,
    /// The last place anybody was told of.
    told: Place,
    ledger: Ledger,
    bucket: IdealBucket,
    returns: Vec<(Version, Place)>,
    ends: Vec<EndFact>,
    /// When each gateway brought marks last.
    brought: HashMap<GatewayId, Timestamp>,
    /// How often the host's clock was set forward: each may gain the drift, once.
    pub(super) jumps: u32,
}

/// A step as it was carried out.
pub(super) struct Step<'a> {
    pub(super) request: &'a Request,
    pub(super) answer: &'a Answer,
    /// The room before and after it.
    pub(super) before: &'a Summary,
    pub(super) truth: &'a Mirror,
    pub(super) events: &'a [(Version, Event)],
    /// Whether the caller decided at this very moment.
    pub(super) at_once: bool,
    /// True time.
    pub(super) now: Timestamp,
}

/// What is needed to check one item of a step.
#[derive(Clone, Copy)]
struct At<'a> {
    time: Timestamp,
    limits: &'a Limits,
    paused: bool,
}

fn broken(invariant: Invariant, detail: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { invariant, detail: detail.into() })
}

fn require(holds: bool, invariant: Invariant, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { broken(invariant, detail()) }
}

impl Shadow {
    pub(super) fn new(terms: Terms, opened: &Summary) -> Self {
        Self {
            terms,
            visitors: HashMap::new(),
            places: Vec::new(),
            frontier: Place::NOTHING,
            told: Place::NOTHING,
            ledger: Ledger::default(),
            bucket: IdealBucket::full(&opened.limits, opened.time),
            returns: Vec::new(),
            ends: Vec::new(),
            brought: HashMap::new(),
            jumps: 0,
        }
    }

    /// A visitor asks for the first time.
    pub(super) fn asks(&mut self, visitor: VisitorId) {
        let fence = self.told;
        self.visitors.entry(visitor).or_insert(VisitorFacts { fence, place: None });
    }

    /// A visitor was told of a place.
    pub(super) fn is_told(&mut self, place: Place) {
        self.told = self.told.max(place);
    }

    /// Somebody polled at a gateway, at shared time as that one knows it.
    pub(super) fn polled(&mut self, place: Place, gateway: GatewayId, time: Timestamp) {
        if let Some(place) = self.place_mut(place) {
            place.polled.push((time, gateway));
        }
    }

    /// A gateway's process ended, and with it the marks that it had not brought.
    pub(super) fn died(&mut self, gateway: GatewayId) {
        self.places.iter_mut().for_each(|place| place.polled.retain(|(_, by)| *by != gateway));
    }

    /// Checks a step against everything that is known, and learns from it.
    pub(super) fn step(&mut self, step: &Step<'_>) -> Result<(), Violation> {
        let time = step.truth.summary.time;
        require(time <= step.now + Caller::DRIFT * self.jumps, Invariant::N7, || {
            format!("shared time {time} ran ahead of everybody's own: it is {}", step.now)
        })?;
        if let Ok(stamped) = step.answer {
            let at = At { time: stamped.time, limits: &step.before.limits, paused: step.before.paused };
            self.bucket.advance(&step.before.limits, stamped.time);
            self.apply(step, &stamped.value, at)?;
            self.bucket.cap(&step.truth.summary.limits);
        }
        self.compare(step)
    }

    fn apply(&mut self, step: &Step<'_>, reply: &Reply, at: At<'_>) -> Result<(), Violation> {
        match (step.request, reply) {
            (Request::Join(arrivals), Reply::Joined(joined)) => {
                arrivals.iter().zip(joined).try_for_each(|(arrival, joined)| self.joined(arrival.visitor, *joined, at))
            }
            (Request::Claim(claims), Reply::Claimed(claimed)) => {
                claims.iter().zip(claimed).try_for_each(|(claim, claimed)| self.claimed(claim, *claimed, at))
            }
            (Request::Renew(renewals), Reply::Renewed(renewed)) => {
                renewals.iter().zip(renewed).try_for_each(|(renewal, renewed)| self.renewed(renewal, *renewed, at))
            }
            (Request::End(endings), Reply::Flags(flags)) => {
                endings.iter().zip(flags).try_for_each(|(ending, was_live)| self.ended(ending, *was_live, at))
            }
            (Request::Depart(departures), Reply::Flags(flags)) => {
                departures.iter().zip(flags).try_for_each(|(departure, left)| self.departed(departure, *left))
            }
            (Request::Call(call), Reply::Called(Called::Moved)) => self.called(&call.called, step, at),
            (Request::Hear(heard), _) => {
                self.brought.insert(heard.gateway, at.time);
                Ok(())
            }
            (Request::Sweep, Reply::Swept(_)) => self.swept(step.events, at),
            _ => Ok(()),
        }
    }

    /// N8: what the store changed is what its answer meant, no more and no less.
    fn compare(&mut self, step: &Step<'_>) -> Result<(), Violation> {
        let line = &step.truth.line;
        for (version, event) in step.events {
            let Event::Place(place, state) = event else { continue };
            if *state == PlaceState::Waiting {
                self.returns.push((*version, *place));
            }
            let known = self.place(*place).map(|place| place.state);
            let is = line.state(*place);
            require(known == is, Invariant::N8, || {
                format!("place {place} is {is:?} and by all answers {known:?}, after {:?}", step.request)
            })?;
        }
        let known = (self.places.len() as u32, self.frontier, self.waiting());
        let is = (line.last().sequence.get(), line.frontier(), line.waiting());
        require(known == is, Invariant::N8, || format!("given, called, waiting: {is:?}, by all answers {known:?}"))
    }

    fn waiting(&self) -> u32 {
        self.ledger.waiting
    }

    fn place(&self, place: Place) -> Option<&PlaceFacts> {
        self.places.get((place.sequence.get() as usize).checked_sub(1)?)
    }

    fn place_mut(&mut self, place: Place) -> Option<&mut PlaceFacts> {
        self.places.get_mut((place.sequence.get() as usize).checked_sub(1)?)
    }

    fn set(&mut self, place: Place, state: PlaceState) {
        let Some(place) = self.place_mut(place) else { return };
        let was = std::mem::replace(&mut place.state, state);
        if state == PlaceState::Gone {
            place.offered_since = None;
        }
        self.ledger.waiting -= u32::from(was == PlaceState::Waiting);
        self.ledger.waiting += u32::from(state == PlaceState::Waiting);
    }

    /// N4: what a gateway shows somebody now, given what was shown before. Answers what the visitor sees.
    pub(super) fn shown(
        &self,
        place: Place,
        computed: u32,
        before: Option<Shown>,
        version: Version,
    ) -> Result<Shown, Violation> {
        let now = Shown { position: computed, version };
        let Some(before) = before.filter(|before| before.position < computed) else { return Ok(now) };
        if version <= before.version {
            // A gateway that has not heard of the latest keeps to what was shown.
            return Ok(before);
        }
        let news = self.returns.partition_point(|(at, _)| *at <= before.version);
        let returned = self.returns[news..]
            .iter()
            .take_while(|(at, _)| *at <= version)
            .filter(|(_, returned)| *returned < place)
            .count();
        let grew = computed - before.position;
        require(returned as u32 >= grew, Invariant::N4, || {
            format!("a position grew by {grew} to {computed}, and {returned} came back ahead of it")
        })?;
        Ok(now)
    }

    /// N12: who follows the room knows of every session that ended before its time.
    pub(super) fn knows_the_ended(&self, mirror: &Mirror) -> Result<(), Violation> {
        let now = mirror.summary.time;
        let unknown = self
            .ends
            .iter()
            .rev()
            .take(50)
            .find(|end| end.told_until > now && !mirror.ended.contains_key(&end.visitor));
        require(unknown.is_none(), Invariant::N12, || format!("the end of {unknown:?} is not known at {now}"))
    }

    /// N11: whether somebody has to be called by a gateway that looks at the room now.
    pub(super) fn owes_a_call(truth: &Mirror, now: Timestamp) -> bool {
        let Mirror { summary, line, .. } = truth;
        let open = |time: Timestamp| {
            !summary.paused
                && !summary.limits.queue_all
                && summary.limits.opens_at.is_none_or(|opens| time >= opens)
                && summary.limits.closes_at.is_none_or(|closes| time < closes)
        };
        let taken = summary.sessions + summary.reserved;
        let tokens = summary.bucket.refilled(summary.limits.rate(), summary.time).tokens();
        open(summary.time)
            && open(now)
            && taken < summary.limits.total_active_users
            && tokens >= 1
            && line.waiting_beyond_frontier() > 0
    }
}
