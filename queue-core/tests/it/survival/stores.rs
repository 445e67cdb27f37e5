//! The servers: which serve, what copies there are, who reaches whom.

use std::collections::VecDeque;

use queue_core::Timestamp;
use queue_core::store::MemoryStore;

use super::judge::NodeFacts;
use super::plants::Planted;

/// One server.
pub(super) struct Node {
    pub(super) store: Planted,
    /// Its id, as the room remembers it.
    pub(super) server: u64,
    /// Serves nobody before that: frozen; calls wait in its buffers.
    pub(super) frozen_until: Timestamp,
    pub(super) is_up: bool,
}

/// What a replica or a backup has.
pub(super) struct Copy {
    pub(super) store: MemoryStore,
    pub(super) facts: NodeFacts,
    pub(super) taken: Timestamp,
    /// Of which server.
    pub(super) node: usize,
}

/// All of them.
pub(super) struct Stores {
    pub(super) nodes: Vec<Node>,
    /// The one whose claims replicas confirm.
    pub(super) primary: usize,
    pub(super) copies: VecDeque<Copy>,
}

/// The most copies that are kept.
const MOST_COPIES: usize = 12;

impl Stores {
    pub(super) fn primary(&self) -> &Node {
        &self.nodes[self.primary]
    }

    /// Keeps what the primary has now. Of many copies old ones stay too: a backup may be minutes old.
    pub(super) fn keep(&mut self, facts: NodeFacts, now: Timestamp, drop: usize) {
        let primary = self.primary();
        let copy = Copy { store: primary.store.sound().copy(primary.server), facts, taken: now, node: self.primary };
        if self.copies.len() == MOST_COPIES {
            self.copies.remove(drop % (MOST_COPIES - 2));
        }
        self.copies.push_back(copy);
    }
}
