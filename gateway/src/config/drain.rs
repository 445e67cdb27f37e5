//! `[drain]`: how the gateway ends.

use std::time::Duration;

use super::reader::section;

section! {
    /// How the gateway ends after a TERM signal.
    DrainSection, "[drain]" {
        /// From failing readiness to closing the listeners, so that balancers notice.
        delay: Duration = "5s",
        /// The longest wait for requests in flight after that.
        timeout: Duration = "30s",
    }
}

/// How the gateway ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// From failing readiness to closing the listeners.
    pub delay: Duration,
    /// The longest wait for requests in flight after that.
    pub timeout: Duration,
}

impl DrainSection {
    /// The times, unless they could not be read.
    pub(super) fn resolve(&self) -> Option<Drain> {
        Some(Drain { delay: self.delay.copied()?, timeout: self.timeout.copied()? })
    }
}
