//! TLS on public listeners: which certificate a client gets, and how it changes while connections go on.

mod certificate;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use queue_core::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

pub use self::certificate::{Certificate, CertificateFiles, CertificateProblem, FileAtFault};

/// What a listener can speak within TLS, the better first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A listener's certificates, chosen by the name that the client asks for. They can be read anew while it serves.
#[derive(Debug)]
pub struct Certificates {
    files: Vec<CertificateFiles>,
    table: ArcSwap<Table>,
}

/// The certificates as they were last read.
#[derive(Debug)]
struct Table {
    /// For clients that name nobody, or nobody known.
    default: Arc<CertifiedKey>,
    /// By name in lower case; `*.example.com` stands for one label more.
    by_name: HashMap<String, Arc<CertifiedKey>>,
    first_expiry: Timestamp,
}

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the files.
    #[error(transparent)]
    Certificate(#[from] CertificateProblem),
    /// No certificate was named.
    #[error("a TLS listener needs a certificate")]
    NoCertificate,
    /// The library refused what was asked of it.
    #[error("TLS cannot be set up")]
    Library(#[from] rustls::Error),
}

impl Certificates {
    /// Reads the certificates; the first is for clients that name nobody known.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(files: Vec<CertificateFiles>) -> Result<Arc<Self>, TlsError> {
        let table = ArcSwap::from_pointee(Table::read(&files)?);
        Ok(Arc::new(Self { files, table }))
    }

    /// Reads the files anew. New handshakes get what they hold now; connections under way are not touched.
    ///
    /// # Errors
    /// The first file that cannot be used; then all certificates stay as they were.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.table.store(Arc::new(Table::read(&self.files)?));
        Ok(())
    }

    /// When the first of them expires.
    pub fn first_expiry(&self) -> Timestamp {
        self.table.load().first_expiry
    }

    /// What handshakes are made with: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, resumption by tickets that every
    /// core reads, no early data (its requests could be replayed).
    ///
    /// # Errors
    /// When the library has no randomness to begin with.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.table.load().choose(hello.server_name()))
    }
}

impl Table {
    fn read(files: &[CertificateFiles]) -> Result<Self, TlsError> {
        let certificates = files.iter().map(Certificate::load).collect::<Result<Vec<_>, _>>()?;
        let (default, first_expiry) = certificates
            .first()
            .map(|first| first.key.clone())
            .zip(certificates.iter().map(|certificate| certificate.expires_at).min())
            .ok_or(TlsError::NoCertificate)?;
        let mut by_name = HashMap::new();
        for certificate in certificates {
            for name in certificate.names {
                // The first that is good for a name keeps it.
                by_name.entry(name).or_insert_with(|| certificate.key.clone());
            }
        }
        Ok(Self { default, by_name, first_expiry })
    }

    fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let known = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
            self.by_name.get(&name).or_else(|| self.by_name.get(&wildcard()?))
        });
        known.unwrap_or(&self.default).clone()
    }
}
