//! The page on which a person buys: one document, nothing from anyone else.

use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};

use crate::entropy;

const PAGE: &str = include_str!("../../assets/shop.html");

/// The seat map, in the language the browser prefers.
pub(super) async fn show(headers: HeaderMap) -> Response {
    let nonce = URL_SAFE_NO_PAD.encode(entropy::draw::<16>());
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|languages| languages.to_str().ok());
    let page = PAGE.replace("{{nonce}}", &nonce).replace("{{lang}}", language(wanted.unwrap_or_default()));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = (
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::VARY, "Accept-Language"),
            (header::REFERRER_POLICY, "same-origin"),
        ],
        page,
    )
        .into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Korean or English, by the highest quality (RFC 9110 section 12.5.4); English when neither is named.
fn language(wanted: &str) -> &'static str {
    let mut best = ("en", 0.0);
    for range in wanted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>).unwrap_or(0.0);
        let known = match tag.split('-').next() {
            Some("ko") => "ko",
            Some("en" | "*") => "en",
            _ => continue,
        };
        if quality > best.1 {
            best = (known, quality);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each visitor reads their own language, by quality and not by order.
    #[test]
    fn picks_the_preferred_language() {
        for (wanted, expected) in [
            ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
            ("en-US,ko;q=0.5", "en"),
            ("fr, ko;q=0.4, en;q=0.6", "en"),
            ("en;q=0.2, ko;q=0.9", "ko"),
            ("ko;q=0, de", "en"),
            ("", "en"),
            (";;q=x,", "en"),
        ] {
            assert_eq!(language(wanted), expected, "{wanted}");
        }
    }
}
