//! What a token says of itself. The crowd does not verify: it looks at what the gateway signed and compares.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use queue_core::{Place, SessionId, Timestamp, VisitorId};
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    place: Option<u64>,
    jti: Option<String>,
    exp: Option<u64>,
}

/// What a queue token or an admission ticket says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Whose token it is.
    pub visitor: Option<VisitorId>,
    /// The place, of a queue token.
    pub place: Option<Place>,
    /// The token's own id; of an admission ticket the session's.
    pub id: Option<String>,
    /// When the session began by the store's clock, whole milliseconds; of an admission ticket.
    pub session_started: Option<Timestamp>,
    /// When the token ends, whole seconds.
    pub ends: Option<Timestamp>,
}

impl Said {
    /// From a JWT; what cannot be read is absent.
    pub fn by(token: &str) -> Self {
        let Some(claims) = payload(token) else { return Self::default() };
        Self {
            visitor: claims.sub.as_deref().and_then(VisitorId::parse),
            place: claims.place.and_then(Place::from_score),
            session_started: claims.jti.as_deref().and_then(SessionId::parse).map(|session| session.started),
            id: claims.jti,
            ends: claims.exp.map(Timestamp::from_secs),
        }
    }
}

fn payload(token: &str) -> Option<Claims> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order checks stand on the place and the session's beginning as signed.
    #[test]
    fn reads_places_and_sessions() {
        let session = SessionId::new(VisitorId::from_entropy([7; 16]), Timestamp::from_millis(1_796_122_800_123));
        let place = Place::from_score((6_000 << 31) | 42).unwrap();
        let payload =
            format!(r#"{{"sub":"{}","place":{},"jti":"{session}","exp":1796123100}}"#, session.visitor, place.score());
        let said = Said::by(&format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)));
        assert_eq!((said.visitor, said.place), (Some(session.visitor), Some(place)));
        assert_eq!(said.session_started, Some(session.started));
        assert_eq!(said.ends, Some(Timestamp::from_secs(1_796_123_100)));
        assert_eq!(Said::by("no token"), Said::default());
    }
}
