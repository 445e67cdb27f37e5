//! Three sentinels that watch a primary and promote its replica.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::node::{Node, free_port};
use super::running::Running;
use super::wire;

/// The name under which they know the primary.
pub(in crate::faults) const SERVICE: &str = "concert";

const START_DEADLINE: Duration = Duration::from_secs(20);

/// Three sentinels; two make a decision.
pub(in crate::faults) struct Sentinels {
    ports: Vec<u16>,
    _running: Vec<(Running, TempDir)>,
}

impl Sentinels {
    /// They call the primary down after half a second.
    pub(in crate::faults) fn watch(primary: &Node) -> Self {
        let (mut ports, mut running) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
            let config = folder.path().join("sentinel.conf");
            let watched = primary.port();
            let text = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {SERVICE} 127.0.0.1 {watched} 2\n\
                 sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 2000\n",
                folder.path().display()
            );
            std::fs::write(&config, text).unwrap();
            let mut server = Command::new("redis-server");
            server.arg(&config).arg("--sentinel");
            let (sentinel, ready) = Running::start(&server, folder.path(), "+monitor master");
            assert_eq!(ready.recv_timeout(START_DEADLINE), Ok(true), "a sentinel watches");
            ports.push(port);
            running.push((sentinel, folder));
        }
        Self { ports, _running: running }
    }

    pub(in crate::faults) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// The port of the primary as most of them see it; `None` while they do not agree, or do not know each other and
    /// the replicas yet.
    pub(in crate::faults) fn primary(&self) -> Option<u16> {
        let mut told = self.ports.iter().map(|port| {
            let address = wire::command(*port, &["SENTINEL", "get-master-addr-by-name", SERVICE]).ok()?;
            address.rsplit(' ').next()?.parse::<u16>().ok()
        });
        let first = told.next()??;
        told.all(|other| other == Some(first)).then_some(first)
    }

    /// Whether each knows the two others and one replica: before that they cannot promote.
    pub(in crate::faults) fn know_everything(&self) -> bool {
        self.ports.iter().all(|port| {
            let known = |what| wire::command(*port, &["SENTINEL", what, SERVICE]).unwrap_or_default();
            known("sentinels").matches("runid").count() == 2 && known("replicas").contains("master-link-status ok")
        })
    }
}
