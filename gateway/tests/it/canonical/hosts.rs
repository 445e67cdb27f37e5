//! The canonical host.

use gateway::canonical::{HostRefusal, host};
use http::{HeaderMap, HeaderValue, Uri, header};

fn asked(target: &str, hosts: &[&str]) -> Result<(String, String, Option<u16>), HostRefusal> {
    let mut headers = HeaderMap::new();
    for value in hosts {
        headers.append(header::HOST, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let uri: Uri = target.parse().unwrap();
    host(&uri, &headers).map(|host| (host.name().to_owned(), host.as_str().to_owned(), host.port()))
}

/// Names come in lower case, ports in range, and an absolute target agrees with the field.
#[test]
fn hosts_in_one_form() {
    for (target, field, name, whole, port) in [
        ("/", "Shop.Example", "shop.example", "shop.example", None),
        ("/", "shop.example:8080", "shop.example", "shop.example:8080", Some(8080)),
        ("/", "127.0.0.1:1", "127.0.0.1", "127.0.0.1:1", Some(1)),
        ("/", "[::1]", "[::1]", "[::1]", None),
        ("/", "[2001:DB8::1]:65535", "[2001:db8::1]", "[2001:db8::1]:65535", Some(65535)),
        ("/", "a_b-c.xn--9n2bp8q", "a_b-c.xn--9n2bp8q", "a_b-c.xn--9n2bp8q", None),
        ("http://Shop.Example/x", "shop.example", "shop.example", "shop.example", None),
        ("http://shop.example:81/x", "SHOP.example:81", "shop.example", "shop.example:81", Some(81)),
    ] {
        assert_eq!(asked(target, &[field]), Ok((name.to_owned(), whole.to_owned(), port)), "{target} {field}");
    }
}

/// A missing, doubled, malformed or contradicting host is refused.
#[test]
fn hosts_that_are_refused() {
    use HostRefusal::*;
    for (target, fields, refusal) in [
        ("/", &[][..], Missing),
        ("http://a/", &[], Missing),
        ("/", &["a", "a"], Several),
        ("/", &["a", "b"], Several),
        ("http://a/", &["b"], Disagree),
        ("http://a/", &["a:80"], Disagree),
        ("/", &[""], Malformed),
        ("/", &["a b"], Malformed),
        ("/", &["a,b"], Malformed),
        ("/", &["a:0"], Malformed),
        ("/", &["a:"], Malformed),
        ("/", &["a:65536"], Malformed),
        ("/", &["a:+80"], Malformed),
        ("/", &["a:080"], Malformed),
        ("/", &["a:80:80"], Malformed),
        ("/", &["a/b"], Malformed),
        ("/", &["u@a"], Malformed),
        ("/", &["a."], Malformed),
        ("/", &["a..b"], Malformed),
        ("/", &["%61"], Malformed),
        ("/", &["::1"], Malformed),
        ("/", &["[::1"], Malformed),
        ("/", &["[::1]x"], Malformed),
        ("/", &["[1.2.3.4]"], Malformed),
        ("/", &["좌석"], Malformed),
        ("http://u@a/", &["a"], Malformed),
    ] {
        assert_eq!(asked(target, fields), Err(refusal), "{target} {fields:?}");
    }
    assert_eq!(asked("/", &[&"a".repeat(300)]), Err(Malformed));
}
