//! Names for what is asked, as metrics show them: few and fixed, whatever path a stranger sends.

use http::Method;

/// The operation of a matched route.
pub(super) fn operation(method: &Method, route: Option<&str>) -> &'static str {
    match (method.as_str(), route.unwrap_or_default()) {
        ("GET" | "HEAD", "/") => "page",
        ("GET" | "HEAD", "/livez" | "/readyz" | "/metrics") => "health",
        ("GET" | "HEAD", "/v1/events") => "list_events",
        ("GET" | "HEAD", "/v1/events/{event}") => "get_event",
        ("GET" | "HEAD", "/v1/events/{event}/map") => "get_map",
        ("GET" | "HEAD", "/v1/events/{event}/units") => "get_units",
        ("GET" | "HEAD", "/v1/events/{event}/stock") => "get_stock",
        ("POST", "/v1/events/{event}/holds") => "create_hold",
        ("GET" | "HEAD", "/v1/holds/{hold}") => "get_hold",
        ("DELETE", "/v1/holds/{hold}") => "release_hold",
        ("POST", "/v1/holds/{hold}/extend") => "extend_hold",
        ("GET" | "HEAD", "/v1/orders") => "list_orders",
        ("POST", "/v1/orders") => "create_order",
        ("GET" | "HEAD", "/v1/orders/{order}") => "get_order",
        ("POST", "/v1/orders/{order}/payments") => "pay_order",
        ("POST", "/v1/orders/{order}/cancel") => "cancel_order",
        ("GET" | "HEAD", "/v1/accounts/me") => "get_account",
        ("GET" | "HEAD", "/v1/accounts/me/transfers") => "list_transfers",
        ("POST", "/v1/demo/sign-in") => "sign_in",
        _ => "other",
    }
}
