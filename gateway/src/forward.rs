//! Header hygiene between client and upstream (N23): what a client may not say is removed, what the upstream may rely
//! on is set. Pure functions over header maps; one pass over the names, no allocation for a request that needs none.

mod class;
mod cookies;
mod facts;
mod proof;
mod session_signal;
mod trace;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use self::class::Class;
pub use self::facts::{ForwardFacts, ForwardedFields, ForwardedFieldsCache, Scheme};
pub use self::proof::{ProofKey, USHER_PROOF};
pub use self::session_signal::{MAX_EXTENSION, SessionSignal};
pub use self::trace::{REQUEST_ID, RequestTrace, TRACEPARENT};

/// Who asks, toward the upstream.
pub const USHER_VISITOR: HeaderName = HeaderName::from_static("usher-visitor");
/// Through which room, toward the upstream.
pub const USHER_ROOM: HeaderName = HeaderName::from_static("usher-room");
/// The admission ticket: from apps, toward the upstream, and renewed toward apps.
pub const USHER_TICKET: HeaderName = HeaderName::from_static("usher-ticket");
/// The queue token of apps.
pub const USHER_TOKEN: HeaderName = HeaderName::from_static("usher-token");
/// What the upstream says about the session.
pub const USHER_SESSION: HeaderName = HeaderName::from_static("usher-session");

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Makes a client's headers fit for the upstream.
///
/// Removed: what the client's `Connection` names and every hop-by-hop field; every `Usher-*`; the gateway's cookies;
/// `Expect`, which the gateway answers itself; fields by which a client could claim another address, host, path or
/// method; look-alikes of all of these with `_` or another sign in place of `-`. Set: the fields of `facts`.
/// `TE: trailers` is kept, since trailers pass.
pub fn to_upstream(headers: &mut HeaderMap, facts: &ForwardFacts<'_>) {
    let takes_trailers = headers.get_all(header::TE).iter().any(names_trailers);
    remove_nominated(headers);
    let removed = collect(headers, |name| match class::of(name) {
        Class::Pass => false,
        Class::Trace => !facts.peer_trusted,
        Class::HopByHop | Class::Usher | Class::Forged => true,
    });
    for name in &removed {
        headers.remove(name);
    }
    cookies::strip(headers);
    headers.reserve(SET_AT_MOST);
    if takes_trailers {
        headers.insert(header::TE, TRAILERS);
    }
    if let Some(visitor) = facts.visitor {
        headers.insert(USHER_VISITOR, visitor.clone());
    }
    headers.insert(USHER_ROOM, facts.room.clone());
    if let Some(ticket) = facts.ticket {
        headers.insert(USHER_TICKET, ticket.clone());
    }
    headers.insert(header::FORWARDED, facts.forwarded.forwarded.clone());
    headers.insert(X_FORWARDED_FOR, facts.forwarded.x_forwarded_for.clone());
    headers.insert(X_FORWARDED_PROTO, facts.forwarded.proto.clone());
    headers.insert(X_FORWARDED_HOST, facts.forwarded.host.clone());
    facts.trace.set(headers);
}

/// How many fields [`to_upstream`] sets at most.
const SET_AT_MOST: usize = 10;

/// Makes an upstream's headers fit for the client and reads what they say about the session. `Usher-*` is removed, so
/// an upstream cannot hand out tickets, and so is everything hop-by-hop.
pub fn from_upstream(headers: &mut HeaderMap) -> SessionSignal {
    let signal = SessionSignal::read(headers);
    remove_nominated(headers);
    let removed = collect(headers, |name| matches!(class::of(name), Class::HopByHop | Class::Usher));
    for name in &removed {
        headers.remove(name);
    }
    signal
}

/// Removes from a request's trailers what only the head may say: framing, routing, who asks (RFC 9110, 6.5.1).
pub fn trailers_to_upstream(trailers: &mut HeaderMap) {
    drop_trailers(trailers, |name| class::of(name) != Class::Pass);
}

/// The same for an answer's trailers.
pub fn trailers_from_upstream(trailers: &mut HeaderMap) {
    drop_trailers(trailers, |name| matches!(class::of(name), Class::HopByHop | Class::Usher));
}

fn drop_trailers(trailers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    let removed = collect(trailers, |name| unwanted(name) || class::is_of_head(name));
    for name in &removed {
        trailers.remove(name);
    }
}

/// The names that `unwanted` picks. The vector stays unallocated when there is none.
fn collect(headers: &HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) -> Vec<HeaderName> {
    headers.keys().filter(|name| unwanted(name)).cloned().collect()
}

/// Removes what `Connection` names, before anything of ours is set: a client must not name our fields away.
fn remove_nominated(headers: &mut HeaderMap) {
    let mut nominated: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        for token in value.as_bytes().split(|byte| *byte == b',') {
            let token = token.trim_ascii();
            let usual = token.is_empty()
                || token.eq_ignore_ascii_case(b"keep-alive")
                || token.eq_ignore_ascii_case(b"close")
                || token.eq_ignore_ascii_case(b"upgrade");
            if usual {
                continue;
            }
            if let Ok(name) = HeaderName::from_bytes(token)
                && !NEVER_NOMINATED.contains(&name)
            {
                nominated.push(name);
            }
        }
    }
    for name in &nominated {
        headers.remove(name);
    }
}

/// End-to-end fields that frame or address a message: naming them in `Connection` must not change what is forwarded.
const NEVER_NOMINATED: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::CONTENT_TYPE];

fn names_trailers(value: &HeaderValue) -> bool {
    value.as_bytes().split(|byte| *byte == b',').any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests;
