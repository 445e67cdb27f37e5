//! The one place that draws entropy.

use rand::Rng as _;

/// `N` random bytes, fit for keys.
#[expect(clippy::disallowed_methods, reason = "the one place that draws entropy")]
pub(crate) fn draw<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
