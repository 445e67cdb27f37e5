//! TLS: who vouches for the server, and who does not.

use std::path::Path;
use std::process::{Command, Stdio};

use queue_core::store::{Joined, RedisAddress, StoreError, Trust};
use tempfile::TempDir;

use super::gateway::{Gateway, settings};
use crate::support::redis_server::RedisServer;
use crate::support::wait::eventually;

/// A certificate authority and a certificate for 127.0.0.1 that it signed.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
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
                &["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
                &["-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "store.key", "-out", "store.crt"],
            ]
            .concat(),
        );
        Self(dir)
    }

    fn path(&self, file: &str) -> String {
        self.0.path().join(file).to_str().unwrap().to_owned()
    }

    fn trust(&self) -> Trust {
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
    let server = RedisServer::start_with(|port, _| {
        let options = ["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"].map(str::to_owned);
        let files =
            [("--tls-cert-file", "store.crt"), ("--tls-key-file", "store.key"), ("--tls-ca-cert-file", "ca.crt")];
        let files = files.into_iter().flat_map(|(option, file)| [option.to_owned(), ours.path(file)]);
        options.into_iter().chain(files).collect()
    });
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
