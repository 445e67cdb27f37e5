//! The `RateLimit-Policy` and `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers-10).
//!
//! An answer tells the policies of the limits that concern its client or visitor alone, and what the tightest of them has
//! left. A refusal tells the limit that refused, whichever it is. There is no partition key: it would be an address or a
//! visitor.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{Integer, KeyRef, ListSerializer, StringRef};

use super::limit::{LimitSettings, Scope};
use super::{Limited, Passed, whole_seconds};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is told of the limits.
#[derive(Debug)]
pub struct Fields {
    /// The policies told with every answer, if there are any.
    policies: Option<HeaderValue>,
    /// Each limit's own.
    limits: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    name: Box<str>,
    policy: Option<HeaderValue>,
}

impl Fields {
    pub(super) fn new(limits: &[LimitSettings]) -> Self {
        let own: Vec<_> = limits.iter().filter(|limit| matches!(limit.scope, Scope::Client | Scope::Visitor)).collect();
        let told = |limit: &LimitSettings| Told { name: (&*limit.name).into(), policy: policies(&[limit]) };
        Self { policies: policies(&own), limits: limits.iter().map(told).collect() }
    }

    /// Adds to the answer of a request that passed; beside fields that the upstream set for limits of its own.
    pub fn passed(&self, passed: &Passed, headers: &mut HeaderMap) {
        let Some(tightest) = &passed.tightest else { return };
        let state = state(&self.limits[tightest.index].name, tightest.requests, whole_seconds(tightest.full_in));
        append(headers, self.policies.as_ref(), state);
    }

    /// Adds to a refusal.
    pub fn limited(&self, limited: &Limited, headers: &mut HeaderMap) {
        let told = &self.limits[limited.index];
        append(headers, told.policy.as_ref(), state(&told.name, 0, limited.retry_after_seconds()));
    }
}

fn append(headers: &mut HeaderMap, policy: Option<&HeaderValue>, state: Option<HeaderValue>) {
    if let Some((policy, state)) = policy.zip(state) {
        headers.append(RATE_LIMIT_POLICY, policy.clone());
        headers.append(RATE_LIMIT, state);
    }
}

/// `"per-client";q=40;w=2`: 40 requests in 2 seconds.
fn policies(limits: &[&LimitSettings]) -> Option<HeaderValue> {
    let (quota, window) = (KeyRef::from_str("q").ok()?, KeyRef::from_str("w").ok()?);
    let mut list = ListSerializer::new();
    for limit in limits {
        let of = limit.rule.quota();
        list.bare_item(StringRef::from_str(&limit.name).ok()?)
            .parameter(quota, Integer::from(of.burst()))
            .parameter(window, integer(whole_seconds(of.window())));
    }
    HeaderValue::try_from(list.finish()?).ok()
}

/// `"per-client";r=39;t=1`: 39 are left, and all are there again in a second.
fn state(name: &str, remaining: u32, seconds: u64) -> Option<HeaderValue> {
    let (left, until) = (KeyRef::from_str("r").ok()?, KeyRef::from_str("t").ok()?);
    let mut list = ListSerializer::new();
    list.bare_item(StringRef::from_str(name).ok()?)
        .parameter(left, Integer::from(remaining))
        .parameter(until, integer(seconds));
    HeaderValue::try_from(list.finish()?).ok()
}

/// As large as the format allows.
fn integer(number: u64) -> Integer {
    Integer::try_from(number).unwrap_or(Integer::MAX)
}
