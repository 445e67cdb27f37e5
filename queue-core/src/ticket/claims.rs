//! The claims as they are written: exact members, exact types, and agreement with each other.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AdmissionTicket, LEEWAY, ProvisionalToken, QueueToken, TokenError};
use crate::{Epoch, Place, RoomId, SessionId, Timestamp, VisitorId};

/// Claims of an admission ticket.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdmissionClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    #[serde(with = "visitor")]
    sub: VisitorId,
    iat: u64,
    nbf: u64,
    exp: u64,
    #[serde(with = "session")]
    jti: SessionId,
    epoch: u32,
}

/// Claims of a queue token: the same plus `place` and `joined`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    #[serde(with = "visitor")]
    sub: VisitorId,
    iat: u64,
    nbf: u64,
    exp: u64,
    #[serde(with = "stand")]
    jti: Stand,
    epoch: u32,
    place: u64,
    joined: u64,
}

/// Claims of a provisional token: no place, and no epoch since no store was asked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProvisionalClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    #[serde(with = "visitor")]
    sub: VisitorId,
    iat: u64,
    nbf: u64,
    exp: u64,
    #[serde(with = "visitor")]
    jti: VisitorId,
    joined: u64,
}

impl<'a> ProvisionalClaims<'a> {
    pub(super) fn new(issuer: &'a str, token: &'a ProvisionalToken) -> Self {
        Self {
            iss: issuer,
            aud: token.room.as_str(),
            sub: token.visitor,
            iat: token.issued_at.as_secs(),
            nbf: token.issued_at.as_secs(),
            exp: token.expires_at.as_secs(),
            jti: token.visitor,
            joined: token.joined.as_millis(),
        }
    }

    pub(super) fn check(self, issuer: &str, room: &RoomId, now: Timestamp) -> Result<ProvisionalToken, TokenError> {
        if self.jti != self.sub || self.nbf != self.iat {
            return Err(TokenError::Malformed);
        }
        check_origin(self.iss, issuer, self.aud, room)?;
        check_times(self.iat, self.nbf, self.exp, now)?;
        Ok(ProvisionalToken {
            room: room.clone(),
            visitor: self.sub,
            joined: Timestamp::from_millis(self.joined),
            issued_at: Timestamp::from_secs(self.iat),
            expires_at: Timestamp::from_secs(self.exp),
        })
    }
}

impl<'a> AdmissionClaims<'a> {
    pub(super) fn new(issuer: &'a str, ticket: &'a AdmissionTicket) -> Self {
        Self {
            iss: issuer,
            aud: ticket.room.as_str(),
            sub: ticket.session.visitor,
            iat: ticket.issued_at.as_secs(),
            nbf: ticket.session.started.as_secs(),
            exp: ticket.expires_at.as_secs(),
            jti: ticket.session,
            epoch: ticket.epoch.get(),
        }
    }

    pub(super) fn check(self, issuer: &str, room: &RoomId, now: Timestamp) -> Result<AdmissionTicket, TokenError> {
        let epoch = Epoch::new(self.epoch).ok_or(TokenError::Malformed)?;
        if self.jti.visitor != self.sub || self.jti.started.as_secs() != self.nbf {
            return Err(TokenError::Malformed);
        }
        check_origin(self.iss, issuer, self.aud, room)?;
        check_times(self.iat, self.nbf, self.exp, now)?;
        Ok(AdmissionTicket {
            room: room.clone(),
            session: self.jti,
            issued_at: Timestamp::from_secs(self.iat),
            expires_at: Timestamp::from_secs(self.exp),
            epoch,
        })
    }
}

impl<'a> QueueClaims<'a> {
    pub(super) fn new(issuer: &'a str, token: &'a QueueToken) -> Self {
        Self {
            iss: issuer,
            aud: token.room.as_str(),
            sub: token.visitor,
            iat: token.issued_at.as_secs(),
            nbf: token.issued_at.as_secs(),
            exp: token.expires_at.as_secs(),
            jti: Stand { visitor: token.visitor, score: token.place.score() },
            epoch: token.place.epoch.get(),
            place: token.place.score(),
            joined: token.joined.as_millis(),
        }
    }

    pub(super) fn check(self, issuer: &str, room: &RoomId, now: Timestamp) -> Result<QueueToken, TokenError> {
        let place = Place::from_score(self.place).ok_or(TokenError::Malformed)?;
        let stand = Stand { visitor: self.sub, score: self.place };
        if place.epoch.get() != self.epoch || self.jti != stand || self.nbf != self.iat {
            return Err(TokenError::Malformed);
        }
        check_origin(self.iss, issuer, self.aud, room)?;
        check_times(self.iat, self.nbf, self.exp, now)?;
        Ok(QueueToken {
            room: room.clone(),
            visitor: self.sub,
            place,
            joined: Timestamp::from_millis(self.joined),
            issued_at: Timestamp::from_secs(self.iat),
            expires_at: Timestamp::from_secs(self.exp),
        })
    }
}

fn check_origin(iss: &str, issuer: &str, aud: &str, room: &RoomId) -> Result<(), TokenError> {
    if iss != issuer {
        return Err(TokenError::Issuer);
    }
    if aud != room.as_str() {
        return Err(TokenError::Audience);
    }
    Ok(())
}

/// Good from `nbf` and `iat` until, not at, `exp` (RFC 7519, section 4.1.4), each with the leeway in the holder's favour.
fn check_times(iat: u64, nbf: u64, exp: u64, now: Timestamp) -> Result<(), TokenError> {
    if now >= Timestamp::from_secs(exp) + LEEWAY {
        return Err(TokenError::Expired);
    }
    if now + LEEWAY < Timestamp::from_secs(iat.max(nbf)) {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

/// Who stands where: the `jti` of a queue token, 24 bytes as 32 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stand {
    visitor: VisitorId,
    score: u64,
}

/// Ids are read in their one canonical form and without a copy; a string with escapes is no id.
mod visitor {
    use super::{Deserialize, Deserializer, Serializer, VisitorId};

    pub(super) fn serialize<S: Serializer>(id: &VisitorId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VisitorId, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        VisitorId::parse(text).ok_or_else(|| serde::de::Error::custom("not a visitor id"))
    }
}

mod session {
    use super::{Deserialize, Deserializer, Serializer, SessionId};

    pub(super) fn serialize<S: Serializer>(id: &SessionId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SessionId, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        SessionId::parse(text).ok_or_else(|| serde::de::Error::custom("not a session id"))
    }
}

mod stand {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{Deserialize, Deserializer, Serializer, Stand, VisitorId};

    const BYTES: usize = 24;
    const TEXT: usize = 32;

    pub(super) fn serialize<S: Serializer>(stand: &Stand, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = [0; BYTES];
        bytes[..16].copy_from_slice(stand.visitor.as_bytes());
        bytes[16..].copy_from_slice(&stand.score.to_be_bytes());
        let mut text = [0; TEXT];
        URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Stand, D::Error> {
        parse(<&str>::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("not a stand"))
    }

    fn parse(text: &str) -> Option<Stand> {
        let mut bytes = [0; BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (visitor, score) = bytes.split_first_chunk::<16>()?;
        let score = u64::from_be_bytes(score.try_into().ok()?);
        (length == BYTES).then(|| Stand { visitor: VisitorId::from_entropy(*visitor), score })
    }
}
