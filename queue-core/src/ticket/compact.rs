//! The compact form: `header.claims.signature`, each part canonical base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::key::{MAX_SIGNATURE_BYTES, SigningKey, VerifyingKey};
use super::{Algorithm, KeyId, MAX_TOKEN_BYTES, TokenError};
use crate::Timestamp;

/// What kind of statement, header `typ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Queue,
    Provisional,
    Admission,
}

impl Kind {
    /// As header `typ`, and as the purpose of derived keys.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue+jwt",
            Self::Provisional => "provisional+jwt",
            Self::Admission => "admission+jwt",
        }
    }
}

/// Claims decoded: no token of the allowed length has more.
pub(super) type ClaimsBuffer = [u8; MAX_TOKEN_BYTES / 4 * 3];

/// Header decoded: fixed words and the longest key id take 111 bytes.
const MAX_HEADER_BYTES: usize = 160;

/// The decoder wants room for whole groups of three bytes.
const SIGNATURE_BUFFER: usize = MAX_SIGNATURE_BYTES.next_multiple_of(3);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

/// The header of every token of one key and kind, encoded, with the dot after it.
pub(super) fn encoded_header(algorithm: Algorithm, id: &KeyId, kind: Kind) -> Box<str> {
    let header = Header { alg: algorithm.name(), kid: id.as_str(), typ: kind.name() };
    let json = serde_json::to_vec(&header).expect("three strings are JSON");
    let mut encoded = URL_SAFE_NO_PAD.encode(json);
    encoded.push('.');
    encoded.into()
}

/// A whole token. The one allocation is the returned string.
pub(super) fn sign(header: &str, claims: &impl Serialize, key: &SigningKey) -> String {
    let mut buffer: ClaimsBuffer = [0; _];
    let mut rest = &mut buffer[..];
    serde_json::to_writer(&mut rest, claims).expect("issuer, room and key id are bounded so that every token fits");
    let unused = rest.len();
    let json = &buffer[..buffer.len() - unused];

    let length = header.len() + encoded_len(json.len()) + 1 + encoded_len(MAX_SIGNATURE_BYTES);
    let mut token = String::with_capacity(length);
    token.push_str(header);
    URL_SAFE_NO_PAD.encode_string(json, &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// One key that tokens of one kind are checked with.
pub(super) struct Entry {
    id: KeyId,
    header: Box<str>,
    key: VerifyingKey,
    not_after: Option<Timestamp>,
}

impl Entry {
    pub(super) fn new(id: KeyId, kind: Kind, key: VerifyingKey, not_after: Option<Timestamp>) -> Self {
        Self { header: encoded_header(key.algorithm(), &id, kind), id, key, not_after }
    }

    pub(super) const fn id(&self) -> &KeyId {
        &self.id
    }
}

/// The keys of one kind.
pub(super) struct KeyTable {
    pub(super) kind: Kind,
    pub(super) entries: Vec<Entry>,
}

impl KeyTable {
    /// The claims, decoded into `buffer`, of a token that one of the keys in force at `now` signed.
    pub(super) fn verified<'b>(
        &self,
        token: &str,
        now: Timestamp,
        buffer: &'b mut ClaimsBuffer,
    ) -> Result<&'b [u8], TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (entry, claims) = self.entry_for(signed)?;
        if entry.not_after.is_some_and(|end| now >= end) {
            return Err(TokenError::UnknownKey);
        }

        let mut bytes = [0; SIGNATURE_BUFFER];
        let signature = decode(signature, &mut bytes)?;
        if signature.len() != entry.key.algorithm().signature_bytes() {
            return Err(TokenError::Malformed);
        }
        if !entry.key.verifies_canonical(signed.as_bytes(), signature) {
            return Err(TokenError::Signature);
        }
        decode(claims, buffer)
    }

    /// The key that the header names, and what follows the header. The header we write ourselves is recognised as it
    /// stands; another spelling of the same members is parsed.
    fn entry_for<'t>(&self, signed: &'t str) -> Result<(&Entry, &'t str), TokenError> {
        for entry in &self.entries {
            if let Some(claims) = signed.strip_prefix(&*entry.header) {
                return Ok((entry, claims));
            }
        }
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let mut bytes = [0; MAX_HEADER_BYTES];
        let header: Header<'_> = parse(decode(header, &mut bytes)?)?;
        if header.typ != self.kind.name() {
            return Err(TokenError::Kind);
        }
        self.entries
            .iter()
            .find(|entry| entry.id.as_str() == header.kid && entry.key.algorithm().name() == header.alg)
            .map(|entry| (entry, claims))
            .ok_or(TokenError::UnknownKey)
    }
}

/// One part, in its canonical form only.
pub(super) fn decode<'b>(part: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
    let length = URL_SAFE_NO_PAD.decode_slice(part, buffer).map_err(|_| TokenError::Malformed)?;
    Ok(&buffer[..length])
}

/// One JSON object with exactly the members of `T`, each once. (Serde alone would also take an array of the values.)
pub(super) fn parse<'b, T: Deserialize<'b>>(json: &'b [u8]) -> Result<T, TokenError> {
    if json.first() != Some(&b'{') {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| TokenError::Malformed)
}
