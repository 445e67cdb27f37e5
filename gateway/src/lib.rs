//! The gateway.

pub mod body;
pub mod clock;
pub mod entropy;
pub mod forward;
pub mod listener;
pub mod metrics;
pub mod problem;
pub mod shaping;
pub mod upstream;
