//! Certificates, and what goes with them: everything that would fail at the first handshake is told by the check.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{Folder, SMALLEST, only_error};

/// A certificate for `sale.example` and its key, PEM, good until the first of this month.
fn certificate(year: i32, month: u8) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(["sale.example".to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(year, month, 1);
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn with_tls(more: &str, files: &[(&str, &str)]) -> Folder {
    let tls = format!("tls = {{ cert_file = \"tls.crt\", key_file = \"tls.key\" }}\n{more}");
    let folder = Folder::with(&SMALLEST.replace("insecure_cookies = true", &tls));
    for (name, content) in files {
        folder.write(name, content);
    }
    folder
}

/// A certificate with its key can be used, and its listener sets `__Host-` cookies whatever else is said.
#[test]
fn a_certificate_is_read() {
    let (cert, key) = certificate(2030, 1);
    let report = with_tls("insecure_cookies = true", &[("tls.crt", &cert), ("tls.key", &key)]).check(&[]);
    assert!(report.is_usable(), "{report}");
    assert!(report.warnings.iter().any(|finding| finding.message.contains("has no effect")), "{report}");
    let listener = &report.config.unwrap().listeners[0];
    assert_eq!(listener.cookies, gateway::credentials::CookieSecurity::Secure);
    assert_eq!(listener.tls.as_ref().unwrap().len(), 1);
}

/// Each way in which the files can be wrong is told at its key, and nothing of a key is shown.
#[test]
fn wrong_files_are_told() {
    let (cert, key) = certificate(2030, 1);
    let (_, other_key) = certificate(2030, 1);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (cert, key, at, told) in [
        (cert.as_str(), other_key.as_str(), "key_file", "is not the key of the certificate"),
        (&cert, "", "key_file", "holds no private key"),
        (&cert, &cert, "key_file", "holds no private key"),
        (&cert, encrypted, "key_file", "is encrypted"),
        ("", &key, "cert_file", "holds no certificate"),
        (&key, &key, "cert_file", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, "cert_file", "holds no certificate"),
    ] {
        let report = with_tls("", &[("tls.crt", cert), ("tls.key", key)]).check(&[]);
        assert_eq!(report.errors.len(), 1, "{told}: {report}");
        assert_eq!(report.errors[0].key, format!("listener.public.tls.{at}"), "{told}: {report}");
        assert!(report.errors[0].message.contains(told), "{told}: {report}");
        assert!(key.lines().filter(|line| line.len() > 40).all(|line| !report.to_string().contains(line)), "{report}");
    }
    let missing = with_tls("", &[("tls.key", &key)]).check(&[]);
    assert!(missing.errors[0].message.contains("tls.crt: cannot be read"), "{missing}");
}

/// An end that comes soon, or has come, is told in time and does not stop the gateway.
#[test]
fn the_end_is_told_before() {
    for (year, month, told) in [(2026, 10, "expired at"), (2026, 11, "expired at"), (2027, 1, "")] {
        let (cert, key) = certificate(year, month);
        let report = with_tls("", &[("tls.crt", &cert), ("tls.key", &key)]).check(&[]);
        assert!(report.is_usable(), "{report}");
        let warned = report.warnings.iter().any(|finding| finding.message.contains("expire"));
        assert_eq!(warned, !told.is_empty(), "{year}-{month}: {report}");
        assert!(report.to_string().contains(told), "{report}");
    }
}

/// What cannot go together is told.
#[test]
fn protocols_must_fit() {
    let (cert, key) = certificate(2030, 1);
    let report = with_tls("http2_cleartext = true", &[("tls.crt", &cert), ("tls.key", &key)]).check(&[]);
    assert!(report.errors[0].message.contains("speaks no cleartext"), "{report}");
    let proxied = "[[listener]]\nname = \"b\"\nbind = \"0.0.0.0:81\"\ninsecure_cookies = true\nproxy_protocol = true\n";
    assert!(only_error(proxied).contains("trusted_proxies"));
    for (upgrades, told) in [("h2c", "carries requests"), ("TLS/1.0", "carries requests"), ("web socket", "no name")] {
        assert!(only_error(&format!("upgrades = [\"{upgrades}\"]\n")).contains(told), "{upgrades}");
    }
}
