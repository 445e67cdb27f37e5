//! What a comparison is told on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::rush::options::duration;

/// The gateway side by side with bare servers.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The gateway's binary; without it the one beside this program
    #[arg(long)]
    pub usher: Option<PathBuf>,
    /// Rounds that count; one more goes before them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Requests to each server in a round
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub requests: u64,
    /// No request is begun after so long in a round
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub round_at_most: Duration,
    /// Keep-alive connections
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub connections: u16,
    /// Visitors in line; each poll is another's, so that nobody polls faster than the room allows
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub waiting: u32,
    /// Admitted visitors; each admitted request is another's
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub admitted: u32,
    /// The algorithm of admission tickets
    #[arg(long, default_value = "EdDSA", value_parser = ["EdDSA", "ES256", "HS256"])]
    pub algorithm: String,
    /// The core of the server that is measured
    #[arg(long, default_value_t = 0)]
    pub server_core: usize,
    /// The core of the generator and the upstream
    #[arg(long, default_value_t = 1)]
    pub load_core: usize,
    /// Write the results here as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
}
