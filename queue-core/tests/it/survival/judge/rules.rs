//! The rules in force: what operators said must live on.

use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Mirror, Summary};
use queue_core::{Limits, Timestamp};

use super::{Judge, Word, require};
use crate::simulation::wire::Request;
use crate::survival::facts::Knowledge;

impl Judge {
    /// The limits and the pause, by the last word that somebody must know.
    pub(in crate::survival) fn rules(&self, knows: &Knowledge) -> (Limits, bool) {
        self.last_word(knows).map_or_else(|| (self.config.clone(), false), |word| (word.limits.clone(), word.paused))
    }

    fn last_word(&self, knows: &Knowledge) -> Option<&Word> {
        self.words.iter().filter(|word| knows.has(word.fact)).max_by_key(|word| word.version)
    }

    /// An operator's word was acknowledged by a server at shared time `time`, through a gateway.
    pub(in crate::survival) fn decreed(
        &mut self,
        node: usize,
        knows: &mut Knowledge,
        request: &Request,
        time: Timestamp,
    ) {
        let has = &self.nodes[node].knows;
        let (mut limits, mut paused) = self.rules(has);
        match request {
            Request::Propose(proposal) => limits = proposal.limits.clone(),
            Request::Pause(said) => paused = *said,
            _ => return,
        }
        let version = self.last_word(has).map_or(1, |word| word.version);
        let version = (version + 1).max(time.as_millis());
        let fact = self.numbers.next();
        self.words.push(Word { fact, version, limits: limits.clone(), paused });
        let knows_node = &mut self.nodes[node].knows;
        knows_node.learn(fact);
        knows_node.bucket.cap(&limits);
        knows.follow(knows_node);
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
