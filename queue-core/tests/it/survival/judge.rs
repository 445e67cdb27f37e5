//! The judge: knows every fact and who must know it, believes no answer.

mod losses;
mod places;
mod rules;
mod sessions;
mod sights;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Caller, GatewayId, Merged, Mirror, Session, Stamped, Summary};
use queue_core::{Life, Limits, Place, Timestamp, VisitorId};

use super::facts::{Fact, Knowledge, Numbers};
use super::world::Counts;
use crate::simulation::wire::{Reply, Request};
use crate::support::caller::DEADLINE;

/// What a server must have.
#[derive(Clone)]
pub(super) struct NodeFacts {
    pub(super) knows: Knowledge,
    /// Who must be in the line, and when each was last heard by this server, by true time.
    line: BTreeMap<Place, Timestamp>,
    /// Who came back into the line and when, by true time.
    returns: Vec<(Timestamp, Place)>,
    /// When more changed than is told one by one.
    recast: Timestamp,
    /// When its life began, by true time.
    pub(super) began: Timestamp,
    /// When each gateway brought marks last, by shared time.
    brought: HashMap<GatewayId, Timestamp>,
    /// Who is collected: which collection, and since when.
    collected: HashMap<VisitorId, (u32, Timestamp)>,
    collection: u32,
    /// The last place that each collection gave, and when, by true time.
    settled: BTreeMap<u32, (Place, Timestamp)>,
    /// It was wiped, and no life has begun since.
    pub(super) is_empty: bool,
    /// What it knew before it was wiped.
    wiped: Option<Knowledge>,
    placed: Vec<Collected>,
}

/// Somebody who was collected and got a place.
#[derive(Clone, Copy, Debug)]
struct Collected {
    collection: u32,
    life: Life,
    came: (Timestamp, VisitorId),
    place: Place,
}

/// What is known of a place.
#[derive(Clone, Debug, Default)]
struct PlaceFacts {
    /// Who was given it, and who was told.
    owners: Vec<Owner>,
    /// It was used up.
    spent: Option<Fact>,
    departed: bool,
    /// Its holder was inside.
    used: bool,
    /// When it polled, by shared time as the gateway knew it and by true time, and where.
    polled: Vec<(Timestamp, Timestamp, GatewayId)>,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    visitor: VisitorId,
    given: Fact,
    told: bool,
}

/// What is known of a session.
#[derive(Clone, Debug)]
struct SessionFacts {
    session: Session,
    began: Fact,
    /// Its latest end, whoever knows of it.
    ends: Timestamp,
    ended: Option<(Fact, Timestamp)>,
    told: bool,
    confirmed: bool,
}

/// What was in force after an operator spoke. Of two words the later version holds, wherever they were spoken.
#[derive(Clone, Debug)]
struct Word {
    fact: Fact,
    version: u64,
    limits: Limits,
    paused: bool,
}

/// A visitor who waits and keeps polling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    pub(super) place: Place,
    /// Since when every one of its polls could be carried to the store.
    pub(super) lucky_since: Timestamp,
}

/// A step as it was carried out.
pub(super) struct Step<'a> {
    pub(super) node: usize,
    /// Whether replicas confirm what this server does.
    pub(super) confirmed: bool,
    /// What its caller knew and when, by true time.
    pub(super) knew: &'a Knowledge,
    pub(super) sent: Timestamp,
    /// Whether it could say until when the call is good.
    pub(super) expires: bool,
    pub(super) request: &'a Request,
    pub(super) now: Timestamp,
    /// Who waits and polls.
    pub(super) present: &'a [Present],
    /// What the server really has.
    pub(super) inspect: &'a dyn Fn() -> Option<Mirror>,
}

