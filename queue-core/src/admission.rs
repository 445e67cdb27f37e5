//! The rule that every admission passes, whoever asks: the claim step of every store applies it atomically.

use std::time::Duration;

use crate::bucket::{Bucket, Rate};
use crate::{Limits, Timestamp};

/// Why somebody cannot enter now, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The room has not opened; it will after this long.
    NotOpen(Duration),
    /// The room has closed.
    Closed,
    /// An operator stopped admission.
    Paused,
    /// Calls are held after a loss of data, for this long.
    Holding(Duration),
    /// The cohort is full.
    CohortFull,
    /// The rate is used up; a token is there after this long.
    RateLimited(Duration),
}

/// What the admission rule looks at.
#[derive(Clone, Copy, Debug)]
pub struct Admission<'a> {
    /// The limits in force.
    pub limits: &'a Limits,
    /// Whether an operator paused the room.
    pub paused: bool,
    /// Until when calls are held after a loss of data.
    pub hold_until: Timestamp,
    /// Live sessions, those in their leeway and unknown ones counted.
    pub sessions: u32,
}

impl Limits {
    /// The pace of admissions.
    pub const fn rate(&self) -> Rate {
        Rate { per_minute: self.new_users_per_minute, burst: self.burst }
    }
}

impl Admission<'_> {
    /// Whether the room lets anybody in at `now`, whatever the cohort and the rate.
    ///
    /// # Errors
    /// The reason why not.
    pub fn door(&self, now: Timestamp) -> Result<(), Refusal> {
        if let Some(opens) = self.limits.opens_at
            && now < opens
        {
            return Err(Refusal::NotOpen(opens.since(now)));
        }
        if self.limits.closes_at.is_some_and(|closes| now >= closes) {
            return Err(Refusal::Closed);
        }
        if self.paused || self.limits.queue_all {
            return Err(Refusal::Paused);
        }
        if now < self.hold_until {
            return Err(Refusal::Holding(self.hold_until.since(now)));
        }
        Ok(())
    }

    /// Admits one more at `now`: takes a token from the bucket.
    ///
    /// # Errors
    /// The reason why not, and when to come back; the bucket then keeps its tokens.
    pub fn admit(&self, bucket: &mut Bucket, now: Timestamp) -> Result<(), Refusal> {
        self.door(now)?;
        if self.sessions >= self.limits.total_active_users {
            return Err(Refusal::CohortFull);
        }
        bucket.take(self.limits.rate(), now).map_err(Refusal::RateLimited)
    }
}
