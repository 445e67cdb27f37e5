//! Fetches the gateway's key document.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A document of at most 4 keys is far below 1 KiB each.
const MAX_DOCUMENT_BYTES: usize = 64 * 1_024;
/// The gateway answers from memory.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where the keys are: cleartext HTTP inside the private network that gateway and booking API share.
#[derive(Clone, Debug)]
pub struct KeysUrl {
    authority: String,
    address: String,
    path: String,
}

/// Not an address of a key document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address of keys: use http://HOST:PORT/_usher/jwks.json")]
pub struct BadKeysUrl(String);

impl KeysUrl {
    /// From its written form.
    ///
    /// # Errors
    /// [`BadKeysUrl`] for anything but an absolute `http:` address.
    pub fn parse(text: &str) -> Result<Self, BadKeysUrl> {
        let bad = || BadKeysUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(bad)?;
        Ok(Self {
            address: format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80)),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            authority: authority.to_string(),
        })
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("request: {0}")]
    Request(#[from] http::Error),
    #[error("answered {0}")]
    Status(StatusCode),
    #[error("the document is too large, broken off or not text")]
    Body,
}

/// The document at `url`.
pub(super) async fn fetch(url: &KeysUrl) -> Result<String, FetchError> {
    tokio::time::timeout(TIMEOUT, exchange(url)).await.unwrap_or(Err(FetchError::Timeout))
}

async fn exchange(url: &KeysUrl) -> Result<String, FetchError> {
    let stream = TcpStream::connect(&url.address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(&url.path)
        .header(header::HOST, &url.authority)
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), MAX_DOCUMENT_BYTES).collect().await;
        let body = body.map_err(|_| FetchError::Body)?.to_bytes();
        String::from_utf8(body.into()).map_err(|_| FetchError::Body)
    };
    let mut answer = std::pin::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    // The connection is driven only as long as its answer is awaited.
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mistyped address is told at start, not found out in the night of the sale.
    #[test]
    fn only_absolute_http_addresses() {
        let url = KeysUrl::parse("http://127.0.0.1:8080/_usher/jwks.json").unwrap();
        assert_eq!((url.address.as_str(), url.path.as_str()), ("127.0.0.1:8080", "/_usher/jwks.json"));
        assert_eq!(KeysUrl::parse("http://gateway/k").unwrap().address, "gateway:80");
        for bad in ["", "gateway", "/_usher/jwks.json", "https://gateway/k", "http://"] {
            assert_eq!(KeysUrl::parse(bad).unwrap_err(), BadKeysUrl(bad.to_owned()));
        }
    }
}
