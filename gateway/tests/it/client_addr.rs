//! N24: the client address comes only from trusted hops.

use gateway::client_addr::{ClientAddr, TrustedProxies};
use http::{HeaderMap, HeaderName, HeaderValue};

fn client(peer: &str, fields: &[(&'static str, &str)]) -> String {
    let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.7/32"].map(|network| network.parse().unwrap());
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    TrustedProxies::new(trusted.into()).client(peer.parse().unwrap(), &headers).to_string()
}

const XFF: &str = "x-forwarded-for";
const FWD: &str = "forwarded";

/// A client that nobody vouches for is its own peer address, whatever it claims.
#[test]
fn forged_fields_of_strangers_do_not_count() {
    assert_eq!(client("203.0.113.9", &[(XFF, "1.1.1.1"), (FWD, "for=1.1.1.1")]), "203.0.113.9");
    assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    let nobody = TrustedProxies::default();
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(XFF), HeaderValue::from_static("1.1.1.1"));
    assert_eq!(nobody.client("10.0.0.1".parse().unwrap(), &headers).to_string(), "10.0.0.1");
}

/// From the right, hop by hop, for as long as the hop is trusted: what stands further left may be forged.
#[test]
fn the_right_most_untrusted_hop_is_the_client() {
    for (field, expected) in [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("1.1.1.1,203.0.113.9 , 10.1.1.1,192.0.2.7", "203.0.113.9"),
        ("1.1.1.1, 10.9.9.9, 203.0.113.9", "203.0.113.9"),
        ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, ::ffff:10.1.1.1", "203.0.113.9"),
        ("1.1.1.1, rubbish", "10.0.0.1"),
        ("1.1.1.1, unknown, 10.1.1.1", "10.1.1.1"),
        ("", "10.0.0.1"),
        (",", "10.0.0.1"),
        ("1.1.1.1,", "10.0.0.1"),
    ] {
        assert_eq!(client("10.0.0.1", &[(XFF, field)]), expected, "{field}");
    }
    assert_eq!(client("10.0.0.1", &[(XFF, "1.1.1.1"), (XFF, "203.0.113.9")]), "203.0.113.9", "fields in order");
    assert_eq!(client("::ffff:10.0.0.1", &[(XFF, "203.0.113.9")]), "203.0.113.9", "a mapped peer is trusted too");
    assert_eq!(client("fd00::1", &[(XFF, "203.0.113.9")]), "203.0.113.9");
}

/// `Forwarded` says the same in its own grammar, quotes included.
#[test]
fn forwarded_is_read_too() {
    for (field, expected) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
        ("for=1.1.1.1, for=203.0.113.9", "203.0.113.9"),
        ("proto=https;for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
        ("for=1.1.1.1, for=203.0.113.9;host=\"a,b;for=2.2.2.2\"", "203.0.113.9"),
        ("for=203.0.113.9;x=\"a\\\",for=2.2.2.2\", for=10.1.1.1", "203.0.113.9"),
        ("for=1.1.1.1, for=_hidden", "10.0.0.1"),
        ("for=1.1.1.1, proto=https", "10.0.0.1"),
        ("for=1.1.1.1;for=2.2.2.2", "10.0.0.1"),
    ] {
        assert_eq!(client("10.0.0.1", &[(FWD, field)]), expected, "{field}");
    }
}

/// A proxy that writes one field may pass on the other as the client made it up: where they differ, neither counts.
#[test]
fn contradicting_fields_do_not_count() {
    assert_eq!(client("10.0.0.1", &[(XFF, "203.0.113.9"), (FWD, "for=203.0.113.9")]), "203.0.113.9");
    assert_eq!(client("10.0.0.1", &[(XFF, "203.0.113.9"), (FWD, "for=1.1.1.1")]), "10.0.0.1");
}

/// Thousands of made-up hops cost a bounded walk and change nothing on the right.
#[test]
fn endless_fields_are_bounded() {
    let many = format!("{}203.0.113.9", "10.1.1.1, ".repeat(5_000));
    assert_eq!(client("10.0.0.1", &[(XFF, &many)]), "203.0.113.9");
    let trusted_only = format!("203.0.113.9{}", ", 10.1.1.1".repeat(5_000));
    assert_eq!(client("10.0.0.1", &[(XFF, &trusted_only)]), "10.1.1.1");
}

/// One IPv6 subscriber has 2^64 addresses and still one bucket.
#[test]
fn ipv6_is_counted_by_network() {
    let bucket = |address: &str, prefix| ClientAddr::of_peer(address.parse().unwrap()).bucket(prefix);
    assert_eq!(bucket("2001:db8::1", 64), bucket("2001:db8::ffff:1", 64));
    assert_ne!(bucket("2001:db8::1", 64), bucket("2001:db8:0:1::1", 64));
    assert_eq!(bucket("2001:db8:0:1::1", 48), bucket("2001:db8:0:2::1", 48));
    assert_ne!(bucket("2001:db8::1", 128), bucket("2001:db8::2", 128));
    assert_eq!(bucket("2001:db8::1", 0), bucket("::1", 0));
    assert_ne!(bucket("203.0.113.1", 64), bucket("203.0.113.2", 64));
    assert_eq!(bucket("::ffff:203.0.113.1", 64), bucket("203.0.113.1", 64));
}
