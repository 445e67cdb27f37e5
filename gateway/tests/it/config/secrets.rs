//! Secrets: given by file or environment, of the right kind, and never shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::config::{KeyMaterial, StoreUrl};
use queue_core::store::RedisAddress;
use secrecy::ExposeSecret as _;

use super::{Folder, SMALLEST, errors};

/// An Ed25519 key of PKCS#8 (RFC 8410, 7) with this seed.
pub(super) fn ed25519_pem(seed: u8) -> String {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([seed; 32]);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

fn with_key(algorithm: &str, content: &str) -> Folder {
    let key = "key = [{ id = \"2026-11\", private_key_file = \"ticket.pem\" }]";
    let tickets = format!("issuer = \"https://tickets.example.com\"\nalgorithm = \"{algorithm}\"\n{key}");
    let folder = Folder::with(&SMALLEST.replace("issuer = \"https://tickets.example.com\"", &tickets));
    folder.write("ticket.pem", content);
    folder
}

/// A key is read, checked against the algorithm, and cannot be printed by printing the configuration.
#[test]
fn keys_are_read_and_never_shown() {
    let pem = ed25519_pem(7);
    let config = with_key("EdDSA", &pem).check(&[]).config.unwrap();
    let key = &config.tickets.keys[0];
    assert_eq!(key.id, "2026-11");
    assert!(matches!(&key.material, KeyMaterial::Pem(text) if text.expose_secret() == pem.trim()));
    let secret_line = pem.lines().nth(1).unwrap();
    assert!(!format!("{config:?}").contains(secret_line));

    let config = with_key("HS256", &format!("{}\n", STANDARD.encode([1; 32]))).check(&[]).config.unwrap();
    let KeyMaterial::Secret(secret) = &config.tickets.keys[0].material else { panic!("not a secret") };
    assert_eq!(secret.expose_secret(), [1; 32]);
}

/// A key of another kind, broken or too short, is told before anything listens, and without showing it.
#[test]
fn wrong_keys_are_told() {
    let cut = ed25519_pem(1).replace("END", "END OF");
    for (algorithm, content, told) in [
        ("ES256", ed25519_pem(1), "is a key of another algorithm; expected a P-256 key"),
        ("EdDSA", STANDARD.encode([1; 32]), "is not one PKCS#8 private key"),
        ("EdDSA", cut, "is not one PKCS#8 private key"),
        ("EdDSA", "-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----".to_owned(), "base64 cannot be read"),
        ("HS256", STANDARD.encode([1; 31]), "is too short"),
        ("HS256", "pass word".to_owned(), "is not base64"),
        ("HS256", " \n".to_owned(), "is empty"),
        ("HS256", "A".repeat(70_000), "longer than 65536 bytes"),
    ] {
        let report = with_key(algorithm, &content).check(&[]);
        assert_eq!(report.errors.len(), 1, "{algorithm}: {report}");
        assert!(report.errors[0].message.contains(told), "{algorithm}: {report}");
        assert!(content.trim().is_empty() || !report.to_string().contains(content.trim()), "{report}");
    }
}

/// Keys are few, distinct and not expired; shared stores have some.
#[test]
fn key_lists_are_checked() {
    let folder = |keys: &str| {
        let tickets = format!("issuer = \"x\"\nkey = [{keys}]");
        let folder = Folder::with(&SMALLEST.replace("issuer = \"https://tickets.example.com\"", &tickets));
        folder.write("k", &ed25519_pem(1));
        folder
    };
    let key = |id: &str, more: &str| format!("{{ id = \"{id}\", private_key_file = \"k\" {more} }}");
    for (keys, told) in [
        (format!("{}, {}", key("a", ""), key("a", "")), "used twice"),
        (["a", "b", "c", "d", "e"].map(|id| key(id, "")).join(", "), "at most 4 keys"),
        (key("a/b", ""), "A-Z, a-z"),
        (key("a", ", not_after = \"2026-10-31T23:59:59Z\""), "no longer valid"),
        (key("a", ", not_after = 2026-12-01"), "UTC offset"),
        ("{ id = \"a\" }".to_owned(), "missing key \"private_key_file\" in [[tickets.key]]"),
    ] {
        let report = folder(&keys).check(&[]);
        assert_eq!(report.errors.len(), 1, "{keys}: {report}");
        assert!(report.errors[0].message.contains(told), "{keys}: {report}");
    }
    assert!(folder(&key("a", ", not_after = 2026-12-01T00:00:00Z")).check(&[]).is_usable());

    let report = Folder::with(SMALLEST).check(&[("USHER__STORE__URL", "redis://127.0.0.1")]);
    assert!(report.errors[0].message.starts_with("missing [[tickets.key]]"), "{report}");
}

/// Passwords come from the environment; one in the file is refused, and shown by no finding.
#[test]
fn passwords_stay_out_of_the_file_and_out_of_sight() {
    let url = |url: &str| Folder::with(&format!("{SMALLEST}[store]\nurl = \"{url}\"\n"));
    let report = url("redis://:hunter2@10.0.0.5:6379").check(&[]);
    assert!(errors(&report).iter().any(|error| error.contains("holds a password")), "{report}");
    assert!(!report.to_string().contains("hunter2"), "{report}");

    let report = url("redis://:hunter2@10.0.0.5:6379 ").check(&[]);
    assert!(!report.to_string().contains("hunter2"), "{report}");

    let report = url("redis://:${REDIS_PASSWORD}@10.0.0.5:6379").check(&[]);
    assert!(errors(&report).contains(&"16: environment variable REDIS_PASSWORD is not set".to_owned()), "{report}");

    let report = url("redis://:${REDIS_PASSWORD}@10.0.0.5:6379").check(&[("REDIS_PASSWORD", "hun ter2")]);
    assert!(!report.to_string().contains("hun ter2"), "{report}");

    let folder = with_key("EdDSA", &ed25519_pem(1));
    let report = folder.check(&[("USHER__STORE__URL", "redis://:${PW}@10.0.0.5"), ("PW", "hunter2")]);
    let config = report.config.unwrap();
    let StoreUrl::Redis(address) = &config.store.url else { panic!("not Redis") };
    let RedisAddress::Server { login, .. } = &**address else { panic!("not one server") };
    assert_eq!(login.password.as_ref().unwrap().expose_secret(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
}

/// `${NAME}` elsewhere would hide what is configured, so it is an error and not a literal.
#[test]
fn interpolation_is_for_secrets_and_urls() {
    let report = Folder::with(&SMALLEST.replace("https://tickets.example.com", "https://${PUBLIC_HOST}"))
        .check(&[("PUBLIC_HOST", "tickets.example.com")]);
    assert_eq!(report.config.unwrap().tickets.issuer, "https://tickets.example.com");
    let report = Folder::with(&format!("{SMALLEST}[admin]\ntoken_file = \"${{X}}\"\n")).check(&[("X", "y")]);
    assert!(report.errors[0].message.contains("USHER__SECTION__KEY"), "{report}");
    for broken in ["http://${A", "http://${}"] {
        let report = Folder::with(&SMALLEST.replace("http://127.0.0.1:8090", broken)).check(&[]);
        assert!(!report.is_usable(), "{broken}");
    }
}

/// The admin API's token is read from its file, without the line end that editors add.
#[test]
fn the_admin_token_is_read() {
    let folder = Folder::with(&format!("{SMALLEST}[admin]\nbind = \"0.0.0.0:8081\"\ntoken_file = \"admin.token\"\n"));
    folder.write("admin.token", "s3cret\n");
    let config = folder.check(&[]).config.unwrap();
    assert_eq!(config.admin.token.unwrap().expose_secret(), "s3cret");
}
