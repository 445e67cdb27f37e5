//! Where an upstream listens.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::stream::UpstreamStream;

/// One address of an upstream, read from `http://host:port`.
#[derive(Clone, Debug)]
pub struct Endpoint {
    host: String,
    port: u16,
    /// How TLS is spoken there, and whose certificate is asked for.
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// Not a URI with a host.
    #[error("an endpoint is written http://host:port, not {0:?}")]
    Malformed(String),
    /// Another scheme than `http`.
    #[error("an endpoint's scheme is http, not {0:?}")]
    Scheme(String),
    /// A path, query or user.
    #[error("an endpoint has no path, query or user: {0:?}")]
    Extra(String),
}

impl Endpoint {
    /// The same, over TLS: its certificate must be good for this name.
    #[must_use]
    pub fn secured(mut self, config: Arc<ClientConfig>, name: ServerName<'static>) -> Self {
        self.tls = Some((config, name));
        self
    }

    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = self.host.parse() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        Ok(tokio::net::lookup_host((self.host.as_str(), self.port)).await?.collect())
    }

    /// Connects to the first of its addresses that accepts; with TLS, until the certificate is known to be good.
    pub(super) async fn connect(&self) -> io::Result<UpstreamStream> {
        let stream = self.connect_socket().await?;
        let Some((config, name)) = &self.tls else { return Ok(UpstreamStream::Plain(stream)) };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await?;
        Ok(UpstreamStream::Tls(Box::new(stream)))
    }

    async fn connect_socket(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.resolve().await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let malformed = || BadEndpoint::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let authority = uri.authority().ok_or_else(malformed)?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(scheme) => return Err(BadEndpoint::Scheme(scheme.to_string())),
            None => return Err(malformed()),
        }
        let bare = uri.path_and_query().is_none_or(|path| path == "/") && !authority.as_str().contains('@');
        if !bare {
            return Err(BadEndpoint::Extra(text.to_owned()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = if authority.as_str().ends_with(authority.host()) { Some(80) } else { authority.port_u16() };
        match port {
            Some(port) if port != 0 && !host.is_empty() => Ok(Self { host, port, tls: None }),
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mistyped endpoint is refused when the config is read, not at the first request.
    #[test]
    fn endpoints_are_read_strictly() {
        let shown = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
        assert_eq!(shown("http://127.0.0.1:8090").unwrap(), "127.0.0.1:8090");
        assert_eq!(shown("http://booking.internal").unwrap(), "booking.internal:80");
        assert_eq!(shown("http://[::1]:8090/").unwrap(), "[::1]:8090");
        assert_eq!(shown("http://[::1]").unwrap(), "[::1]:80");
        for bad in [
            "127.0.0.1:8090",
            "https://h:1",
            "http://",
            "http://h:0",
            "http://h:99999",
            "http://h:1/path",
            "http://u@h:1",
            "http://h:1?q",
            "http://h:",
            "",
        ] {
            assert!(shown(bad).is_err(), "{bad}");
        }
    }
}
