//! `X-Request-Id` and W3C trace context: one draw of entropy names a request in logs, traces and at the upstream.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The request's id, echoed to the client.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C trace context, version 00.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest request id taken over from a trusted peer.
const MAX_REQUEST_ID: usize = 128;

/// The identifiers of one request.
#[derive(Clone, Debug)]
pub struct RequestTrace {
    request_id: HeaderValue,
    traceparent: HeaderValue,
}

impl RequestTrace {
    /// Takes over what a trusted peer sent, where it is valid; what is missing is made from `entropy`.
    pub fn of(headers: &HeaderMap, peer_trusted: bool, entropy: &[u8; 24]) -> Self {
        let told = |name| if peer_trusted { headers.get(name) } else { None };
        let kept_id = told(REQUEST_ID).filter(|id| is_request_id(id.as_bytes()));
        let kept_trace = told(TRACEPARENT).filter(|trace| is_traceparent(trace.as_bytes()));
        Self {
            request_id: kept_id.cloned().unwrap_or_else(|| fresh_request_id(entropy)),
            traceparent: kept_trace.cloned().unwrap_or_else(|| fresh_traceparent(entropy)),
        }
    }

    /// The id for the client's answer and the log.
    pub fn request_id(&self) -> &HeaderValue {
        &self.request_id
    }

    /// The trace context, as sent to the upstream.
    pub fn traceparent(&self) -> &HeaderValue {
        &self.traceparent
    }

    /// The 32 hex digits of the trace id.
    pub fn trace_id(&self) -> &str {
        self.traceparent.to_str().ok().and_then(|text| text.get(3..35)).unwrap_or_default()
    }

    pub(super) fn set(&self, headers: &mut HeaderMap) {
        // A `tracestate` belongs to the `traceparent` it came with.
        if headers.get(TRACEPARENT) != Some(&self.traceparent) {
            headers.remove("tracestate");
        }
        headers.insert(TRACEPARENT, self.traceparent.clone());
        headers.insert(REQUEST_ID, self.request_id.clone());
    }
}

/// The trace id once more: who has one of the two finds the other.
fn fresh_request_id(entropy: &[u8; 24]) -> HeaderValue {
    let mut text = [0; 32];
    hex(&entropy[..16], &mut text);
    ascii(&text)
}

fn fresh_traceparent(entropy: &[u8; 24]) -> HeaderValue {
    // All zeros is not valid in either part; the chance of drawing it does not excuse the check.
    let mut entropy = *entropy;
    for part in [0..16, 16..24] {
        if entropy[part.clone()].iter().all(|byte| *byte == 0) {
            entropy[part.start] = 1;
        }
    }
    // Flags 00: the gateway records no spans of its own, so it does not ask others to.
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    hex(&entropy[..16], &mut text[3..35]);
    hex(&entropy[16..], &mut text[36..52]);
    ascii(&text)
}

fn hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

fn ascii(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn is_request_id(id: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
}

/// Version 00, lower-case hex, no part all zero (W3C Trace Context, 3.2).
fn is_traceparent(text: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    let set = |part: &[u8]| hex(part) && part.iter().any(|byte| *byte != b'0');
    text.len() == 55
        && text.starts_with(b"00-")
        && set(&text[3..35])
        && text[35] == b'-'
        && set(&text[36..52])
        && text[52] == b'-'
        && hex(&text[53..])
}
