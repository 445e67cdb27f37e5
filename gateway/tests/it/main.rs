//! Everything the gateway promises from outside, in one binary.
#![allow(clippy::unwrap_used)]
// The lint knows `#[test]` functions, not the helpers beside them.
#![allow(clippy::unwrap_used)]

mod canonical;
mod client_addr;
mod config;
mod credentials;
mod page;
mod route;
