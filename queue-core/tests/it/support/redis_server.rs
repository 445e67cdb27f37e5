//! A real Redis for one test: own port, own directory, gone with its guard. Needs only `std` and `tempfile`, so that
//! other crates' tests can include this file.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// When set, a missing server binary fails the tests instead of skipping them.
pub(crate) const REQUIRE_SERVERS: &str = "USHER_REQUIRE_SERVERS";

/// A start takes 10 ms; a loaded machine may need a thousand times that.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// A free port may be taken by somebody else before the server binds it.
const START_ATTEMPTS: usize = 5;

/// The server must not outlive its test, however that ends: the shell holds the other end of our pipe and kills the
/// server when the pipe closes, which the kernel does for us even when the test process is killed.
const WATCHDOG: &str = r#""$@" & read -r _; kill -9 $!; wait"#;

/// A running `redis-server` without persistence.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    dir: TempDir,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl RedisServer {
    /// A server that accepts connections; `None` where there is no `redis-server` and nobody requires one.
    pub(crate) fn start() -> Option<Self> {
        if !is_installed() {
            assert!(
                std::env::var_os(REQUIRE_SERVERS).is_none(),
                "{REQUIRE_SERVERS} is set and redis-server is not installed"
            );
            eprintln!("SKIPPED: redis-server is not installed (Debian: apt-get install redis-server)");
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        for _ in 0..START_ATTEMPTS {
            let port = free_port();
            if let Some(process) = Process::start(port, &dir) {
                return Some(Self { port, dir, process: Some(process) });
            }
        }
        panic!("redis-server did not start in {START_ATTEMPTS} attempts");
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port on the loopback address.
    #[allow(dead_code, reason = "not every crate's tests need it")]
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Kills it; all its data is lost.
    #[allow(dead_code, reason = "not every crate's tests need it")]
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again after [`RedisServer::kill`], empty, on the same port.
    #[allow(dead_code, reason = "not every crate's tests need it")]
    pub(crate) fn start_again(&mut self) {
        self.process = None;
        self.process = Some(Process::start(self.port, &self.dir).expect("the port was ours a moment ago"));
    }
}

impl Process {
    /// `None` when the server ended before it was ready.
    fn start(port: u16, dir: &TempDir) -> Option<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, "redis-watchdog", "redis-server", "--port", &port.to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(dir.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be started");
        let output = BufReader::new(shell.stdout.take().expect("stdout is piped"));
        let process = Self { pipe: shell.stdin.take(), shell };
        let (ready, wait) = mpsc::channel();
        // Reads to the end, so that the server never waits for somebody to read its log.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line.contains("Ready to accept connections") {
                    let _ = ready.send(true);
                } else if line.contains("Failed listening") {
                    let _ = ready.send(false);
                }
            }
        });
        match wait.recv_timeout(START_DEADLINE) {
            Ok(true) => Some(process),
            Ok(false) | Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("redis-server said nothing for {START_DEADLINE:?}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}

fn is_installed() -> bool {
    Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    listener.local_addr().expect("a bound socket has an address").port()
}
