//! Everything that queue-core promises from outside, in one binary.
#![allow(clippy::unwrap_used)]

mod conformance;
mod differential;
mod keeping;
mod lease;
mod simulation;
mod support;
mod survival;
mod ticket;
mod topology;
