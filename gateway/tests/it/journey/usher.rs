//! A running `usher`: own ports, own configuration, gone with its guard.

use std::io::{BufRead, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use super::ask::{Answer, Ask};
use super::operators::Metrics;
use super::setup::{ROOM, Setup};
use super::visitor::Visitor;
use super::wait::{PATIENCE, eventually};

/// The gateway must not outlive its test, however that ends: the shell kills it when our end of its standard input
/// closes, which the kernel does for us even when the test process is killed. It tells the process id first and ends
/// as the gateway ended.
const WATCHDOG: &str = r#"
    exec 3<&0
    sh -c 'echo "$$"; exec "$@"' usher "$@" 3<&- </dev/null &
    usher=$!
    { read -r _ <&3; kill -KILL "$usher"; } >/dev/null 2>&1 &
    dog=$!
    exec 3<&-
    wait "$usher"
    code=$?
    kill -KILL "$dog" 2>/dev/null
    exit "$code"
"#;

/// A process of the gateway.
pub(crate) struct Process {
    shell: Child,
    pipe: Option<ChildStdin>,
    id: u32,
    log: Arc<Mutex<String>>,
    told: watch::Receiver<Stage>,
}

/// How far a process is, by its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Open,
    /// Its standard error is closed.
    Ended,
}

impl Process {
    /// Runs `usher` with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, "usher-watchdog", env!("CARGO_BIN_EXE_usher")])
            .args(arguments)
            .env_remove("USHER_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let mut id = String::new();
        output.read_line(&mut id).unwrap();
        let errors = BufReader::new(shell.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let (tell, told) = watch::channel(Stage::Starting);
        let kept = Arc::clone(&log);
        // Reads to the end, so that the gateway never waits for somebody to read its log.
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
                if line.contains("the doors are open") {
                    tell.send_replace(Stage::Open);
                }
            }
            let mut rest = String::new();
            if output.read_to_string(&mut rest).is_ok() {
                kept.lock().unwrap().push_str(&rest);
            }
            tell.send_replace(Stage::Ended);
        });
        Self { pipe: shell.stdin.take(), shell, id: id.trim().parse().unwrap(), log, told }
    }

    async fn opened(&mut self) {
        let reached = tokio::time::timeout(PATIENCE, self.told.wait_for(|stage| *stage != Stage::Starting)).await;
        let stage = reached.map(|stage| *stage.unwrap());
        assert_eq!(stage, Ok(Stage::Open), "the gateway did not open its doors:\n{}", self.log());
    }

    /// What it wrote, standard error first.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.id, name);
    }

    /// Waits for its end: the exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let ended = tokio::time::timeout(PATIENCE, self.told.wait_for(|stage| *stage == Stage::Ended)).await.is_ok();
        assert!(ended, "the gateway does not end:\n{}", self.log());
        eventually("the exit code", async || self.shell.try_wait().unwrap()).await.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
        if std::thread::panicking() {
            eprintln!("--- the gateway wrote:\n{}", self.log());
        }
    }
}

/// Sends a process a signal by name.
pub(crate) fn signal(id: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), id.to_string()]).status().unwrap();
    assert!(sent.success(), "SIG{name} to {id}");
}

/// An address of this machine that nobody else is given while this lives: bound and never listening, so whoever knows
/// of it may listen there, and connecting to it is refused until then.
pub(crate) struct Reserved {
    _socket: Socket,
    pub(crate) address: SocketAddr,
}

impl Reserved {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { _socket: socket, address }
    }
}

/// A gateway whose doors are open.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    _reserved: [Reserved; 2],
}

impl Gateway {
    pub(crate) async fn start(setup: &Setup) -> Self {
        let reserved = [Reserved::new(), Reserved::new()];
        let (address, admin) = (reserved[0].address, reserved[1].address);
        let config = setup.write(address, admin);
        let mut process = Process::start(&["run", "--config", config.to_str().unwrap()]);
        process.opened().await;
        Self { process, address, admin, _reserved: reserved }
    }

    /// Starts and waits until a decision would work.
    pub(crate) async fn ready(setup: &Setup) -> Self {
        let gateway = Self::start(setup).await;
        gateway.begins().await;
        gateway
    }

    /// Waits until it is ready and a room that begins on a shared store has listened for tokens of an earlier life.
    pub(crate) async fn begins(&self) {
        self.becomes_ready().await;
        eventually("the beginning", async || {
            let metrics = self.metrics().await;
            let of = |name: &str| metrics.value(&format!("{name}{{room=\"{ROOM}\"}}"));
            (of("usher_hold_seconds") + of("usher_collecting") == 0.0).then_some(())
        })
        .await;
    }

    pub(crate) async fn becomes_ready(&self) {
        eventually("readiness", async || (self.admin("/readyz").await.status == 200).then_some(())).await;
    }

    /// Waits for a look at the store that shows so many sessions: positions are as of the last look.
    pub(crate) async fn knows_of_sessions(&self, count: u32) {
        eventually("the sessions", async || {
            let sessions = self.metrics().await.value(&format!("usher_active_sessions{{room=\"{ROOM}\"}}"));
            (sessions == f64::from(count)).then_some(())
        })
        .await;
    }

    /// Somebody new, without any cookie.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::at(self.address)
    }

    /// Somebody who is in.
    pub(crate) async fn admitted(&self) -> Visitor {
        self.begins().await;
        let mut visitor = self.visitor();
        let answer = visitor.send(Ask::page("/")).await.expect(200);
        assert!(visitor.ticket().is_some(), "a ticket: {:?}", answer.headers);
        visitor
    }

    /// Sends a request of somebody without cookies.
    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        ask.send(self.address).await
    }

    /// Asks the operators' address.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        Ask::get(path).send(self.admin).await
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::new(self.admin("/metrics").await.expect(200).text())
    }
}
