//! Why a request is refused: data, which the HTTP layer turns into a problem document.

use queue_core::Timestamp;

use crate::ids::OrderId;
use crate::money::Points;

/// The state of a unit that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Held by someone, for now.
    Held,
    /// Sold.
    Sold,
    /// Kept back by the seller.
    Blocked,
}

impl Taken {
    /// Its word in documents and rows.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Blocked => "blocked",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Held, Self::Sold, Self::Blocked].into_iter().find(|taken| taken.word() == word)
    }
}

/// A request that the rules do not allow. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not there, or not the caller's: the two are one answer.
    NotFound,
    /// Units that someone else has. None of the others was taken.
    UnitsUnavailable(Vec<(String, Taken)>),
    /// More units than one customer may have of an event.
    LimitExceeded { limit: usize, current: usize },
    /// The sale begins later.
    SaleNotOpen { opens_at: Timestamp },
    /// The sale is over.
    SaleClosed { closed_at: Timestamp },
    /// The hold's time is over.
    HoldExpired { expired_at: Timestamp },
    /// The hold was given back.
    HoldReleased,
    /// The hold has become an order already.
    HoldConsumed { order: OrderId },
    /// No hold lasts that long.
    HoldCeiling { max_expires_at: Timestamp },
    /// The order is in a state that does not allow it.
    OrderState { state: &'static str },
    /// The order was not paid in time.
    OrderExpired { deadline: Timestamp },
    /// Fewer points than due.
    InsufficientBalance { balance: Points, due: Points },
    /// Too late to give seats back.
    NotCancellable { from: &'static str },
    /// The key was used for another request.
    IdempotencyMismatch,
}
