use std::net::IpAddr;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn shown(map: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    map.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

struct Side {
    trusted: bool,
    visitor: Option<HeaderValue>,
    ticket: Option<HeaderValue>,
}

const ADMITTED: Side = Side {
    trusted: false,
    visitor: Some(HeaderValue::from_static("v-1")),
    ticket: Some(HeaderValue::from_static("t-1")),
};

/// What the upstream gets, without the fields the gateway always sets.
fn forwarded_by(side: &Side, fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = headers(fields);
    let forwarded = ForwardedFields::new(
        IpAddr::from([192, 0, 2, 7]),
        Scheme::Https,
        &HeaderValue::from_static("tickets.example.com"),
    );
    let trace = RequestTrace::of(&map, side.trusted, &[7; 24]);
    let facts = ForwardFacts {
        peer_trusted: side.trusted,
        forwarded: &forwarded,
        visitor: side.visitor.as_ref(),
        room: &HeaderValue::from_static("concert"),
        ticket: side.ticket.as_ref(),
        trace: &trace,
    };
    to_upstream(&mut map, &facts);
    map
}

const SET: [&str; 9] = [
    "usher-visitor",
    "usher-room",
    "usher-ticket",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "traceparent",
    "x-request-id",
];

fn passed(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let map = forwarded_by(&ADMITTED, fields);
    shown(&map).into_iter().filter(|(name, _)| !SET.contains(&name.as_str())).collect()
}

/// The upstream relies on these fields, each exactly once and with the gateway's value.
#[test]
fn the_gateways_fields_are_set_once() {
    let map = forwarded_by(&ADMITTED, &[("host", "tickets.example.com")]);
    for (name, value) in [
        ("usher-visitor", "v-1"),
        ("usher-room", "concert"),
        ("usher-ticket", "t-1"),
        ("forwarded", "for=192.0.2.7;proto=https;host=\"tickets.example.com\""),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "tickets.example.com"),
        ("x-request-id", "07070707070707070707070707070707"),
        ("traceparent", "00-07070707070707070707070707070707-0707070707070707-00"),
        ("host", "tickets.example.com"),
    ] {
        assert_eq!(map.get_all(name).iter().collect::<Vec<_>>(), [value], "{name}");
    }
}

/// A client that claims the gateway's own fields, or an address, host, path or method, is not heard (N23, N24).
#[test]
fn forged_fields_never_reach_the_upstream() {
    let forged = [
        "Usher-Visitor",
        "Usher-Room",
        "Usher-Ticket",
        "Usher-Token",
        "Usher-Session",
        "Usher-Anything",
        "usher_visitor",
        "Usher_Ticket",
        "usher.visitor",
        "USHER-VISITOR",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Server",
        "X-Forwarded-Scheme",
        "X-Forwarded",
        "X_Forwarded_For",
        "X-Forwarded_For",
        "X-Real-IP",
        "X_Real_IP",
        "X-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "Client-IP",
        "Fastly-Client-IP",
        "X-Cluster-Client-IP",
        "X-Originating-IP",
        "X-Remote-IP",
        "X-Remote-Addr",
        "X-Envoy-External-Address",
        "X-Original-URL",
        "X-Original-URI",
        "X-Original-Host",
        "X-Rewrite-URL",
        "X-Override-URL",
        "X_Rewrite_URL",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "x_http_method_override",
        "X-Host",
        "X-Url-Scheme",
        "Front-End-Https",
        "X-Request-Id",
        "X_Request_Id",
        "Traceparent",
        "Tracestate",
        "Content_Length",
        "Transfer_Encoding",
        "Content_Type",
        "content.length",
    ];
    for name in forged {
        let map = forwarded_by(&ADMITTED, &[(name, "forged-value")]);
        assert!(!shown(&map).iter().any(|(_, value)| value.contains("forged-value")), "{name} passed: {map:?}");
        let twice = forwarded_by(&ADMITTED, &[(name, "forged-value"), (name, "forged-value-2")]);
        assert!(!shown(&twice).iter().any(|(_, value)| value.contains("forged-value")), "{name} passed twice");
    }
}

