//! The store port for limits that hold over several gateways; the rules are in [`crate::limit::lease`].

use std::future::Future;
use std::pin::Pin;

use super::{GatewayId, Moment, StoreError};
use crate::Timestamp;
use crate::limit::Quota;
use crate::limit::lease::{Ask, Grant};

/// What travels with every call about a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseCaller {
    /// Who asks: a number no other gateway has, and none had before.
    pub gateway: GatewayId,
    /// The life it last heard of; 0 before the first answer.
    pub life: u64,
    /// Shared time of that life cannot be later than this; `None` before the first answer.
    pub latest: Option<Timestamp>,
}

/// What a store says about a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The life of its data; every bucket was empty when it began.
    pub life: u64,
    /// When it was carried out.
    pub at: Moment,
    /// Gateways heard of late, the caller counted.
    pub gateways: u32,
    /// One answer for each question, in its order.
    pub grants: Vec<Grant>,
}

/// A store's pending answer about a limit.
pub type PendingLease<'a> = Pin<Box<dyn Future<Output = Result<Leased, StoreError>> + Send + 'a>>;

/// Where limits over several gateways are kept.
pub trait LeaseStore: Send + Sync + 'static {
    /// Leases tokens of the limit with this name, in one atomic step that may be repeated; without questions it only says
    /// that the caller is there. At most [`MAX_BATCH`](super::MAX_BATCH) questions.
    ///
    /// # Errors
    /// [`StoreError`] when there is no answer in time, or the store does not write. What was leased then is not to be spent.
    fn lease<'a>(&'a self, limit: &'a str, caller: LeaseCaller, quota: Quota, asks: Vec<Ask>) -> PendingLease<'a>;
}

/// The most resting buckets that one call forgets.
pub(super) const FORGOTTEN_PER_CALL: usize = 100;
