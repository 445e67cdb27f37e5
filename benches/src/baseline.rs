//! Bare servers to hold the gateway against: what the same hyper does when it checks nothing.

pub mod fixed;
pub mod origin;
pub mod proxy;
mod workers;

use std::net::SocketAddr;

use clap::Args;

pub use workers::run;

/// Where a baseline listens and on how many cores.
#[derive(Clone, Copy, Debug, Args)]
pub struct Bind {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub bind: SocketAddr,
    /// Threads, each with its own runtime and listener; for one pinned core: `taskset -c 0 baseline … --workers 1`
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
}
