//! The gateway.

pub mod canonical;
pub mod client_addr;
pub mod config;
pub mod credentials;
pub mod route;
