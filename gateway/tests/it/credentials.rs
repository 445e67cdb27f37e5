//! Tokens and tickets on the wire: read from one place, never from two, written so that others cannot take them.

use gateway::credentials::{CookieSecurity, Credential, RoomCookies, strip};
use http::{HeaderMap, HeaderName, HeaderValue};
use queue_core::RoomId;

fn cookies(security: CookieSecurity) -> RoomCookies {
    RoomCookies::new(&RoomId::new("concert").unwrap(), security)
}

fn headers(fields: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

/// A credential is found in the header or in the room's cookie, among others, whatever stands beside it.
#[test]
fn credentials_are_found() {
    use Credential::{Absent, Malformed, Several, Shown};
    for (fields, expected) in [
        (&[][..], Absent),
        (&[("usher-token", &b"a.b.c"[..])], Shown("a.b.c")),
        (&[("cookie", b"__Host-usher-queue-concert=a.b.c")], Shown("a.b.c")),
        (&[("cookie", b"x=1; __Host-usher-queue-concert=a.b.c; y=2")], Shown("a.b.c")),
        (&[("cookie", b"x=1"), ("cookie", b"__Host-usher-queue-concert=a.b.c")], Shown("a.b.c")),
        (&[("cookie", "x=좌석; __Host-usher-queue-concert=a.b.c".as_bytes())], Shown("a.b.c")),
        (&[("cookie", b"x;;  __Host-usher-queue-concert = a.b.c ;")], Shown("a.b.c")),
        (&[("cookie", b"__Host-usher-queue-concert2=x")], Absent),
        (&[("cookie", b"x__Host-usher-queue-concert=x")], Absent),
        (&[("cookie", b"__Host-usher-queue-concert")], Absent),
        (&[("cookie", b"__host-usher-queue-concert=x")], Absent),
        (&[("cookie", b"usher-queue-concert=x")], Absent),
        (&[("cookie", b"__Host-usher-ticket-concert=x")], Absent),
        (&[("cookie", b"__Host-usher-queue-concert=a; __Host-usher-queue-concert=a")], Several),
        (&[("cookie", b"__Host-usher-queue-concert=a"), ("cookie", b"__Host-usher-queue-concert=b")], Several),
        (&[("usher-token", b"a"), ("usher-token", b"a")], Several),
        (&[("usher-token", b"a"), ("cookie", b"__Host-usher-queue-concert=b")], Shown("a")),
        (&[("cookie", b"__Host-usher-queue-concert=")], Malformed),
        (&[("cookie", b"__Host-usher-queue-concert=a b")], Malformed),
        (&[("usher-token", b"\xff")], Malformed),
    ] {
        assert_eq!(cookies(CookieSecurity::Secure).queue_token(&headers(fields)), expected, "{fields:?}");
    }
    let ticket = headers(&[("usher-ticket", b"t"), ("usher-token", b"q")]);
    assert_eq!(cookies(CookieSecurity::Secure).ticket(&ticket), Shown("t"));
    let insecure = headers(&[("cookie", b"usher-ticket-concert=t; __Host-usher-ticket-concert=u")]);
    assert_eq!(cookies(CookieSecurity::Insecure).ticket(&insecure), Shown("t"));
}

/// Cookies are kept from scripts, other sites and other hosts, and from logs by being marked.
#[test]
fn cookies_are_written_closed() {
    let value = cookies(CookieSecurity::Secure).set_queue_token("a.b.c", 86_400).unwrap();
    assert!(value.is_sensitive());
    assert_eq!(
        attributes(&value),
        ["HttpOnly", "Max-Age=86400", "Path=/", "SameSite=Lax", "Secure", "__Host-usher-queue-concert=a.b.c"]
    );
    let value = cookies(CookieSecurity::Insecure).set_ticket("t", 60).unwrap();
    assert_eq!(attributes(&value), ["HttpOnly", "Max-Age=60", "Path=/", "SameSite=Lax", "usher-ticket-concert=t"]);
    let value = cookies(CookieSecurity::Secure).clear_ticket().unwrap();
    assert!(attributes(&value).contains(&"Max-Age=0".to_owned()));
    assert!(attributes(&value).contains(&"__Host-usher-ticket-concert=".to_owned()));
    assert_eq!(cookies(CookieSecurity::Secure).set_ticket("a\nb", 60), None);
}

fn attributes(value: &HeaderValue) -> Vec<String> {
    let mut parts: Vec<_> = value.to_str().unwrap().split("; ").map(str::to_owned).collect();
    parts.sort();
    parts
}

/// Upstreams get neither the gateway's cookies nor `Usher-*` fields that a client made up; the rest stays as it was.
#[test]
fn upstreams_do_not_see_credentials() {
    let mut request = headers(&[
        ("usher-visitor", b"forged"),
        ("usher-ticket", b"t"),
        ("usher-anything", b"x"),
        ("usherette", b"stays"),
        ("cookie", b"a=1; __Host-usher-queue-concert=q; b=\xff2;  usher-ticket-vip=t; c"),
        ("cookie", b"__Host-usher-ticket-concert=t"),
        ("cookie", b"usher=stays; x-usher-queue-a=stays"),
    ]);
    strip(&mut request);
    assert_eq!(
        request.keys().map(HeaderName::as_str).collect::<std::collections::BTreeSet<_>>(),
        ["cookie", "usherette"].into()
    );
    let left: Vec<_> = request.get_all("cookie").iter().map(HeaderValue::as_bytes).collect();
    assert_eq!(left, [&b"a=1; b=\xff2; c"[..], b"usher=stays; x-usher-queue-a=stays"]);

    let untouched = headers(&[("cookie", b"a=1;b=2 ;"), ("accept", b"*/*")]);
    let mut request = untouched.clone();
    strip(&mut request);
    assert_eq!(request, untouched);
}
