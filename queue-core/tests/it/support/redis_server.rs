//! A real Redis for one test: own port, own directory, gone with its guard. Needs only `std` and `tempfile`, so that
//! other crates' tests can include this file.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// When set, a missing server binary fails the tests instead of skipping them.
pub(crate) const REQUIRE_SERVERS: &str = "USHER_REQUIRE_SERVERS";

/// The server that all tests use, when it is not `redis-server`: for example `valkey-server`.
const PROGRAM: &str = "USHER_REDIS_SERVER";

/// A start takes 10 ms; a loaded machine may need a thousand times that.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// A free port may be taken by somebody else before the server binds it.
const START_ATTEMPTS: usize = 5;

const PID_FILE: &str = "redis.pid";

/// The server must not outlive its test, however that ends: the shell holds the other end of our pipe and kills the
/// server when the pipe closes, which the kernel does for us even when the test process is killed.
const WATCHDOG: &str = r#""$@" & read -r _; kill -9 $!; wait"#;

/// A running `redis-server`, or one that speaks like it, without persistence.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    dir: TempDir,
    /// The program and its arguments.
    command: Vec<String>,
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
        Self::start_with(|port, _| vec!["--port".to_owned(), port.to_string()])
    }

    /// The same with other arguments: those for this port and this directory of its own.
    pub(crate) fn start_with(arguments: impl Fn(u16, &Path) -> Vec<String>) -> Option<Self> {
        let program = std::env::var(PROGRAM).unwrap_or_else(|_| "redis-server".to_owned());
        if !is_installed(&program) {
            assert!(
                std::env::var_os(REQUIRE_SERVERS).is_none(),
                "{REQUIRE_SERVERS} is set and {program} is not installed"
            );
            eprintln!("SKIPPED: {program} is not installed (Debian: apt-get install redis-server)");
            return None;
        }
        Some(Self::start_program(&program, arguments))
    }

    /// A Valkey that accepts connections; `None` where there is none, which is no failure: not every system has it.
    #[allow(dead_code, reason = "not every crate's tests need it")]
    pub(crate) fn start_valkey() -> Option<Self> {
        if !is_installed("valkey-server") {
            eprintln!("SKIPPED: valkey-server is not installed");
            return None;
        }
        Some(Self::start_program("valkey-server", |port, _| vec!["--port".to_owned(), port.to_string()]))
    }

    fn start_program(program: &str, arguments: impl Fn(u16, &Path) -> Vec<String>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for _ in 0..START_ATTEMPTS {
            let port = free_port();
            let command: Vec<_> = [program.to_owned()].into_iter().chain(arguments(port, dir.path())).collect();
            if let Some(process) = Process::start(&command, &dir) {
                return Self { port, dir, command, process: Some(process) };
            }
        }
        panic!("{program} did not start in {START_ATTEMPTS} attempts");
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
        self.process = Some(Process::start(&self.command, &self.dir).expect("the port was ours a moment ago"));
    }

    /// Stops it in mid-run: it keeps its connections and answers nothing.
    #[allow(dead_code, reason = "not every crate's tests need it")]
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`RedisServer::freeze`].
    #[allow(dead_code, reason = "not every crate's tests need it")]
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    #[allow(dead_code, reason = "not every crate's tests need it")]
    fn signal(&self, name: &str) {
        let id = std::fs::read_to_string(self.dir.path().join(PID_FILE)).expect("a running server writes its id");
        let sent = Command::new("kill").args(["-s", name, id.trim()]).status().expect("kill can be started");
        assert!(sent.success(), "{name} could not be sent to redis-server");
    }
}

impl Process {
    /// `None` when the server ended before it was ready.
    fn start(command: &[String], dir: &TempDir) -> Option<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, "redis-watchdog"])
            .args(command)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--pidfile".as_ref(), dir.path().join(PID_FILE).as_os_str()])
            .args(["--dir".as_ref(), dir.path().as_os_str()])
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
                // A Sentinel says the second.
                if line.contains("Ready to accept connections") || line.contains("+monitor master") {
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

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    listener.local_addr().expect("a bound socket has an address").port()
}
