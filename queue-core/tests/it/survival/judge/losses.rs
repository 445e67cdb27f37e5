//! Servers lose what they had: everything, or what is newer than a copy.

use queue_core::Timestamp;

use super::{Judge, NodeFacts};

impl Judge {
    /// A server lost everything.
    pub(in crate::survival) fn wiped(&mut self, node: usize, now: Timestamp) {
        let lost = std::mem::replace(&mut self.nodes[node], NodeFacts::empty(&self.config, now));
        self.nodes[node].wiped = Some(lost.knows);
    }

    /// A server has what a copy had, and does not know that it is one. With the same marks nobody else finds out either:
    /// nothing but renewals was lost.
    pub(in crate::survival) fn fell_back(&mut self, node: usize, facts: NodeFacts, same_marks: bool, now: Timestamp) {
        let mut lost = std::mem::replace(&mut self.nodes[node], NodeFacts { recast: now, ..facts });
        if lost.is_empty {
            lost.wiped.iter().for_each(|wiped| lost.knows.merge(wiped));
        }
        if same_marks {
            let facts = &mut self.nodes[node];
            let kept = (0..self.sessions.len()).filter_map(|number| Some((number, facts.knows.session_end(number)?)));
            let shortened =
                kept.filter(|(number, ends)| lost.knows.session_end(*number).is_some_and(|end| end > *ends));
            facts.shortened = shortened.collect();
        }
        self.fallen_back.push((lost.knows, self.nodes[node].knows.clone()));
    }

    /// Another server has what a copy had, and will find out that it has moved.
    pub(in crate::survival) fn promoted(&mut self, facts: NodeFacts, now: Timestamp) {
        self.nodes.push(NodeFacts { recast: now, ..facts });
    }
}
