//! The gateway from outside, in one binary.

mod canonical;
mod client_addr;
mod config;
mod credentials;
mod route;
