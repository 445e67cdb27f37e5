//! One visitor's stay in the cohort.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Timestamp, VisitorId};

/// Which session: the visitor and the millisecond the session began. A visitor has at most one session, so the pair is
/// unique, and repeating a claim finds the same id again. Written as 32 characters of base64url, the ticket's `jti`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// Whose session.
    pub visitor: VisitorId,
    /// When it began, whole milliseconds. Renewal and extension are bounded from here.
    pub started: Timestamp,
}

impl SessionId {
    const BYTES: usize = 24;

    /// A session of `visitor` that began at `started` (cut to whole milliseconds).
    pub const fn new(visitor: VisitorId, started: Timestamp) -> Self {
        Self { visitor, started: Timestamp::from_millis(started.as_millis()) }
    }

    /// From its written form; `None` for anything but the one canonical form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (visitor, started) = bytes.split_at(16);
        let started = u64::from_be_bytes(started.try_into().ok()?);
        let fits = length == Self::BYTES && started <= u64::MAX / 1_000;
        fits.then(|| {
            VisitorId::from_slice(visitor).map(|visitor| Self { visitor, started: Timestamp::from_millis(started) })
        })?
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(self.visitor.as_bytes());
        bytes[16..].copy_from_slice(&self.started.as_millis().to_be_bytes());
        let mut text = [0; 32];
        match URL_SAFE_NO_PAD.encode_slice(bytes, &mut text) {
            Ok(_) => f.write_str(std::str::from_utf8(&text).unwrap_or_default()),
            Err(_) => Err(fmt::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session id written and read is the same id; other texts are none.
    #[test]
    fn is_read_as_written() {
        let id = SessionId::new(VisitorId::from_entropy([7; 16]), Timestamp::from_micros(1_796_122_800_123_456));
        assert_eq!(id.to_string().len(), 32);
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        assert_eq!(SessionId::parse("short"), None);
        assert_eq!(SessionId::parse(&"_".repeat(32)), None);
    }
}
