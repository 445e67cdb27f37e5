//! One request over a connection of its own, and its answer.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The host all requests name unless they say otherwise.
pub(crate) const HOST: &str = "sale.example";

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(HOST));
        Self { method, path: path.into(), headers, body: Bytes::new() }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// As a browser asks for a page.
    pub(crate) fn page(path: impl Into<String>) -> Self {
        Self::get(path).accepting_pages()
    }

    pub(crate) fn accepting_pages(self) -> Self {
        self.header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, document: &Value) -> Self {
        self.header("content-type", "application/json").body(document.to_string())
    }

    pub(crate) fn into_request(self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers;
        request
    }

    /// Sends it; fails the test when there is no whole answer.
    pub(crate) async fn send(self, address: SocketAddr) -> Answer {
        let told = format!("{} {}", self.method, self.path);
        self.try_send(address).await.unwrap_or_else(|error| panic!("{told}: {error}"))
    }

    pub(crate) async fn try_send(self, address: SocketAddr) -> Result<Answer, String> {
        let mut connection = connect(address).await?;
        exchange(&mut connection, self.into_request()).await
    }
}

/// An open connection, to be used again and again.
pub(crate) async fn connect<B>(address: SocketAddr) -> Result<SendRequest<B>, String>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

/// One exchange over an open connection, the answer read to its end.
pub(crate) async fn exchange<B>(connection: &mut SendRequest<B>, request: Request<B>) -> Result<Answer, String>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    connection.ready().await.map_err(|error| error.to_string())?;
    let response = connection.send_request(request).await.map_err(|error| error.to_string())?;
    let (head, body): (_, Incoming) = response.into_parts();
    let body = body.collect().await.map_err(|error| format!("the body broke off: {error}"))?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

/// Sends bytes as they are and reads until the gateway closes: for what no client library would send.
pub(crate) async fn raw(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}: {}", self.status, self.text()))
    }

    /// A header's one value; empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        assert!(self.headers.get_all(name).iter().count() <= 1, "{name} is there twice");
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value and the attributes of a cookie that is set.
    pub(crate) fn set_cookie(&self, name: &str) -> Option<(String, String)> {
        let set = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        let mut found = set.filter_map(|set| set.split_once('=')).filter(|(found, _)| *found == name);
        let (_, rest) = found.next()?;
        assert!(found.next().is_none(), "{name} is set twice");
        let (value, attributes) = rest.split_once(';').unwrap_or((rest, ""));
        Some((value.to_owned(), attributes.to_owned()))
    }

    /// The last segment of the problem's type, with all that goes for any problem checked.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{:?}: {}", self.status, self.text());
        assert_eq!(self.header("cache-control"), "no-store");
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()));
        let kind = document["type"].as_str().unwrap();
        kind[kind.rfind('/').unwrap()..].to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}\n{}", self.headers, self.text());
        self
    }
}
