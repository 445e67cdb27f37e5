//! Integration tests of the gateway.
#![allow(missing_docs, clippy::unwrap_used)]

mod edge_listener;
mod edge_support;
mod edge_upstream;
