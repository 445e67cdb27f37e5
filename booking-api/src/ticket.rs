//! Whether a request comes from the line: the gateway's admission tickets, verified with its published keys.

mod fetch;
mod guard;
mod keys;

pub use fetch::{BadKeysUrl, KeysUrl};
pub(crate) use guard::guard;
pub use keys::Tickets;
pub(crate) use keys::follow;
