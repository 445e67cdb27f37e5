//! What a visitor does, and how long each takes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::latency::{Percentiles, Spread};

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Asking for a place.
    Join,
    /// Asking for the position.
    Poll,
    /// The poll that brought the ticket.
    Claim,
    /// Leaving line or session.
    Leave,
    /// Becoming a customer.
    SignIn,
    /// Looking at the events.
    Events,
    /// Loading the seat map.
    Map,
    /// Looking at the seats.
    Units,
    /// Holding seats.
    Hold,
    /// Making the hold an order.
    Order,
    /// Paying.
    Pay,
}

impl Operation {
    /// Whether the waiting room answers it itself; all others are forwarded with a ticket.
    pub fn is_of_the_line(self) -> bool {
        matches!(self, Self::Join | Self::Poll | Self::Claim | Self::Leave)
    }

    /// The word for reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Poll => "poll",
            Self::Claim => "claim",
            Self::Leave => "leave",
            Self::SignIn => "sign in",
            Self::Events => "events",
            Self::Map => "map",
            Self::Units => "units",
            Self::Hold => "hold",
            Self::Order => "order",
            Self::Pay => "pay",
        }
    }
}

/// Times by operation, from the intended moment.
#[derive(Clone, Debug, Default)]
pub struct Times(BTreeMap<Operation, Spread>);

impl Times {
    /// Counts one.
    pub fn record(&mut self, operation: Operation, took: std::time::Duration) {
        self.0.entry(operation).or_default().record(took);
    }

    /// All of them together.
    pub fn all(&self) -> Spread {
        self.merged(|_| true)
    }

    /// One line for each operation, and one for all that passed with a ticket.
    pub fn rows(&self) -> Vec<(&'static str, Percentiles)> {
        let admitted = self.merged(|operation| !operation.is_of_the_line());
        let rows = self.0.iter().map(|(operation, spread)| (operation.word(), spread.percentiles()));
        rows.chain([("admitted request", admitted.percentiles())]).collect()
    }

    fn merged(&self, wanted: impl Fn(Operation) -> bool) -> Spread {
        let mut sum = Spread::default();
        self.0.iter().filter(|(operation, _)| wanted(**operation)).for_each(|(_, spread)| sum.merge(spread));
        sum
    }
}
