//! Who vouches for a server's certificate.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::store::StoreError;

/// Who vouches for a server's certificate.
#[derive(Clone)]
pub enum Trust {
    /// The certificate authorities that the host trusts.
    Host,
    /// Only these, as with the `--cacert` of `redis-cli`: an authority of the operator's own that vouches for the store is
    /// no reason to believe all others about it too.
    Only(Arc<RootCertStore>),
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("Host"),
            Self::Only(roots) => write!(f, "Only({})", roots.len()),
        }
    }
}

/// Why certificate authorities cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not the text between BEGIN CERTIFICATE and END CERTIFICATE.
    #[error("holds a certificate that cannot be read: {0}")]
    Unreadable(String),
    /// Something else, for example a key.
    #[error("holds no certificate; put in the PEM text of the authority that signed the server's certificate")]
    Empty,
}

impl Trust {
    /// Trusts the certificate authorities of this PEM text.
    ///
    /// # Errors
    /// When there is none in it, or one cannot be read.
    pub fn only(pem: &[u8]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| TrustError::Unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| TrustError::Unreadable(error.to_string()))?;
        }
        if roots.is_empty() { Err(TrustError::Empty) } else { Ok(Self::Only(Arc::new(roots))) }
    }

    /// What speaks TLS to servers that these vouch for. The host's roots are read here, once, and not at every connect.
    pub(super) fn connector(&self) -> Result<TlsConnector, StoreError> {
        let roots = match self {
            Self::Only(roots) => roots.clone(),
            Self::Host => Arc::new(host_roots()?),
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| StoreError::Io(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn host_roots() -> Result<RootCertStore, StoreError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One root of the host that rustls does not take must not make the others useless.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let problem = "this host trusts no certificate authorities; install its ca-certificates, or name the authority of \
                       the store's certificate (ca_file)";
        return Err(StoreError::Io(problem.to_owned()));
    }
    Ok(roots)
}
