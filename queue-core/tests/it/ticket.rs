//! Queue tokens and admission tickets: what is signed is read, and nothing else is.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod changed_bytes;
mod claims;
mod fixture;
mod foreign;
mod forge;
mod golden;
mod header;
mod jwks;
mod provisional;
mod rotation;
mod round_trip;
mod secrets;
mod time;
