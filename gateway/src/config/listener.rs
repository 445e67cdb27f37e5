//! `[[listener]]`: the addresses at which visitors are answered.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Field, Reader, section};
use super::scalar::Name;
use super::units::ByteSize;
use crate::client_addr::TrustedProxies;
use crate::credentials::CookieSecurity;

section! {
    /// An address at which visitors are answered.
    ListenerSection, "[[listener]]" {
        /// Its name in metrics and logs.
        name: Name,
        /// The address and port to listen at; port 0 takes a free one.
        bind: SocketAddr,
        /// Sets cookies without `__Host-` and `Secure`: for cleartext without a TLS terminator in front.
        insecure_cookies: bool = false,
        /// Certificate and key; without it the listener speaks cleartext.
        tls: Option<TlsSection>,
        /// Networks whose `X-Forwarded-For` and `Forwarded` are believed.
        trusted_proxies: Vec<Field<IpNet>>,
        /// Connections at once; those beyond are closed at once.
        max_connections: u32 = 10_000,
        /// From accepting a connection to its first byte.
        first_byte_timeout: Duration = "5s",
        /// From the first byte of a request to the end of its header.
        header_timeout: Duration = "10s",
        /// Without a byte of a request body.
        body_timeout: Duration = "15s",
        /// Without a byte of a response taken by the client.
        write_timeout: Duration = "30s",
        /// Between two requests of a connection.
        idle_timeout: Duration = "60s",
        /// The longest header of a request.
        max_header_bytes: ByteSize = "16KiB",
        /// The longest body of a request.
        max_body_bytes: ByteSize = "1MiB",
    }
}

section! {
    /// Certificate and key of a listener.
    TlsSection, "tls of [[listener]]" {
        /// The certificate chain, PEM.
        cert_file: String,
        /// The private key, PEM.
        key_file: String,
    }
}

/// An address at which visitors are answered.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in metrics and logs.
    pub name: String,
    /// The address and port; port 0 takes a free one.
    pub bind: SocketAddr,
    /// What cookies are called and whether they are kept to encrypted connections.
    pub cookies: CookieSecurity,
    /// Who may name another address as the client's.
    pub trusted_proxies: TrustedProxies,
    /// Certificate and key; `None`: cleartext.
    pub tls: Option<TlsFiles>,
    /// What bounds a connection.
    pub limits: ListenerLimits,
}

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// The private key, PEM.
    pub key_file: PathBuf,
}

/// What bounds the connections of a listener. None is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections at once.
    pub max_connections: u32,
    /// From accepting a connection to its first byte.
    pub first_byte_timeout: Duration,
    /// From the first byte of a request to the end of its header.
    pub header_timeout: Duration,
    /// Without a byte of a request body.
    pub body_timeout: Duration,
    /// Without a byte of a response taken by the client.
    pub write_timeout: Duration,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// The longest header of a request, in bytes; at least 8 KiB, below which hyper cannot read.
    pub max_header_bytes: usize,
    /// The longest body of a request, in bytes.
    pub max_body_bytes: usize,
}

/// Below this the HTTP parser's buffer cannot be set.
const SMALLEST_HEADER: ByteSize = ByteSize(8 << 10);

impl ListenerSection {
    /// The listener, unless something was told about it.
    pub(super) fn resolve(&self, reader: &mut Reader<'_, '_>) -> Option<Listener> {
        self.warn_of_cookies(reader);
        let networks = self.networks(reader);
        let insecure = self.insecure_cookies.copied()?;
        Some(Listener {
            name: self.name.get()?.0.clone(),
            bind: self.bind.copied()?,
            cookies: if insecure { CookieSecurity::Insecure } else { CookieSecurity::Secure },
            trusted_proxies: TrustedProxies::new(networks),
            tls: match self.tls.get()? {
                None => None,
                Some(tls) => Some(TlsFiles {
                    cert_file: reader.folder.join(tls.cert_file.get()?),
                    key_file: reader.folder.join(tls.key_file.get()?),
                }),
            },
            limits: self.limits(reader)?,
        })
    }

    fn limits(&self, reader: &mut Reader<'_, '_>) -> Option<ListenerLimits> {
        if self.max_connections.copied() == Some(0) {
            reader.findings.error(&self.max_connections.spot, "must be at least 1");
        }
        if self.max_header_bytes.copied().is_some_and(|size| size < SMALLEST_HEADER) {
            reader.findings.error(&self.max_header_bytes.spot, "must be at least \"8KiB\"");
        }
        Some(ListenerLimits {
            max_connections: self.max_connections.copied()?,
            first_byte_timeout: reader.positive(&self.first_byte_timeout)?,
            header_timeout: reader.positive(&self.header_timeout)?,
            body_timeout: reader.positive(&self.body_timeout)?,
            write_timeout: reader.positive(&self.write_timeout)?,
            idle_timeout: reader.positive(&self.idle_timeout)?,
            max_header_bytes: self.max_header_bytes.copied()?.0,
            max_body_bytes: self.max_body_bytes.copied()?.0,
        })
    }

    fn networks(&self, reader: &mut Reader<'_, '_>) -> Vec<IpNet> {
        let fields = self.trusted_proxies.get().map_or(&[][..], Vec::as_slice);
        for field in fields {
            if field.copied().is_some_and(|network| network.prefix_len() == 0) {
                reader.findings.error(
                    &field.spot,
                    "trusts everybody, so every client could choose its own address; name the proxies' networks",
                );
            }
        }
        fields.iter().filter_map(Field::copied).collect()
    }

    fn warn_of_cookies(&self, reader: &mut Reader<'_, '_>) {
        let no_proxies = self.trusted_proxies.get().is_none_or(Vec::is_empty);
        let no_tls = self.tls.given().is_none();
        match self.insecure_cookies.copied() {
            Some(true) => reader.findings.warn(
                &self.insecure_cookies.spot,
                "cookies go without `__Host-` and `Secure`: whoever can read the connection can take a place or a ticket; \
                 put TLS in front for a real sale",
            ),
            Some(false) if no_tls && no_proxies => reader.findings.warn(
                &self.spot,
                "browsers keep the `__Host-` cookies of this listener only over TLS; put a TLS terminator in front and name \
                 it in trusted_proxies, or set `insecure_cookies = true` for cleartext",
            ),
            _ => {}
        }
    }
}
