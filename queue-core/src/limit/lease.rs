//! One limit over several gateways: a token bucket in the store, of which each gateway leases some tokens at a time.
//!
//! **Exact.** Tokens in the store and tokens leased and not known to be spent are together never more than the burst, and
//! only time makes new ones, at the rate. So in any time `w` all gateways together pass at most `burst + rate × w`, whatever
//! is lost on the way:
//!
//! * A lease is spent within [`LIFETIME`] of the moment it was asked for, or not at all. The store counts it against the
//!   burst until [`MARGIN`] after that: a gateway that crashes costs what it held, for that long.
//! * Asks are numbered. The same number twice is the same grant; an earlier number than the last does nothing. A lost answer
//!   is a lease that nobody spends.
//! * Data that was lost, or that another server goes on with, begins a new life: every bucket empty, nothing leased
//!   before all earlier leases have ended. What they held is forfeited. So it is at a first start too.
//! * Time is the store's, as for rooms: a step of its clock that no gateway saw pass is not believed.
//!
//! **Cheap.** A gateway asks for one key at most once per [`DECISIONS_PER_CALL`] decisions or [`CALL_PERIOD`], whichever is
//! sooner, and for as much as it needs until then ([`size`]); everything else is decided from its [`Purse`].
//!
//! **While the store is away** a gateway goes on with what it has leased, and then by [`Away`]. The default is its share: an
//! equal part of the limit among the gateways that were last known, starting from nothing. Shares add up to the limit, but
//! know nothing of each other: where only some gateways are cut off, the others still lease the whole, and going in and
//! out of an absence can cost a burst. Whoever needs the exact bound at any price takes [`Away::Closed`].

mod purse;

use std::time::Duration;

pub use self::purse::{Away, Purse, Spend, Standing};
use super::Quota;

/// How long a gateway may spend a lease, from asking for it.
pub const LIFETIME: Duration = Duration::from_secs(1);

/// How much longer the store counts a lease as unspent: more than shared time can run ahead of true time by a jump of the
/// store's clock.
pub const MARGIN: Duration = Duration::from_millis(500);

/// How often a gateway tells the store that it is there, asking or not.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a gateway counts as there after it was last heard: three heartbeats.
pub const MEMBER_FOR: Duration = Duration::from_secs(3);

/// Decisions about one key after which the store may be asked again: 50 for a call, with room for heartbeats.
pub const DECISIONS_PER_CALL: u32 = 60;

/// The time after which the store may be asked again about one key, however few decisions there were.
pub const CALL_PERIOD: Duration = Duration::from_millis(100);

/// What a lease is to last: two call periods, so that the next ask goes out before this one is used up.
const HORIZON: Duration = Duration::from_millis(200);

/// A gateway's question about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whose tokens.
    pub key: u128,
    /// 1 more than the last of this gateway about this key.
    pub number: u64,
    /// Tokens that were leased and may still be spent.
    pub held: u32,
    /// Tokens that were leased and never will be spent.
    pub back: u32,
    /// Tokens wanted besides.
    pub want: u32,
}

/// The store's answer about one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Tokens leased with this answer.
    pub granted: u32,
    /// How many of those held before may still be spent.
    pub kept: u32,
    /// When nothing was granted: not before this has passed.
    pub wait: Duration,
}

/// How many tokens a gateway should hold, when it made so many decisions in so long a time: enough for two call periods, at
/// least for one call's worth of decisions; and all gateways together never more than half of the burst, since what is
/// leased leaves no room for what comes back meanwhile.
pub fn size(quota: &Quota, gateways: u32, decisions: u32, elapsed: Duration) -> u32 {
    let demand = u128::from(decisions) * HORIZON.as_micros() / elapsed.as_micros().max(1);
    let demand = u32::try_from(demand).unwrap_or(u32::MAX).max(DECISIONS_PER_CALL);
    let most = quota.burst() / gateways.max(1).saturating_mul(2);
    demand.min(most).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lease follows the demand, is never less than a call is worth, and leaves half of the burst to the others.
    #[test]
    fn leases_follow_the_demand() {
        let quota = Quota::per_second(10_000.0, 8_000).unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(size(&quota, 2, 5_000, second), 1_000);
        assert_eq!(size(&quota, 2, 3, second), DECISIONS_PER_CALL);
        assert_eq!(size(&quota, 2, u32::MAX, Duration::ZERO), 2_000);
        assert_eq!(size(&Quota::per_second(1.0, 3).unwrap(), 9, 100, second), 1);
    }
}
