//! Every way to reach a Redis, with real servers: what works through it, and what happens when it breaks.

mod ask;
mod away;
pub(crate) mod cluster;
mod cluster_tls;
mod confirm;
mod gateway;
mod half_open;
mod log;
mod sentinel;
mod server;
mod tls;
