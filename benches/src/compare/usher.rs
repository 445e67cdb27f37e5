//! The gateway as it stands in a comparison: memory store, everything it does switched on, no limit ever reached.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use super::process::Process;
use crate::clock::{Clock, Moment};
use crate::http::{Ask, Pool, Target};

/// The room that lets everyone in.
pub(super) const OPEN_ROOM: &str = "open-house";
/// The room in which everyone waits.
pub(super) const WAITING_ROOM: &str = "line";
/// Where one asks for the position in it.
pub(super) const POLL_PATH: &str = "/_usher/line/position";

/// A gateway without a line is up within milliseconds.
const READY_WITHIN: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A running gateway and its folder.
#[derive(Debug)]
pub(super) struct Usher {
    process: Process,
    /// Removed with the guard, after the process.
    _folder: TempDir,
}

impl Usher {
    /// Starts one in front of `upstream` and waits until it answers.
    pub(super) async fn start(
        binary: Option<PathBuf>,
        core: usize,
        algorithm: &str,
        upstream: SocketAddr,
    ) -> anyhow::Result<Self> {
        let binary = binary.map_or_else(beside_this_program, Ok)?;
        ensure!(binary.is_file(), "{} is not built", binary.display());
        let folder = tempfile::tempdir()?;
        let [public, admin] = free_addresses()?;
        let [config, log] = ["usher.toml", "usher.log"].map(|name| folder.path().join(name));
        std::fs::write(&config, configuration(public, admin, upstream, algorithm))?;
        let config = config.to_str().context("a temporary folder with a strange name")?;
        let mut process = Process::other(core, &binary, &["run", "--config", config], public, &log)?;
        ready(&mut process, &log).await?;
        Ok(Self { process, _folder: folder })
    }

    /// The gateway itself.
    pub(super) fn process(&self) -> &Process {
        &self.process
    }
}

/// The cookie that carries a ticket of the open room on a listener without TLS.
pub(super) fn ticket_cookie(ticket: &str) -> String {
    format!("usher-ticket-{OPEN_ROOM}={ticket}")
}

pub(crate) fn beside_this_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.with_file_name("usher"))
}

/// Two ports that are free now; nobody else on a quiet machine takes them in the next moments.
pub(crate) fn free_addresses() -> anyhow::Result<[SocketAddr; 2]> {
    let [one, other] = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    Ok([one.local_addr()?, other.local_addr()?])
}

async fn ready(process: &mut Process, log: &Path) -> anyhow::Result<()> {
    let clock = Clock::start();
    let pool = Pool::new(Target::parse(&format!("http://{}", process.address))?.0, 1);
    let ask = Ask::get(format!("/_usher/{OPEN_ROOM}"));
    while clock.now() < Moment::START + READY_WITHIN {
        if pool.send(&clock, &ask).await.is_ok_and(|answer| answer.status.is_success()) {
            return Ok(());
        }
        if process.has_ended() {
            break;
        }
        clock.sleep_until(clock.now() + LOOK_AGAIN).await;
    }
    bail!("the gateway does not answer; its log:\n{}", std::fs::read_to_string(log).unwrap_or_default())
}

fn configuration(public: SocketAddr, admin: SocketAddr, upstream: SocketAddr, algorithm: &str) -> String {
    format!(
        r#"version = 1

[[listener]]
name = "public"
bind = "{public}"
insecure_cookies = true

[admin]
bind = "{admin}"

[store]
url = "memory:"

[tickets]
issuer = "http://{public}"
algorithm = "{algorithm}"

[[upstream]]
name = "origin"
endpoints = ["http://{upstream}"]

[[room]]
name = "{OPEN_ROOM}"
path = "/"
upstream = "origin"
total_active_users = 1_000_000
new_users_per_minute = 10_000_000
session_duration = "30m"

[[room]]
name = "{WAITING_ROOM}"
path = "/line"
upstream = "origin"
total_active_users = 1
new_users_per_minute = 60
poll_interval = {{ min = "1s", max = "1s" }}

[[rate_limit]]
name = "per-client"
scope = "client"
algorithm = "token_bucket"
rate_per_second = 1_000_000
burst = 1_000_000

[[rate_limit]]
name = "per-visitor"
scope = "visitor"
algorithm = "token_bucket"
rate_per_second = 1_000_000
burst = 1_000_000
"#
    )
}
