//! The booking API from the outside: its router in this process, its binary where the process matters. Every test ends
//! with the check of all rows against the invariants.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod damage;
mod holds;
mod keys;
mod load;
mod money;
mod pages;
mod postgres;
mod postgres_server;
mod process;
mod race;
mod restart;
mod tickets;
mod world;
