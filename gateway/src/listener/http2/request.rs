//! An HTTP/2 request in the shape of an HTTP/1 one, so that one request path decides on both.

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};

/// Puts the authority into `Host` and leaves path and query as the target, where that says the same (RFC 9113, 8.3.1);
/// a target that contradicts `Host` stays as it is, and is refused as it would be in HTTP/1. Cookie crumbs become one
/// field (8.2.3).
pub(super) fn normalize<B>(request: &mut Request<B>) {
    *request.version_mut() = Version::HTTP_11;
    join_crumbs(request.headers_mut());
    let Some(authority) = request.uri().authority() else { return };
    let authority = authority.as_str();
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let agrees = match (hosts.next(), hosts.next()) {
        (None, _) => {
            let Ok(host) = HeaderValue::from_str(authority) else { return };
            request.headers_mut().insert(header::HOST, host);
            true
        }
        (Some(host), None) => host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()),
        (Some(_), Some(_)) => false,
    };
    if agrees && *request.method() != Method::CONNECT {
        let target = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(target);
    }
}

/// Whether a value begins or ends with a space: malformed (RFC 9113, 8.2.1), and to an upstream of HTTP/1 another value.
pub(super) fn has_padded_value(headers: &HeaderMap) -> bool {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    headers.values().map(HeaderValue::as_bytes).any(|value| is_space(value.first()) || is_space(value.last()))
}

fn join_crumbs(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    if let (Some(first), Some(_)) = (crumbs.next(), crumbs.next()) {
        let mut whole = first.as_bytes().to_vec();
        for crumb in headers.get_all(header::COOKIE).iter().skip(1) {
            whole.extend_from_slice(b"; ");
            whole.extend_from_slice(crumb.as_bytes());
        }
        // Crumbs are field values, and so is what they and "; " make.
        if let Ok(mut whole) = HeaderValue::from_bytes(&whole) {
            whole.set_sensitive(true);
            headers.insert(header::COOKIE, whole);
        }
    }
}

/// The one length a request declares. h2 has refused several that differ; those that repeat become one.
pub(super) fn declared_length(headers: &mut HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next()?.to_str().ok()?.parse().ok()?;
    if lengths.next().is_some() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(request: http::request::Builder) -> Request<()> {
        let mut request = request.body(()).unwrap();
        normalize(&mut request);
        request
    }

    /// The authority is the host: upstreams and decisions see one request, whatever the version.
    #[test]
    fn the_authority_becomes_the_host() {
        let request = normal(Request::get("https://sale.example/a?b"));
        assert_eq!((request.uri().to_string().as_str(), &request.headers()["host"] == "sale.example"), ("/a?b", true));
        let request = normal(Request::get("https://sale.example/").header("host", "Sale.Example"));
        assert_eq!(request.uri(), "/");
    }

    /// Two names for one request stay visible, so that it is refused.
    #[test]
    fn a_contradiction_stays() {
        for host in ["other.example", "sale.example:443", "sale.example."] {
            let request = normal(Request::get("https://sale.example/").header("host", host));
            assert!(request.uri().authority().is_some(), "{host}");
        }
        let twice = Request::get("https://a.example/").header("host", "a.example").header("host", "a.example");
        assert!(normal(twice).uri().authority().is_some());
    }

    /// Upstreams of HTTP/1 know one Cookie field.
    #[test]
    fn crumbs_become_one_cookie() {
        let request = normal(Request::get("/").header("cookie", "a=1").header("cookie", "b=2; c=3"));
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }
}
