//! Upstreams never see the gateway's credentials, nor `Usher-*` fields that a client made up.

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};

/// How names of the gateway's fields begin.
const FIELD_PREFIX: &str = "usher-";
/// How names of the gateway's cookies begin, after an optional `__Host-`.
const COOKIE_PREFIXES: [&[u8]; 2] = [b"usher-queue-", b"usher-ticket-"];

/// Removes every `Usher-*` field and every gateway cookie of any room from a request. Other cookies stay byte for byte;
/// a request without either is not touched.
pub fn strip(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(FIELD_PREFIX)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    if !headers.get_all(COOKIE).iter().any(|field| holds_ours(field.as_bytes())) {
        return;
    }
    let kept: Vec<HeaderValue> = headers.get_all(COOKIE).iter().filter_map(without_ours).collect();
    headers.remove(COOKIE);
    for field in kept {
        headers.append(COOKIE, field);
    }
}

fn holds_ours(field: &[u8]) -> bool {
    field.split(|byte| *byte == b';').any(is_ours)
}

fn is_ours(pair: &[u8]) -> bool {
    let name = pair.trim_ascii();
    let name = name.strip_prefix(b"__Host-").unwrap_or(name);
    COOKIE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The field without the gateway's cookies; `None` when nothing is left.
fn without_ours(field: &HeaderValue) -> Option<HeaderValue> {
    if !holds_ours(field.as_bytes()) {
        return Some(field.clone());
    }
    let others: Vec<&[u8]> = field.as_bytes().split(|byte| *byte == b';').filter(|pair| !is_ours(pair)).collect();
    let joined = others.join(&b';');
    let joined = joined.trim_ascii();
    let mut left = if joined.is_empty() { None } else { HeaderValue::from_bytes(joined).ok() };
    if let Some(left) = &mut left {
        left.set_sensitive(field.is_sensitive());
    }
    left
}
