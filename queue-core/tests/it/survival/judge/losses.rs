//! Servers lose what they had: everything, or what is newer than a copy.

use queue_core::Timestamp;

use super::{Judge, NodeFacts};

impl Judge {
    /// A server lost everything.
    pub(in crate::survival) fn wiped(&mut self, node: usize, now: Timestamp) {
        let lost = std::mem::replace(&mut self.nodes[node], NodeFacts::empty(&self.config, now));
        self.nodes[node].wiped = Some(lost.knows);
    }

    /// A server has what a copy had, and does not know that it is one.
    pub(in crate::survival) fn fell_back(&mut self, node: usize, facts: NodeFacts, now: Timestamp) {
        let mut lost = std::mem::replace(&mut self.nodes[node], NodeFacts { recast: now, ..facts });
        if lost.is_empty {
            lost.wiped.iter().for_each(|wiped| lost.knows.merge(wiped));
        }
        self.fallen_back.push((lost.knows, self.nodes[node].knows.clone()));
    }

    /// Another server has what a copy had, and will find out that it has moved.
    pub(in crate::survival) fn promoted(&mut self, facts: NodeFacts, now: Timestamp) {
        self.nodes.push(NodeFacts { recast: now, ..facts });
    }
}
