//! The same in the form in which the cluster's client takes it: PEM texts. What was read of files is written again, so that
//! both ways to a server rest on the same certificates.

use pem::Pem;
use redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Identity, Tls};
use crate::store::StoreError;

impl Tls {
    /// What the cluster's client speaks TLS with. The host's roots are read here, once, and not at every connect.
    ///
    /// That client takes its cryptography from the process: it is given ours, unless the process has chosen.
    pub(in crate::store::redis::link) fn certificates(&self) -> Result<TlsCertificates, StoreError> {
        // An error says that there is one already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let authorities = self.trust.authorities()?;
        let client_tls = self.identity.as_ref().map(Identity::texts).transpose()?;
        // Never `None`: the client would believe roots that were compiled into it.
        Ok(TlsCertificates { client_tls, root_cert: Some(certificates(&authorities)) })
    }
}

impl Identity {
    fn texts(&self) -> Result<ClientTlsConfig, StoreError> {
        let tag = match &self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            PrivateKeyDer::Pkcs8(_) => "PRIVATE KEY",
            _ => return Err(StoreError::Io("the key of client_key_file is of an unknown kind".to_owned())),
        };
        let client_key = pem::encode(&Pem::new(tag, self.key.secret_der())).into_bytes();
        Ok(ClientTlsConfig { client_cert: certificates(&self.chain), client_key })
    }
}

fn certificates(list: &[CertificateDer<'static>]) -> Vec<u8> {
    let list: Vec<_> = list.iter().map(|certificate| Pem::new("CERTIFICATE", certificate.as_ref())).collect();
    pem::encode_many(&list).into_bytes()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

    use super::*;

    /// Every kind of key, and a certificate with those that vouch for it, is read again as what it was.
    #[test]
    fn an_identity_stays_what_it_was() {
        // Longer than a line of a PEM text.
        let bytes: Vec<u8> = (0..=255).collect();
        let keys: [PrivateKeyDer<'static>; 3] = [
            PrivatePkcs8KeyDer::from(bytes.clone()).into(),
            PrivatePkcs1KeyDer::from(bytes.clone()).into(),
            PrivateSec1KeyDer::from(bytes.clone()).into(),
        ];
        let chain = vec![CertificateDer::from(bytes), CertificateDer::from(vec![1, 2, 3])];
        for key in keys {
            let texts = Identity { chain: chain.clone(), key: key.clone_key() }.texts().unwrap();
            assert_eq!(PrivateKeyDer::from_pem_slice(&texts.client_key).unwrap(), key);
            let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&texts.client_cert).collect();
            assert_eq!(read.unwrap(), chain);
        }
    }

    /// The roots are the host's, all that can be used, and never those that the client library brings along; a host
    /// without any is told so.
    #[test]
    fn the_host_says_who_is_trusted() {
        match Tls::HOST.certificates() {
            Ok(certificates) => {
                let text = certificates.root_cert.unwrap();
                let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
                assert_eq!(read.unwrap()[..], Tls::HOST.trust.authorities().unwrap()[..]);
            }
            Err(problem) => assert!(problem.to_string().contains("trusts no certificate authorities"), "{problem}"),
        }
    }
}
