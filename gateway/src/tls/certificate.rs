//! One certificate with its key, from two PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use queue_core::Timestamp;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, PEM: the server's own certificate first, then those up to the authority.
    pub cert_file: PathBuf,
    /// The private key, PEM, not encrypted.
    pub key_file: PathBuf,
}

/// A certificate whose key is the right one.
#[derive(Debug)]
pub struct Certificate {
    /// What handshakes need.
    pub key: Arc<CertifiedKey>,
    /// The names it is good for, in lower case.
    pub names: Vec<String>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Which of the two files to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAtFault {
    /// `cert_file`.
    Certificate,
    /// `key_file`.
    Key,
}

/// Why a certificate cannot be used. The message names the file; it never shows what is in it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct CertificateProblem {
    /// Which of the two.
    pub at_fault: FileAtFault,
    file: PathBuf,
    problem: String,
}

impl Certificate {
    /// Reads and checks both files.
    ///
    /// # Errors
    /// [`CertificateProblem`]: unreadable, no PEM of the right kind, or a key of another certificate.
    pub fn load(files: &CertificateFiles) -> Result<Self, CertificateProblem> {
        let of_certificate =
            |problem| CertificateProblem { at_fault: FileAtFault::Certificate, file: files.cert_file.clone(), problem };
        let of_key = |problem| CertificateProblem { at_fault: FileAtFault::Key, file: files.key_file.clone(), problem };

        let chain = read(&files.cert_file).map_err(of_certificate)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain)
            .collect::<Result<_, _>>()
            .map_err(|error| of_certificate(format!("is no PEM file: {error}")))?;
        let Some(own) = chain.first() else {
            return Err(of_certificate("holds no certificate (-----BEGIN CERTIFICATE-----)".to_owned()));
        };
        let (names, expires_at) = facts(own).map_err(of_certificate)?;

        let key = read(&files.key_file).map_err(of_key)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| of_key(no_key(&error, &key)))?;
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                of_key(format!("is not the key of the certificate in {}", files.cert_file.display()))
            }
            other => of_key(format!("cannot be used: {other}")),
        })?;
        Ok(Self { key: Arc::new(key), names, expires_at })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

fn no_key(error: &pem::Error, text: &[u8]) -> String {
    let encrypted = text.windows(b"ENCRYPTED".len()).any(|word| word == b"ENCRYPTED");
    match error {
        pem::Error::NoItemsFound if encrypted => {
            "is encrypted; write it without a passphrase: openssl pkey -in KEY -out NEW".to_owned()
        }
        pem::Error::NoItemsFound => "holds no private key (-----BEGIN PRIVATE KEY-----)".to_owned(),
        other => format!("is no PEM file: {other}"),
    }
}

/// The names a certificate is good for, and when it expires.
fn facts(certificate: &CertificateDer<'_>) -> Result<(Vec<String>, Timestamp), String> {
    let (_, certificate) =
        parse_x509_certificate(certificate).map_err(|error| format!("holds no certificate: {error}"))?;
    let names = match certificate.subject_alternative_name() {
        Ok(Some(names)) => &names.value.general_names[..],
        Ok(None) => &[],
        Err(error) => return Err(format!("holds a certificate whose names cannot be read: {error}")),
    };
    let names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let expires_at = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    Ok((names.collect(), Timestamp::from_secs(expires_at)))
}
