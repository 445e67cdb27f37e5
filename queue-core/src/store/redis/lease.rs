//! Leased limits in Redis: one script, called with a few questions at a time.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Value;

use super::RedisStore;
use super::link::Script;
use super::reply::{integer, list, text};
use super::scripts::Arguments;
use crate::Timestamp;
use crate::limit::Quota;
use crate::limit::lease::{Ask, Grant, LIFETIME, MARGIN, MEMBER_FOR};
use crate::store::lease::FORGOTTEN_PER_CALL;
use crate::store::{Caller, LeaseCaller, LeaseStore, Leased, Moment, PendingLease, StoreError};

static LEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lease.lua")));

impl LeaseStore for RedisStore {
    fn lease<'a>(&'a self, limit: &'a str, caller: LeaseCaller, quota: Quota, asks: Vec<Ask>) -> PendingLease<'a> {
        Box::pin(async move {
            let at = Caller { latest: caller.latest, ..Caller::newcomer() };
            let mut list = Arguments::begin(&at, self.clock.as_ref());
            list.text(&format!("{:016x}", caller.gateway.0)).number(caller.life);
            list.number(quota.tokens()).number(quota.period_us()).number(quota.burst());
            list.span(LIFETIME + MARGIN).span(MEMBER_FOR).number(FORGOTTEN_PER_CALL as u64);
            for ask in &asks {
                list.text(&format!("{:032x}", ask.key)).number(ask.number);
                list.number(ask.held).number(ask.back).number(ask.want);
            }
            let answer = self.link.invoke(&LEASE, &format!("usher:{{{limit}}}"), &list, self.deadline).await?;
            leased(&answer, asks.len())
                .ok_or_else(|| StoreError::Script(format!("a lease that cannot be read: {answer:.200?}")))
        })
    }
}

fn leased(answer: &Value, asked: usize) -> Option<Leased> {
    let [kind, life, time, host, gateways, grants] = list(answer)? else { return None };
    if text(kind)? != "leased" {
        return None;
    }
    let grants: Vec<Grant> = list(grants)?.iter().map(grant).collect::<Option<_>>()?;
    let moment = |value| integer(value).map(Timestamp::from_millis);
    let leased = Leased {
        life: integer(life)?,
        at: Moment { time: moment(time)?, host: moment(host)? },
        gateways: u32::try_from(integer(gateways)?).ok()?,
        grants,
    };
    (leased.grants.len() == asked).then_some(leased)
}

fn grant(value: &Value) -> Option<Grant> {
    let [granted, kept, wait] = list(value)? else { return None };
    Some(Grant {
        granted: u32::try_from(integer(granted)?).ok()?,
        kept: u32::try_from(integer(kept)?).ok()?,
        wait: Duration::from_millis(integer(wait)?),
    })
}
