//! The one place of the gateway that draws random bytes; everything else is handed them.
#![expect(clippy::disallowed_methods, reason = "entropy enters the gateway here")]

use rand::Rng as _;

/// `N` bytes from the thread's generator, which the operating system seeds and which is fit for secrets.
pub fn draw<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    /// Ids are drawn here: two draws that agree would give two visitors one place.
    #[test]
    fn draws_differ() {
        assert_ne!(super::draw::<16>(), super::draw::<16>());
    }
}
