//! Three sentinels that watch a primary and promote its replica.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::node::{Node, free_port};
use super::running::Running;
use super::wire;

/// The name under which they know the primary.
pub(in crate::faults) const SERVICE: &str = "concert";

const CONFIG: &str = "sentinel.conf";

const START_DEADLINE: Duration = Duration::from_secs(20);

/// Three sentinels; two make a decision.
pub(in crate::faults) struct Sentinels(Vec<Sentinel>);

struct Sentinel {
    port: u16,
    /// Holds its configuration, in which it writes down what it has learned.
    folder: TempDir,
    running: Option<Running>,
}

impl Sentinels {
    /// They call the primary down after half a second.
    pub(in crate::faults) fn watch(primary: &Node) -> Self {
        let sentinels = (0..3).map(|_| {
            let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
            let watched = primary.port();
            let text = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {SERVICE} 127.0.0.1 {watched} 2\n\
                 sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 2000\n",
                folder.path().display()
            );
            std::fs::write(folder.path().join(CONFIG), text).unwrap();
            let mut sentinel = Sentinel { port, folder, running: None };
            sentinel.start();
            sentinel
        });
        Self(sentinels.collect())
    }

    /// Where whoever wants to know the primary asks.
    pub(in crate::faults) fn url(&self) -> String {
        let hosts: Vec<String> = self.0.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{SERVICE}", hosts.join(","))
    }

    pub(in crate::faults) fn count(&self) -> usize {
        self.0.len()
    }

    /// SIGKILL.
    pub(in crate::faults) fn kill(&mut self, which: usize) {
        self.0[which].running = None;
    }

    /// Starts it again, with what it had learned.
    pub(in crate::faults) fn start_again(&mut self, which: usize) {
        self.0[which].start();
    }

    fn alive(&self) -> impl Iterator<Item = u16> {
        self.0.iter().filter(|sentinel| sentinel.running.is_some()).map(|sentinel| sentinel.port)
    }

    /// The port of the primary as those that are alive see it; `None` while they do not agree.
    pub(in crate::faults) fn primary(&self) -> Option<u16> {
        let mut told = self.alive().map(|port| {
            let address = wire::command(port, &["SENTINEL", "get-master-addr-by-name", SERVICE]).ok()?;
            address.rsplit(' ').next()?.parse::<u16>().ok()
        });
        let first = told.next()??;
        told.all(|other| other == Some(first)).then_some(first)
    }

    /// Whether each of those that are alive knows the two others and at least so many replicas that have all data: before
    /// that they cannot promote any.
    pub(in crate::faults) fn know_everything(&self, replicas: usize) -> bool {
        self.alive().all(|port| {
            let known = |what| wire::command(port, &["SENTINEL", what, SERVICE]).unwrap_or_default();
            known("sentinels").matches("runid").count() == 2
                && known("replicas").matches("master-link-status ok").count() >= replicas
        })
    }
}

impl Sentinel {
    fn start(&mut self) {
        let mut server = Command::new("redis-server");
        server.arg(self.folder.path().join(CONFIG)).arg("--sentinel");
        let (running, ready) = Running::start(&server, self.folder.path(), "+monitor master");
        assert_eq!(ready.recv_timeout(START_DEADLINE), Ok(true), "a sentinel watches");
        self.running = Some(running);
    }
}
