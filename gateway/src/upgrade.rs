//! Switching protocols (RFC 9110, 7.8; RFC 6455): which request asks for it rightly, and which answer agrees to it.
//!
//! A proxy that forwards bytes before the upstream has agreed, or believes an agreement that is none, lets a client talk
//! past every decision (CVE-2026-2833). So: an allow list, a request checked to the letter, and an answer that proves that
//! the upstream understood it.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

/// The one protocol whose handshake the gateway knows.
const WEBSOCKET: &str = "websocket";
/// The version of it (RFC 6455, 4.1).
const WEBSOCKET_VERSION: &str = "13";
/// What a server appends to the key (RFC 6455, 4.2.2).
const WEBSOCKET_MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// How many random bytes a key has.
const KEY_BYTES: usize = 16;

/// Protocols that may be switched to, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedUpgrades(Vec<Box<str>>);

/// A switch that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    protocol: HeaderValue,
    websocket: Option<WebSocket>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WebSocket {
    accept: String,
    subprotocols: Vec<HeaderValue>,
}

/// Why a request for an allowed switch cannot be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeRefusal {
    /// Its handshake is not right.
    #[error("the WebSocket handshake needs one Sec-WebSocket-Key of 16 bytes in base64")]
    Key,
    /// Another version.
    #[error("only version 13 of WebSocket is spoken here")]
    Version,
}

impl AllowedUpgrades {
    /// These protocols.
    pub fn new(protocols: impl IntoIterator<Item = String>) -> Self {
        Self(protocols.into_iter().map(|protocol| protocol.to_ascii_lowercase().into()).collect())
    }

    /// The switch that a request asks for, if it may have it. One that is not allowed, or not asked for rightly, is no
    /// switch: servers may ignore `Upgrade`, and so it is forwarded without.
    ///
    /// # Errors
    /// [`UpgradeRefusal`] for a broken handshake.
    pub fn asked_by<B: http_body::Body>(&self, request: &Request<B>) -> Result<Option<Upgrade>, UpgradeRefusal> {
        let headers = request.headers();
        let Some(protocol) = only(headers, &header::UPGRADE) else { return Ok(None) };
        let asks = request.version() == Version::HTTP_11
            && *request.method() == Method::GET
            && request.body().is_end_stream()
            && self.0.iter().any(|allowed| protocol.as_bytes().eq_ignore_ascii_case(allowed.as_bytes()))
            && names(headers, &header::CONNECTION, b"upgrade");
        if !asks {
            return Ok(None);
        }
        let is_websocket = protocol.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes());
        let websocket = if is_websocket { Some(WebSocket::of(headers)?) } else { None };
        Ok(Some(Upgrade { protocol: protocol.clone(), websocket }))
    }
}

impl WebSocket {
    fn of(headers: &HeaderMap) -> Result<Self, UpgradeRefusal> {
        if only(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != WEBSOCKET_VERSION) {
            return Err(UpgradeRefusal::Version);
        }
        let key = only(headers, &header::SEC_WEBSOCKET_KEY).ok_or(UpgradeRefusal::Key)?;
        if !STANDARD.decode(key.as_bytes()).is_ok_and(|key| key.len() == KEY_BYTES) {
            return Err(UpgradeRefusal::Key);
        }
        let proof = [key.as_bytes(), WEBSOCKET_MAGIC.as_bytes()].concat();
        let accept = STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &proof));
        let subprotocols = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().cloned().collect();
        Ok(Self { accept, subprotocols })
    }

    /// Whether the answer proves that this handshake was read, and picks one of the offered subprotocols or none.
    fn is_accepted_by(&self, headers: &HeaderMap) -> bool {
        let proven = only(headers, &header::SEC_WEBSOCKET_ACCEPT).is_some_and(|accept| accept == self.accept.as_str());
        let mut picked = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
        let offered = |picked: &HeaderValue| {
            let mut offers = self.subprotocols.iter().flat_map(|offer| offer.as_bytes().split(|byte| *byte == b','));
            offers.any(|offer| offer.trim_ascii() == picked.as_bytes())
        };
        proven && picked.next().is_none_or(offered) && picked.next().is_none()
    }
}

