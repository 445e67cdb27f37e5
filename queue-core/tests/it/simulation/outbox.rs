//! What a gateway's visitors want, gathered into calls.

use queue_core::store::{Arrival, Claim, Departure, Ending, Renewal};

use super::wire::Request;

/// What its visitors want and was not sent yet: what arrives meanwhile goes as one call.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) joins: Vec<Arrival>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) renewals: Vec<Renewal>,
    pub(crate) endings: Vec<Ending>,
    pub(crate) departures: Vec<Departure>,
}

impl Outbox {
    /// Empties it into calls.
    pub(crate) fn take(&mut self) -> Vec<Request> {
        fn some<T>(items: &mut Vec<T>, request: fn(Vec<T>) -> Request) -> Option<Request> {
            (!items.is_empty()).then(|| request(std::mem::take(items)))
        }
        [
            some(&mut self.joins, Request::Join),
            some(&mut self.claims, Request::Claim),
            some(&mut self.renewals, Request::Renew),
            some(&mut self.endings, Request::End),
            some(&mut self.departures, Request::Depart),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
