//! The servers of a run: a Redis and its gateways, ended with their guards.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use queue_core::ticket::{Algorithm, PrivateKeySource};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::options::Options;
use crate::clock::{Clock, Moment};
use crate::compare::usher::{beside_this_program, free_addresses};
use crate::entropy;
use crate::http::{Ask, Pool, Target};

/// The room's name.
pub(super) const ROOM: &str = "concert";

/// Servers that know of no line are up within milliseconds.
const READY_WITHIN: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// All servers of a run.
pub(super) struct Servers {
    redis: Option<Server>,
    gateways: Vec<Gateway>,
    redis_server: PathBuf,
    redis_port: u16,
    clock: Clock,
    /// Removed last.
    folder: TempDir,
}

/// A gateway's process and where it listens.
struct Gateway {
    process: Server,
    public: SocketAddr,
    admin: SocketAddr,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Its only state is in its memory and a temporary folder.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Servers {
    /// Starts all and waits until they answer.
    pub(super) async fn start(options: &Options, clock: Clock) -> anyhow::Result<Self> {
        let usher = options.usher.clone().map_or_else(beside_this_program, Ok)?;
        ensure!(usher.is_file(), "{} is not built", usher.display());
        let [redis, _] = free_addresses()?;
        let (folder, redis_server) = (tempfile::tempdir()?, options.redis_server.clone());
        let mut servers =
            Self { redis: None, gateways: Vec::new(), redis_server, redis_port: redis.port(), clock, folder };
        servers.start_redis().await?;
        let key = PrivateKeySource::generate_text(Algorithm::EdDsa, entropy::key())?;
        std::fs::write(servers.folder.path().join("ticket.key"), key.expose_secret())?;
        for number in 0..options.gateways {
            let gateway = servers.gateway(&usher, number, options)?;
            servers.gateways.push(gateway);
        }
        for gateway in &servers.gateways {
            servers.answers(gateway).await?;
        }
        Ok(servers)
    }

    /// The Redis, started with nothing.
    async fn start_redis(&mut self) -> anyhow::Result<()> {
        let port = self.redis_port.to_string();
        let mut server = Command::new(&self.redis_server);
        server.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        server.arg("--dir").arg(self.folder.path());
        self.redis = Some(spawn(&mut server, &self.folder.path().join("redis.log"))?);
        let (clock, limit) = (self.clock, self.clock.now() + READY_WITHIN);
        while clock.now() < limit {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.redis_port)).await.is_ok() {
                return Ok(());
            }
            clock.sleep_until(clock.now() + LOOK_AGAIN).await;
        }
        bail!("the Redis does not answer");
    }

    /// Kills the Redis and starts it again with nothing.
    pub(super) async fn restart_redis(&mut self) -> anyhow::Result<()> {
        self.redis = None;
        self.start_redis().await
    }

    pub(super) fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.redis_port)
    }

    /// Connections to every gateway's public listener.
    pub(super) fn pools(&self, connections: u16) -> anyhow::Result<Vec<Pool>> {
        let pool = |gateway: &Gateway| {
            Ok(Pool::new(Target::parse(&format!("http://{}", gateway.public))?.0, connections.into()))
        };
        self.gateways.iter().map(pool).collect()
    }

    /// Where the gateways' metrics are.
    pub(super) fn metrics(&self) -> Vec<String> {
        self.gateways.iter().map(|gateway| format!("http://{}/metrics", gateway.admin)).collect()
    }

    /// Processor time of the gateways and of the Redis so far.
    pub(super) fn cpu(&self) -> (Duration, Duration) {
        let used = |server: &Server| crate::cpu::used_by(server.0.id()).unwrap_or_default();
        let gateways = self.gateways.iter().map(|gateway| used(&gateway.process)).sum();
        (gateways, self.redis.as_ref().map(used).unwrap_or_default())
    }

    fn gateway(&self, usher: &Path, number: u8, options: &Options) -> anyhow::Result<Gateway> {
        let [public, admin] = free_addresses()?;
        let file = |name: &str| self.folder.path().join(format!("usher-{number}.{name}"));
        let config = file("toml");
        std::fs::write(&config, configuration(public, admin, &self.redis_url(), options))?;
        let mut command = Command::new(usher);
        command.args(["run", "--config"]).arg(&config);
        Ok(Gateway { process: spawn(&mut command, &file("log"))?, public, admin })
    }

    async fn answers(&self, gateway: &Gateway) -> anyhow::Result<()> {
        let pool = Pool::new(Target::parse(&format!("http://{}", gateway.admin))?.0, 1);
        let ask = Ask::get("/readyz");
        let (clock, limit): (Clock, Moment) = (self.clock, self.clock.now() + READY_WITHIN);
        while clock.now() < limit {
            if pool.send(&clock, &ask).await.is_ok_and(|answer| answer.status.is_success()) {
                return Ok(());
            }
            clock.sleep_until(clock.now() + LOOK_AGAIN).await;
        }
        bail!("a gateway does not get ready; its log:\n{}", self.logs())
    }

    /// What the gateways wrote.
    fn logs(&self) -> String {
        let read = |number| std::fs::read_to_string(self.folder.path().join(format!("usher-{number}.log")));
        (0..self.gateways.len()).map(|number| read(number).unwrap_or_default()).collect()
    }
}

fn spawn(command: &mut Command, log: &Path) -> anyhow::Result<Server> {
    let log = std::fs::File::create(log)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let program = command.get_program().to_owned();
    Ok(Server(command.spawn().with_context(|| format!("{} cannot be started", program.display()))?))
}

/// Nobody is let through to an upstream: whoever is in leaves after a while.
fn configuration(public: SocketAddr, admin: SocketAddr, redis: &str, options: &Options) -> String {
    let Options { limit, rate, session, .. } = options;
    let session = session.as_secs();
    format!(
        r#"version = 1

[[listener]]
name = "public"
bind = "{public}"
insecure_cookies = true

[admin]
bind = "{admin}"

[store]
url = "{redis}"

[tickets]
issuer = "http://sale.example"
algorithm = "EdDSA"
key = [{{ id = "wipe", private_key_file = "ticket.key" }}]

[[upstream]]
name = "nobody"
endpoints = ["http://127.0.0.1:9"]

[[room]]
name = "{ROOM}"
upstream = "nobody"
total_active_users = {limit}
new_users_per_minute = {rate}
session_duration = "{session}s"

[telemetry]
access_log = false
"#
    )
}
