//! The gateway.
pub mod page;
