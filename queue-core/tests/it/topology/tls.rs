//! TLS: who vouches for the server, and who does not.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use queue_core::store::{Identity, IdentityError, Joined, RedisAddress, StoreError, Trust};
use redis::{ClientTlsConfig, TlsCertificates};
use tempfile::TempDir;

use super::gateway::{Gateway, settings};
use crate::support::redis_server::RedisServer;
use crate::support::wait::eventually;

/// A certificate authority and a certificate for one host that it signed.
pub(super) struct Authority {
    dir: TempDir,
    /// The host.
    pub(super) host: &'static str,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::of("127.0.0.1")
    }

    /// Its certificate is good for this host, which is the one that tests run on, and under this name alone.
    pub(super) fn of(host: &'static str) -> Self {
        let kind = if host.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
        let dir = tempfile::tempdir().unwrap();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        openssl(
            dir.path(),
            &[
                &["req", "-x509", "-subj", "/CN=test authority", "-days", "2"],
                &key[..],
                &["-keyout", "ca.key", "-out", "ca.crt"],
            ]
            .concat(),
        );
        openssl(
            dir.path(),
            &[
                &["req", "-x509", "-subj", "/CN=store", "-days", "2"],
                &key[..],
                &["-addext", &format!("subjectAltName={kind}:{host}"), "-addext", "basicConstraints=critical,CA:FALSE"],
                &["-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "store.key", "-out", "store.crt"],
            ]
            .concat(),
        );
        Self { dir, host }
    }

    fn path(&self, file: &str) -> String {
        self.dir.path().join(file).to_str().unwrap().to_owned()
    }

    /// What a server needs for TLS on this port, with certificates asked of its clients or not, one setting a line.
    fn settings(&self, port: u16, asks: &str) -> Vec<[String; 2]> {
        let files = [("tls-cert-file", "store.crt"), ("tls-key-file", "store.key"), ("tls-ca-cert-file", "ca.crt")];
        let files = files.map(|(option, file)| [option.to_owned(), self.path(file)]);
        let port = port.to_string();
        let own = [["port", "0"], ["tls-port", &port], ["tls-auth-clients", asks]];
        own.map(|setting| setting.map(str::to_owned)).into_iter().chain(files).collect()
    }

    /// A server behind TLS.
    fn server(&self, asks: &str) -> Option<RedisServer> {
        RedisServer::start_with(|port, _| {
            self.settings(port, asks).into_iter().flat_map(|[option, value]| [format!("--{option}"), value]).collect()
        })
    }

    /// What a node of a cluster needs to speak only TLS, with whomever.
    pub(super) fn options_of_a_node(&self, port: u16) -> Vec<String> {
        let more = ["tls-cluster", "tls-replication"].map(|option| [option.to_owned(), "yes".to_owned()]);
        let settings = self.settings(port, "yes").into_iter().chain(more);
        settings.flat_map(|[option, value]| [format!("--{option}"), value]).collect()
    }

    /// The same certificates for questions that a test asks by itself.
    pub(super) fn certificates(&self) -> TlsCertificates {
        let read = |file| std::fs::read(self.path(file)).unwrap();
        let client_tls = ClientTlsConfig { client_cert: read("store.crt"), client_key: read("store.key") };
        TlsCertificates { client_tls: Some(client_tls), root_cert: Some(read("ca.crt")) }
    }

    /// The certificate that it signed may be shown by clients too.
    pub(super) fn identity(&self) -> Identity {
        let read = |file| std::fs::read(self.path(file)).unwrap();
        Identity::new(&read("store.crt"), &read("store.key")).unwrap()
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::only(&std::fs::read(self.path("ca.crt")).unwrap()).unwrap()
    }
}

fn openssl(dir: &Path, arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).current_dir(dir).stderr(Stdio::piped()).output();
    let done = done.expect("openssl is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn gateway(port: u16, trust: Option<Trust>) -> Gateway {
    let mut address = RedisAddress::parse(&format!("rediss://127.0.0.1:{port}")).unwrap();
    if let Some(trust) = trust {
        assert!(address.trust(trust));
    }
    Gateway::with(settings(address))
}

