//! `[admin]`: the operators' own address.

use std::net::SocketAddr;

use secrecy::SecretString;

use super::reader::{Reader, section};
use super::secret::SecretFile;

section! {
    /// The operators' address: health, metrics, API.
    AdminSection, "[admin]" {
        /// The address and port to listen at; port 0 takes a free one.
        bind: SocketAddr = "127.0.0.1:8081",
        /// A file with the bearer token of the API; without it the API is read-only.
        token_file: Option<SecretFile>,
    }
}

/// The operators' address.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The address and port; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The bearer token of the API; `None`: it is read-only.
    pub token: Option<SecretString>,
}

impl AdminSection {
    /// The admin listener, unless something was told about it.
    pub(super) fn resolve(&self, reader: &mut Reader<'_, '_>) -> Option<Admin> {
        let bind = self.bind.copied()?;
        if !bind.ip().is_loopback() && !self.token_file.given {
            reader.findings.error(
                &self.bind.spot,
                "is reachable from other machines without a token; set token_file or bind to 127.0.0.1",
            );
        }
        Some(Admin { bind, token: self.token_file.given().map(|file| file.content.clone()) })
    }
}