/// Fields of one connection end at the gateway (RFC 9110, 7.6.1).
#[test]
fn hop_by_hop_fields_end_here() {
    for name in [
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "Proxy-Anything",
        "Transfer-Encoding",
        "Upgrade",
        "TE",
        "HTTP2-Settings",
        "Expect",
        "keep_alive",
        "Proxy_Connection",
    ] {
        assert_eq!(passed(&[(name, "x-value")]), [], "{name}");
    }
    assert_eq!(
        passed(&[("Connection", "x-one, X-Two"), ("x-one", "1"), ("x-two", "2"), ("x-three", "3")]),
        [("x-three".to_owned(), "3".to_owned())]
    );
    assert_eq!(passed(&[("Connection", "x-one"), ("Connection", "x-two"), ("x-one", "1"), ("x-two", "2")]), []);
}

/// Naming our fields in `Connection` must not remove what we set: two gateways fell for it.
#[test]
fn a_client_cannot_name_our_fields_away() {
    let nominate = SET.join(", ");
    let map = forwarded_by(&ADMITTED, &[("Connection", &nominate), ("host", "h"), ("usher-visitor", "forged")]);
    for name in SET {
        assert!(map.contains_key(name), "{name} was removed");
    }
    assert_eq!(map["usher-visitor"], "v-1");
    let map = forwarded_by(
        &ADMITTED,
        &[("Connection", "host, content-length, close"), ("host", "h"), ("content-length", "3")],
    );
    assert_eq!(
        (&map["host"], &map["content-length"]),
        (&HeaderValue::from_static("h"), &HeaderValue::from_static("3"))
    );
}

/// Trailers pass, so the wish for them does; other codings of `TE` do not.
#[test]
fn only_trailers_of_te_pass() {
    assert_eq!(passed(&[("TE", "gzip;q=0.5, Trailers"), ("Connection", "TE")]), [("te".into(), "trailers".into())]);
    assert_eq!(passed(&[("TE", "gzip")]), []);
}