/// All facts.
pub(super) struct Judge {
    numbers: Numbers,
    pub(super) nodes: Vec<NodeFacts>,
    places: BTreeMap<Place, PlaceFacts>,
    sessions: Vec<SessionFacts>,
    words: Vec<Word>,
    config: Limits,
    /// The last place that anybody had been told of when each visitor first asked.
    fences: HashMap<VisitorId, Place>,
    told: Place,
    /// What was lost without a trace, and what was kept: a server that fell back as itself.
    fallen_back: Vec<(Knowledge, Knowledge)>,
    /// Which server began each life.
    lives: HashMap<Life, usize>,
    /// Lives that two servers began, neither of which knew of the other.
    twins: Vec<Life>,
    /// The latest shared time of any server: beyond it nobody has forgotten an end yet.
    latest: Timestamp,
    /// When the host's clock was last set back: a late call may then look timely.
    pub(super) set_back: Timestamp,
    /// What was excused, by name.
    pub(super) counts: Counts,
}

/// By then every gateway that is not stalled has heard of a clock that was set back.
const SET_BACK_TOLD: Duration = Duration::from_secs(20);

fn broken(invariant: Invariant, detail: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { invariant, detail: detail.into() })
}

fn require(holds: bool, invariant: Invariant, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { broken(invariant, detail()) }
}

impl NodeFacts {
    /// A server that has nothing.
    pub(super) fn empty(limits: &Limits, now: Timestamp) -> Self {
        Self {
            knows: Knowledge::none(limits),
            line: BTreeMap::new(),
            returns: Vec::new(),
            recast: now,
            began: now,
            brought: HashMap::new(),
            collected: HashMap::new(),
            collection: 0,
            settled: BTreeMap::new(),
            is_empty: true,
            wiped: None,
            placed: Vec::new(),
        }
    }
}

impl Judge {
    pub(super) fn new(config: Limits, now: Timestamp) -> Self {
        Self {
            numbers: Numbers::default(),
            nodes: vec![NodeFacts::empty(&config, now)],
            places: BTreeMap::new(),
            sessions: Vec::new(),
            words: Vec::new(),
            config,
            fences: HashMap::new(),
            told: Place::NOTHING,
            fallen_back: Vec::new(),
            lives: HashMap::new(),
            twins: Vec::new(),
            latest: Timestamp::ZERO,
            set_back: Timestamp::ZERO,
            counts: Counts::new(),
        }
    }

