//! Names of things: UUID version 7, written as text in documents and rows alike, so that an answer and its row can be
//! compared by eye.

use std::fmt;

use queue_core::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entropy;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(Uuid);

        #[allow(dead_code, reason = "not every kind of id is made and read")]
        impl $name {
            /// A new one: ordered by time, unguessable within the millisecond.
            pub(crate) fn new(now: Timestamp) -> Self {
                let random = entropy::draw();
                Self(uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid())
            }

            /// From its written form; `None` for anything but a UUID.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }

            pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    )+};
}

id! {
    /// Something one can buy a seat for.
    EventId,
    /// Who books and pays.
    CustomerId,
    /// A customer's right on seats for a while.
    HoldId,
    /// What a hold becomes.
    OrderId,
    /// A payment of an order.
    PaymentId,
    /// Money given back.
    RefundId,
    /// Points of one owner.
    AccountId,
    /// An immutable move of points.
    TransferId,
    /// One life of the seat publisher.
    FeedId,
}
