//! TLS: who vouches for a server's certificate, and who we are to it.

mod text;

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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
    Only(Arc<[CertificateDer<'static>]>),
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("Host"),
            Self::Only(authorities) => write!(f, "Only({})", authorities.len()),
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

/// Who we are to a server that asks for a certificate (`tls-auth-clients`). Its `Debug` shows no key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

/// Why a certificate of our own cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not the text between BEGIN CERTIFICATE and END CERTIFICATE.
    #[error(
        "client_cert_file holds no certificate that can be read; put in its PEM text, those that vouch for it after it"
    )]
    Certificate,
    /// Not the text between BEGIN PRIVATE KEY and END PRIVATE KEY.
    #[error("client_key_file holds no private key that can be read; put in its PEM text, without a password")]
    Key,
    /// Both can be read, and do not belong together.
    #[error("client_key_file is not the key of the certificate in client_cert_file: {0}")]
    Pair(String),
}

impl Identity {
    /// From the PEM texts of a certificate, with those that vouch for it after it, and of its key.
    ///
    /// # Errors
    /// When one cannot be read, or they do not belong together.
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(IdentityError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityError::Key)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider)
            .map_err(|error| IdentityError::Pair(error.to_string()))?;
        Ok(Self { chain, key })
    }
}

/// How TLS is spoken with a server.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Who vouches for the server.
    pub trust: Trust,
    /// Who we are, to servers that ask.
    pub identity: Option<Identity>,
}

impl Tls {
    /// The host's own roots, and no certificate of ours.
    pub(crate) const HOST: Self = Self { trust: Trust::Host, identity: None };

    /// What speaks TLS so. The host's roots are read here, once, and not at every connect.
    pub(super) fn connector(&self) -> Result<TlsConnector, StoreError> {
        self.client_config().map(TlsConnector::from)
    }

    /// TLS 1.2 and 1.3 as a client, for whatever is spoken within. The host's roots are read here.
    ///
    /// # Errors
    /// When the host trusts nobody, or the library cannot use the certificate.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, StoreError> {
        let unusable = |error: rustls::Error| StoreError::Io(error.to_string());
        let mut roots = RootCertStore::empty();
        for authority in self.trust.authorities()?.iter() {
            roots.add(authority.clone()).map_err(unusable)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots);
        let config = match self.identity.clone() {
            Some(Identity { chain, key }) => config.with_client_auth_cert(chain, key).map_err(unusable)?,
            None => config.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }
}

impl Trust {
    /// Trusts the certificate authorities of this PEM text.
    ///
    /// # Errors
    /// When there is none in it, or one cannot be read.
    pub fn only(pem: &[u8]) -> Result<Self, TrustError> {
        let mut authorities = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| TrustError::Unreadable(error.to_string()))?;
            is_authority(&certificate).map_err(|error| TrustError::Unreadable(error.to_string()))?;
            authorities.push(certificate);
        }
        if authorities.is_empty() { Err(TrustError::Empty) } else { Ok(Self::Only(authorities.into())) }
    }

    fn authorities(&self) -> Result<Arc<[CertificateDer<'static>]>, StoreError> {
        match self {
            Self::Only(authorities) => Ok(authorities.clone()),
            Self::Host => host_authorities(),
        }
    }
}

fn is_authority(certificate: &CertificateDer<'static>) -> Result<(), rustls::Error> {
    RootCertStore::empty().add(certificate.clone())
}

fn host_authorities() -> Result<Arc<[CertificateDer<'static>]>, StoreError> {
    let mut found = rustls_native_certs::load_native_certs().certs;
    // One root of the host that rustls does not take must not make the others useless.
    found.retain(|certificate| is_authority(certificate).is_ok());
    if found.is_empty() {
        let problem = "this host trusts no certificate authorities; install its ca-certificates, or name the authority of \
                       the server's certificate (ca_file)";
        return Err(StoreError::Io(problem.to_owned()));
    }
    Ok(found.into())
}
