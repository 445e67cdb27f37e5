//! The limits in force: kept in the room's state, read there by every step.

use crate::Timestamp;

/// What bounds admission. Lives in the room's state with its own version, so that gateways with different
/// configurations during a rolling reload cannot mix two caps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most live sessions.
    pub total_active_users: u32,
    /// Admissions per minute.
    pub new_users_per_minute: u32,
    /// Admissions at once after a quiet time, at least 1.
    pub burst: u32,
    /// The most visitors in the line.
    pub max_line_length: u32,
    /// Nobody is admitted, everybody waits.
    pub queue_all: bool,
    /// Nobody enters before this instant.
    pub opens_at: Option<Timestamp>,
    /// Nobody joins or enters from this instant on.
    pub closes_at: Option<Timestamp>,
}

impl Limits {
    /// One second of the rate, at least 1.
    pub const fn default_burst(new_users_per_minute: u32) -> u32 {
        let second = new_users_per_minute / 60;
        if second == 0 { 1 } else { second }
    }
}
