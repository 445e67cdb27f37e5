//! Who a customer is: a token that says so, signed with the database's secret. Checking it reads nothing.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use queue_core::Timestamp;

use crate::ids::CustomerId;

/// How long a demo customer stays signed in: long enough for a receipt to be looked up.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3_600);
const ID: usize = 16;
const CLAIMS: usize = ID + 8;
const TAG: usize = 32;

/// Signs and checks customers' tokens.
pub(crate) struct Identity {
    key: hmac::Key,
}

impl Identity {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// A token for `customer`.
    pub(crate) fn token(&self, customer: CustomerId, now: Timestamp) -> String {
        let mut bytes = Vec::with_capacity(CLAIMS + TAG);
        bytes.extend_from_slice(customer.as_bytes());
        bytes.extend_from_slice(&(now + LIFETIME).as_secs().to_be_bytes());
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whose token it is; `None` when it is forged, malformed or too old.
    pub(crate) fn customer(&self, token: &str, now: Timestamp) -> Option<CustomerId> {
        let mut bytes = [0; CLAIMS + TAG];
        let length = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
        let (claims, tag) = bytes.split_at(CLAIMS);
        hmac::verify(&self.key, claims, tag).ok()?;
        let (id, end) = claims.split_at(ID);
        let end = u64::from_be_bytes(end.try_into().ok()?);
        (length == bytes.len() && now.as_secs() < end).then_some(CustomerId::from_bytes(id.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_796_122_800);
    const ME: CustomerId = CustomerId::from_bytes([7; 16]);

    /// A token names its customer until it ends, and nobody else's key or byte makes one.
    #[test]
    fn names_its_customer_and_cannot_be_forged() {
        let identity = Identity::new(&[1; 32]);
        let token = identity.token(ME, NOW);
        assert_eq!(identity.customer(&token, NOW), Some(ME));
        assert_eq!(identity.customer(&token, NOW + LIFETIME), None);
        assert_eq!(Identity::new(&[2; 32]).customer(&token, NOW), None);
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(identity.customer(std::str::from_utf8(&changed).unwrap(), NOW), None, "byte {index}");
        }
    }
}
