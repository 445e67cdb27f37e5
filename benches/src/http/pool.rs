//! A fixed number of keep-alive connections to one place, shared by everyone in turn.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{Answer, Ask, Failure, MAX_ANSWER_BYTES, REQUEST_DEADLINE};
use crate::clock::{Clock, Moment};

/// An idle connection may have been closed by the other side just before it was used; then the request was not sent
/// and goes out on another one. More often than this in a row is not that race.
const MAX_STALE_CONNECTIONS: usize = 8;

/// Where to connect: the host and port of an `http://` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    authority: String,
    host: String,
    port: u16,
}

/// A URL the crowd cannot use.
#[derive(Debug, thiserror::Error)]
#[error("want http://host[:port], not {0:?}")]
pub struct BadUrl(String);

impl Target {
    /// From `http://host[:port][/path]`; gives the path too, `/` when there is none.
    ///
    /// # Errors
    /// [`BadUrl`] for anything but a plain http URL.
    pub fn parse(url: &str) -> Result<(Self, String), BadUrl> {
        let bad = || BadUrl(url.to_owned());
        let uri: http::Uri = url.parse().map_err(|_| bad())?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(bad()) };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let target = Self { authority: authority.to_string(), host, port: authority.port_u16().unwrap_or(80) };
        Ok((target, uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned()))
    }

    /// `host[:port]` as written.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// The connections to one target: at most `size` at a time, opened when needed, used last in first out.
#[derive(Debug)]
pub struct Pool {
    target: Target,
    host: HeaderValue,
    turns: Semaphore,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    opened: Cell<u64>,
}

impl Pool {
    /// An empty pool for at most `size` connections.
    pub fn new(target: Target, size: usize) -> Self {
        let host = HeaderValue::from_str(&target.authority).unwrap_or(HeaderValue::from_static("localhost"));
        Self { target, host, turns: Semaphore::new(size.max(1)), idle: RefCell::default(), opened: Cell::new(0) }
    }

    /// How many connections were opened so far.
    pub fn opened(&self) -> u64 {
        self.opened.get()
    }

    /// Sends `ask` when it is its turn and reads the whole answer.
    ///
    /// # Errors
    /// [`Failure`] when there is none; the request may have had its effect.
    pub async fn send(&self, clock: &Clock, ask: &Ask) -> Result<Answer, Failure> {
        let Ok(_turn) = self.turns.acquire().await else { return Err(Failure::Deadline) };
        tokio::time::timeout(REQUEST_DEADLINE, self.exchange(clock, ask)).await.unwrap_or(Err(Failure::Deadline))
    }

    async fn exchange(&self, clock: &Clock, ask: &Ask) -> Result<Answer, Failure> {
        let mut stale = 0;
        loop {
            let (mut sender, reused) = self.connection().await?;
            if let Err(error) = sender.ready().await {
                if reused && stale < MAX_STALE_CONNECTIONS {
                    stale += 1;
                    continue;
                }
                return Err(error.into());
            }
            let sent = clock.now();
            match sender.try_send_request(self.request(ask)?).await {
                Ok(response) => {
                    let answer = read(clock, response, sent).await?;
                    if !sender.is_closed() {
                        self.idle.borrow_mut().push(sender);
                    }
                    return Ok(answer);
                }
                Err(unsent) if unsent.message().is_some() && reused && stale < MAX_STALE_CONNECTIONS => {
                    stale += 1;
                }
                Err(failed) => return Err(failed.into_error().into()),
            }
        }
    }

    async fn connection(&self) -> Result<(SendRequest<Full<Bytes>>, bool), Failure> {
        while let Some(sender) = self.pop() {
            if !sender.is_closed() {
                return Ok((sender, true));
            }
        }
        let stream = TcpStream::connect((self.target.host.as_str(), self.target.port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        self.opened.set(self.opened.get() + 1);
        // Ends with the connection; what goes wrong on it reaches the request that was on it.
        tokio::spawn(connection);
        Ok((sender, false))
    }

    fn pop(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle.borrow_mut().pop()
    }

    fn request(&self, ask: &Ask) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.path).header(HOST, &self.host);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if ask.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(ask.body.clone().unwrap_or_default()))
    }
}

async fn read(clock: &Clock, response: http::Response<hyper::body::Incoming>, sent: Moment) -> Result<Answer, Failure> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(Failure::Body)?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body, sent, answered: clock.now() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mistyped URL is refused with what is wanted, not guessed at.
    #[test]
    fn takes_plain_http_urls_only() {
        let (target, path) = Target::parse("http://127.0.0.1:8081/metrics?x=1").unwrap();
        assert_eq!((target.authority(), target.port, path.as_str()), ("127.0.0.1:8081", 8081, "/metrics?x=1"));
        assert_eq!(Target::parse("http://[::1]").unwrap().0.host, "::1");
        for bad in ["127.0.0.1:8080", "https://127.0.0.1", "/metrics", ""] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }
}
