//! `[[listener]]`: the addresses at which visitors are answered.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use queue_core::Timestamp;

use super::reader::{Field, Reader, section};
use super::scalar::Name;
use super::units::ByteSize;
use crate::client_addr::TrustedProxies;
use crate::credentials::CookieSecurity;
use crate::tls::{Certificate, CertificateFiles, FileAtFault};

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
        /// Speaks HTTP/2 in cleartext, and only that, with clients that know it beforehand; for a balancer in front.
        http2_cleartext: bool = false,
        /// Each connection begins with the PROXY protocol header (v1 or v2) of one of the trusted proxies.
        proxy_protocol: bool = false,
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
        /// Without a byte either way in a tunnel (WebSocket).
        tunnel_idle_timeout: Duration = "60s",
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
        /// More certificates, for other names; which one a client gets depends on the name it asks for.
        additional: Vec<Field<CertificateSection>>,
    }
}

section! {
    /// A further certificate of a listener.
    CertificateSection, "additional of tls" {
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
    /// Certificates and keys, at least one; `None`: cleartext.
    pub tls: Option<Vec<CertificateFiles>>,
    /// Speaks HTTP/2 in cleartext, and only that.
    pub http2_cleartext: bool,
    /// Each connection begins with the PROXY protocol header of one of the trusted proxies.
    pub proxy_protocol: bool,
    /// What bounds a connection.
    pub limits: ListenerLimits,
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
    /// Without a byte either way in a tunnel.
    pub tunnel_idle_timeout: Duration,
    /// The longest header of a request, in bytes; at least 8 KiB, below which hyper cannot read.
    pub max_header_bytes: usize,
    /// The longest body of a request, in bytes.
    pub max_body_bytes: usize,
}

/// Below this the HTTP parser's buffer cannot be set.
const SMALLEST_HEADER: ByteSize = ByteSize(8 << 10);

impl ListenerSection {
    /// The listener, unless something was told about it.
    pub(super) fn resolve(&self, now: Timestamp, reader: &mut Reader<'_, '_>) -> Option<Listener> {
        self.warn_of_cookies(reader);
        self.check_protocols(reader);
        let networks = self.networks(reader);
        let tls = self.tls.get()?.as_ref().map(|tls| tls.resolve(now, reader));
        let insecure = self.insecure_cookies.copied()? && tls.is_none();
        Some(Listener {
            name: self.name.get()?.0.clone(),
            bind: self.bind.copied()?,
            cookies: if insecure { CookieSecurity::Insecure } else { CookieSecurity::Secure },
            trusted_proxies: TrustedProxies::new(networks),
            tls: match tls {
                None => None,
                Some(files) => Some(files?),
            },
            http2_cleartext: self.http2_cleartext.copied()?,
            proxy_protocol: self.proxy_protocol.copied()?,
            limits: self.limits(reader)?,
        })
    }

    fn check_protocols(&self, reader: &mut Reader<'_, '_>) {
        let tls = self.tls.given().is_some();
        if tls && self.http2_cleartext.copied() == Some(true) {
            reader.findings.error(
                &self.http2_cleartext.spot,
                "a listener with `tls` speaks no cleartext; HTTP/2 is offered over TLS without this key",
            );
        }
        if self.proxy_protocol.copied() == Some(true) && self.trusted_proxies.get().is_some_and(Vec::is_empty) {
            reader.findings.error(
                &self.proxy_protocol.spot,
                "needs the balancers' networks in trusted_proxies: nobody else is believed, so nobody could connect",
            );
        }
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
            tunnel_idle_timeout: reader.positive(&self.tunnel_idle_timeout)?,
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
            Some(true) if !no_tls => reader.findings.warn(
                &self.insecure_cookies.spot,
                "has no effect: a listener with `tls` always sets `__Host-` cookies",
            ),
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

impl TlsSection {
    /// Where the certificates are, each looked at; `None` when one was told to be unusable.
    fn resolve(&self, now: Timestamp, reader: &mut Reader<'_, '_>) -> Option<Vec<CertificateFiles>> {
        let first = certificate(&self.cert_file, &self.key_file, now, reader);
        let additional = self.additional.get().map_or(&[][..], Vec::as_slice).iter().map(|field| {
            let section = field.get()?;
            certificate(&section.cert_file, &section.key_file, now, reader)
        });
        let additional: Vec<Option<CertificateFiles>> = additional.collect();
        std::iter::once(first).chain(additional).collect()
    }
}

/// How long before the end `check` warns: as long as the alert.
const WARN_BEFORE_EXPIRY: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The files of a certificate that can be used, or a told mistake.
fn certificate(
    cert_file: &Field<String>,
    key_file: &Field<String>,
    now: Timestamp,
    reader: &mut Reader<'_, '_>,
) -> Option<CertificateFiles> {
    let files = CertificateFiles {
        cert_file: reader.folder.join(cert_file.get()?),
        key_file: reader.folder.join(key_file.get()?),
    };
    let spot = |at_fault| match at_fault {
        FileAtFault::Certificate => &cert_file.spot,
        FileAtFault::Key => &key_file.spot,
    };
    match Certificate::load(&files) {
        Err(problem) => {
            reader.findings.error(spot(problem.at_fault), problem.to_string());
            return None;
        }
        Ok(certificate) if certificate.expires_at <= now => {
            let problem = format!("the certificate expired at {}: browsers refuse it", certificate.expires_at);
            reader.findings.warn(&cert_file.spot, problem);
        }
        Ok(certificate) if certificate.expires_at <= now + WARN_BEFORE_EXPIRY => {
            reader.findings.warn(&cert_file.spot, format!("the certificate expires at {}", certificate.expires_at));
        }
        Ok(_) => {}
    }
    Some(files)
}
