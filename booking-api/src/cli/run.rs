//! `booking-api run`

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use queue_core::RoomId;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Failed;
use super::seed::put_on_sale;
use crate::clock::SystemClock;
use crate::ticket::{KeysUrl, Tickets};
use crate::{App, Database, Settings, server};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("guard").args(["jwks_url", "open"]).required(true)))]
pub(super) struct Run {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8090")]
    bind: SocketAddr,
    /// sqlite:PATH or postgres://USER@HOST/NAME
    #[arg(long, env = "BOOKING_DATABASE", hide_env_values = true)]
    database: String,
    /// Where the gateway publishes its ticket keys, http://HOST:PORT/_usher/jwks.json
    #[arg(long, value_name = "URL")]
    jwks_url: Option<String>,
    /// Who signs the tickets, as the gateway's config says
    #[arg(long, default_value = "https://tickets.example.com")]
    issuer: String,
    /// Whose tickets are good here
    #[arg(long, default_value = "concert")]
    room: String,
    /// Let everyone in, without tickets: for local use
    #[arg(long)]
    open: bool,
    /// Put this event on sale first, unless it is
    #[arg(long, value_name = "NAME")]
    seed: Option<String>,
    /// How many seats it has
    #[arg(long, default_value_t = 5_000, requires = "seed")]
    seats: u32,
    /// Points that a new demo customer gets
    #[arg(long, default_value_t = 1_000_000, value_name = "POINTS", value_parser = clap::value_parser!(i64).range(0..=1_000_000_000_000))]
    grant: i64,
}

impl Run {
    pub(super) async fn execute(self) -> Result<ExitCode, Failed> {
        let config = |error: &dyn std::fmt::Display| Failed::Config(error.to_string());
        let keys_url = match self.jwks_url.as_deref() {
            Some(url) => Some(KeysUrl::parse(url).map_err(|error| Failed::Config(format!("--jwks-url: {error}")))?),
            None => None,
        };
        let room = RoomId::new(&self.room).map_err(|error| Failed::Config(format!("--room: {error}")))?;
        let tickets = keys_url.as_ref().map(|_| Arc::new(Tickets::new(room, self.issuer.clone())));
        let listener = TcpListener::bind(self.bind)
            .await
            .map_err(|error| Failed::Work(format!("cannot listen on {}: {error}", self.bind)))?;
        let database = Database::open(&self.database).await.map_err(|error| config(&error))?;
        let clock = Arc::new(SystemClock::default());
        if let Some(name) = &self.seed {
            put_on_sale(&database, &*clock, name, self.seats).await?;
        }
        let failed = |error: &dyn std::fmt::Display| Failed::Work(error.to_string());
        let settings = Settings { tickets, keys_url, grant: self.grant };
        let app = App::start(database, clock, settings).await.map_err(|error| failed(&error))?;
        let mut term = signal(SignalKind::terminate()).map_err(|error| failed(&error))?;
        let mut int = signal(SignalKind::interrupt()).map_err(|error| failed(&error))?;
        let shutdown = async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        };
        if self.open {
            tracing::warn!("admission tickets are not checked");
        }
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        tracing::info!(%address, "listening");
        server::run(listener, app, shutdown).await.map_err(|error| failed(&error))?;
        tracing::info!("ended");
        Ok(ExitCode::SUCCESS)
    }
}