impl Upgrade {
    /// Asks the upstream for it, in headers that hygiene has cleaned.
    pub fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, self.protocol.clone());
    }

    /// Whether an answer, as the upstream sent it, agrees to this switch and no other.
    pub fn is_granted_by<B>(&self, answer: &Response<B>) -> bool {
        let headers = answer.headers();
        answer.status() == StatusCode::SWITCHING_PROTOCOLS
            && only(headers, &header::UPGRADE)
                .is_some_and(|named| named.as_bytes().eq_ignore_ascii_case(self.protocol.as_bytes()))
            && names(headers, &header::CONNECTION, b"upgrade")
            && !headers.contains_key(header::CONTENT_LENGTH)
            && !headers.contains_key(header::TRANSFER_ENCODING)
            && self.websocket.as_ref().is_none_or(|websocket| websocket.is_accepted_by(headers))
    }
}

/// The value of a field that is there exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

fn names(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    let mut tokens = headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.any(|found| found.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;

    /// The key and its proof of RFC 6455, 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const PROOF: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn handshake(changes: &[(&'static str, &str)]) -> Request<Empty<bytes::Bytes>> {
        let mut request = Request::get("/seats").body(Empty::new()).unwrap();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
            ("sec-websocket-protocol", "seats.v1, seats.v2"),
        ] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        for (name, value) in changes {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    fn asked(changes: &[(&'static str, &str)]) -> Result<Option<Upgrade>, UpgradeRefusal> {
        AllowedUpgrades::new(["websocket".to_owned()]).asked_by(&handshake(changes))
    }

    fn answer(status: u16, fields: &[(&'static str, &str)]) -> Response<()> {
        let mut answer = Response::builder().status(status);
        for (name, value) in fields {
            answer = answer.header(*name, *value);
        }
        answer.body(()).unwrap()
    }

    const GRANTED: [(&str, &str); 3] =
        [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", PROOF)];

    /// A handshake to the letter is a switch, and only the answer that proves it was read grants it (N22).
    #[test]
    fn only_the_proof_grants() {
        let upgrade = asked(&[]).unwrap().unwrap();
        assert!(upgrade.is_granted_by(&answer(101, &GRANTED)));
        assert!(
            upgrade.is_granted_by(&answer(101, &[&GRANTED[..], &[("sec-websocket-protocol", "seats.v2")]].concat()))
        );
        let mut wrong = vec![(200, GRANTED.to_vec())];
        for at in 0..GRANTED.len() {
            wrong.push((101, GRANTED.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, f)| *f).collect()));
        }
        for more in [
            ("sec-websocket-accept", PROOF),
            ("upgrade", "websocket"),
            ("sec-websocket-protocol", "other"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
        ] {
            wrong.push((101, [&GRANTED[..], &[more]].concat()));
        }
        wrong.push((101, vec![GRANTED[0], GRANTED[1], ("sec-websocket-accept", "c3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]));
        wrong.push((101, vec![GRANTED[0], ("upgrade", "h2c"), GRANTED[2]]));
        for (status, fields) in wrong {
            assert!(!upgrade.is_granted_by(&answer(status, &fields)), "{status} {fields:?}");
        }
    }

    /// What is not allowed, or not asked for rightly, is no switch; a broken handshake is told.
    #[test]
    fn only_what_is_allowed_is_asked() {
        for changes in [("upgrade", "h2c"), ("upgrade", "websocket, h2c"), ("connection", "keep-alive")] {
            assert_eq!(asked(&[changes]), Ok(None), "{changes:?}");
        }
        assert_eq!(asked(&[("sec-websocket-version", "8")]), Err(UpgradeRefusal::Version));
        for key in ["", "c2hvcnQ=", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ==, x"] {
            assert_eq!(asked(&[("sec-websocket-key", key)]), Err(UpgradeRefusal::Key), "{key:?}");
        }
        let mut request = handshake(&[]);
        request.headers_mut().append("upgrade", "websocket".parse().unwrap());
        assert_eq!(AllowedUpgrades::new(["websocket".to_owned()]).asked_by(&request), Ok(None), "named twice");
        let mut request = handshake(&[]);
        *request.method_mut() = Method::POST;
        assert_eq!(AllowedUpgrades::new(["websocket".to_owned()]).asked_by(&request), Ok(None));
        assert_eq!(AllowedUpgrades::default().asked_by(&handshake(&[])), Ok(None));
    }
}
