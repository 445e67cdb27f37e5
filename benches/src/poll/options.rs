//! What a run of pollers is told on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::rush::options::duration;

/// Visitors who join and then only poll.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A gateway's public address; several gateways may share one line
    #[arg(long = "url", required = true)]
    pub urls: Vec<String>,
    /// How many visitors; those who get straight in stay inside without doing anything, so let there be more than slots
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub visitors: u32,
    /// The room
    #[arg(long, default_value = "concert")]
    pub room: String,
    /// Within how long everyone joins
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub arrive: Duration,
    /// How long to poll once everyone has joined
    #[arg(long = "for", default_value = "30s", value_parser = duration)]
    pub span: Duration,
    /// How long to look at the store in silence afterwards
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub quiet: Duration,
    /// Keep-alive connections to each gateway
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    pub connections: u16,
    /// The gateways' metrics
    #[arg(long)]
    pub metrics: Vec<String>,
    /// Everyone must have joined by then
    #[arg(long, default_value = "2m", value_parser = duration)]
    pub deadline: Duration,
    /// Write the results here as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// The same seed gives the same arrivals
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}
