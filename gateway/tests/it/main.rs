//! Everything the gateway promises from outside, in one binary.
#![allow(clippy::unwrap_used)]

mod canonical;
mod client_addr;
mod config;
mod credentials;
mod journey;
mod page;
mod route;
