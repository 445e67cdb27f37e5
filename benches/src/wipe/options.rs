//! What the loss of a long line is told on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::rush::options::duration;

/// A long line whose store is wiped. Starts its own Redis and its own gateways, and ends them.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How many wait when it happens
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub waiting: u32,
    /// What happens to the store
    #[arg(long, value_enum, default_value_t = Loss::Flushed)]
    pub loss: Loss,
    /// Gateways that share the line
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub gateways: u8,
    /// The room's `total_active_users`
    #[arg(long, default_value_t = 2_000)]
    pub limit: u32,
    /// The room's `new_users_per_minute`; the burst is one second of it
    #[arg(long, default_value_t = 30_000)]
    pub rate: u32,
    /// The room's `session_duration`
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub session: Duration,
    /// How long a visitor stays inside on average
    #[arg(long, default_value = "2s", value_parser = duration)]
    pub stay: Duration,
    /// Joins a second while the line is filled
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub joins_per_second: u32,
    /// How long everybody polls as told before it happens
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub calm: Duration,
    /// Everybody who polls must be in the store again this long after it happened
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub within: Duration,
    /// How long everybody goes on polling after it happened
    #[arg(long = "for", default_value = "150s", value_parser = duration)]
    pub span: Duration,
    /// Keep-alive connections to each gateway
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    pub connections: u16,
    /// The gateway's program; without it the one beside this program
    #[arg(long)]
    pub usher: Option<PathBuf>,
    /// The Redis server's program
    #[arg(long, default_value = "redis-server")]
    pub redis_server: PathBuf,
    /// Write the results here as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The same seed gives the same haste and the same stays
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

/// What happens to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// FLUSHALL
    Flushed,
    /// SIGKILL, and started again with nothing
    Restarted,
    /// Nothing: what the others are compared with
    Nothing,
}
