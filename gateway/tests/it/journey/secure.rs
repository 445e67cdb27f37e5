//! Clients over TLS and HTTP/2, and the authority that they trust.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::ask::HOST;
use super::wait::PATIENCE;

/// Signs the certificates of a test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a server of this name shows; with `asks`, only to clients whose certificates it vouches for.
    pub(crate) fn server(&self, name: &str, asks: bool) -> TlsAcceptor {
        let (certificate, key) = self.server_certificate(&[name]);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = if asks { config.with_client_cert_verifier(verifier) } else { config.with_no_client_auth() };
        TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()))
    }

    /// A new certificate for these names and its key, PEM.
    pub(crate) fn server_certificate(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A connection to `address` as `name`, offering these protocols; an error when the handshake fails.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        name: &'static str,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.secure(stream, name, protocols).await
    }

    /// TLS over a connection on which something else was said first.
    pub(crate) async fn connect_over(&self, mut stream: TcpStream, first: &[u8]) -> TlsStream<TcpStream> {
        stream.write_all(first).await.unwrap();
        self.secure(stream, HOST, &[]).await.unwrap()
    }

    async fn secure(
        &self,
        stream: TcpStream,
        name: &'static str,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await
    }
}

/// One HTTP/2 connection.
#[derive(Clone)]
pub(crate) struct Http2(pub(crate) SendRequest<Bytes>);

/// What came back.
#[derive(Debug)]
pub(crate) struct Http2Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Http2 {
    /// In cleartext, with prior knowledge.
    pub(crate) async fn cleartext(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await
    }

    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Asks without a body.
    pub(crate) async fn get(&self, request: http::request::Builder) -> Result<Http2Answer, h2::Error> {
        self.send(request, Bytes::new(), None).await
    }

    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: Bytes,
        trailers: Option<HeaderMap>,
    ) -> Result<Http2Answer, h2::Error> {
        let exchange = async {
            let mut sender = self.0.clone().ready().await?;
            let bare = body.is_empty() && trailers.is_none();
            let (response, mut sending) = sender.send_request(request.body(()).unwrap(), bare)?;
            if !bare {
                // A refusal may come, and the stream end, before all of it has gone.
                let sent = sending.send_data(body, trailers.is_none());
                if let (Ok(()), Some(trailers)) = (sent, trailers) {
                    let _ = sending.send_trailers(trailers);
                }
            }
            let (head, mut frames) = response.await?.into_parts();
            let mut whole = Vec::new();
            while let Some(data) = frames.data().await {
                let data = data?;
                let _ = frames.flow_control().release_capacity(data.len());
                whole.extend_from_slice(&data);
            }
            let trailers = frames.trailers().await?;
            Ok(Http2Answer { status: head.status, headers: head.headers, body: whole.into(), trailers })
        };
        tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in time")
    }
}

impl Http2Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}\n{}", self.headers, String::from_utf8_lossy(&self.body));
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A request of HTTP/2 to this path of the sale.
pub(crate) fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("https://{HOST}{path}"))
}
