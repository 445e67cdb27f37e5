//! Which class a field belongs to, by its name alone.

use http::header::{self, HeaderName};

/// What hygiene does with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Between client and upstream alone.
    Pass,
    /// Meant for one connection (RFC 9110, 7.6.1), or answered by the gateway.
    HopByHop,
    /// The gateway's own vocabulary.
    Usher,
    /// A claim about address, host, path or method that only a trusted hop may make.
    Forged,
    /// Trace context, believed from trusted peers.
    Trace,
}

/// The class of a field in a request. Standard names are compared as numbers; the rest by text.
pub(super) fn of(name: &HeaderName) -> Class {
    match *name {
        header::HOST
        | header::USER_AGENT
        | header::ACCEPT
        | header::ACCEPT_ENCODING
        | header::ACCEPT_LANGUAGE
        | header::COOKIE
        | header::CONTENT_LENGTH
        | header::CONTENT_TYPE
        | header::CACHE_CONTROL
        | header::REFERER
        | header::ORIGIN
        | header::AUTHORIZATION
        | header::SET_COOKIE
        | header::DATE
        | header::VARY
        | header::ETAG => Class::Pass,
        header::CONNECTION
        | header::TRANSFER_ENCODING
        | header::TE
        | header::UPGRADE
        | header::EXPECT
        | header::PROXY_AUTHENTICATE
        | header::PROXY_AUTHORIZATION => Class::HopByHop,
        header::FORWARDED => Class::Forged,
        _ => of_text(name.as_str()),
    }
}

/// Whether a field frames, routes, authenticates or describes a message: in trailers it comes too late for whoever decided
/// without it, and a parser that merges trailers into the head would decide anew.
pub(super) fn is_of_head(name: &HeaderName) -> bool {
    let is = |name: &str| OF_HEAD.contains(&name);
    let text = name.as_str();
    is(text) || is(&text.replace(|sign: char| !sign.is_ascii_alphanumeric(), "-"))
}

const OF_HEAD: [&str; 21] = [
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expires",
    "host",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "vary",
    "www-authenticate",
];

fn of_text(name: &str) -> Class {
    // Application servers fold `_`, `.` and more onto `-` in CGI-style variables: a look-alike is the field it would
    // become, and never the real one.
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain {
        return of_plain(name);
    }
    let folded: String = name.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' }).collect();
    match of_plain(&folded) {
        Class::Pass if FOLDED_ONLY.contains(&folded.as_str()) => Class::Forged,
        Class::Trace => Class::Forged,
        class => class,
    }
}

/// Fields that pass under their own name, but whose look-alike could be taken for them.
const FOLDED_ONLY: [&str; 11] = [
    "host",
    "cookie",
    "authorization",
    "content-length",
    "content-type",
    "content-encoding",
    "connection",
    "transfer-encoding",
    "te",
    "upgrade",
    "expect",
];

fn of_plain(name: &str) -> Class {
    match name {
        "keep-alive" | "http2-settings" => Class::HopByHop,
        "traceparent" | "tracestate" => Class::Trace,
        // Set afresh by the gateway, which has already read the ones it believes.
        "x-request-id" | "forwarded" => Class::Forged,
        "x-original-url"
        | "x-original-uri"
        | "x-original-host"
        | "x-original-method"
        | "x-rewrite-url"
        | "x-override-url"
        | "x-http-method-override"
        | "x-http-method"
        | "x-method-override"
        | "x-http-host-override"
        | "x-host"
        | "x-url-scheme"
        | "front-end-https" => Class::Forged,
        "x-real-ip"
        | "x-client-ip"
        | "x-cluster-client-ip"
        | "x-remote-ip"
        | "x-remote-addr"
        | "x-originating-ip"
        | "x-original-forwarded-for"
        | "x-original-remote-addr"
        | "x-envoy-external-address"
        | "client-ip"
        | "true-client-ip"
        | "cf-connecting-ip"
        | "cf-connecting-ipv6"
        | "fastly-client-ip"
        | "x-azure-clientip" => Class::Forged,
        _ if name.starts_with("usher-") => Class::Usher,
        _ if name.starts_with("x-forwarded") => Class::Forged,
        _ if name.starts_with("proxy-") => Class::HopByHop,
        _ => Class::Pass,
    }
}