/// A server whose certificate our authority signed is used; one that another authority signed is refused, as is one that
/// nobody vouches for, and one asked without TLS.
#[tokio::test]
async fn only_the_right_authority_vouches() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = ours.server("no");
    let Some(server) = server else { return };
    let mut trusting = gateway(server.port(), Some(ours.trust()));
    eventually("a room", async || trusting.open(1).await.ok()).await;
    assert!(matches!(trusting.join(1).await, Ok(Joined::Admitted { .. })));

    for trust in [Some(other.trust()), None] {
        let mut doubting = gateway(server.port(), trust);
        let (error, _) = eventually("the refusal", async || match doubting.open(1).await {
            Err(StoreError::Io(problem)) => Some(problem),
            Err(StoreError::Timeout) => None,
            other => panic!("not refused but {other:?}"),
        })
        .await;
        assert!(error.contains("invalid peer certificate"), "{error}");
    }
    let mut plain = Gateway::at(&server.url());
    eventually("the refusal", async || plain.open(1).await.err().filter(|error| *error != StoreError::Timeout)).await;
}

/// What is no certificate authority is told before anything connects.
#[test]
fn authorities_must_be_readable() {
    assert!(Trust::only(b"").unwrap_err().to_string().contains("holds no certificate"));
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(Trust::only(broken).unwrap_err().to_string().contains("cannot be read"));
}

/// A server that asks for a certificate is used with one that its authority signed, and says no to whoever has none.
#[tokio::test]
async fn a_server_asks_for_a_certificate() {
    let ours = Authority::new();
    let Some(server) = ours.server("yes") else { return };
    let url = format!("rediss://127.0.0.1:{}", server.port());
    let mut known = gateway_at(&url, ours.trust(), Some(ours.identity()));
    eventually("a room", async || known.open(1).await.ok()).await;
    known.every_operation().await.unwrap();
    let mut stranger = gateway_at(&url, ours.trust(), None);
    let refused = async || stranger.open(1).await.err().filter(|error| *error != StoreError::Timeout);
    eventually("the refusal", refused).await;
}

/// Sentinels and the server they name, all with TLS and all asking for a certificate.
#[tokio::test]
async fn sentinels_with_tls() {
    let ours = Authority::new();
    let Some(server) = ours.server("yes") else { return };
    let sentinel = RedisServer::start_with(|port, dir| {
        let file = dir.join("sentinel.conf");
        let settings = ours.settings(port, "yes");
        let lines = settings.iter().map(|[option, value]| format!("{option} {value}"));
        let watched = format!("sentinel monitor mymaster 127.0.0.1 {} 1", server.port());
        let lines: Vec<_> = lines.chain(["tls-replication yes".to_owned(), watched]).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        vec![file.to_str().unwrap().to_owned(), "--sentinel".to_owned()]
    });
    let Some(sentinel) = sentinel else { return };
    let url = format!("sentinel://127.0.0.1:{}/mymaster", sentinel.port());
    let mut known = gateway_at(&format!("rediss+{url}"), ours.trust(), Some(ours.identity()));
    eventually("a room", async || known.open(1).await.ok()).await;
    known.every_operation().await.unwrap();
    let mut plain = Gateway::at(&format!("redis+{url}"));
    eventually("the refusal", async || plain.open(1).await.err().filter(|error| *error != StoreError::Timeout)).await;
}

pub(super) fn gateway_at(url: &str, trust: Trust, identity: Option<Identity>) -> Gateway {
    let mut address = RedisAddress::parse(url).unwrap();
    assert!(address.trust(trust));
    identity.into_iter().for_each(|identity| assert!(address.identify(identity)));
    Gateway::with(settings(address))
}

/// A certificate of ours that cannot be used is told before anything connects.
#[test]
fn certificates_must_belong_to_their_keys() {
    let (ours, other) = (Authority::new(), Authority::new());
    let read = |authority: &Authority, file| std::fs::read(authority.path(file)).unwrap();
    let (certificate, key) = (read(&ours, "store.crt"), read(&ours, "store.key"));
    assert_eq!(Identity::new(&key, &key).unwrap_err(), IdentityError::Certificate);
    assert_eq!(Identity::new(&certificate, &certificate).unwrap_err(), IdentityError::Key);
    assert!(matches!(Identity::new(&certificate, &read(&other, "store.key")), Err(IdentityError::Pair(_))));
    assert!(!format!("{:?}", ours.identity()).contains("PRIVATE"));
}
