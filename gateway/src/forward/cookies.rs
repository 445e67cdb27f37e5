//! The gateway's cookies stay with the gateway; every other cookie passes byte for byte.

use http::header::{self, HeaderMap, HeaderValue};

/// Names of cookies that never reach an upstream begin with one of these. Compared without regard to case, as browsers
/// treat the `__Host-` prefix.
const OURS: [&[u8]; 4] = [b"__host-usher-queue-", b"__host-usher-ticket-", b"usher-queue-", b"usher-ticket-"];

/// Removes the gateway's cookies from every `Cookie` field; a field left empty goes.
pub(super) fn strip(headers: &mut HeaderMap) {
    let concerned = headers.get_all(header::COOKIE).iter().any(|value| mentions_us(value.as_bytes()));
    if !concerned {
        return;
    }
    let kept: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().filter_map(without_ours).collect();
    headers.remove(header::COOKIE);
    for value in kept {
        headers.append(header::COOKIE, value);
    }
}

/// Cheap look before the rewriting: is there a pair of ours at all?
fn mentions_us(value: &[u8]) -> bool {
    pairs(value).any(is_ours)
}

fn without_ours(value: &HeaderValue) -> Option<HeaderValue> {
    let bytes = value.as_bytes();
    if !mentions_us(bytes) {
        return Some(value.clone());
    }
    let mut rest = Vec::with_capacity(bytes.len());
    let mut first = true;
    for pair in pairs(bytes).filter(|pair| !is_ours(pair)) {
        if first {
            rest.extend_from_slice(pair.trim_ascii_start());
        } else {
            rest.push(b';');
            rest.extend_from_slice(pair);
        }
        first = false;
    }
    if rest.trim_ascii().is_empty() {
        return None;
    }
    // Bytes of a valid value in their old order are a valid value.
    HeaderValue::from_maybe_shared(bytes::Bytes::from(rest)).ok()
}

fn pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b';')
}

fn is_ours(pair: &[u8]) -> bool {
    let name = pair.trim_ascii_start();
    OURS.iter().any(|prefix| name.len() >= prefix.len() && name[..prefix.len()].eq_ignore_ascii_case(prefix))
}