/// Gateway cookies hold the right to pass: they stay here, and nobody else's cookie changes by a byte.
#[test]
fn only_our_cookies_are_removed() {
    let cookie = |sent: &str| {
        let map = forwarded_by(&ADMITTED, &[("cookie", sent)]);
        map.get("cookie").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    for (sent, kept) in [
        ("a=1; b=2", Some("a=1; b=2")),
        ("__Host-usher-queue-concert=x", None),
        ("__Host-usher-queue-concert=x; __Host-usher-ticket-concert=y", None),
        ("a=1; __Host-usher-ticket-concert=y", Some("a=1")),
        ("__Host-usher-ticket-concert=y; a=1", Some("a=1")),
        ("a=1;__Host-usher-ticket-concert=y;b=2", Some("a=1;b=2")),
        ("a=1; usher-queue-x=1; b=\"2 3\" ;  c=", Some("a=1; b=\"2 3\" ;  c=")),
        ("usher-ticket-r=1;a=1", Some("a=1")),
        ("__host-USHER-ticket-r=1; a=1", Some("a=1")),
        (" \tusher-ticket-r=1; a=1", Some("a=1")),
        ("a=usher-ticket-r=1", Some("a=usher-ticket-r=1")),
        ("my-usher-ticket-r=1", Some("my-usher-ticket-r=1")),
        ("usher-ticketing=1", Some("usher-ticketing=1")),
        (";;a=1;", Some(";;a=1;")),
        ("; usher-queue-r=1 ;", None),
    ] {
        let expected = kept.map(str::to_owned);
        assert!(
            cookie(sent) == expected || kept.is_none() && cookie(sent).as_deref() == Some(";"),
            "{sent}: {:?}",
            cookie(sent)
        );
    }
    let map = forwarded_by(&ADMITTED, &[("cookie", "usher-queue-r=1"), ("cookie", "b=2")]);
    assert_eq!(map.get_all("cookie").iter().collect::<Vec<_>>(), ["b=2"]);
}

/// Trace context is believed from a trusted peer and only when valid; from others it starts anew.
#[test]
fn trace_context_is_believed_from_trusted_peers() {
    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trusted = Side { trusted: true, ..ADMITTED };
    let sent = [("traceparent", VALID), ("tracestate", "a=1"), ("x-request-id", "abc-1")];
    let map = forwarded_by(&trusted, &sent);
    assert_eq!((map["traceparent"].to_str().unwrap(), map["tracestate"].to_str().unwrap()), (VALID, "a=1"));
    assert_eq!(map["x-request-id"], "abc-1");
    let map = forwarded_by(&ADMITTED, &sent);
    assert_ne!(map["traceparent"], VALID);
    assert!(!map.contains_key("tracestate"));
    for bad in [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "",
    ] {
        let map = forwarded_by(&trusted, &[("traceparent", bad), ("tracestate", "a=1")]);
        assert_eq!(map["traceparent"], "00-07070707070707070707070707070707-0707070707070707-00", "{bad}");
        assert!(!map.contains_key("tracestate"), "{bad}");
    }
    let map = forwarded_by(&trusted, &[("x-request-id", "has space")]);
    assert_eq!(map["x-request-id"], "07070707070707070707070707070707");
}

/// An open path without ticket carries no visitor, least of all one the client made up.
#[test]
fn nobody_in_particular_stays_nobody() {
    let nobody = Side { trusted: false, visitor: None, ticket: None };
    let map = forwarded_by(&nobody, &[("usher-visitor", "me"), ("usher-ticket", "mine")]);
    assert!(!map.contains_key("usher-visitor") && !map.contains_key("usher-ticket"));
    assert_eq!(map["usher-room"], "concert");
}

/// IPv6 clients are quoted as RFC 7239 asks, mapped IPv4 addresses shown as what they are.
#[test]
fn client_addresses_are_written_as_the_rfc_asks() {
    let fields =
        |ip: &str| ForwardedFields::new(ip.parse().unwrap(), Scheme::Http, &HeaderValue::from_static("h:8080"));
    assert_eq!(fields("2001:db8::1").forwarded, "for=\"[2001:db8::1]\";proto=http;host=\"h:8080\"");
    assert_eq!(fields("2001:db8::1").x_forwarded_for, "2001:db8::1");
    assert_eq!(fields("::ffff:192.0.2.1").x_forwarded_for, "192.0.2.1");
    let cache = ForwardedFieldsCache::default();
    let host = HeaderValue::from_static("h");
    let first = cache.get("192.0.2.1".parse().unwrap(), Scheme::Http, &host);
    assert_eq!(first.x_forwarded_for, "192.0.2.1");
    assert_eq!(cache.get("192.0.2.2".parse().unwrap(), Scheme::Http, &host).x_forwarded_for, "192.0.2.2");
    assert_eq!(cache.get("192.0.2.2".parse().unwrap(), Scheme::Https, &host).proto, "https");
    assert_eq!(cache.get("192.0.2.2".parse().unwrap(), Scheme::Https, &HeaderValue::from_static("g")).host, "g");
}

/// The upstream's word on the session is read and never seen by the client; nothing else of `Usher-*` gets out.
#[test]
fn the_session_signal_is_read_and_removed() {
    let extend = |seconds| SessionSignal::Extend(Duration::from_secs(seconds));
    for (sent, expected) in [
        (&[][..], SessionSignal::None),
        (&["complete"][..], SessionSignal::Complete),
        (&[" Complete "][..], SessionSignal::Complete),
        (&["extend=300"][..], extend(300)),
        (&["extend=300", "extend=60"][..], extend(300)),
        (&["extend=300, complete"][..], SessionSignal::Complete),
        (&["complete", "extend=300"][..], SessionSignal::Complete),
        (&["extend=0"][..], SessionSignal::None),
        (&["extend=-1"][..], SessionSignal::None),
        (&["extend=+1"][..], SessionSignal::None),
        (&["extend="][..], SessionSignal::None),
        (&["extend=1.5"][..], SessionSignal::None),
        (&["extend=99999999999999999999999"][..], SessionSignal::Extend(MAX_EXTENSION)),
        (&["completed"][..], SessionSignal::None),
    ] {
        let mut fields: Vec<_> = sent.iter().map(|value| ("usher-session", *value)).collect();
        fields.extend([
            ("usher-ticket", "forged"),
            ("connection", "x-hop, keep-alive"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("content-type", "text/plain"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("x-request-id", "theirs"),
        ]);
        let mut map = headers(&fields);
        assert_eq!(from_upstream(&mut map), expected, "{sent:?}");
        let mut names: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "set-cookie", "x-request-id"]);
        assert_eq!(map.get_all("set-cookie").iter().count(), 2);
    }
}

/// What is none of the gateway's business passes as it came, repeated fields in their order.
#[test]
fn other_fields_pass_unchanged() {
    let sent = [
        ("host", "h"),
        ("user-agent", "test/1"),
        ("accept", "text/html"),
        ("accept", "*/*"),
        ("x-custom_field", "kept"),
        ("authorization", "Bearer x"),
        ("idempotency-key", "k"),
        ("content-type", "application/json"),
        ("if-none-match", "\"e\""),
        ("trailer", "x-sum"),
        ("via", "1.1 cdn"),
        ("x-usher-like", "kept"),
    ];
    let expected: Vec<_> = sent.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(passed(&sent), expected);
}
