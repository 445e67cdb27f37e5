//! What happened, and who knows of it.

use std::collections::BTreeMap;

use queue_core::{Limits, Timestamp};

use crate::simulation::ideal_bucket::IdealBucket;

/// One thing that happened, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fact(usize);

/// Numbers facts.
#[derive(Debug, Default)]
pub(super) struct Numbers(usize);

impl Numbers {
    pub(super) fn next(&mut self) -> Fact {
        self.0 += 1;
        Fact(self.0 - 1)
    }
}

/// What a store or a gateway must know.
#[derive(Clone, Debug)]
pub(super) struct Knowledge {
    facts: Vec<u64>,
    /// Sessions of which it knows whose they are and until when, by their numbers: who merely looks learns how many there
    /// are.
    sessions: BTreeMap<usize, Timestamp>,
    /// What the rate still allows after the admissions that are known of.
    pub(super) bucket: IdealBucket,
}

impl Knowledge {
    /// Nothing is known.
    pub(super) fn none(limits: &Limits) -> Self {
        Self { facts: Vec::new(), sessions: BTreeMap::new(), bucket: IdealBucket::full(limits, Timestamp::ZERO) }
    }

    pub(super) fn learn(&mut self, Fact(number): Fact) {
        let word = number / 64;
        self.facts.resize(self.facts.len().max(word + 1), 0);
        self.facts[word] |= 1 << (number % 64);
    }

    pub(super) fn has(&self, Fact(number): Fact) -> bool {
        self.facts.get(number / 64).is_some_and(|word| word & 1 << (number % 64) != 0)
    }

    pub(super) fn learn_session(&mut self, number: usize, ends: Timestamp) {
        let known = self.sessions.entry(number).or_insert(ends);
        *known = ends.max(*known);
    }

    /// Until when a session lives, if it knows whose it is.
    pub(super) fn session_end(&self, number: usize) -> Option<Timestamp> {
        self.sessions.get(&number).copied()
    }

    /// Takes up everything that another one knows.
    pub(super) fn merge(&mut self, other: &Self) {
        self.facts.resize(self.facts.len().max(other.facts.len()), 0);
        self.facts.iter_mut().zip(&other.facts).for_each(|(mine, more)| *mine |= more);
        other.sessions.iter().for_each(|(number, ends)| self.learn_session(*number, *ends));
    }

    /// Whether another one knows all facts that are known here.
    pub(super) fn is_known_to(&self, other: &Self) -> bool {
        let more = |(index, mine): (usize, &u64)| mine & !other.facts.get(index).copied().unwrap_or(0) != 0;
        !self.facts.iter().enumerate().any(more)
    }

    /// Looks at another one: knows all that it shows.
    pub(super) fn follow(&mut self, other: &Self) {
        self.facts.resize(self.facts.len().max(other.facts.len()), 0);
        self.facts.iter_mut().zip(&other.facts).for_each(|(mine, more)| *mine |= more);
        self.bucket = other.bucket;
    }
}
