//! `[store]`: every way to reach a Redis can be said, and every mistake in it is named.

use gateway::config::StoreUrl;
use queue_core::store::{RedisAddress, Tls, Trust};
use secrecy::ExposeSecret as _;

use super::secrets::ed25519_pem;
use super::{Folder, SMALLEST, errors};

/// A real certificate authority, for what only reads it.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUbupg0ZgVlK5094Xdy4og5kYuSagwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIxMTYwMTAyWhgPMjEy
NjEwMjgxNjAxMDJaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAERkmljPGB7tuF2Nc+pkcr3GD5aqIWAw8q+Foh58n7
DkHb2pRjVP7UpM6sHqBy7yzohrLhlLBzhzLz6GZkFsENf6NTMFEwHQYDVR0OBBYE
FLTaN604X4h0u7VS/++O84r7t2XAMB8GA1UdIwQYMBaAFLTaN604X4h0u7VS/++O
84r7t2XAMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgNJQCEYAb
mOSek7K04qPMsc1HUuMfmv9BffbYIFelNvICIQDVpd3YM58sqBIKX2IEMulWK2/n
GTJSPz9mPwgNq3iGkQ==
-----END CERTIFICATE-----
";

fn folder(store: &str) -> Folder {
    let key = "issuer = \"https://tickets.example.com\"\nkey = [{ id = \"a\", private_key_file = \"ticket.pem\" }]";
    let text = SMALLEST.replace("issuer = \"https://tickets.example.com\"", key);
    let folder = Folder::with(&format!("{text}[store]\n{store}\n"));
    folder.write("ticket.pem", &ed25519_pem(1));
    folder.write("ca.pem", AUTHORITY);
    folder.write("sentinel.password", "watch\n");
    folder
}

fn address(store: &str) -> RedisAddress {
    let report = folder(store).check(&[("PW", "hun/ter@2")]);
    assert!(report.is_usable(), "{report}");
    let config = report.config.unwrap();
    assert!(!format!("{config:?}").contains("hun/ter@2"));
    let StoreUrl::Redis(address) = config.store.url else { panic!("not Redis") };
    *address
}

/// Each form is taken apart, and what the other keys say goes with it.
#[test]
fn every_form_is_taken() {
    let parsed = address("url = \"rediss://me:${PW}@store.example/3\"\nca_file = \"ca.pem\"");
    let RedisAddress::Server { at, tls: Some(Tls { trust: Trust::Only(roots), .. }), login, database: 3 } = parsed
    else {
        panic!("not {parsed:?}")
    };
    assert_eq!((at.to_string().as_str(), roots.len()), ("store.example:6379", 1));
    assert_eq!((login.user.as_deref(), login.password.unwrap().expose_secret()), (Some("me"), "hun/ter@2"));

    let parsed = address("url = \"rediss://h\"");
    assert!(
        matches!(parsed, RedisAddress::Server { tls: Some(Tls { trust: Trust::Host, identity: None }), .. }),
        "{parsed:?}"
    );

    let keys = "sentinel_user = \"usher\"\nsentinel_password_file = \"sentinel.password\"";
    let parsed = address(&format!("url = \"redis+sentinel://:${{PW}}@a,b:7,c/mymaster\"\n{keys}"));
    let RedisAddress::Sentinel { sentinels, name, login, sentinel_login, .. } = parsed else {
        panic!("not {parsed:?}")
    };
    assert_eq!((sentinels.len(), name.as_str()), (3, "mymaster"));
    assert_eq!(login.password.unwrap().expose_secret(), "hun/ter@2");
    assert_eq!(sentinel_login.user.as_deref(), Some("usher"));
    assert_eq!(sentinel_login.password.unwrap().expose_secret(), "watch");

    let parsed = address("url = \"redis+cluster://:${PW}@a,b,c\"");
    assert!(matches!(&parsed, RedisAddress::Cluster { nodes, tls: None, .. } if nodes.len() == 3), "{parsed:?}");

    let parsed = address("url = \"rediss+cluster://:${PW}@a,b\"\nca_file = \"ca.pem\"");
    let RedisAddress::Cluster { nodes, tls: Some(Tls { trust: Trust::Only(roots), .. }), .. } = parsed else {
        panic!("not {parsed:?}")
    };
    assert_eq!((nodes.len(), roots.len()), (2, 1));
}

/// What is wrong is said at its key, in words that tell what to do, without the password.
#[test]
fn mistakes_are_named() {
    for (store, told) in [
        ("url = \"redis:h\"", "is not the URL of a store"),
        ("url = \"valkey://h\"", "is not the URL of a store"),
        ("url = \"redis://\"", "names no host"),
        ("url = \"redis://:6379\"", "names no host"),
        ("url = \"redis://h/db\"", "bad database"),
        ("url = \"rediss://h:65536\"", "bad port after \"h:\""),
        ("url = \"redis+sentinel://a,b\"", "names no primary"),
        ("url = \"redis+sentinel:///mymaster\"", "names no host"),
        ("url = \"redis+sentinel://a,,b/mymaster\"", "empty host"),
        ("url = \"redis+cluster://\"", "names no host"),
        ("url = \"redis+cluster://a,b/0\"", "a cluster has only one"),
        ("url = \"redis+cluster://:hunter2@a,b\"", "holds a password"),
        ("url = \"redis+sentinel://:hunter2@a/n\"", "holds a password"),
        ("url = \"rediss://u:hunter2@h\"", "holds a password"),
        ("url = \"redis://:hun/ter2@h\"", "holds a password"),
        ("url = \"redis://h\"\nca_file = \"ca.pem\"", "write rediss://"),
        ("url = \"redis+cluster://a,b\"\nca_file = \"ca.pem\"", "or rediss+cluster://"),
        ("url = \"rediss+cluster://:hunter2@a,b\"", "holds a password"),
        ("url = \"rediss://h\"\nca_file = \"none.pem\"", "cannot read"),
        ("url = \"rediss://h\"\nca_file = \"ticket.pem\"", "holds no certificate"),
        ("url = \"rediss://h\"\nclient_cert_file = \"ca.pem\"", "set client_key_file too"),
        ("url = \"rediss://h\"\nclient_key_file = \"ticket.pem\"", "set client_cert_file too"),
        (
            "url = \"rediss://h\"\nclient_cert_file = \"ca.pem\"\nclient_key_file = \"ticket.pem\"",
            "is not the key of the certificate",
        ),
        (
            "url = \"rediss://h\"\nclient_cert_file = \"ticket.pem\"\nclient_key_file = \"ticket.pem\"",
            "holds no certificate",
        ),
        ("url = \"redis://h\"\nsnapshot_file = \"rooms.json\"", "is for the memory store"),
        ("url = \"redis://h\"\nsentinel_password_file = \"sentinel.password\"", "write redis+sentinel://"),
        ("url = \"redis+sentinel://h/n\"\nsentinel_user = \"me\"", "set sentinel_password_file too"),
    ] {
        let report = folder(store).check(&[]);
        let errors = errors(&report);
        assert!(errors.len() == 1 && errors[0].contains(told), "{store}: {report}");
        assert!(!report.to_string().contains("ter2"), "{report}");
    }
}
