//! Everything the gateway promises from outside, in one binary.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod canonical;
mod client_addr;
mod config;
mod credentials;
mod edge_endpoints;
mod edge_http2;
mod edge_listener;
mod edge_support;
mod edge_upstream;
mod faults;
mod journey;
mod page;
mod route;
