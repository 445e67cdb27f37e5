//! The rules in force: what operators said must live on.

use queue_core::Limits;
use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Mirror, Summary};

use super::{Judge, Word, require};
use crate::simulation::wire::Request;
use crate::survival::facts::Knowledge;

impl Judge {
    /// The limits and the pause, by the last words that somebody must know.
    pub(in crate::survival) fn rules(&self, knows: &Knowledge) -> (Limits, bool) {
        let mut rules = (self.config.clone(), false);
        for (_, word) in self.words.iter().filter(|(fact, _)| knows.has(*fact)) {
            match word {
                Word::Limits(limits) => rules.0 = limits.clone(),
                Word::Paused(paused) => rules.1 = *paused,
            }
        }
        rules
    }

    /// An operator's word was acknowledged by a server, through a gateway.
    ///
    /// A word that was lost with a tail, and that a gateway still remembers, yields to one spoken before that gateway told
    /// the store: both have the same version.
    pub(in crate::survival) fn decreed(&mut self, node: usize, knows: &mut Knowledge, request: &Request) {
        let heard = self.words.len();
        let has = &self.nodes[node].knows;
        self.words.retain(|(fact, _)| has.has(*fact));
        if self.words.len() < heard {
            self.excuse("operators' words that yielded to a later one");
        }
        let word = match request {
            Request::Propose(proposal) => Word::Limits(proposal.limits.clone()),
            Request::Pause(paused) => Word::Paused(*paused),
            _ => return,
        };
        let fact = self.numbers.next();
        self.words.push((fact, word));
        let knows_node = &mut self.nodes[node].knows;
        knows_node.learn(fact);
        let limits = self.rules(&self.nodes[node].knows).0;
        self.nodes[node].knows.bucket.cap(&limits);
        knows.follow(&self.nodes[node].knows);
    }

    /// N5, N6: a room goes by the last words it must know.
    pub(super) fn rules_are_kept(&self, node: usize, summary: &Summary) -> Result<(), Violation> {
        let (limits, paused) = self.rules(&self.nodes[node].knows);
        require(summary.paused == paused, Invariant::N5, || {
            format!("paused: {}, by the last word: {paused}", summary.paused)
        })?;
        require(summary.limits == limits, Invariant::N6, || {
            format!("the limits are {:?}, by the last word {limits:?}", summary.limits)
        })
    }

    /// N12: who follows a room knows of every end that the room must know of.
    pub(super) fn ends_are_known(&self, node: usize, mirror: &Mirror) -> Result<(), Violation> {
        let (knows, now) = (&self.nodes[node].knows, mirror.summary.time.max(self.latest));
        let forgotten = self.sessions.iter().rev().take(50).find(|session| {
            session.ended.is_some_and(|(fact, until)| {
                knows.has(fact) && until > now && !mirror.ended.contains_key(&session.session.id.visitor)
            })
        });
        require(forgotten.is_none(), Invariant::N12, || format!("the end of {forgotten:?} is not known at {now}"))
    }
}
