//! One Redis server and everything that can be done to it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use super::running::Running;
use super::wire;
use crate::journey::redis_server::REQUIRE_SERVERS;
use crate::journey::usher::signal;
use crate::journey::wait::eventually;

const START_DEADLINE: Duration = Duration::from_secs(20);
/// A free port may be taken by somebody else before the server binds it.
const START_ATTEMPTS: usize = 5;
/// The name of a backup in the server's directory, and beside it after [`Node::back_up`].
const DUMP: &str = "dump.rdb";

/// What a server keeps of its data when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faults) enum Keeps {
    /// Nothing, and no backup is read at its start either.
    Nothing,
    /// What it wrote to a backup when told to.
    Backups,
    /// Every write, at most a second late.
    Log,
}

/// A server, running or killed.
pub(in crate::faults) struct Node {
    port: u16,
    keeps: Keeps,
    folder: TempDir,
    /// Where its data is; elsewhere than `folder` when a test wants a disk of its own.
    data: PathBuf,
    running: Option<Running>,
}

impl Node {
    /// `None` where there is no `redis-server` and nobody requires one.
    pub(in crate::faults) fn start(keeps: Keeps) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_owned();
        Self::start_in(keeps, folder, data)
    }

    /// With its data elsewhere.
    pub(in crate::faults) fn start_in(keeps: Keeps, folder: TempDir, data: PathBuf) -> Option<Self> {
        let installed = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        if installed.is_err() {
            assert!(std::env::var_os(REQUIRE_SERVERS).is_none(), "redis-server is required and not installed");
            eprintln!("SKIPPED: redis-server is not installed (Debian: apt-get install redis-server)");
            return None;
        }
        let mut node = Self { port: 0, keeps, folder, data, running: None };
        for _ in 0..START_ATTEMPTS {
            node.port = free_port();
            if node.try_start(&[]) {
                return Some(node);
            }
        }
        panic!("redis-server did not start in {START_ATTEMPTS} attempts");
    }

    pub(in crate::faults) fn port(&self) -> u16 {
        self.port
    }

    pub(in crate::faults) fn data(&self) -> &PathBuf {
        &self.data
    }

    /// SIGKILL.
    pub(in crate::faults) fn kill(&mut self) {
        self.running = None;
    }

    /// Starts again on the same port, with what it kept.
    pub(in crate::faults) fn start_again(&mut self) {
        self.start_again_with(&[]);
    }

    pub(in crate::faults) fn start_again_with(&mut self, more: &[&str]) {
        assert!(self.try_start(more), "the port was ours a moment ago");
    }

    /// Starts and does not wait until it is ready: it reads its data while others already ask it.
    pub(in crate::faults) fn start_loading(&mut self, more: &[&str]) {
        drop(self.launch(more));
    }

    /// Writes its backup and keeps a copy of it.
    pub(in crate::faults) fn back_up(&self) {
        self.must(&["SAVE"]);
        std::fs::copy(self.data.join(DUMP), self.data.join("kept.rdb")).unwrap();
    }

    /// Kills it and starts it with the copy that [`Node::back_up`] kept.
    pub(in crate::faults) fn restore_backup(&mut self) {
        self.kill();
        std::fs::copy(self.data.join("kept.rdb"), self.data.join(DUMP)).unwrap();
        self.start_again();
    }

    /// It keeps its connections and answers nothing until the guard is dropped.
    pub(in crate::faults) fn freeze(&self) -> Frozen {
        let id = self.info("server", "process_id").parse().unwrap();
        signal(id, "STOP");
        Frozen(id)
    }

    /// Sends a command that must succeed.
    pub(in crate::faults) fn must(&self, words: &[&str]) -> String {
        wire::command(self.port, words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Sends a command that may fail.
    pub(in crate::faults) fn may(&self, words: &[&str]) -> std::io::Result<String> {
        wire::command(self.port, words)
    }

    /// Sends a command whose answer nobody waits for, while the connection is kept.
    pub(in crate::faults) fn begin(&self, words: &[&str]) -> TcpStream {
        wire::send(self.port, words).unwrap()
    }

    pub(in crate::faults) fn info(&self, section: &str, name: &str) -> String {
        let info = self.must(&["INFO", section]);
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim().to_owned()
    }

    /// Follows the server behind this port and waits until it has all its data.
    pub(in crate::faults) async fn follow(&self, port: u16) {
        self.must(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
        let linked = async || (self.info("replication", "master_link_status") == "up").then_some(());
        eventually("the replica has everything", linked).await;
    }

    pub(in crate::faults) fn promote(&self) {
        self.must(&["REPLICAOF", "NO", "ONE"]);
    }

    /// `false` when the server ended before it was ready.
    fn try_start(&mut self, more: &[&str]) -> bool {
        match self.launch(more).recv_timeout(START_DEADLINE) {
            Ok(true) => true,
            Ok(false) | Err(mpsc::RecvTimeoutError::Disconnected) => false,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("redis-server said nothing for {START_DEADLINE:?}"),
        }
    }

    fn launch(&mut self, more: &[&str]) -> mpsc::Receiver<bool> {
        self.running = None;
        if self.keeps == Keeps::Nothing {
            let _ = std::fs::remove_file(self.data.join(DUMP));
        }
        let log = if self.keeps == Keeps::Log { "yes" } else { "no" };
        let port = self.port.to_string();
        let mut server = Command::new("redis-server");
        server
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", log, "--daemonize", "no"])
            .args(["--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes", "--busy-reply-threshold", "200"])
            .arg("--dir")
            .arg(&self.data)
            .args(more);
        let (running, wait) = Running::start(&server, self.folder.path(), "Ready to accept connections");
        self.running = Some(running);
        wait
    }
}

/// A server that stands still.
pub(in crate::faults) struct Frozen(u32);

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    listener.local_addr().expect("a bound socket has an address").port()
}
