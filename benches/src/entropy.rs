//! The one place that draws entropy: what must differ between two runs of one seed.

use rand::RngExt;

/// A number no other run has: idempotency keys carry it, so that a second run against the same data is not answered
/// with the first run's results.
#[expect(clippy::disallowed_methods, reason = "the one place that draws entropy")]
pub fn run_id() -> u64 {
    rand::rng().random()
}

/// Bytes that make a key.
#[expect(clippy::disallowed_methods, reason = "the one place that draws entropy")]
pub fn key() -> [u8; 32] {
    rand::rng().random()
}
