//! The system behind the line: events with numbered seats, holds, orders and points; nothing is sold twice.
//!
//! # How a seat is sold
//!
//! `http` reads a request and who asks, `board` says an early "no" from memory when it is certain, and everything else
//! goes through one bounded queue to `store::writer`, which runs many commands in one transaction, each in its own
//! savepoint, and answers after the commit. Every rule is a condition of a statement (`store::command`): what the
//! statement changed is the answer. Only the database says "yes".
//!
//! # Invariants
//!
//! B1 one live owner per seat, sold seats = paid order lines · B3 a hold past its time gives no right · B4 a hold has
//! all its lines or none · B5 one order per hold, captured ≤ total · B8 double entry, balances never negative ·
//! B11 one effect per idempotency key. [`checker`] evaluates them over the rows.
//!
//! Time and entropy enter in `clock` and `entropy` alone; every decision is told its `now`.

mod app;
mod board;
mod catalogue;
pub mod checker;
pub mod cli;
pub mod clock;
mod entropy;
mod hall;
mod http;
mod identity;
mod ids;
mod metrics;
mod money;
mod refusal;
pub mod seed;
pub mod server;
mod store;
pub mod ticket;

pub use app::{App, AppError, Settings, Writers};
pub use checker::{Finding, check};
pub use http::router;
pub use store::{Database, DatabaseError};