    fn excuse(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// A gateway that was started now.
    pub(super) fn newcomer(&self) -> Knowledge {
        Knowledge::none(&self.config)
    }

    /// Whether two servers began the same life.
    pub(super) const fn has_twins(&self) -> bool {
        !self.twins.is_empty()
    }

    /// Checks a step that was carried out against everything that is known, and learns from it.
    pub(super) fn executed(&mut self, step: &Step<'_>, stamped: &Stamped<Reply>) -> Result<(), Violation> {
        let patience = DEADLINE + Caller::DRIFT * 2;
        let told = self.set_back == Timestamp::ZERO || self.set_back + SET_BACK_TOLD < step.sent;
        let late = step.expires && told && step.sent + patience < step.now;
        require(!late, Invariant::N18, || {
            format!("a call of {} took effect at {}: {:?}", step.sent, step.now, step.request)
        })?;
        self.nodes[step.node].knows.merge(step.knew);
        self.latest = self.latest.max(stamped.time);
        let limits = self.rules(&self.nodes[step.node].knows).0;
        self.nodes[step.node].knows.bucket.advance(&limits, stamped.time);
        match (step.request, &stamped.value) {
            (Request::Join(arrivals), Reply::Joined(joined)) => arrivals
                .iter()
                .zip(joined)
                .try_for_each(|(arrival, joined)| self.joined(step, arrival, *joined, stamped)),
            (Request::Claim(claims), Reply::Claimed(claimed)) => {
                claims.iter().zip(claimed).try_for_each(|(claim, claimed)| self.claimed(step, claim, *claimed, stamped))
            }
            (Request::Renew(renewals), Reply::Renewed(renewed)) => renewals
                .iter()
                .zip(renewed)
                .try_for_each(|(renewal, renewed)| self.renewed(step, renewal, *renewed, stamped)),
            (Request::End(endings), Reply::Flags(flags)) => {
                endings.iter().zip(flags).for_each(|(ending, was_live)| self.ended(step, ending, *was_live));
                Ok(())
            }
            (Request::Depart(departures), Reply::Flags(flags)) => {
                departures.iter().zip(flags).for_each(|(departure, left)| self.departed(step, departure, *left));
                Ok(())
            }
            (Request::Call(call), Reply::Called(queue_core::store::Called::Moved)) => self.called(step, call),
            (Request::Hear(heard), _) => {
                self.nodes[step.node].brought.insert(heard.gateway, stamped.time);
                Ok(())
            }
            (Request::Sweep, Reply::Swept(swept)) => self.swept(step, *swept, stamped),
            (Request::Merge(_), Reply::Merged(merged)) => {
                if *merged != Merged::Added {
                    self.began(step.node, stamped.mark.life);
                }
                self.merged(step, *merged)
            }
            _ => Ok(()),
        }
    }

    /// A server began a life.
    pub(super) fn began(&mut self, node: usize, life: Life) {
        if *self.lives.entry(life).or_insert(node) != node {
            self.twins.push(life);
        }
    }

    fn merged(&mut self, step: &Step<'_>, merged: Merged) -> Result<(), Violation> {
        let was_empty = std::mem::take(&mut self.nodes[step.node].is_empty);
        if merged != Merged::Added || was_empty {
            // What was admitted before counts in every window that reaches back.
            let limits = self.rules(&self.nodes[step.node].knows).0;
            self.nodes[step.node].knows.bucket.meet(step.knew.bucket, &limits);
        }
        let Self { nodes, places, .. } = self;
        let facts = &mut nodes[step.node];
        facts.recast = step.now;
        if merged != Merged::Added {
            facts.began = step.now;
        }
        if merged == Merged::Began {
            let open = facts.collection;
            facts.collected.retain(|_, (collection, _)| *collection == open);
            facts.line.clear();
        }
        let knows = &facts.knows;
        facts
            .line
            .retain(|place, _| !places.get(place).and_then(|place| place.spent).is_some_and(|spent| knows.has(spent)));
        let Some(mirror) = (step.inspect)() else { return Ok(()) };
        self.line_is_there(step.node, &mirror)
    }

    /// A gateway was answered by a server that knew this much.
    pub(super) fn answered(&self, knows: &mut Knowledge, has: &Knowledge, request: &Request, stamped: &Stamped<Reply>) {
        match (request, &stamped.value) {
            (Request::Join(arrivals), Reply::Joined(_)) => {
                for arrival in arrivals {
                    self.learn_of_visitor(knows, has, arrival.visitor);
                }
            }
            (Request::Claim(claims), Reply::Claimed(_)) => {
                for claim in claims {
                    self.learn_of_visitor(knows, has, claim.visitor);
                    let spent = self.places.get(&claim.place).and_then(|place| place.spent);
                    spent.filter(|spent| has.has(*spent)).into_iter().for_each(|spent| knows.learn(spent));
                }
            }
            (Request::Depart(departures), Reply::Flags(_)) => {
                for departure in departures {
                    self.learn_of_visitor(knows, has, departure.visitor);
                }
            }
            (Request::Renew(renewals), Reply::Renewed(_)) => {
                for renewal in renewals {
                    self.learn_of_renewal(knows, has, renewal.session.id.visitor);
                }
            }
            _ => {}
        }
    }

    /// A gateway looked at the room.
    pub(super) fn looked(
        &self,
        node: usize,
        knows: &mut Knowledge,
        mirror: &Mirror,
        before: Option<&Summary>,
    ) -> Result<(), Violation> {
        knows.follow(&self.nodes[node].knows);
        self.rules_are_kept(node, &mirror.summary)?;
        self.ends_are_known(node, mirror)?;
        let Some(before) = before else { return Ok(()) };
        let (then, now) = (before.mark.frontier, mirror.summary.mark.frontier);
        let back = then.epoch == now.epoch && now < then;
        require(!back, Invariant::N9, || format!("called up to {now}, was at {then}"))
    }
}
