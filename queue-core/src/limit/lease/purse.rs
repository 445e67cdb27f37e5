//! A gateway's side of one key: what it has leased, and when to ask for more.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Ask, CALL_PERIOD, DECISIONS_PER_CALL, Grant, LIFETIME, size};
use crate::Timestamp;
use crate::limit::{Fill, Quota, Refusal, Rule as _, TokenBucket};

/// What a gateway does once its leases are spent and the store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Away {
    /// Goes on with its share of the limit, an equal part among the gateways last known.
    #[default]
    Share,
    /// Refuses.
    Closed,
    /// Lets everything through.
    Open,
}

/// How a gateway stands with the store, for all keys of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Gateways that use the limit, this one counted; 0 before the first answer.
    pub gateways: u32,
    /// Since when the store gives no answer, by this gateway's clock.
    pub away_since: Option<Timestamp>,
}

/// What a purse says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// It passes; [`Purse::charge`] it.
    Pass,
    /// There is nothing here: ask the store, and then again.
    Lease,
    /// It does not pass.
    Refuse(Refusal),
}

/// What one gateway holds of one key. All instants are by the gateway's own clock, which never steps back.
#[derive(Clone, Debug, Default)]
pub struct Purse {
    tokens: u32,
    until: Timestamp,
    number: u64,
    /// When the ask under way was sent.
    sent: Option<Timestamp>,
    /// When the last ask was sent; `None` before the first.
    asked: Option<Timestamp>,
    decisions: u32,
    /// The store has nothing before.
    none_before: Timestamp,
    /// The share in use, and the absence it belongs to.
    share: Option<(Timestamp, Fill)>,
}

const ONE: NonZeroU32 = NonZeroU32::MIN;

impl Purse {
    /// Whether a request passes at `now`. Counts it as a decision.
    pub fn ask(&mut self, quota: &Quota, standing: &Standing, away: Away, now: Timestamp) -> Spend {
        self.decisions = self.decisions.saturating_add(1);
        if self.has_tokens(now) {
            return Spend::Pass;
        }
        let Some(since) = standing.away_since else {
            return match self.sent.is_some() || self.may_call(now) {
                true => Spend::Lease,
                false => Spend::Refuse(Refusal::NotUntil(self.next_call(now).since(now))),
            };
        };
        match (away, quota.share(standing.gateways)) {
            (Away::Open, _) => Spend::Pass,
            (Away::Share, Some(share)) => match TokenBucket(share).ask(&self.share_since(since), now, ONE) {
                Ok(_) => Spend::Pass,
                Err(refusal) => Spend::Refuse(refusal),
            },
            (Away::Share, None) | (Away::Closed, _) => Spend::Refuse(Refusal::NotUntil(CALL_PERIOD)),
        }
    }

    /// Charges what [`ask`](Self::ask) said passes, with the same arguments.
    pub fn charge(&mut self, quota: &Quota, standing: &Standing, now: Timestamp) {
        if self.has_tokens(now) {
            self.tokens -= 1;
            return;
        }
        let Some((since, share)) = standing.away_since.zip(quota.share(standing.gateways)) else { return };
        let mut fill = self.share_since(since);
        TokenBucket(share).charge(&mut fill, now, ONE);
        self.share = Some((since, fill));
    }

    /// Whether the store should be asked, and nobody needs to wait for it: a lease is half used up, or the store may be
    /// back.
    pub fn wants_more(&self, quota: &Quota, standing: &Standing, now: Timestamp) -> bool {
        let low = !self.has_tokens(now) || self.tokens <= self.wanted(quota, standing, now) / 2;
        low && self.sent.is_none() && self.may_call(now)
    }

    /// The next ask, if it is time for one; it counts as under way from here.
    pub fn begin(&mut self, key: u128, quota: &Quota, standing: &Standing, now: Timestamp) -> Option<Ask> {
        if self.sent.is_some() || !self.may_call(now) {
            return None;
        }
        let wanted = self.wanted(quota, standing, now);
        let (held, back) = if self.has_tokens(now) { (self.tokens, 0) } else { (0, self.tokens) };
        let want = wanted.checked_sub(held).filter(|want| *want > 0)?;
        self.tokens = held;
        // Larger than those of an earlier purse of this key that was forgotten meanwhile.
        self.number = (self.number + 1).max(now.as_micros());
        self.sent = Some(now);
        self.asked = Some(now);
        self.decisions = 0;
        Some(Ask { key, number: self.number, held, back, want })
    }

    /// The store's answer to the ask with this number; one that nobody waits for any more is ignored.
    pub fn answered(&mut self, number: u64, grant: &Grant, now: Timestamp) {
        let Some(sent) = self.sent.filter(|_| number == self.number) else { return };
        self.sent = None;
        self.tokens = self.tokens.min(grant.kept) + grant.granted;
        self.until = sent + LIFETIME;
        if grant.granted == 0 {
            self.none_before = now + grant.wait;
        }
    }

    /// The ask with this number was not answered in time. An answer that comes later is ignored.
    pub fn failed(&mut self, number: u64) {
        if number == self.number {
            self.sent = None;
        }
    }

    /// Requests that would pass at once at `now`.
    pub fn remaining(&self, now: Timestamp) -> u32 {
        if self.has_tokens(now) { self.tokens } else { 0 }
    }

    /// From when on nothing is lost by forgetting it.
    pub fn rests_from(&self, quota: &Quota, standing: &Standing) -> Timestamp {
        let leased = match self.sent {
            // Its answer must find it.
            Some(sent) => sent + LIFETIME + LIFETIME,
            None => self.until.max(self.none_before).max(self.asked.unwrap_or_default() + CALL_PERIOD),
        };
        match (&self.share, quota.share(standing.gateways)) {
            (Some((since, fill)), Some(share)) if standing.away_since == Some(*since) => {
                leased.max(TokenBucket(share).rests_from(fill))
            }
            _ => leased,
        }
    }

    fn has_tokens(&self, now: Timestamp) -> bool {
        self.tokens > 0 && now < self.until
    }

    fn wanted(&self, quota: &Quota, standing: &Standing, now: Timestamp) -> u32 {
        let elapsed = self.asked.map_or(Duration::MAX, |asked| now.since(asked));
        size(quota, standing.gateways, self.decisions, elapsed)
    }

    fn may_call(&self, now: Timestamp) -> bool {
        now >= self.next_call(now)
    }

    fn next_call(&self, now: Timestamp) -> Timestamp {
        let Some(asked) = self.asked else { return now };
        let by_pace = if self.decisions >= DECISIONS_PER_CALL { now } else { asked + CALL_PERIOD };
        by_pace.max(self.none_before)
    }

    /// The share's bucket in this absence: empty when it began, and while there still was a lease.
    fn share_since(&self, since: Timestamp) -> Fill {
        match self.share {
            Some((absence, fill)) if absence == since => fill,
            _ => Fill::empty(since.max(self.until)),
        }
    }
}
