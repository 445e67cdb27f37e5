//! A primary, its replicas, and the Sentinels that watch them.

use super::node::{Keeps, Node};
use super::sentinels::Sentinels;
use crate::journey::wait::eventually;

/// Several servers of which one is the primary.
pub(in crate::faults) struct Watched {
    nodes: Vec<Node>,
    pub(in crate::faults) sentinels: Sentinels,
    primary: usize,
}

impl Watched {
    /// One primary and so many replicas; `None` where there is no Redis.
    pub(in crate::faults) async fn start(replicas: usize) -> Option<Self> {
        let nodes = (0..=replicas).map(|_| Node::start(Keeps::Nothing)).collect::<Option<Vec<_>>>()?;
        for replica in &nodes[1..] {
            replica.follow(nodes[0].port()).await;
        }
        let watched = Self { sentinels: Sentinels::watch(&nodes[0]), nodes, primary: 0 };
        watched.can_be_replaced_by(replicas).await;
        Some(watched)
    }

    /// Waits until all Sentinels know at least so many replicas to promote. All of them again takes the Sentinels half a
    /// minute after a fail-over: they ask replicas every ten seconds how they are.
    pub(in crate::faults) async fn can_be_replaced_by(&self, replicas: usize) {
        eventually("they know each other", async || self.sentinels.know_everything(replicas).then_some(())).await;
    }

    pub(in crate::faults) fn url(&self) -> String {
        self.sentinels.url()
    }

    /// Which servers are replicas.
    pub(in crate::faults) fn replicas(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| *node != self.primary).collect()
    }

    /// SIGKILL for the primary: which one that was.
    pub(in crate::faults) fn kill_primary(&mut self) -> usize {
        self.nodes[self.primary].kill();
        self.primary
    }

    /// SIGKILL.
    pub(in crate::faults) fn kill(&mut self, which: usize) {
        self.nodes[which].kill();
    }

    /// Starts it again, empty, and as what takes itself for a primary.
    pub(in crate::faults) fn start_again(&mut self, which: usize) {
        self.nodes[which].start_again();
    }

    /// Waits until the Sentinels name another primary and it takes writes.
    pub(in crate::faults) async fn is_replaced(&mut self) {
        let old = self.nodes[self.primary].port();
        let new = eventually("another primary", async || self.sentinels.primary().filter(|new| *new != old)).await;
        self.primary = self.nodes.iter().position(|node| node.port() == new).expect("one of ours");
        let role = async || (self.nodes[self.primary].info("replication", "role") == "master").then_some(());
        eventually("its rank is taken", role).await;
    }

    /// A server that was started again becomes a replica and gets all data.
    pub(in crate::faults) async fn rejoins(&self, which: usize) {
        self.nodes[which].follow(self.nodes[self.primary].port()).await;
    }
}
