//! What was measured, for people and for programs.

use std::fmt;

use serde::Serialize;

/// What a look costs at one length.
#[derive(Debug, Serialize)]
pub struct Look {
    /// How many wait.
    pub waiting: u32,
    /// Changes that it brings.
    pub changes: u64,
    /// Time from asking to the answer, microseconds on average.
    pub micros: f64,
}

/// The figures.
#[derive(Debug, Serialize)]
pub struct LineReport {
    /// How many waited in the end.
    pub waiting: u32,
    /// Joins a second through one connection, on the wall clock.
    pub joins_per_second: f64,
    /// What a join costs the Redis, microseconds of its processor.
    pub redis_micros_per_join: f64,
    /// Script calls a join.
    pub calls_per_join: f64,
    /// What a waiting visitor weighs in the Redis, bytes.
    pub redis_bytes_per_waiting: f64,
    /// What the whole line weighs in a gateway that has followed it, bytes, every tenth having left.
    pub gateway_bytes: u64,
    /// Positions that were compared with the sorted set's rank.
    pub compared: u32,
    /// How many of them differed.
    pub wrong: u32,
    /// What a look costs.
    pub looks: Vec<Look>,
}

impl fmt::Display for LineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} waiting | |\n| --- | ---: |", self.waiting)?;
        writeln!(f, "| joins a second at the adapter | {:.0} |", self.joins_per_second)?;
        writeln!(f, "| Redis processor a join | {:.2} µs |", self.redis_micros_per_join)?;
        writeln!(f, "| script calls a join | {:.4} |", self.calls_per_join)?;
        writeln!(f, "| Redis memory a waiting visitor | {:.0} bytes |", self.redis_bytes_per_waiting)?;
        writeln!(f, "| a gateway's memory of the line | {} KiB |", self.gateway_bytes / 1_024)?;
        writeln!(f, "| positions unlike ZRANK, 10 % departed | {} of {} |", self.wrong, self.compared)?;
        for look in &self.looks {
            writeln!(
                f,
                "| a look with {} changes at {} waiting | {:.0} µs |",
                look.changes, look.waiting, look.micros
            )?;
        }
        Ok(())
    }
}
