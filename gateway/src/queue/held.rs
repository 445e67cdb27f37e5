//! What a visitor in line holds.

use queue_core::ticket::{ProvisionalToken, QueueToken};

/// A good token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A place.
    Place(QueueToken),
    /// The word that one will be given: the visitor came while the store was away.
    Arrival(ProvisionalToken),
}
