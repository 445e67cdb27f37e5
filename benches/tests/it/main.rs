//! The crowd and the baselines against servers that behave, and servers that break one rule each.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod baseline;
mod compare;
mod database;
mod fake;
mod poll;
mod rush;
